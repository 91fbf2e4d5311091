//! A MongoDB server for one run of the tests: the `mongod` on the path, as a replica set of one; else SecantusDB, which speaks MongoDB's
//! protocol and comes from Python's package index into a virtual environment in a cache folder.
//!
//! It listens on a free port of the loopback interface and keeps its data in a temporary folder, or in memory.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::free_port;

/// Where the tests find the server. Set, it names one that is there already.
pub(crate) const VARIABLE: &str = "OMMI_TEST_MONGO_URL";

/// The version that the tests are known to pass with.
const SECANTUS: &str = "SecantusDB==0.7.0b3";

/// What its own script does. That one names the folder that it was installed into, and so does not start where a project was moved.
const SECANTUS_PROGRAM: &str = "import sys; from secantus.cli import main; sys.exit(main())";

/// Where [`SECANTUS`] cannot be had any more, or there is no Python: its server in Rust, which takes CMake and some minutes to build. It is left
/// to the user to start, on a free port and an empty folder.
const OTHERWISE: &str = "`cargo install secantus-mdb --version 0.5.3-beta.196 --locked --ignore-rust-version` (with CMake), then `secantusd-rs --host 127.0.0.1 \
    --port PORT --storage-path FOLDER --log-file-max 8MB --cache-size 256M`, and mongodb://127.0.0.1:PORT/ommi in";

/// How long the server may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server under way. Dropped, it stops, and its data are deleted.
pub(crate) struct Server {
    process: Child,
    folder: PathBuf,
    port: u16,
    program: Program,
    /// Whether one test has it, and may end it in the middle of things: what was committed is there afterwards.
    own: bool,
}

/// What serves.
enum Program {
    Mongod(PathBuf),
    /// The Python that has it.
    Secantus(PathBuf),
}

impl Server {
    /// Finds or installs a server, and starts it on data in this folder, for all tests of a run.
    pub(crate) fn start(parent: &Path) -> Result<Server, String> {
        Server::start_as(false, parent)
    }

    /// The same, for one test.
    pub(crate) fn start_own() -> Result<Server, String> {
        Server::start_as(true, &env::temp_dir())
    }

    fn start_as(own: bool, parent: &Path) -> Result<Server, String> {
        let program = match on_path("mongod") {
            Some(mongod) => Program::Mongod(mongod),
            None => Program::Secantus(secantus()?),
        };
        let port = free_port()?;
        let folder = parent.join(format!("ommi-mongo-{}", std::process::id()));
        fs::create_dir(&folder).map_err(|error| format!("{} could not be made: {error}", folder.display()))?;
        let process = program.launch(port, &folder, own).inspect_err(|_| drop(fs::remove_dir_all(&folder)))?;
        let mut server = Server { process, folder, port, program, own };
        server.wait()?;
        if let Program::Mongod(_) = server.program {
            initiate(port)?;
        }
        Ok(server)
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn crash(&mut self) -> Result<(), String> {
        self.process.kill().and_then(|()| self.process.wait()).map(drop).map_err(|error| error.to_string())
    }

    /// Starts it again after a crash, with the same data, on the same port.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        self.process = self.program.launch(self.port, &self.folder, self.own)?;
        self.wait()?;
        match self.program {
            Program::Mongod(_) => until_primary(self.port),
            Program::Secantus(_) => Ok(()),
        }
    }

    /// The database to connect to; each test has one of its own beside it.
    pub(crate) fn url(&self) -> String {
        let parameters = if matches!(self.program, Program::Mongod(_)) { "?replicaSet=ommi" } else { "" };
        format!("mongodb://127.0.0.1:{}/ommi{parameters}", self.port)
    }

    /// Waits until it takes connections.
    fn wait(&mut self) -> Result<(), String> {
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.process.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || started.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(format!("the MongoDB server did not start: {log}"));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Program {
    /// Starts it on the data in a folder.
    fn launch(&self, port: u16, folder: &Path, own: bool) -> Result<Child, String> {
        let mut command = match self {
            Program::Mongod(mongod) => {
                let mut command = Command::new(mongod);
                command.args(["--replSet", "ommi", "--bind_ip", "127.0.0.1", "--quiet"]).arg("--dbpath").arg(folder);
                command
            }
            Program::Secantus(python) => {
                let mut command = Command::new(python);
                command.args(["-c", SECANTUS_PROGRAM]);
                // In memory means a temporary folder to it, which it leaves behind when it is killed. Here it goes with all else.
                command.env("TMPDIR", folder);
                let data = if own { folder.join("data") } else { PathBuf::from(":memory:") };
                command.args(["--host", "127.0.0.1", "--log-level", "WARNING", "--storage-path"]).arg(data);
                // Room for all that a run writes: near its limit, by default 1 GiB, who reads has to make room first, and may wait for a transaction that
                // waits for the reader.
                command.args(["--cache-size", "4G"]);
                if own {
                    // Else it acknowledges what a crash of the process can still take.
                    command.arg("--sync-on-commit");
                }
                command
            }
        };
        let started = fs::File::create(folder.join("log")).and_then(|log| {
            let output = log.try_clone()?;
            let command = command.arg("--port").arg(port.to_string());
            command.stdin(Stdio::null()).stdout(output).stderr(log).current_dir(folder).spawn()
        });
        started.map_err(|error| format!("the MongoDB server could not be started: {error}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its data go with it, so there is nothing to end in order.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} could not be deleted: {error}", self.folder.display());
        }
    }
}

/// Makes a replica set of the one server, and waits until it takes writes.
///
/// Two commands need no client: the messages are put together here.
fn initiate(port: u16) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("mongod did not become a replica set: {error}");
    // An empty configuration: the one server as it is.
    let mut configuration = b"\x03replSetInitiate\0".to_vec();
    configuration.extend_from_slice(&[5, 0, 0, 0, 0]);
    command(port, &configuration).map_err(failed)?;
    until_primary(port)
}

/// Waits until the one server of a replica set takes writes.
fn until_primary(port: u16) -> Result<(), String> {
    let started = Instant::now();
    loop {
        let reply =
            command(port, b"\x10hello\0\x01\0\0\0").map_err(|error| format!("mongod does not answer: {error}"))?;
        // The field, true.
        let primary = b"\x08isWritablePrimary\0\x01";
        if reply.windows(primary.len()).any(|window| window == primary) {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            return Err(format!("mongod did not become primary within {PATIENCE:?}"));
        }
        sleep(Duration::from_millis(50));
    }
}

/// Sends a command of this element on the database `admin`, and gives the reply as it is.
fn command(port: u16, element: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut body = element.to_vec();
    body.extend_from_slice(b"\x02$db\0\x06\0\0\0admin\0\0");
    let length = u32::try_from(body.len() + 4).unwrap_or_default();
    // Header: length, request, response to, OP_MSG; then flags, and one section of kind 0 with the document.
    let mut message = Vec::new();
    for number in [length + 21, 1, 0, 2013, 0] {
        message.extend_from_slice(&number.to_le_bytes());
    }
    message.push(0);
    message.extend_from_slice(&length.to_le_bytes());
    message.extend_from_slice(&body);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&message)?;
    let mut size = [0u8; 4];
    stream.read_exact(&mut size)?;
    let rest = usize::try_from(u32::from_le_bytes(size)).unwrap_or_default().saturating_sub(4);
    let mut reply = vec![0u8; rest.min(1 << 20)];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

/// The Python that has SecantusDB, which is installed if it is not there yet, or if its link to the machine's Python leads nowhere.
fn secantus() -> Result<PathBuf, String> {
    let folder = cache().join(SECANTUS.replace("==", "-"));
    let programs = folder.join("bin");
    // A link to the Python of the machine, and what is written last.
    if !programs.join("python").exists() || !programs.join("secantusd-py").exists() {
        install(&folder)?;
    }
    Ok(programs.join("python"))
}

/// Where what is installed is kept from one run to the next: beside the build, whose folder this program lies in.
fn cache() -> PathBuf {
    let program = env::current_exe().ok();
    let target = program.as_deref().and_then(|program| program.ancestors().nth(2));
    target.map_or_else(env::temp_dir, Path::to_path_buf).join("test-servers")
}

/// What a user can do where no server was found and none could be installed.
fn help(what: &str) -> String {
    format!(
        "there is no MongoDB server for the tests: {what}. Any of these will do: the URL of a replica set in {VARIABLE}; `mongod` on \
         the path; Python 3 with `venv` and `pip` (Debian: `apt-get install python3-venv`), to install {SECANTUS}; {OTHERWISE} {VARIABLE}"
    )
}

/// Installs SecantusDB into a virtual environment.
fn install(folder: &Path) -> Result<(), String> {
    let python = on_path("python3").ok_or_else(|| help("neither `mongod` nor `python3` was found"))?;
    eprintln!("no `mongod` was found; {SECANTUS} is installed into {}", folder.display());
    let run = |command: &mut Command, what: &str| match command.stdin(Stdio::null()).stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(help(&format!("{what} ended with {status}"))),
        Err(error) => Err(help(&format!("{what} could not be started: {error}"))),
    };
    // Whatever a run that was stopped has left.
    let _ = fs::remove_dir_all(folder);
    let installed = run(Command::new(python).args(["-m", "venv"]).arg(folder), "`python3 -m venv`").and_then(|()| {
        let python = folder.join("bin").join("python");
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", SECANTUS]);
        run(&mut pip, "`pip install`")
    });
    if installed.is_err() {
        let _ = fs::remove_dir_all(folder);
    }
    installed
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The URL of a server that was named, with the database in which its user is known: tests use databases of their own, and a user is looked for in the
/// URL's database, or else in `admin` (<https://www.mongodb.com/docs/manual/reference/connection-string-options/#mongodb-urioption-urioption.authSource>).
pub(crate) fn with_source(url: &str) -> String {
    let (address, options) = url.split_once('?').unwrap_or((url, ""));
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (hosts, database) = rest.split_once('/').unwrap_or((rest, ""));
    // A mechanism that is named may have users elsewhere.
    let is_said = options
        .split('&')
        .filter_map(|option| option.split('=').next())
        .any(|name| ["authSource", "authMechanism"].iter().any(|said| name.eq_ignore_ascii_case(said)));
    if is_said || !hosts.contains('@') {
        return url.to_owned();
    }
    let slash = if rest.contains('/') { "" } else { "/" };
    let source = if database.is_empty() { "admin" } else { database };
    let and = if options.is_empty() { "" } else { "&" };
    format!("{address}{slash}?{options}{and}authSource={source}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_a_server_is_told() {
        let text = help("`pip install` ended with exit status: 1");
        for way in [VARIABLE, "`mongod`", "`pip install` ended", SECANTUS, "cargo install secantus-mdb", "secantusd-rs"]
        {
            assert!(text.contains(way), "{way}: {text}");
        }
    }

    #[test]
    fn a_user_is_known_where_the_url_says() {
        for (url, expected) in [
            ("mongodb://u:p@h", "mongodb://u:p@h/?authSource=admin"),
            ("mongodb://u:p@h,i:1/?w=1", "mongodb://u:p@h,i:1/?w=1&authSource=admin"),
            ("mongodb+srv://u:p@h/shop", "mongodb+srv://u:p@h/shop?authSource=shop"),
            ("mongodb://u:p@h/shop?AuthSource=a", "mongodb://u:p@h/shop?AuthSource=a"),
            ("mongodb://u@h/?authMechanism=MONGODB-X509", "mongodb://u@h/?authMechanism=MONGODB-X509"),
            ("mongodb://h/shop", "mongodb://h/shop"),
        ] {
            assert_eq!(with_source(url), expected);
        }
    }
}
