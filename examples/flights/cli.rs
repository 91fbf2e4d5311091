//! The arguments.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::data::Source;
use crate::error::{Error, Result};

pub(crate) const HELP: &str = "\
Loads flights, airlines, airports, planes and weather, and answers questions about them.

Usage: cargo run --release --example flights -- [OPTIONS]

Options:
  --full DIR        load the whole data set: airlines, airports, planes, weather and flights in this folder,
                    each as .csv or .csv.gz; without it, 1-14 January 2013, which the program holds itself
  --database URL    use this store; without it, SQLite in memory
  --replace         drop the example's tables in the store first, with everything in them
  --compare         time loading beside a loader that is written by hand with rusqlite, and
                    report the memory that streaming takes; answers no questions
  --stream-memory   only stream the flights of the store, which must be loaded already, and report by how
                    much the process grew
  --help            print this

Answers go to standard output and are the same in every run and on every store; progress, timings and
statements go to standard error.";

/// What the arguments ask for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Answer { source: Source, database: Option<String>, replace: bool },
    Compare { source: Source },
    StreamMemory { database: String },
}

/// Reads the arguments, without the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command> {
    let mut arguments = arguments.into_iter();
    let (mut full, mut database) = (None, None);
    let (mut replace, mut compare, mut stream_memory) = (false, false, false);
    while let Some(argument) = arguments.next() {
        let (name, attached) = split(&argument);
        let mut value = |what: &str| match attached.clone().or_else(|| arguments.next()) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(Error::Usage(format!("{name} needs {what}"))),
        };
        match name.as_str() {
            "--full" => once(&name, &mut full, PathBuf::from(value("a folder")?))?,
            "--database" => {
                let url = value("the URL of a store")?;
                let url = url.into_string().map_err(|_| Error::Usage("the URL is not UTF-8".to_owned()))?;
                once(&name, &mut database, url)?;
            }
            _ if attached.is_some() => return Err(unknown(&argument)),
            "--replace" => replace = true,
            "--compare" => compare = true,
            "--stream-memory" => stream_memory = true,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(unknown(&argument)),
        }
    }
    if compare && (database.is_some() || replace || stream_memory) {
        return Err(Error::Usage(
            "--compare uses files of its own: of the other options it takes --full only".to_owned(),
        ));
    }
    if stream_memory && (full.is_some() || replace) {
        return Err(Error::Usage("--stream-memory loads nothing: it takes --database only".to_owned()));
    }
    if stream_memory {
        let missing = || Error::Usage("--stream-memory needs --database with a store that is loaded".to_owned());
        return Ok(Command::StreamMemory { database: database.ok_or_else(missing)? });
    }
    let source = full.map_or(Source::Included, Source::Folder);
    Ok(if compare { Command::Compare { source } } else { Command::Answer { source, database, replace } })
}

/// `--name=value` as its two parts.
fn split(argument: &OsString) -> (String, Option<OsString>) {
    match argument.to_str().and_then(|text| text.split_once('=')) {
        Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.into())),
        _ => (argument.to_string_lossy().into_owned(), None),
    }
}

fn once<T>(name: &str, place: &mut Option<T>, value: T) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::Usage(format!("{name} is given twice"))),
    }
}

fn unknown(argument: &OsString) -> Error {
    Error::Usage(format!("there is no option `{}`", argument.display()))
}
