//! The conformance suite beyond the workspace's own tests: on the example driver, in a long run of its properties, and what the suites
//! report about themselves.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace, also when this is run from elsewhere.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The toolchain that runs this runs the tests too, whatever else is on the path.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo.stdin(Stdio::null());
    cargo
}

/// Cargo for the example driver, a workspace of its own: it shares no build with this one, and keeps its own.
pub(crate) fn memory_driver(command: &str) -> Command {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let mut cargo = cargo();
    cargo.arg(command).arg("--manifest-path").arg(workspace().join("examples/memory-driver/Cargo.toml"));
    cargo.env("CARGO_TARGET_DIR", target.join("memory-driver"));
    cargo
}

/// Whether the example driver is tested too: its tests take filters of tests, and none of the options that choose packages of this workspace.
pub(crate) fn concern_all(arguments: &[OsString]) -> bool {
    let ours = arguments.iter().take_while(|argument| *argument != "--");
    !ours.into_iter().any(|argument| argument.to_string_lossy().starts_with('-'))
}

/// What the suites say about themselves: one line each, in a file that goes with the run.
pub(crate) struct Report(PathBuf);

impl Report {
    pub(crate) const VARIABLE: &str = "OMMI_CONFORMANCE_REPORT";

    /// In a file of this folder.
    pub(crate) fn new(folder: &Path) -> Report {
        Report(folder.join("conformance"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Prints the lines.
    pub(crate) fn print(&self) {
        let Ok(text) = fs::read_to_string(&self.0) else { return };
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        println!("\nConformance:");
        lines.iter().for_each(|line| println!("  {line}"));
    }
}

/// Writes `docs/support.md` anew from what the drivers declare.
pub(crate) fn renew_support_table() -> Result<(), String> {
    let mut cargo = cargo();
    cargo.current_dir(workspace()).args([
        "test",
        "--quiet",
        "-p",
        "ommi-tests",
        "--test",
        "conformance",
        "support::the_table",
    ]);
    run(cargo.env("OMMI_RENEW_SUPPORT_TABLE", "1"))
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo ended with {status}")),
        Err(error) => Err(format!("cargo could not be started: {error}")),
    }
}
