//! Thousands of simulated pairs, each decided by one seed.

use littoral_core::engine::Sabotage;
use littoral_tests::{
    paired::{Plan, RARE, RARE_ON_A_BAD_DISK, run},
    sim::Marks,
};
use std::{ops::Range, thread};

/// Runs `seeds` on two threads and returns what they reached.
fn all(of: &'static str, seeds: Range<u64>, adjust: fn(&mut Plan)) -> Marks {
    let half = seeds.start + (seeds.end - seeds.start) / 2;
    let halves = [seeds.start..half, half..seeds.end];
    let threads = halves.map(|seeds| {
        thread::spawn(move || {
            let mut marks = Marks::default();
            for seed in seeds {
                let report = run(seed, adjust);
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

#[test]
fn thousands_of_seeds_keep_every_promise_and_reach_every_rare_branch() {
    let marks = all("pair", 0..8_000, |_| ());
    println!("{marks}");
    assert_eq!(marks.missing(RARE), Vec::<&str>::new());
}

#[test]
fn on_a_disk_that_fails_in_every_life_every_promise_is_kept() {
    let marks = all("bad-disk", 0..2_000, Plan::on_a_bad_disk);
    assert_eq!(marks.missing(RARE_ON_A_BAD_DISK), Vec::<&str>::new());
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

/// A pair that is broken on purpose is found out by one of the first `seeds`.
#[track_caller]
fn is_caught(how: Sabotage, seeds: u64, adjust: fn(&mut Plan)) {
    let broken = |seed| {
        run(seed, |plan| {
            adjust(plan);
            plan.pair.sabotage = Some(how);
        })
    };
    let caught = (0..seeds)
        .map(broken)
        .find(|report| report.failure.is_some());
    let caught = caught.unwrap_or_else(|| panic!("{seeds} seeds do not catch {how:?}"));
    println!("{how:?}: seed {}: {}", caught.seed, caught.failure.unwrap());
}

#[test]
fn a_pair_that_removes_queue_entries_before_the_acknowledgement_is_caught() {
    is_caught(Sabotage::QueueEntryRemovedBeforeAck, 50, |_| ());
}

#[test]
fn a_pair_whose_fills_race_deletions_is_caught() {
    is_caught(Sabotage::FillRacesDelete, 1_000, |_| ());
}

/// What a store under a pair does wrong, a pair's users notice too.
#[test]
fn a_pair_over_a_store_that_never_syncs_is_caught() {
    is_caught(Sabotage::NoSync, 50, |plan| {
        plan.store.sabotage = Some(Sabotage::NoSync);
    });
}
