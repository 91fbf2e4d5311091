//! Commands for working on Ommi: `cargo xtask test` runs every test.

mod compile_time;
mod servers;

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode, Stdio};

use servers::Servers;

const USAGE: &str = "\
cargo xtask test [ARGUMENT ..]   runs every test; arguments go to `cargo test`
cargo xtask compile-time         builds a crate of 50 models and prints how long it took
";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match arguments.next().as_deref().and_then(|command| command.to_str()) {
        Some("test") => test(arguments),
        Some("compile-time") => match compile_time::measure() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        Some(servers::KEEP) => match servers::keep() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Unit, integration, compile-fail and documentation tests of every package, with every feature, on servers that are started for them.
fn test(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    // The toolchain that runs this runs the tests too, whatever else is on the path.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let servers = match Servers::start() {
        Ok(servers) => servers,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let status = Command::new(cargo)
        .args(["test", "--workspace", "--all-features"])
        .args(arguments)
        .envs(servers.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}
