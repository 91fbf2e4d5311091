//! The database servers that the tests need: found or installed, started for one run, and gone after it.
//!
//! They belong to a process of their own, the keeper, which lives in a group of its own and so hears nothing of Ctrl-C. It starts the
//! servers, prints where they are, and waits for the end of its input. That comes when the run is over, and also when whoever
//! started it was killed in whatever way: then it stops the servers, and deletes the run's folder with their data and with the temporary
//! files of the tests, which are told to keep them there.
//!
//! A test that stops and starts a server asks for one of its own, in the same way: [`keep_postgres`] and [`keep_mongo`].

mod certificate;
mod folder;
mod mongo;
mod postgres;

use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use folder::Folder;

/// The servers of one run, seen from the run. Dropped, they stop.
pub(crate) struct Servers {
    keeper: Child,
    /// What the tests find them by.
    variables: Vec<(String, String)>,
}

impl Servers {
    /// Starts what the tests need and the environment does not name.
    pub(crate) fn start() -> Result<Servers, String> {
        let program = env::current_exe().map_err(|error| format!("this program does not find itself: {error}"))?;
        let itself = (XTASK.to_owned(), program.display().to_string());
        let mut command = Command::new(program);
        command.arg(KEEP).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut keeper = command.spawn().map_err(|error| format!("the keeper could not be started: {error}"))?;
        let output = keeper.stdout.take().ok_or("the keeper has no output")?;
        let named = env::var(mongo::VARIABLE).ok();
        let named = named.map(|url| (mongo::VARIABLE.to_owned(), mongo::with_source(&url)));
        let mut servers = Servers { keeper, variables: named.into_iter().chain([itself]).collect() };
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

    /// The variables by which a program finds the servers, beside those of the environment.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Where the run keeps files: they go when it ends, however it ends.
    pub(crate) fn folder(&self) -> PathBuf {
        self.variable(Folder::VARIABLE).map_or_else(env::temp_dir, PathBuf::from)
    }

    /// One of these variables, or of the environment's.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let own = self.variables().find(|(own, _)| *own == name).map(|(_, value)| value.to_owned());
        own.or_else(|| env::var(name).ok())
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

/// The command by which this program keeps a PostgreSQL server for one test.
pub(crate) const KEEP_POSTGRES: &str = "keep-postgres";

/// The command by which this program keeps a MongoDB server for one test.
pub(crate) const KEEP_MONGO: &str = "keep-mongo";

/// The variable by which tests find this program.
const XTASK: &str = "OMMI_TEST_XTASK";

const READY: &str = "ready";

/// Keeps the servers until its input ends.
pub(crate) fn keep() -> Result<(), String> {
    // Deleted last, after whatever ends here.
    let folder = Folder::new()?;
    let path = folder.path();
    // At once: either may have to be installed first.
    let (postgres, mongo) = thread::scope(|scope| {
        let postgres = scope.spawn(|| missing(postgres::VARIABLE, || postgres::Server::start(path)));
        let mongo = missing(mongo::VARIABLE, || mongo::Server::start(path));
        (postgres.join().unwrap_or_else(|_| Err("PostgreSQL could not be started".to_owned())), mongo)
    });
    // Held until the end, also where the other one failed: dropped, they stop.
    let (postgres, mongo) = (postgres?, mongo?);
    if let Some(server) = &postgres {
        tell(&format!("{}={}", postgres::VARIABLE, server.url()))?;
    }
    if let Some(server) = &mongo {
        tell(&format!("{}={}", mongo::VARIABLE, server.url()))?;
    }
    tell(&format!("{}={}", Folder::VARIABLE, path.display()))?;
    tell(READY)?;
    let ended = io::stdin().read_to_end(&mut Vec::new());
    drop((postgres, mongo));
    ended.map(drop).map_err(|error| error.to_string())
}

/// Starts a server unless the environment names one.
fn missing<S>(variable: &str, start: impl FnOnce() -> Result<S, String>) -> Result<Option<S>, String> {
    if env::var_os(variable).is_some() { Ok(None) } else { start().map(Some) }
}

/// A port that is free now. Another process may take it before the server does; the run then fails and can be repeated.
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| format!("no free port: {error}"))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}

/// Keeps a PostgreSQL server until its input ends; with the argument `tls`, one that takes encrypted connections only. It answers each line
/// `kill`, which ends the server as a crash does, and `start`, which starts it again at the same place, with a line.
pub(crate) fn keep_postgres(arguments: impl Iterator<Item = OsString>) -> Result<(), String> {
    let tls = arguments.into_iter().any(|argument| argument == "tls");
    let mut server = postgres::Server::start_as(
        if tls { postgres::Kind::Encrypted } else { postgres::Kind::Own },
        &env::temp_dir(),
    )?;
    tell(&format!("url={}", server.url()))?;
    if tls {
        tell(&format!("authority={}", server.authority().display()))?;
    }
    obey(|crash| if crash { server.crash() } else { server.restart() })
}

/// The same with a MongoDB server.
pub(crate) fn keep_mongo() -> Result<(), String> {
    let mut server = mongo::Server::start_own()?;
    tell(&format!("url={}", server.url()))?;
    obey(|crash| if crash { server.crash() } else { server.restart() })
}

/// Does what it is told until its input ends; `act` is told whether the server is to be ended or started.
fn obey(mut act: impl FnMut(bool) -> Result<(), String>) -> Result<(), String> {
    tell(READY)?;
    for line in io::stdin().lines() {
        match line.map_err(|error| error.to_string())?.as_str() {
            "kill" => act(true)?,
            "start" => act(false)?,
            other => return Err(format!("there is no command `{other}`")),
        }
        tell(READY)?;
    }
    Ok(())
}

fn tell(line: &str) -> Result<(), String> {
    let mut output = io::stdout();
    writeln!(output, "{line}").and_then(|()| output.flush()).map_err(|error| error.to_string())
}
