//! What the benches share: sides that take turns, what is counted and printed of them, and criterion's view of the same.

pub mod allocations;
mod apart;
mod ratios;
pub mod tree;

use std::time::Instant;

use criterion::Criterion;
use tokio::runtime::{Builder, Runtime as Tokio};

/// The runtimes under which every workload is measured.
#[derive(Clone, Copy)]
pub enum Runtime {
    /// Everything on the thread of the bench.
    CurrentThread,
    /// A worker for each processor.
    MultiThread,
}

impl Runtime {
    const ALL: [Runtime; 2] = [Runtime::CurrentThread, Runtime::MultiThread];

    fn name(self) -> &'static str {
        match self {
            Runtime::CurrentThread => "current-thread",
            Runtime::MultiThread => "multi-thread",
        }
    }

    /// A runtime of this kind.
    pub fn build(self) -> Tokio {
        let mut builder = match self {
            Runtime::CurrentThread => Builder::new_current_thread(),
            Runtime::MultiThread => Builder::new_multi_thread(),
        };
        builder.enable_all().build().unwrap()
    }
}

/// Runs an operation so many times.
pub type Side = Box<dyn FnMut(u64)>;

/// One operation, done by several clients.
pub struct Workload {
    pub name: String,
    /// By name; Ommi's is the last.
    pub sides: Vec<(&'static str, Side)>,
}

/// The side that the others are compared with.
pub const OMMI: &str = "ommi";

/// Runs one side and nothing else: what a tool that counts instructions looks at.
#[inline(never)]
pub fn counted(side: &mut Side, times: u64) {
    side(times);
}

/// Measures workloads as the arguments say: with `--ratios [PART OF A NAME]` in turns, else with criterion. `rivals` are the other sides, in
/// the order of their columns.
///
/// With `--apart [PART OF A NAME]` each side has a process of its own (`--alone RUNTIME NAME SIDE`), again and again.
///
/// With `--count NAME SIDE TIMES` it runs one side, once as often to warm it up, so that `valgrind --tool=callgrind
/// --toggle-collect='ommi_benches::counted'` counts its instructions, which nobody else on the machine changes.
pub fn run(rivals: &[&str], workloads: impl Fn(Runtime) -> Vec<Workload>) {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(wanted) = wanted(&arguments, "--ratios") {
        for runtime in Runtime::ALL {
            let mut workloads = workloads(runtime);
            workloads.retain(|workload| workload.name.contains(wanted));
            ratios::print(&mut workloads, rivals, runtime.name());
        }
        return;
    }
    if let Some(wanted) = wanted(&arguments, "--apart") {
        for runtime in Runtime::ALL {
            let mut workloads = workloads(runtime);
            workloads.retain(|workload| workload.name.contains(wanted));
            apart::print(workloads, rivals, runtime.name());
        }
        return;
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "--alone") {
        let [runtime, name, side] = &arguments[at + 1..at + 4] else { return };
        let runtime = Runtime::ALL.into_iter().find(|known| known.name() == runtime).expect("a runtime's name");
        with_side(workloads(runtime), name, side, |side| println!("{}", ratios::alone(side)));
        return;
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "--count") {
        let [name, side, times] = &arguments[at + 1..at + 4] else { return };
        let times = times.parse().expect("a number");
        with_side(workloads(Runtime::CurrentThread), name, side, |side| {
            side(times);
            counted(side, times);
        });
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    for runtime in Runtime::ALL {
        for workload in &mut workloads(runtime) {
            bench(&mut criterion, runtime, workload);
        }
    }
    criterion.final_summary();
}

/// The part of the names that follows an option, if that is there: what comes next, but for what cargo adds.
fn wanted<'a>(arguments: &'a [String], option: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == option)?;
    Some(arguments.get(at + 1).filter(|next| !next.starts_with("--")).map_or("", String::as_str))
}

/// Does something with one side of one workload.
fn with_side(mut workloads: Vec<Workload>, name: &str, side: &str, work: impl FnOnce(&mut Side)) {
    let workload = workloads.iter_mut().find(|workload| workload.name == name).expect("a workload's name");
    let (_, side) = workload.sides.iter_mut().find(|(other, _)| *other == side).expect("a side's name");
    work(side);
}

fn bench(criterion: &mut Criterion, runtime: Runtime, workload: &mut Workload) {
    let mut group = criterion.benchmark_group(format!("{}/{}", runtime.name(), workload.name));
    for (name, side) in &mut workload.sides {
        group.bench_function(*name, |bencher| {
            bencher.iter_custom(|times| {
                let start = Instant::now();
                side(times);
                start.elapsed()
            });
        });
    }
}

/// Keys from 1 to a greatest one, in an order that is the same in every run.
pub struct Keys {
    state: u64,
    greatest: i64,
}

impl Keys {
    pub fn up_to(greatest: i64) -> Keys {
        Keys { state: 1, greatest }
    }

    /// The next key.
    pub fn key(&mut self) -> i64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as i64 % self.greatest + 1
    }
}
