//! SQLite: Ommi beside rusqlite, in the same run, on files with the same tables and settings.
//!
//! - `cargo bench -p ommi-benches --bench sqlite` measures each workload with criterion.
//! - `cargo bench -p ommi-benches --bench sqlite -- --ratios [NAME]` lets the two take turns in short slices and prints the median of the ratios, pair by pair, and the
//!   heap allocations per operation. Ratios hold on a busy machine where times do not.
//!
//! The raw side uses `prepare_cached`, reads with `get_ref`, and has query planner stability (QPSG) on, as Ommi has. "kept" is the same with
//! statements that are kept instead of looked up.

mod allocations;
mod ratios;
mod raw;
mod relations;
mod workloads;

use std::time::Instant;

use criterion::Criterion;
use workloads::{Runtime, Workload};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--ratios") {
        // What follows is a part of the names wanted, but for what cargo adds.
        let wanted = arguments.get(at + 1).filter(|next| !next.starts_with("--")).map_or("", String::as_str);
        for runtime in [Runtime::CurrentThread, Runtime::MultiThread] {
            let mut workloads = workloads::all(runtime);
            workloads.retain(|workload| workload.name.contains(wanted));
            ratios::print(&mut workloads, runtime.name());
        }
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    for runtime in [Runtime::CurrentThread, Runtime::MultiThread] {
        for workload in &mut workloads::all(runtime) {
            bench(&mut criterion, runtime, workload);
        }
    }
    criterion.final_summary();
}

fn bench(criterion: &mut Criterion, runtime: Runtime, workload: &mut Workload) {
    let mut group = criterion.benchmark_group(format!("{}/{}", runtime.name(), workload.name));
    for (name, side) in workload.sides() {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let start = Instant::now();
                side(times);
                start.elapsed()
            });
        });
    }
}
