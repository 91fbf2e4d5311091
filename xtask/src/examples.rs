//! What the examples print, on every store: the same, byte for byte.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::servers::Servers;
use crate::suites::cargo;

/// The examples, each with an `expected.txt` in its folder.
const EXAMPLES: &[&str] = &["flights", "club"];

/// The stores beside SQLite: a name, and the variable that holds the URL.
const STORES: &[(&str, &str)] = &[("PostgreSQL", "OMMI_TEST_POSTGRES_URL"), ("MongoDB", "OMMI_TEST_MONGO_URL")];

/// Runs each example on each store; whether all answers are the expected ones.
pub(crate) fn compare() -> Result<bool, String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask is in no workspace")?;
    let servers = Servers::start()?;
    let mut same = true;
    for example in EXAMPLES {
        let file = workspace.join("examples").join(example).join("expected.txt");
        let expected = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        for (store, url) in [("SQLite", None)].into_iter().chain(STORES.iter().map(|(name, url)| (*name, Some(*url)))) {
            let mut command = cargo();
            command.args(["run", "--quiet", "--all-features", "--example", example]).current_dir(workspace);
            if let Some(variable) = url {
                let url = servers.variable(variable).ok_or_else(|| format!("there is no {store}"))?;
                command.args(["--", "--replace", "--database"]).arg(url);
            }
            let run = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
            let run = run.map_err(|error| format!("cargo could not be started: {error}"))?;
            let answered = run.status.success() && run.stdout == expected;
            match answered {
                true => println!("{example} on {store}: as expected"),
                false => println!("{example} on {store}: {}", difference(&expected, &run.stdout)),
            }
            same &= answered;
        }
    }
    Ok(same)
}

/// The first line that differs.
fn difference(expected: &[u8], found: &[u8]) -> String {
    let (expected, found) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(found));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (expected, found) = (lines(&expected), lines(&found));
    let at = expected.iter().zip(&found).take_while(|(expected, found)| expected == found).count();
    let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "the end".to_owned());
    format!("line {} should be\n  {}\nand is\n  {}", at + 1, line(&expected), line(&found))
}
