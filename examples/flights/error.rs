//! What can go wrong in this program, as sentences with their causes.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::{fmt, io};

use ommi::prelude::*;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the program stopped.
#[derive(Debug)]
pub(crate) enum Error {
    /// The arguments make no sense; exit code 2.
    Usage(String),
    /// A file or folder of the data is missing or cannot be read.
    File { path: PathBuf, source: io::Error },
    /// A folder for temporary files cannot be made.
    Folder { path: PathBuf, source: io::Error },
    /// The data is not what the models expect.
    Data { file: &'static str, line: u64, problem: String, source: Option<Box<dyn StdError + Send + Sync>> },
    /// What the database reported. It speaks for itself.
    Database(DBError),
    /// What the hand-written loader met.
    Raw(rusqlite::Error),
    /// Standard output cannot be written to.
    Output(io::Error),
    /// Anything else that stops the program, as a sentence.
    Stopped(String),
}

impl Error {
    /// Whether the reader of standard output has had enough, as `head` has. That is no failure.
    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The sentence, and below it each cause.
    pub(crate) fn chain(&self) -> String {
        let mut text = format!("error: {self}");
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(&format!("\n  because: {error}"));
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(problem) | Error::Stopped(problem) => f.write_str(problem),
            Error::File { path, .. } => write!(f, "{} cannot be read", path.display()),
            Error::Folder { path, .. } => write!(f, "the folder {} cannot be created", path.display()),
            Error::Data { file, line, problem, .. } => write!(f, "{file}, line {line}: {problem}"),
            Error::Database(error) => error.fmt(f),
            Error::Raw(_) => f.write_str("the hand-written loader failed"),
            Error::Output(_) => f.write_str("standard output cannot be written to"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Usage(_) | Error::Stopped(_) => None,
            Error::File { source, .. } | Error::Folder { source, .. } | Error::Output(source) => Some(source),
            Error::Data { source, .. } => source.as_deref().map(|source| source as _),
            Error::Database(error) => error.source(),
            Error::Raw(source) => Some(source),
        }
    }
}

impl From<DBError> for Error {
    fn from(error: DBError) -> Error {
        Error::Database(error)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        Error::Raw(error)
    }
}
