//! Thousands of simulated pairs, each decided by one seed.

use littoral_core::engine::Sabotage;
use littoral_tests::{
    paired::{Plan, RARE, RARE_ON_A_BAD_DISK, run},
    seeds::{self, Report},
};

fn honest(seed: u64) -> Report {
    run(seed, |_| ())
}

#[test]
fn thousands_of_seeds_keep_every_promise_and_reach_every_rare_branch() {
    let marks = seeds::all("pair", 0..8_000, honest);
    println!("{marks}");
    assert_eq!(marks.missing(RARE), Vec::<&str>::new());
}

#[test]
fn on_a_disk_that_fails_in_every_life_every_promise_is_kept() {
    let marks = seeds::all("bad-disk", 0..2_000, |seed| run(seed, Plan::on_a_bad_disk));
    assert_eq!(marks.missing(RARE_ON_A_BAD_DISK), Vec::<&str>::new());
}

#[test]
fn the_same_seed_is_the_same_run() {
    seeds::repeat(0..150, honest);
}

/// A pair that is broken on purpose is found out by one of the first `seeds`.
#[track_caller]
fn is_caught(how: Sabotage, seeds: u64, adjust: fn(&mut Plan)) {
    println!("{how:?}");
    seeds::catch(seeds, |seed| {
        run(seed, |plan| {
            adjust(plan);
            plan.pair.sabotage = Some(how);
        })
    });
}

#[test]
fn a_pair_that_removes_queue_entries_before_the_acknowledgement_is_caught() {
    is_caught(Sabotage::QueueEntryRemovedBeforeAck, 50, |_| ());
}

#[test]
fn a_pair_whose_fills_race_deletions_is_caught() {
    is_caught(Sabotage::FillRacesDelete, 20_000, |_| ());
}

/// What a remote says that it has leaves the queue: it had better be on its disk.
#[test]
fn a_remote_that_says_it_has_what_it_may_still_lose_is_caught() {
    seeds::catch(2_000, |seed| run(seed, |plan| plan.hasty = true));
}

/// What a store under a pair does wrong, a pair's users notice too.
#[test]
fn a_pair_over_a_store_that_never_syncs_is_caught() {
    is_caught(Sabotage::NoSync, 50, |plan| {
        plan.store.sabotage = Some(Sabotage::NoSync);
    });
}
