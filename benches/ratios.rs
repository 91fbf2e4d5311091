//! Turns of short slices, and of each side the time that its fastest tenth stays within: what an operation takes while nobody else uses the
//! machine. Where somebody does, medians say more about them.

use std::time::{Duration, Instant};

use crate::{OMMI, Side, Workload, allocations};

/// Short slices, so that who else uses the machine meets all sides alike; many rounds, for as long as they may take, and at least a few.
const SLICE: Duration = Duration::from_millis(2);
const ROUNDS: usize = 401;
const LEAST: usize = 9;
const BUDGET: Duration = Duration::from_secs(5);
const ALONE: Duration = Duration::from_millis(500);

pub(crate) fn print(workloads: &mut [Workload], rivals: &[&str], runtime: &str) {
    println!(
        "\n{runtime} runtime: microseconds per operation, ratios (fastest tenth of up to {ROUNDS} rounds), allocations per operation\n"
    );
    let sides: Vec<&str> = rivals.iter().copied().chain([OMMI]).collect();
    let ratios: Vec<String> = rivals.iter().map(|rival| format!("{OMMI}/{rival}")).collect();
    let counts: Vec<String> = sides.iter().map(|side| format!("{side} allocs")).collect();
    println!("| workload | {} | {} | {} |", sides.join(" | "), ratios.join(" | "), counts.join(" | "));
    println!("|{}", "---|".repeat(1 + sides.len() + ratios.len() + counts.len()));
    for workload in workloads {
        row(workload, rivals);
    }
}

fn row(workload: &mut Workload, rivals: &[&str]) {
    let name = workload.name.clone();
    let sides = &mut workload.sides;
    let times: Vec<u64> = sides.iter_mut().map(|(_, side)| iterations(side)).collect();
    let allocations: Vec<f64> = sides
        .iter_mut()
        .zip(&times)
        .map(|((_, side), &times)| {
            let times = times.min(100);
            allocations::count(|| side(times)) as f64 / times as f64
        })
        .collect();
    // A round measures every side once, so that a slow moment of the machine meets all of them alike.
    let started = Instant::now();
    let rounds: Vec<Vec<f64>> = (0..ROUNDS)
        .take_while(|&round| round < LEAST || started.elapsed() < BUDGET)
        .map(|_| sides.iter_mut().zip(&times).map(|((_, side), &times)| micros(side, times)).collect())
        .collect();
    let at = |name: &str| sides.iter().position(|(side, _)| *side == name);
    let times: Vec<f64> =
        (0..sides.len()).map(|side| tenth(rounds.iter().map(|round| round[side]).collect())).collect();
    let ratio = |rival: &str| Some((at(OMMI)?, at(rival)?));
    let all = || rivals.iter().copied().chain([OMMI]);
    let mut cells = vec![name];
    cells.extend(all().map(|side| at(side).map_or_else(String::new, |i| format!("{:.2}", times[i]))));
    cells.extend(rivals.iter().map(|rival| {
        ratio(rival).map_or_else(String::new, |(ommi, other)| format!("{:.2}", times[ommi] / times[other]))
    }));
    cells.extend(all().map(|side| at(side).map_or_else(String::new, |i| format!("{:.2}", allocations[i]))));
    println!("| {} |", cells.join(" | "));
}

/// The microseconds that a side takes by itself.
pub(crate) fn alone(side: &mut Side) -> f64 {
    let times = iterations(side);
    let started = Instant::now();
    let rounds = (0..ROUNDS).take_while(|&round| round < LEAST || started.elapsed() < ALONE);
    tenth(rounds.map(|_| micros(side, times)).collect())
}

/// How many operations fill a slice.
fn iterations(side: &mut Side) -> u64 {
    let mut times = 1;
    loop {
        let start = Instant::now();
        side(times);
        let took = start.elapsed();
        if took >= SLICE / 4 {
            return ((times as f64) * SLICE.as_secs_f64() / took.as_secs_f64()).ceil() as u64;
        }
        times *= 4;
    }
}

fn micros(side: &mut Side, times: u64) -> f64 {
    let start = Instant::now();
    side(times);
    start.elapsed().as_secs_f64() * 1e6 / times as f64
}

/// What a tenth of the numbers do not exceed.
fn tenth(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 10]
}
