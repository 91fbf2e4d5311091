//! Commands for working on Ommi: `cargo xtask test` runs every test.

mod compile_time;
mod examples;
mod servers;

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::process::{Command, ExitCode, Stdio};

use servers::Servers;

const USAGE: &str = "\
cargo xtask test [ARGUMENT ..]          runs every test; arguments go to `cargo test`
cargo xtask with-servers COMMAND ..     runs a command on the servers that the tests use
cargo xtask examples                    compares what the examples print on each store with what they should
cargo xtask compile-time                builds a crate of 50 models and prints how long it took
";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match arguments.next().as_deref().and_then(|command| command.to_str()) {
        Some("test") => done(test(arguments)),
        Some("with-servers") => match arguments.next() {
            Some(program) => done(with_servers(Command::new(program).args(arguments))),
            None => usage(),
        },
        Some("examples") => done(examples::compare()),
        Some("compile-time") => done(compile_time::measure().map(|()| true)),
        Some(servers::KEEP) => done(servers::keep().map(|()| true)),
        Some(servers::KEEP_POSTGRES) => done(servers::keep_postgres(arguments).map(|()| true)),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}

/// Success, failure, or why it could not be tried.
fn done(result: Result<bool, impl Display>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The toolchain that runs this runs the rest too, whatever else is on the path.
fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

/// Unit, integration, compile-fail and documentation tests of every package, with every feature.
fn test(arguments: impl Iterator<Item = OsString>) -> Result<bool, String> {
    with_servers(Command::new(cargo()).args(["test", "--workspace", "--all-features"]).args(arguments))
}

/// Runs something on servers that are started for it; whether it succeeded.
fn with_servers(command: &mut Command) -> Result<bool, String> {
    let servers = Servers::start()?;
    let status = command.envs(servers.variables()).stdin(Stdio::null()).status();
    let program = command.get_program().display();
    status.map(|status| status.success()).map_err(|error| format!("{program} could not be started: {error}"))
}
