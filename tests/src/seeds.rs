//! What came of a seed, and what a test says of many of them.

use crate::sim::{Marks, World};
use std::{collections::BTreeSet, ops::Range, thread};

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Hash of everything that happened, in order.
    pub trace: u64,
    /// The rare things that happened.
    pub marks: Marks,
    /// Lives that the store had.
    pub lives: u64,
    /// The broken promise, if there is one.
    pub failure: Option<String>,
}

impl Report {
    /// The report of a run in `world` that ended with `outcome`.
    pub fn of(seed: u64, world: &World, lives: u64, outcome: Result<(), String>) -> Report {
        Report {
            seed,
            trace: world.trace(),
            marks: world.marks(),
            lives,
            failure: world.failure().or(outcome.err()),
        }
    }
}

/// Runs `seeds` on two threads and returns what they reached; the first that fails says how it is replayed.
pub fn all(of: &'static str, seeds: Range<u64>, run: fn(u64) -> Report) -> Marks {
    let half = seeds.start + (seeds.end - seeds.start) / 2;
    let halves = [seeds.start..half, half..seeds.end];
    let threads = halves.map(|seeds| {
        thread::spawn(move || {
            let mut marks = Marks::default();
            for seed in seeds {
                let report = run(seed);
                if let Some(failure) = report.failure {
                    panic!(
                        "{failure}\nreplay it with: cargo xtask simulate --of {of} --seed {seed}"
                    );
                }
                marks.merge(&report.marks);
            }
            marks
        })
    });
    let mut marks = Marks::default();
    for thread in threads {
        marks.merge(&thread.join().unwrap());
    }
    marks
}

/// Each of `seeds` goes the same way twice, and no two of them the same one.
#[track_caller]
pub fn repeat(seeds: Range<u64>, run: fn(u64) -> Report) {
    let mut traces = BTreeSet::new();
    for seed in seeds.clone() {
        let trace = run(seed).trace;
        assert_eq!(trace, run(seed).trace, "seed {seed}");
        traces.insert(trace);
    }
    assert_eq!(traces.len() as u64, seeds.end - seeds.start);
}

/// What is broken on purpose is found out by one of the first `seeds`.
#[track_caller]
pub fn catch(seeds: u64, run: impl Fn(u64) -> Report) {
    let caught = (0..seeds).map(run).find_map(|report| {
        let failure = report.failure?;
        Some(format!("seed {}: {failure}", report.seed))
    });
    println!(
        "{}",
        caught.unwrap_or_else(|| panic!("{seeds} seeds do not catch it"))
    );
}
