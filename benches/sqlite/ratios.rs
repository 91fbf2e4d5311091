//! Turns of short slices, and the median of the ratios within each turn.

use std::time::{Duration, Instant};

use crate::allocations;
use crate::workloads::{Side, Workload};

const ROUNDS: usize = 15;
const SLICE: Duration = Duration::from_millis(30);

pub fn print(workloads: &mut [Workload], runtime: &str) {
    println!(
        "\n{runtime} runtime: microseconds per operation, ratio to raw (median of {ROUNDS} rounds), allocations per operation\n"
    );
    println!("| workload | raw | kept | ommi | ommi/raw | ommi/kept | raw allocs | ommi allocs |");
    println!("|---|---|---|---|---|---|---|---|");
    for workload in workloads {
        row(workload);
    }
}

fn row(workload: &mut Workload) {
    let name = workload.name.clone();
    let mut sides: Vec<(&str, &mut Side)> = workload.sides().collect();
    let times: Vec<u64> = sides.iter_mut().map(|(_, side)| iterations(side)).collect();
    let allocations: Vec<f64> =
        sides.iter_mut().map(|(_, side)| allocations::count(|| side(100)) as f64 / 100.0).collect();
    // A round measures every side once, so that a slow moment of the machine meets all of them alike.
    let rounds: Vec<Vec<f64>> = (0..ROUNDS)
        .map(|_| sides.iter_mut().zip(&times).map(|((_, side), &times)| micros(side, times)).collect())
        .collect();
    let at = |name: &str| sides.iter().position(|(side, _)| *side == name);
    let median_of = |pick: &dyn Fn(&Vec<f64>) -> f64| median(rounds.iter().map(pick).collect());
    let time = |name| at(name).map_or("".to_owned(), |i| format!("{:.2}", median_of(&|round| round[i])));
    let ratio = |to| match (at("ommi"), at(to)) {
        (Some(ommi), Some(to)) => format!("{:.2}", median_of(&|round| round[ommi] / round[to])),
        _ => String::new(),
    };
    let count = |name| at(name).map_or(String::new(), |i| format!("{:.2}", allocations[i]));
    println!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} |",
        time("raw"),
        time("kept"),
        time("ommi"),
        ratio("raw"),
        ratio("kept"),
        count("raw"),
        count("ommi"),
    );
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

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
