//! How far loading is, on standard error: a bar in a terminal, and one line for each table elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

const WIDTH: u64 = 32;
const REDRAW: Duration = Duration::from_millis(60);

/// The loading of one table.
#[derive(Debug)]
pub(crate) struct Progress {
    table: &'static str,
    rows: usize,
    started: Instant,
    /// When the bar was drawn last; `None` where there is no terminal to draw it on.
    drawn: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(table: &'static str) -> Progress {
        let started = Instant::now();
        let progress = Progress { table, rows: 0, started, drawn: stderr().is_terminal().then_some(started) };
        if progress.drawn.is_some() {
            progress.draw(0.0);
        }
        progress
    }

    /// Counts rows that are stored, of a file of which this part (0 to 1) has been read.
    pub(crate) fn add(&mut self, rows: usize, part: f64) {
        self.rows += rows;
        if self.drawn.is_some_and(|drawn| drawn.elapsed() >= REDRAW) {
            self.drawn = Some(Instant::now());
            self.draw(part);
        }
    }

    pub(crate) fn finish(self) {
        if self.drawn.is_some() {
            self.draw(1.0);
        } else {
            eprintln!("{:<8} {:>6} rows in {:.2} s", self.table, self.rows, self.started.elapsed().as_secs_f64());
        }
    }

    fn draw(&self, part: f64) {
        let full = (part.clamp(0.0, 1.0) * WIDTH as f64) as u64;
        let bar: String = (0..WIDTH).map(|i| if i < full { '#' } else { '.' }).collect();
        // A terminal that cannot be written to is no reason to stop loading.
        let _ = write!(stderr(), "\r{:<8} [{bar}] {:>6} rows", self.table, self.rows).and_then(|()| stderr().flush());
    }
}

impl Drop for Progress {
    /// Ends the bar's line, also where loading failed.
    fn drop(&mut self) {
        if self.drawn.is_some() {
            eprintln!(" {:.2} s", self.started.elapsed().as_secs_f64());
        }
    }
}
