//! The answers, as text: numbered questions with aligned tables.

use std::fmt::Display;
use std::io::{BufWriter, Stdout, Write, stdout};

use crate::error::{Error, Result};

/// Writes the answers to standard output.
#[derive(Debug)]
pub(crate) struct Report {
    out: BufWriter<Stdout>,
    questions: usize,
}

impl Report {
    pub(crate) fn new() -> Report {
        Report { out: BufWriter::new(stdout()), questions: 0 }
    }

    /// Begins a numbered section.
    pub(crate) fn question(&mut self, question: &str) -> Result<()> {
        self.questions += 1;
        let gap = if self.questions > 1 { "\n" } else { "" };
        writeln!(self.out, "{gap}{}. {question}\n", self.questions).map_err(Error::Output)
    }

    /// Text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<()> {
        writeln!(self.out, "{text}").map_err(Error::Output)
    }

    /// A line of its own.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<()> {
        writeln!(self.out, "   {line}").map_err(Error::Output)
    }

    /// What is not the same in every run, or on every store: it goes to standard error.
    pub(crate) fn aside(&self, text: &str) {
        eprintln!("{text}");
    }

    /// A line that says how the table above is to be read.
    pub(crate) fn note(&mut self, note: impl Display) -> Result<()> {
        writeln!(self.out, "\n   {note}").map_err(Error::Output)
    }

    pub(crate) fn table(&mut self, table: &Table) -> Result<()> {
        table.lines().iter().try_for_each(|line| self.line(line))
    }

    /// Makes sure that everything is written.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.out.flush().map_err(Error::Output)
    }
}

/// Rows under a head. A column whose head begins with `>` is aligned to the right.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Table {
        Table {
            head: head.iter().map(|name| name.trim_start_matches('>').to_owned()).collect(),
            right: head.iter().map(|name| name.starts_with('>')).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [&dyn Display; N]) {
        self.rows.push(cells.iter().map(|cell| cell.to_string()).collect());
    }

    fn lines(&self) -> Vec<String> {
        let mut widths: Vec<usize> = self.head.iter().map(|name| name.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
        let aligned = |cells: &Vec<String>| {
            let cells = cells.iter().zip(&widths).zip(&self.right);
            let cells: Vec<String> = cells
                .map(
                    |((cell, &width), &right)| {
                        if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                    },
                )
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        [&self.head, &rule].into_iter().chain(&self.rows).map(aligned).collect()
    }
}

/// An optional value as a cell: NULL where there is none.
pub(crate) fn cell<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |value| value.to_string())
}
