//! Sides that have a process each.
//!
//! Where they take turns in one they share its heap too, and what the runs of one leave there another pays for: of two that read ten thousand rows each,
//! the one whose list grows in other steps takes up to a fifth longer in one process, and the other in the next.

use std::process::{Command, Stdio};

use crate::{OMMI, Workload};

/// How many processes each side gets. They take turns.
const ROUNDS: usize = 9;

pub(crate) fn print(workloads: Vec<Workload>, rivals: &[&str], runtime: &str) {
    // What they hold of a server is nobody's while the others run.
    let names: Vec<(String, Vec<&str>)> = workloads
        .into_iter()
        .map(|Workload { name, sides }| (name, sides.into_iter().map(|(side, _)| side).collect()))
        .collect();
    let all: Vec<&str> = rivals.iter().copied().chain([OMMI]).collect();
    println!(
        "\n{runtime} runtime, each side in {ROUNDS} processes of its own: microseconds per operation (the median process, and of it the fastest tenth), ratios\n"
    );
    let ratios: Vec<String> = rivals.iter().map(|rival| format!("{OMMI}/{rival}")).collect();
    println!("| workload | {} | {} |", all.join(" | "), ratios.join(" | "));
    println!("|{}", "---|".repeat(1 + all.len() + ratios.len()));
    for (name, sides) in &names {
        let mut times = vec![Vec::new(); sides.len()];
        for _ in 0..ROUNDS {
            for (side, times) in sides.iter().zip(&mut times) {
                times.push(alone(runtime, name, side));
            }
        }
        let medians: Vec<f64> = times.into_iter().map(median).collect();
        let of = |name: &str| sides.iter().position(|side| *side == name).map(|side| medians[side]);
        let mut cells = vec![name.clone()];
        cells.extend(all.iter().map(|side| of(side).map_or_else(String::new, |time| format!("{time:.2}"))));
        cells.extend(rivals.iter().map(|rival| {
            let ratio = of(OMMI).zip(of(rival)).map(|(ommi, rival)| ommi / rival);
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))
        }));
        println!("| {} |", cells.join(" | "));
    }
}

/// What a side takes in a process of its own.
fn alone(runtime: &str, name: &str, side: &str) -> f64 {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--bench", "--alone", runtime, name, side])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}, {side}: {}", output.status);
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.trim().parse().unwrap_or_else(|_| panic!("{name}, {side}: {printed}"))
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
