//! The MongoDB server of a test run.
//!
//! The first of: the server that `OMMI_TEST_MONGO_URL` names; a `mongod` on the path, as a replica set of one; SecantusDB, which speaks
//! MongoDB's protocol and comes from Python's package index into a virtual environment under the target folder. A server that was started
//! here listens on a free port of the loopback interface, keeps its data in a temporary folder or in memory, and ends with this value.
//!
//! When this program is killed, by Ctrl-C or otherwise, a watcher ends the server and removes its data: a shell that waits for the end of a
//! pipe that this program holds.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The variable that names the server, for this program and for the tests.
pub const VARIABLE: &str = "OMMI_TEST_MONGO_URL";
/// The version that the tests are known to pass with.
const SECANTUS: &str = "SecantusDB==0.7.0b3";
const START: Duration = Duration::from_secs(60);

/// A server for the time of a test run.
#[derive(Debug)]
pub struct Server {
    url: String,
    process: Option<Watched>,
    data: Option<PathBuf>,
}

impl Server {
    /// The URL that the tests are given.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Finds or starts a server. `target` is the folder that may hold what is installed.
    ///
    /// # Errors
    /// Says what is missing, and how to get it.
    pub fn start(target: &Path) -> Result<Server, String> {
        if let Ok(url) = env::var(VARIABLE) {
            return Ok(Server { url, process: None, data: None });
        }
        if let Some(mongod) = on_path("mongod") {
            return start_mongod(&mongod);
        }
        start_secantus(target)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.take());
        if let Some(data) = &self.data {
            let _ = fs::remove_dir_all(data);
        }
    }
}

/// A server process, and the pipe whose end its watcher waits for.
#[derive(Debug)]
struct Watched {
    server: Child,
    watcher: Option<Child>,
    lifeline: Option<ChildStdin>,
}

impl Watched {
    /// Starts a server whose data, if it keeps any, lies in a folder of its own.
    fn spawn(command: &mut Command, data: Option<&Path>) -> Result<Watched, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of their own: Ctrl-C is for this program, and the watcher outlives it.
        let server = quiet.process_group(0).spawn().map_err(|error| format!("{name} could not be started: {error}"))?;
        // `cat` ends when this program does, however it ends.
        let script = "cat >/dev/null; kill \"$1\" 2>/dev/null; sleep 1; test -z \"$2\" || rm -rf \"$2\"";
        let mut watcher = Command::new("sh");
        watcher.args(["-c", script, "sh"]).arg(server.id().to_string()).arg(data.unwrap_or(Path::new("")));
        let mut watcher = watcher.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().ok();
        let lifeline = watcher.as_mut().and_then(|watcher| watcher.stdin.take());
        Ok(Watched { server, watcher, lifeline })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // First, so that it does not act on the number of a process that has gone.
        if let Some(watcher) = &mut self.watcher {
            let _ = watcher.kill();
            let _ = watcher.wait();
        }
        drop(self.lifeline.take());
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn start_mongod(mongod: &Path) -> Result<Server, String> {
    let port = free_port()?;
    let data = env::temp_dir().join(format!("ommi-mongo-{}-{port}", std::process::id()));
    fs::create_dir_all(&data).map_err(|error| format!("no folder for the data: {error}"))?;
    let mut command = Command::new(mongod);
    command.args(["--replSet", "ommi", "--bind_ip", "127.0.0.1", "--quiet"]);
    command.arg("--port").arg(port.to_string()).arg("--dbpath").arg(&data);
    let process = Watched::spawn(&mut command, Some(&data))?;
    let mut server = Server {
        url: format!("mongodb://127.0.0.1:{port}/?replicaSet=ommi"),
        process: Some(process),
        data: Some(data),
    };
    wait_until(&mut server, port)?;
    initiate(port)?;
    Ok(server)
}

/// Makes a replica set of the one server: `replSetInitiate` without a configuration.
///
/// One command needs no client: the message is put together here.
fn initiate(port: u16) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("mongod did not become a replica set: {error}");
    let mut body = vec![0u8; 4];
    body.extend_from_slice(b"\x03replSetInitiate\0");
    body.extend_from_slice(&[5, 0, 0, 0, 0]);
    body.extend_from_slice(b"\x02$db\0\x06\0\0\0admin\0\0");
    let length = u32::try_from(body.len()).unwrap_or_default();
    if let Some(place) = body.get_mut(..4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    // Header: length, request, response to, OP_MSG; then flags, and one section of kind 0.
    let mut message = Vec::new();
    for number in [length + 21, 1, 0, 2013, 0] {
        message.extend_from_slice(&number.to_le_bytes());
    }
    message.push(0);
    message.extend_from_slice(&body);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
    stream.set_read_timeout(Some(START)).map_err(failed)?;
    stream.write_all(&message).map_err(failed)?;
    let mut reply = [0u8; 16];
    stream.read_exact(&mut reply).map_err(failed)
}

fn start_secantus(target: &Path) -> Result<Server, String> {
    let folder = target.join("secantus");
    let program = folder.join("bin").join("secantusd-py");
    if !program.exists() {
        install(&folder)?;
    }
    let port = free_port()?;
    let mut command = Command::new(&program);
    command.args(["--host", "127.0.0.1", "--storage-path", ":memory:", "--log-level", "WARNING"]);
    command.arg("--port").arg(port.to_string());
    let process = Watched::spawn(&mut command, None)?;
    let mut server = Server { url: format!("mongodb://127.0.0.1:{port}/"), process: Some(process), data: None };
    wait_until(&mut server, port)?;
    Ok(server)
}

/// Installs SecantusDB into a virtual environment.
fn install(folder: &Path) -> Result<(), String> {
    let help = |what: &str| {
        format!(
            "no MongoDB server for the tests: {what}.\nAny of these will do: a replica set's URL in {VARIABLE}; `mongod` on the \
             PATH; Python 3 with `venv` and `pip`, and access to its package index, to install {SECANTUS}"
        )
    };
    let python = on_path("python3").ok_or_else(|| help("there is neither `mongod` nor `python3` on the PATH"))?;
    let run = |command: &mut Command, what: &str| match command.stdin(Stdio::null()).stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(help(&format!("{what} ended with {status}"))),
        Err(error) => Err(help(&format!("{what} could not be started: {error}"))),
    };
    // Whatever a run that was stopped has left.
    let _ = fs::remove_dir_all(folder);
    let installed = run(Command::new(python).args(["-m", "venv"]).arg(folder), "`python3 -m venv`").and_then(|()| {
        let pip = folder.join("bin").join("pip");
        run(Command::new(pip).args(["install", "--quiet", SECANTUS]), "`pip install`")
    });
    if installed.is_err() {
        let _ = fs::remove_dir_all(folder);
    }
    installed
}

/// Waits until the server takes connections.
fn wait_until(server: &mut Server, port: u16) -> Result<(), String> {
    let deadline = Instant::now() + START;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if let Some(process) = &mut server.process
            && let Ok(Some(status)) = process.server.try_wait()
        {
            return Err(format!("the MongoDB server ended with {status} before it took connections"));
        }
        if Instant::now() > deadline {
            return Err(format!("the MongoDB server took no connections within {START:?}"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A port that nobody listens on; that somebody else takes it meanwhile is unlikely, and shows at once.
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}
