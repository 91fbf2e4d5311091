//! However a run ends, neither a server nor its data are left, nor a temporary file of what ran on it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A run that waits, with its temporary folder and the ports of its servers.
struct Run {
    xtask: Child,
    folder: PathBuf,
    ports: Vec<u16>,
    /// What the run's command has written there.
    file: PathBuf,
}

/// The variables that name the servers.
const VARIABLES: [&str; 2] = ["OMMI_TEST_POSTGRES_URL", "OMMI_TEST_MONGO_URL"];

/// One run starts after the other: the first may have to install a server.
static STARTING: Mutex<()> = Mutex::new(());

impl Run {
    /// `cargo xtask with-servers` in a process group of its own, as a shell starts it.
    fn start(name: &str) -> Run {
        let _turn = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = std::env::temp_dir().join(format!("ommi-xtask-{name}-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        // The server's user has to come through.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        let tell = VARIABLES.map(|variable| format!("echo ${variable}; ")).concat();
        command.args(["with-servers", "sh", "-c", &format!("{tell}mktemp; exec sleep 60")]);
        command.env("TMPDIR", &folder);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        let mut xtask = command.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(xtask.stdout.take().unwrap()).lines();
        let mut line = || lines.next().unwrap().unwrap();
        let mut port = || {
            let url = line();
            let port = url.split(['/', ':', '?', '@']).find_map(|part| part.parse().ok());
            port.unwrap_or_else(|| panic!("no port in {url:?}"))
        };
        let ports = VARIABLES.map(|_| port()).to_vec();
        let file = PathBuf::from(line());
        let run = Run { xtask, folder, ports, file };
        assert!(run.ports.iter().all(|port| answers(*port)));
        // All that a run keeps is in one folder of its own.
        assert!(run.data() == 1 && run.file.is_file() && run.file.starts_with(&run.folder));
        run
    }

    fn answers(&self) -> bool {
        self.ports.iter().any(|port| answers(*port))
    }

    fn data(&self) -> usize {
        fs::read_dir(&self.folder).unwrap().count()
    }

    /// Sends a signal, to the whole group or to the run alone, and waits until all is gone.
    fn end(mut self, signal: &str, group: bool) {
        let id = self.xtask.id();
        let target = if group { format!("-{id}") } else { id.to_string() };
        assert!(Command::new("kill").args([signal, "--", &target]).status().unwrap().success());
        self.xtask.wait().unwrap();
        let started = Instant::now();
        while self.answers() || self.data() > 0 {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{} is left in {}",
                self.data(),
                self.folder.display()
            );
            sleep(Duration::from_millis(50));
        }
        // What the run was doing outlives a kill.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{id}")]).stderr(Stdio::null()).status();
        fs::remove_dir(&self.folder).unwrap();
    }
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[test]
fn ctrl_c_leaves_nothing() {
    Run::start("interrupt").end("-INT", true);
}

#[test]
fn a_kill_leaves_nothing() {
    Run::start("kill").end("-KILL", false);
}
