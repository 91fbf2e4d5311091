//! Reading the files: where they come from, and their lines as new rows.

use std::any::type_name;
use std::cell::Cell;
use std::error::Error as StdError;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;

use csv::StringRecord;
use flate2::bufread::MultiGzDecoder;
use ommi::prelude::*;

use crate::error::{Error, Result};

/// How a missing value is written.
const MISSING: &str = "NA";

/// Where the five files come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// 1-14 January 2013, as part of the program.
    Included,
    /// A folder that has each file, as it is or compressed.
    Folder(PathBuf),
}

/// A model whose rows are the lines of a file.
pub(crate) trait FromLine: Model {
    /// The file's name, uncompressed.
    const FILE: &'static str;

    /// The new row that a line describes.
    fn from_line(line: &mut Fields<'_>) -> Result<Self::Draft>;
}

impl Source {
    /// The lines of this model's file.
    pub(crate) fn lines<M: FromLine>(&self) -> Result<Lines<M>> {
        let (packed, length, compressed) = self.open(M::FILE)?;
        let read = Rc::new(Cell::new(0));
        let counted = BufReader::with_capacity(1 << 16, Counted { inner: packed, read: read.clone() });
        let plain: Box<dyn Read> = if compressed { Box::new(MultiGzDecoder::new(counted)) } else { Box::new(counted) };
        let mut lines = csv::Reader::from_reader(plain);
        let header = lines.headers().map_err(|error| broken_line(M::FILE, 1, error))?.clone();
        Ok(Lines { lines, header, record: StringRecord::new(), read, length, model: PhantomData })
    }

    /// The file's bytes, their number, and whether they are compressed.
    fn open(&self, file: &'static str) -> Result<(Box<dyn Read>, u64, bool)> {
        let folder = match self {
            Source::Included => {
                let bytes = included(file);
                return Ok((Box::new(bytes), bytes.len() as u64, true));
            }
            Source::Folder(folder) => folder,
        };
        let plain = folder.join(file);
        match open_file(&plain) {
            Ok((open, length)) => Ok((open, length, false)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let packed = folder.join(format!("{file}.gz"));
                match open_file(&packed) {
                    Ok((open, length)) => Ok((open, length, true)),
                    // Of two names that are both missing, the plain one is the one to report.
                    Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                        Err(Error::File { path: plain, source: error })
                    }
                    Err(source) => Err(Error::File { path: packed, source }),
                }
            }
            Err(source) => Err(Error::File { path: plain, source }),
        }
    }
}

fn open_file(path: &Path) -> io::Result<(Box<dyn Read>, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((Box::new(file), length))
}

fn included(file: &str) -> &'static [u8] {
    match file {
        "airlines.csv" => include_bytes!("data/airlines.csv.gz"),
        "airports.csv" => include_bytes!("data/airports.csv.gz"),
        "planes.csv" => include_bytes!("data/planes.csv.gz"),
        "weather.csv" => include_bytes!("data/weather.csv.gz"),
        "flights.csv" => include_bytes!("data/flights.csv.gz"),
        _ => &[],
    }
}

/// The lines of a file, each as a new row of `M`.
pub(crate) struct Lines<M> {
    lines: csv::Reader<Box<dyn Read>>,
    header: StringRecord,
    record: StringRecord,
    read: Rc<Cell<u64>>,
    length: u64,
    model: PhantomData<M>,
}

impl<M: FromLine> Lines<M> {
    /// The part of the file that has been read, 0 to 1.
    pub(crate) fn part(&self) -> f64 {
        self.read.get() as f64 / self.length.max(1) as f64
    }

    /// The next rows, at most so many; none at the end.
    pub(crate) fn chunk(&mut self, rows: usize) -> Result<Vec<M::Draft>> {
        self.take(rows).collect()
    }
}

impl<M: FromLine> Iterator for &mut Lines<M> {
    type Item = Result<M::Draft>;

    fn next(&mut self) -> Option<Result<M::Draft>> {
        let line = self.lines.position().line();
        match self.lines.read_record(&mut self.record) {
            Ok(true) => {
                let mut fields = Fields { file: M::FILE, line, header: &self.header, record: &self.record, next: 0 };
                Some(M::from_line(&mut fields))
            }
            Ok(false) => None,
            Err(error) => Some(Err(broken_line(M::FILE, line, error))),
        }
    }
}

fn broken_line(file: &'static str, line: u64, error: csv::Error) -> Error {
    Error::Data { file, line, problem: "this line cannot be read".to_owned(), source: Some(Box::new(error)) }
}

/// One line, its fields looked up by the names in the file's first line.
#[derive(Debug)]
pub(crate) struct Fields<'l> {
    file: &'static str,
    line: u64,
    header: &'l StringRecord,
    record: &'l StringRecord,
    /// The place after the field that was asked for last: fields are asked for in the file's order, nearly always.
    next: usize,
}

impl<'l> Fields<'l> {
    /// A field that holds text.
    pub(crate) fn text(&mut self, column: &str) -> Result<&'l str> {
        match self.field(column)? {
            MISSING => Err(self.broken(format!("column `{column}` must hold something"), None)),
            text => Ok(text),
        }
    }

    /// A field that holds a `T`.
    pub(crate) fn value<T>(&mut self, column: &str) -> Result<T>
    where
        T: FromStr<Err: StdError + Send + Sync + 'static>,
    {
        let text = self.text(column)?;
        self.parsed(column, text)
    }

    /// A field that holds a `T` or nothing.
    pub(crate) fn optional<T>(&mut self, column: &str) -> Result<Option<T>>
    where
        T: FromStr<Err: StdError + Send + Sync + 'static>,
    {
        match self.field(column)? {
            MISSING => Ok(None),
            text => self.parsed(column, text).map(Some),
        }
    }

    fn parsed<T>(&self, column: &str, text: &str) -> Result<T>
    where
        T: FromStr<Err: StdError + Send + Sync + 'static>,
    {
        text.parse().map_err(|error: T::Err| {
            let wanted = type_name::<T>();
            self.broken(format!("column `{column}` holds {text:?}, which is no {wanted}"), Some(Box::new(error)))
        })
    }

    fn field(&mut self, column: &str) -> Result<&'l str> {
        let place = match self.header.get(self.next) {
            Some(name) if name == column => Some(self.next),
            _ => self.header.iter().position(|name| name == column),
        };
        match place.and_then(|place| self.record.get(place).zip(Some(place))) {
            Some((text, place)) => {
                self.next = place + 1;
                Ok(text)
            }
            None => Err(self.broken(format!("the file has no column `{column}`"), None)),
        }
    }

    fn broken(&self, problem: String, source: Option<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::Data { file: self.file, line: self.line, problem, source }
    }
}

/// Counts the bytes that were read, which tells how far a compressed file is.
struct Counted<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}
