//! Thousands of simulated stores, each decided by one seed.

use littoral_core::engine::Sabotage;
use littoral_tests::{
    run::{Plan, RARE, run},
    sim::Marks,
};
use std::{ops::Range, thread};

/// Runs `seeds` on two threads and returns what they reached.
fn all(seeds: Range<u64>) -> Marks {
    let half = seeds.start + (seeds.end - seeds.start) / 2;
    let mut marks = Marks::default();
    let halves = [seeds.start..half, half..seeds.end];
    let threads = halves.map(|seeds| {
        thread::spawn(move || {
            let mut marks = Marks::default();
            for seed in seeds {
                let report = run(seed, |_| ());
                if let Some(failure) = report.failure {
                    panic!("{failure}\nreplay it with: cargo xtask simulate --seed {seed}");
                }
                marks.merge(&report.marks);
            }
            marks
        })
    });
    for thread in threads {
        marks.merge(&thread.join().unwrap());
    }
    marks
}

#[test]
fn thousands_of_seeds_keep_every_promise_and_reach_every_rare_branch() {
    let marks = all(0..4_000);
    println!("{marks}");
    assert_eq!(marks.missing(RARE), Vec::<&str>::new());
}

#[test]
fn the_same_seed_is_the_same_run() {
    let mut traces = std::collections::BTreeSet::new();
    for seed in 0..150 {
        let trace = run(seed, |_| ()).trace;
        assert_eq!(trace, run(seed, |_| ()).trace, "seed {seed}");
        traces.insert(trace);
    }
    assert_eq!(traces.len(), 150);
}

/// A store that is broken on purpose is found out by one of the first `seeds`.
#[track_caller]
fn is_caught(how: Sabotage, seeds: u64, adjust: fn(&mut Plan)) {
    let broken = |seed| {
        run(seed, |plan| {
            adjust(plan);
            plan.profile.options.sabotage = Some(how);
        })
    };
    let caught = (0..seeds)
        .map(broken)
        .find(|report| report.failure.is_some());
    let caught = caught.unwrap_or_else(|| panic!("{seeds} seeds do not catch {how:?}"));
    println!("{how:?}: seed {}: {}", caught.seed, caught.failure.unwrap());
}

#[test]
fn a_store_that_never_syncs_is_caught() {
    is_caught(Sabotage::NoSync, 50, |_| ());
}

#[test]
fn a_store_that_acknowledges_before_the_sync_ends_is_caught() {
    is_caught(Sabotage::AcknowledgedBeforeSync, 200, |_| ());
}

#[test]
fn a_store_that_does_not_look_at_checksums_is_caught() {
    is_caught(Sabotage::ChecksumIgnored, 300, |plan| plan.rotten = 100);
}

#[test]
fn a_store_that_accepts_a_stale_log_is_caught() {
    is_caught(Sabotage::StaleLogAccepted, 300, |_| ());
}
