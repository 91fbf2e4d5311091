//! Commands for working on Ommi: `cargo xtask test` runs every test.

mod compile_time;
mod examples;
mod properties;
mod servers;
mod suites;

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::process::{Command, ExitCode, Stdio};

use servers::Servers;
use suites::Report;

const USAGE: &str = "\
cargo xtask test [ARGUMENT ..]          runs every test; arguments go to `cargo test`
cargo xtask with-servers COMMAND ..     runs a command on the servers that the tests use
cargo xtask examples                    compares what the examples print on each store with what they should
cargo xtask properties [OPTION ..]      a long run of the property tests
        --cases N of each (30000), --seed S, --driver NAME (all), --release
cargo xtask support-table               writes docs/support.md from what the drivers declare
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
        Some("properties") => done(properties::long_run(arguments).map(|()| true)),
        Some("support-table") => done(suites::renew_support_table().map(|()| true)),
        Some("compile-time") => done(compile_time::measure().map(|()| true)),
        Some(servers::KEEP) => done(servers::keep().map(|()| true)),
        Some(servers::KEEP_MONGO) => done(servers::keep_mongo().map(|()| true)),
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

/// Unit, integration, compile-fail and documentation tests of every package, with every feature, on servers that are started for them;
/// then those of the driver in `examples`.
fn test(arguments: impl Iterator<Item = OsString>) -> Result<bool, String> {
    let arguments: Vec<OsString> = arguments.collect();
    // To the end of all tests, since the report and their temporary files go with them.
    let servers = Servers::start()?;
    let report = Report::new(&servers.folder());
    let mut tests = suites::cargo();
    tests.args(["test", "--workspace", "--all-features"]).args(&arguments).env(Report::VARIABLE, report.path());
    let mut passed = run_on(&servers, &mut tests)?;
    if suites::concern_all(&arguments) {
        let mut tests = suites::memory_driver("test");
        passed &= run_on(&servers, tests.args(&arguments).env(Report::VARIABLE, report.path()))?;
    } else {
        println!("The driver in `examples` was not tested: these options choose among the packages of the workspace.");
    }
    report.print();
    Ok(passed)
}

/// Runs something on servers that are started for it; whether it succeeded.
fn with_servers(command: &mut Command) -> Result<bool, String> {
    run_on(&Servers::start()?, command)
}

/// Runs something on these servers; whether it succeeded.
fn run_on(servers: &Servers, command: &mut Command) -> Result<bool, String> {
    let status = command.envs(servers.variables()).stdin(Stdio::null()).status();
    let program = command.get_program().display();
    status.map(|status| status.success()).map_err(|error| format!("{program} could not be started: {error}"))
}
