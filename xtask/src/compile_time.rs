//! How long a crate with many models takes to build, its dependencies built already.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, io};

const MODELS: usize = 50;
const RUNS: usize = 3;

/// Generates the crate in the target folder, builds it a few times in the dev profile, and prints each time.
pub fn measure() -> io::Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let folder = target.join("compile-time");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), manifest(workspace))?;
    // The same versions as the workspace's, without asking the registry again.
    fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let main = folder.join("src/main.rs");

    fs::write(&main, "fn main() {}\n")?;
    build(&folder)?;
    println!("{MODELS} models of 10 fields, dev profile, dependencies built:");
    for run in 1..=RUNS {
        // A model's text differs in each run, so that nothing of it is built yet.
        fs::write(&main, program(run))?;
        println!("  {:.1} s", build(&folder)?.as_secs_f64());
    }
    Ok(())
}

fn manifest(workspace: &Path) -> String {
    format!(
        "[package]\nname = \"compile-time\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nommi = {{ path = {:?}, features = [\"chrono\"] }}\nchrono = {{ version = \"0.4\", default-features = false }}\n\n\
         [workspace]\n",
        workspace.display().to_string()
    )
}

fn build(folder: &Path) -> io::Result<Duration> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let start = Instant::now();
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .status()?;
    if status.success() { Ok(start.elapsed()) } else { Err(io::Error::other("the build failed")) }
}

/// Models that refer to each other, and a function that uses each.
fn program(run: usize) -> String {
    let mut text = String::from("use ommi::prelude::*;\n\n");
    let mut calls = String::new();
    for i in 0..MODELS {
        let previous = i.saturating_sub(1);
        let _ = write!(
            text,
            "#[derive(Debug, Clone, Model)]\n\
             struct Model{i} {{\n\
             \x20   #[ommi(key, auto)]\n    id: i64,\n\
             \x20   #[ommi(unique)]\n    email: String,\n\
             \x20   name: String,\n\
             \x20   #[ommi(default = {run})]\n    visits: i64,\n\
             \x20   #[ommi(references = Model{previous}::id)]\n    other_id: Option<i64>,\n\
             \x20   score: Option<f64>,\n\
             \x20   born: Option<chrono::NaiveDate>,\n\
             \x20   data: Vec<u8>,\n\
             \x20   active: bool,\n\
             \x20   #[ommi(index)]\n    small: u16,\n\
             }}\n\n\
             async fn use_{i}(db: &Ommi) -> DBResult<()> {{\n\
             \x20   let row = new!(Model{i} {{ email: \"a\", name: \"b\", data: vec![1], active: true, small: 3 }});\n\
             \x20   let row = db.add(row).await?;\n\
             \x20   let query = Model{i}::visits.ge(row.visits) & Model{i}::name.contains(\"b\");\n\
             \x20   db.find(query).sort(Model{i}::id.desc()).limit(3).all().await.map(drop)\n\
             }}\n\n",
        );
        let _ = writeln!(calls, "    let _ = use_{i}(&db);");
    }
    let _ = write!(text, "fn main() {{\n    let db: Ommi = todo!();\n{calls}}}\n");
    format!("#![allow(unreachable_code, unused_variables, clippy::all)]\n{text}")
}
