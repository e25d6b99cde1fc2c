//! The bound of fast.

use super::support::{World, error, noise, secs};
use crate::{
    Kind,
    blob::{Fault, Operation, Pointer},
    pair::Options,
};
use alloc::vec::Vec;

fn cached(bound: u64) -> Options {
    Options {
        cache: Some(bound),
        ..Options::default()
    }
}

fn fill(world: &mut World, from: u64, to: u64) -> Vec<Pointer> {
    (from..to)
        .map(|i| world.put(&noise(i + 1, 1000)).pointer())
        .collect()
}

fn here(world: &mut World, pointers: &[Pointer]) -> Vec<bool> {
    pointers.iter().map(|p| world.fast_has(*p)).collect()
}

#[test]
fn the_least_recently_used_blobs_leave_and_can_be_read_all_the_same() {
    let mut world = World::with(cached(10_000));
    let pointers = fill(&mut world, 0, 10);
    world.sync().unwrap();
    // The oldest is used again.
    world.get(pointers[0]).unwrap();
    fill(&mut world, 10, 12);
    world.sync().unwrap();
    world.pass(secs(5));
    let here = here(&mut world, &pointers);
    assert!(here[0], "it was just used");
    assert!(!here[1], "it was used longest ago");
    assert!(here[9]);
    assert!(world.status().evicted >= 2);
    assert_eq!(world.get(pointers[1]).unwrap(), noise(2, 1000));
}

#[test]
fn what_slow_has_not_acknowledged_never_leaves() {
    let mut world = World::with(cached(1_000));
    world.script.offline();
    let pointers = fill(&mut world, 0, 20);
    world.pass(secs(600));
    assert_eq!(here(&mut world, &pointers), [true; 20]);
    world.crash();
    world.pass(secs(600));
    assert_eq!(here(&mut world, &pointers), [true; 20]);
    assert_eq!(world.status().evicted, 0);
    world.script.heal();
    world.sync().unwrap();
    world.pass(secs(10));
    let left = here(&mut world, &pointers).iter().filter(|h| **h).count();
    assert!(left <= 1, "{left} are left");
}

#[test]
fn an_answer_that_was_lost_is_no_acknowledgement() {
    let mut world = World::with(cached(100));
    world
        .script
        .every(Operation::Put, Fault::FailAfter(error(Kind::Transient)));
    world
        .script
        .every(Operation::Has, Fault::Fail(error(Kind::Transient)));
    let pointers = fill(&mut world, 0, 3);
    world.pass(secs(300));
    assert_eq!(here(&mut world, &pointers), [true; 3]);
}

#[test]
fn a_pinned_blob_never_leaves_until_it_is_unpinned() {
    let mut world = World::with(cached(2_000));
    let pinned = fill(&mut world, 0, 2);
    let pair = world.pair.clone();
    let p = pinned.clone();
    world.run(async move {
        for pointer in &p {
            pair.pin(pointer).await.unwrap();
        }
        assert_eq!(pair.pinned(None, 9).await.unwrap().len(), 2);
    });
    fill(&mut world, 2, 12);
    world.sync().unwrap();
    world.pass(secs(60));
    assert_eq!(here(&mut world, &pinned), [true; 2]);
    world.crash();
    fill(&mut world, 12, 22);
    world.sync().unwrap();
    world.pass(secs(60));
    assert_eq!(here(&mut world, &pinned), [true; 2]);
    let pair = world.pair.clone();
    let p = pinned.clone();
    world.run(async move {
        for pointer in &p {
            pair.unpin(pointer).await.unwrap();
        }
    });
    fill(&mut world, 22, 32);
    world.sync().unwrap();
    world.pass(secs(60));
    assert_eq!(here(&mut world, &pinned), [false; 2]);
}

#[test]
fn fills_count_too() {
    let mut world = World::with(cached(5_000));
    let pointers: Vec<_> = (0..20)
        .map(|i| world.remote_put(&noise(i + 1, 1000)))
        .collect();
    for pointer in &pointers {
        world.get(*pointer).unwrap();
        world.pass(secs(2));
    }
    let left = here(&mut world, &pointers).iter().filter(|h| **h).count();
    assert!((3..=5).contains(&left), "{left} are left");
}

#[test]
fn a_bound_that_comes_later_finds_what_was_there_before() {
    let mut world = World::new();
    let pointers = fill(&mut world, 0, 10);
    world.sync().unwrap();
    world.crash_into(cached(3_000));
    world.pass(secs(10));
    let left = here(&mut world, &pointers).iter().filter(|h| **h).count();
    assert!(left <= 3, "{left} are left");
    // Without a bound for a while, nothing is written down; with one again, it is found.
    world.crash_into(Options::default());
    let more = fill(&mut world, 20, 30);
    world.sync().unwrap();
    world.crash_into(cached(3_000));
    world.pass(secs(10));
    let left = here(&mut world, &more).iter().filter(|h| **h).count();
    assert!(left <= 3, "{left} are left");
}

#[test]
fn a_blob_larger_than_the_bound_can_be_read() {
    let mut world = World::with(cached(1_000));
    let bytes = noise(9, 3 << 20);
    let pointer = world.remote_put(&bytes);
    assert_eq!(world.get(pointer).unwrap(), bytes);
    let pair = world.pair.clone();
    let range = world.run(async move { pair.get_range(&pointer, 5..2_000_000).await });
    assert_eq!(range.unwrap(), bytes.slice(5..2_000_000));
}

#[test]
fn what_leaves_while_it_is_put_again_is_there_or_queued() {
    // Eviction and a put of the same blob race; whatever the order, both sides together have it.
    let mut world = World::with(cached(500));
    let pointers = fill(&mut world, 0, 5);
    world.sync().unwrap();
    let pair = world.pair.clone();
    let put = world.spawn(async move { pair.put(noise(1, 1000)).await.map(drop) });
    world.pass(secs(10));
    world.run(put).unwrap();
    assert!(world.remote_has(pointers[0]));
    assert_eq!(world.get(pointers[0]).unwrap(), noise(1, 1000));
}
