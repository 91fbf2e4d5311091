//! A long run of the property tests.

use std::ffi::OsString;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::servers::Servers;
use crate::suites::{cargo, memory_driver, run, workspace};

/// The modules of the tests that hold the suites of each driver.
const DRIVERS: &[(&str, &[&str])] = &[
    ("sqlite", &["sqlite_memory::properties", "sqlite_file::properties"]),
    ("postgres", &["postgres::prepared::properties", "postgres::unprepared::properties"]),
    ("mongo", &["mongo::replica_set::properties", "mongo::standalone::properties"]),
];

/// The driver that is outside the workspace.
const MEMORY: &str = "memory";

struct Options {
    cases: u32,
    seed: u64,
    drivers: Vec<String>,
    release: bool,
}

/// Runs every property of the chosen drivers, with so many cases each, and prints the seed.
pub(crate) fn long_run(arguments: impl Iterator<Item = OsString>) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    println!("{} cases of each property, seed {}", options.cases, options.seed);
    let chosen = |driver: &str| options.drivers.is_empty() || options.drivers.iter().any(|one| one == driver);
    let tests: Vec<&str> =
        DRIVERS.iter().filter(|(driver, _)| chosen(driver)).flat_map(|(_, tests)| *tests).copied().collect();
    let with = |command: &mut Command| {
        command.args(options.release.then_some("--release"));
        command.env("OMMI_PROPERTY_CASES", options.cases.to_string());
        command.env("PROPTEST_RNG_SEED", options.seed.to_string());
    };
    let mut failures = Vec::new();
    if !tests.is_empty() {
        // SQLite needs none of them, but they take no longer to start than to be told apart.
        let servers = Servers::start()?;
        let mut command = cargo();
        command.current_dir(workspace()).args(["test", "-p", "ommi-tests", "--test", "conformance"]);
        with(&mut command);
        command.envs(servers.variables());
        failures.extend(run(command.arg("--").args(tests)).err());
    }
    if chosen(MEMORY) {
        let mut command = memory_driver("test");
        with(&mut command);
        failures.extend(run(command.args(["--", "properties"])).err());
    }
    println!("the seed was {}", options.seed);
    failures.into_iter().next().map_or(Ok(()), Err)
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Options, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut options = Options { cases: 30_000, seed: now.as_nanos() as u64, drivers: Vec::new(), release: false };
        let number = |name: &str, value: &str| format!("{name} takes a number, not `{value}`");
        while let Some(argument) = arguments.next() {
            let name = argument.to_string_lossy().into_owned();
            let mut value = || {
                let value = arguments.next().ok_or_else(|| format!("{name} takes a value"))?;
                Ok::<_, String>(value.to_string_lossy().into_owned())
            };
            match &*name {
                "--cases" => {
                    let text = value()?;
                    options.cases = text.parse().map_err(|_| number(&name, &text))?;
                }
                "--seed" => {
                    let text = value()?;
                    options.seed = text.parse().map_err(|_| number(&name, &text))?;
                }
                "--driver" => {
                    let driver = value()?;
                    let names: Vec<&str> = DRIVERS.iter().map(|(name, _)| *name).chain([MEMORY]).collect();
                    if !names.contains(&&*driver) {
                        return Err(format!("there is no driver `{driver}`, but {}", names.join(", ")));
                    }
                    options.drivers.push(driver);
                }
                "--release" => options.release = true,
                _ => return Err(format!("`{name}` is none of --cases, --seed, --driver, --release")),
            }
        }
        Ok(options)
    }
}
