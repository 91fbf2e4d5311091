//! SQLite: Ommi beside rusqlite, in the same run, on files with the same tables and settings.
//!
//! - `cargo bench -p ommi-benches --bench sqlite` measures each workload with criterion.
//! - `cargo bench -p ommi-benches --bench sqlite -- --ratios [NAME]` lets the two take turns in short slices and prints the median of the ratios, pair by pair, and the
//!   heap allocations per operation. Ratios hold on a busy machine where times do not.
//!
//! The raw side uses `prepare_cached`, reads with `get_ref`, and has query planner stability (QPSG) on, as Ommi has. "kept" is the same with
//! statements that are kept instead of looked up.

mod raw;
mod workloads;

use ommi_benches::allocations;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() {
    ommi_benches::run(&["raw", "kept"], workloads::all);
}
