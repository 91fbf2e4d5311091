//! A PostgreSQL server for one run of the tests.
//!
//! It listens on a free port of the loopback interface, waits for no disk, and refuses to run as root as every PostgreSQL does: where
//! this process is root, it runs as the user `postgres`, or as `nobody`.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{certificate, free_port};

/// Where the tests find the server. Set, it names one that is there already.
pub(crate) const VARIABLE: &str = "OMMI_TEST_POSTGRES_URL";

const MISSING: &str = "PostgreSQL was not found. Install it (Debian: `apt-get install postgresql`, macOS: `brew install postgresql`) so \
    that `initdb` and `postgres` are on the path, or set OMMI_TEST_POSTGRES_URL to a database that the tests may fill";

/// How long the server may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server under way. Dropped, it stops, and its data are deleted.
pub(crate) struct Server {
    process: Child,
    folder: PathBuf,
    port: u16,
    user: User,
    programs: PathBuf,
    kind: Kind,
}

/// What a server is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All tests of a run.
    Shared,
    /// One test, which may end it in the middle of things: what was committed is there afterwards.
    Own,
    /// One test, over encrypted connections only.
    Encrypted,
}

impl Server {
    /// Finds or installs PostgreSQL, and starts it on data in this folder.
    pub(crate) fn start(parent: &Path) -> Result<Server, String> {
        Server::start_as(Kind::Shared, parent)
    }

    /// The same, for this use.
    pub(crate) fn start_as(kind: Kind, parent: &Path) -> Result<Server, String> {
        let programs = match programs() {
            Some(programs) => programs,
            None => {
                install()?;
                programs().ok_or(MISSING)?
            }
        };
        let user = User::of_server()?;
        let folder = folder(user, parent)?;
        // From here on the folder is deleted whatever happens.
        let unfinished = Unfinished(folder);
        let data = unfinished.0.join("data");
        // A language that orders text otherwise than by its bytes finds out what forgets to say that it wants bytes.
        initdb(user, &programs, &data, &["--locale-provider=icu", "--icu-locale=en-US"])
            .or_else(|_| initdb(user, &programs, &data, &[]))?;
        if kind == Kind::Encrypted {
            certificate::make(&unfinished.0, |program| user.command(program))?;
            fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n")
                .map_err(|error| format!("pg_hba.conf could not be written: {error}"))?;
        }
        let port = free_port()?;
        let process = spawn(user, &programs, &unfinished.0, port, kind)?;
        let mut server = Server { process, folder: unfinished.keep(), port, user, programs, kind };
        server.wait()?;
        Ok(server)
    }

    /// Ends all its processes at once, as a crash does.
    pub(crate) fn crash(&mut self) -> Result<(), String> {
        let children = children(self.process.id());
        self.process.kill().and_then(|()| self.process.wait()).map_err(|error| error.to_string())?;
        for child in children {
            // One that saw the end of its parent is gone already.
            let _ = Command::new("kill").args(["-KILL", &child.to_string()]).stderr(Stdio::null()).status();
        }
        Ok(())
    }

    /// Starts it again after a crash, with the same data, on the same port.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        let started = Instant::now();
        loop {
            self.process = spawn(self.user, &self.programs, &self.folder, self.port, self.kind)?;
            match self.wait() {
                // It does not start while one of the old processes still holds the memory they share.
                Err(_) if started.elapsed() < PATIENCE => sleep(Duration::from_millis(100)),
                result => return result,
            }
        }
    }

    /// The database to connect to.
    pub(crate) fn url(&self) -> String {
        let mode = if self.kind == Kind::Encrypted { "require" } else { "disable" };
        format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode={mode}", self.port)
    }

    /// The certificate of the authority that signed the server's.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join(certificate::AUTHORITY)
    }

    /// Waits until it takes connections.
    fn wait(&mut self) -> Result<(), String> {
        let started = Instant::now();
        loop {
            // Its own word, in the language that `--locale=C` gives it. It answers before that, to say that it is not ready.
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            if log.contains("database system is ready to accept connections") {
                return Ok(());
            }
            let ended = self.process.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || started.elapsed() > PATIENCE {
                return Err(format!("PostgreSQL did not start: {log}"));
            }
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is the fast shutdown: it ends every connection, and then the server in order.
        let pid = self.process.id().to_string();
        let asked = Command::new("kill").args(["-INT", &pid]).status().is_ok_and(|status| status.success());
        let started = Instant::now();
        while asked && started.elapsed() < PATIENCE {
            match self.process.try_wait() {
                Ok(None) => sleep(Duration::from_millis(20)),
                _ => break,
            }
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} could not be deleted: {error}", self.folder.display());
        }
    }
}

/// Starts the server on the data in its folder.
fn spawn(user: User, programs: &Path, folder: &Path, port: u16, kind: Kind) -> Result<Child, String> {
    let log = fs::File::create(folder.join("log")).map_err(|error| format!("no log: {error}"))?;
    let mut postgres = user.command(programs.join("postgres"));
    postgres.arg("-D").arg(folder.join("data"));
    let mut settings = vec![
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        "fsync=off".to_owned(),
        format!("synchronous_commit={}", if kind == Kind::Shared { "off" } else { "on" }),
        "full_page_writes=off".to_owned(),
        "max_connections=300".to_owned(),
        // While it compiles a condition to machine code, for seconds, it hears no request to stop.
        "jit=off".to_owned(),
    ];
    if kind == Kind::Encrypted {
        let file = |name: &str| folder.join(name).display().to_string();
        settings.push("ssl=on".to_owned());
        settings.push(format!("ssl_cert_file={}", file(certificate::CERTIFICATE)));
        settings.push(format!("ssl_key_file={}", file(certificate::KEY)));
    }
    for setting in settings {
        postgres.arg("-c").arg(setting);
    }
    let process = postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
    process.map_err(|error| format!("postgres could not be started: {error}"))
}

/// The processes that a process started.
fn children(parent: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else {
        // They notice the end of their parent by themselves, when they wait for something.
        return Vec::new();
    };
    let is_child = |id: &u32| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|id| id.trim() == parent.to_string()))
    };
    processes.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok()).filter(is_child).collect()
}

/// Makes the server's data.
fn initdb(user: User, programs: &Path, data: &Path, locale: &[&str]) -> Result<(), String> {
    let mut initdb = user.command(programs.join("initdb"));
    initdb.arg("--pgdata").arg(data);
    initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]).args(locale);
    let made = initdb.stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let made = made.map_err(|error| format!("initdb could not be started: {error}"))?;
    match made.status.success() {
        true => Ok(()),
        false => Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr))),
    }
}

/// A folder that is deleted unless it is kept.
struct Unfinished(PathBuf);

impl Unfinished {
    fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Who the server runs as.
#[derive(Clone, Copy)]
struct User(Option<(u32, u32)>);

impl User {
    fn of_server() -> Result<User, String> {
        if !is_root() {
            return Ok(User(None));
        }
        let users = fs::read_to_string("/etc/passwd").map_err(|error| format!("no list of users: {error}"))?;
        let ids = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        match ids("postgres").or_else(|| ids("nobody")) {
            Some(ids) => Ok(User(Some(ids))),
            None => Err("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`".to_owned()),
        }
    }

    fn command(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        // The folder that this was started in may be closed to the server's user.
        command.current_dir("/");
        if let User(Some((user, group))) = self {
            command.uid(user).gid(group);
        }
        command
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// A folder that only the server's user can enter.
fn folder(user: User, parent: &Path) -> Result<PathBuf, String> {
    let folder = parent.join(format!("ommi-postgres-{}", std::process::id()));
    let made = fs::create_dir(&folder).and_then(|()| {
        if let User(Some((user, group))) = user {
            chown(&folder, Some(user), Some(group))?;
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))
    });
    made.map(|()| folder.clone()).map_err(|error| format!("{} could not be made: {error}", folder.display()))
}

/// The folder of PostgreSQL's programs: on the path, or where Debian puts those of the newest version.
fn programs() -> Option<PathBuf> {
    let complete = |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let on_path = env::var_os("PATH").and_then(|path| env::split_paths(&path).find(complete));
    on_path.or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin"))).filter(complete);
        let number = |folder: &PathBuf| -> Option<u32> { folder.parent()?.file_name()?.to_str()?.parse().ok() };
        folders.max_by_key(number)
    })
}

/// Installs PostgreSQL where that is possible without asking anybody.
fn install() -> Result<(), String> {
    let works = |program: &str, argument: &str| {
        let tried = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let sudo = !is_root();
    // Without -n, sudo would ask for a password.
    let may =
        !sudo || Command::new("sudo").args(["-n", "true"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !may || !works("apt-get", "--version") {
        return Err(MISSING.to_owned());
    }
    eprintln!("PostgreSQL was not found and is installed with apt-get");
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", "postgresql"][..]] {
        let mut command = match sudo {
            true => {
                let mut command = Command::new("sudo");
                command.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
                command
            }
            false => Command::new("apt-get"),
        };
        let status = command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!("`apt-get {}` failed. {MISSING}", arguments.join(" ")));
        }
    }
    Ok(())
}
