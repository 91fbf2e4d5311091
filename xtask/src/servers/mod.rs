//! The database servers that the tests need: found or installed, started for one run, and gone after it.
//!
//! They belong to a process of their own, the keeper, which lives in a group of its own and so hears nothing of Ctrl-C. It starts the
//! servers, prints where they are, and waits for the end of its input. That comes when the run is over, and also when whoever
//! started it was killed in whatever way: then it stops the servers and deletes their data.

mod postgres;

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// The servers of one run, seen from the run. Dropped, they stop.
pub(crate) struct Servers {
    keeper: Child,
    /// What the tests find them by.
    pub(crate) variables: Vec<(String, String)>,
}

impl Servers {
    /// Starts what the tests need and the environment does not name.
    pub(crate) fn start() -> Result<Servers, String> {
        let program = env::current_exe().map_err(|error| format!("this program does not find itself: {error}"))?;
        let mut command = Command::new(program);
        command.arg(KEEP).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut keeper = command.spawn().map_err(|error| format!("the keeper could not be started: {error}"))?;
        let output = keeper.stdout.take().ok_or("the keeper has no output")?;
        let mut servers = Servers { keeper, variables: Vec::new() };
        for line in BufReader::new(output).lines() {
            let line = line.map_err(|error| format!("the keeper cannot be heard: {error}"))?;
            match line.split_once('=') {
                Some((name, value)) => servers.variables.push((name.to_owned(), value.to_owned())),
                None if line == READY => return Ok(servers),
                None => {}
            }
        }
        Err("the database servers did not start".to_owned())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// The command by which this program becomes the keeper.
pub(crate) const KEEP: &str = "keep-servers";

const READY: &str = "ready";

/// Keeps the servers until its input ends.
pub(crate) fn keep() -> Result<(), String> {
    let mut output = io::stdout();
    let mut tell =
        |line: &str| writeln!(output, "{line}").and_then(|()| output.flush()).map_err(|error| error.to_string());
    let mut running = Vec::new();
    if env::var_os(postgres::VARIABLE).is_none() {
        let server = postgres::Server::start()?;
        let told = tell(&format!("{}={}", postgres::VARIABLE, server.url()));
        running.push(server);
        told?;
    }
    tell(READY)?;
    let ended = io::stdin().read_to_end(&mut Vec::new());
    drop(running);
    ended.map(drop).map_err(|error| error.to_string())
}
