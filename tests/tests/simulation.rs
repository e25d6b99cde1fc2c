//! Thousands of simulated stores, each decided by one seed.

use bytes::Bytes;
use littoral_core::{
    Kind,
    engine::{Batch, Durability, Options, Sabotage, Space, Store},
};
use littoral_tests::{
    run::{Plan, RARE, run},
    seeds::{self, Report},
    sim::{Chance, Disk, Executor, Faults, Loss, SimEntropy, SimVolume, World},
};

fn honest(seed: u64) -> Report {
    run(seed, |_| ())
}

#[test]
fn thousands_of_seeds_keep_every_promise_and_reach_every_rare_branch() {
    let marks = seeds::all("store", 0..4_000, honest);
    println!("{marks}");
    assert_eq!(marks.missing(RARE), Vec::<&str>::new());
}

#[test]
fn the_same_seed_is_the_same_run() {
    seeds::repeat(0..150, honest);
}

/// A store that is broken on purpose is found out by one of the first `seeds`.
#[track_caller]
fn is_caught(how: Sabotage, seeds: u64, adjust: fn(&mut Plan)) {
    println!("{how:?}");
    seeds::catch(seeds, |seed| {
        run(seed, |plan| {
            adjust(plan);
            plan.profile.options.sabotage = Some(how);
        })
    });
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

/// After a failed sync a host may show what it will never write. Who opens the store again must not build on it.
#[test]
fn a_large_value_whose_sync_failed_is_safe_once_the_store_was_opened_again() {
    let disk = Disk::new();
    let world = World::new(Chance::new(1));
    let live = |fails: bool| {
        let volume = SimVolume::new(&world, &disk, Faults::default());
        let faults = volume.faults();
        let life = async move {
            let entropy = SimEntropy::new(Chance::new(2));
            let store = Store::open(volume, &entropy, Options::default());
            let store = store.await.unwrap();
            let value = Bytes::from(vec![7; 80_000]);
            if fails {
                faults.borrow_mut().sync_fails_in = Some(0);
                let mut batch = Batch::new();
                batch.put(Space(0x80), "large", value.clone());
                let told = store.commit(batch, Durability::Strict).await;
                assert_eq!(told.err().unwrap().kind(), Kind::Poisoned);
            }
            let read = store.get(Space(0x80), b"large").await.unwrap();
            assert_eq!(read, Some(value));
        };
        Executor::new(&world).run(100_000, life).unwrap();
    };
    live(true);
    disk.crash(&world, Loss::Process);
    live(false);
    disk.crash(&world, Loss::All);
    live(false);
}
