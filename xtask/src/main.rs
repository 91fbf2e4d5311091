//! Commands for working on Ommi: `cargo xtask test` runs every test.

mod compile_time;
mod properties;
mod servers;
mod suites;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use servers::Servers;
use suites::Report;

const USAGE: &str = "\
cargo xtask test [ARGUMENT ..]   runs every test; arguments go to `cargo test`
cargo xtask properties [OPTION ..]
        a long run of the property tests; --cases N of each (30000), --seed S, --driver NAME (all), --release
cargo xtask support-table        writes docs/support.md from what the drivers declare
cargo xtask compile-time         builds a crate of 50 models and prints how long it took
";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match arguments.next().as_deref().and_then(|command| command.to_str()) {
        Some("test") => test(arguments),
        Some("properties") => ended(properties::long_run(arguments)),
        Some("support-table") => ended(suites::renew_support_table()),
        Some("compile-time") => ended(compile_time::measure().map_err(|error| error.to_string())),
        Some(servers::KEEP) => ended(servers::keep()),
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

fn ended(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Unit, integration, compile-fail and documentation tests of every package, with every feature, on servers that are started for them;
/// then those of the driver in `examples`.
fn test(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    let servers = match Servers::start() {
        Ok(servers) => servers,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let report = Report::new();
    let mut tests = suites::cargo();
    tests.args(["test", "--workspace", "--all-features"]).args(&arguments);
    tests.envs(servers.variables.iter().map(|(name, value)| (name, value))).env(Report::VARIABLE, report.path());
    let mut result = suites::run(&mut tests);
    if suites::concern_all(&arguments) {
        let mut tests = suites::memory_driver("test");
        result = result.and(suites::run(tests.args(&arguments).env(Report::VARIABLE, report.path())));
    } else {
        println!("The driver in `examples` was not tested: these options choose among the packages of the workspace.");
    }
    report.print();
    ended(result)
}
