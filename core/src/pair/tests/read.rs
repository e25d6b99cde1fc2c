//! Fast and slow as one.

use super::support::{World, error, noise, secs};
use crate::{
    Kind,
    blob::{BlobStore, Fault, Gate, Operation, Pointer},
    engine::Durability,
    pair::Options,
};
use alloc::vec::Vec;

#[test]
fn a_miss_is_fetched_once_however_many_ask() {
    let mut world = World::new();
    let pointer = world.remote_put(b"wanted by many");
    let gate = Gate::new();
    world
        .script
        .every(Operation::GetRange, Fault::Hold(gate.clone()));
    let mut readers = Vec::new();
    for _ in 0..20 {
        let pair = world.pair.clone();
        readers.push(world.spawn(async move { pair.get(&pointer).await }));
    }
    let pair = world.pair.clone();
    readers.push(world.spawn(async move { pair.get_range(&pointer, 0..100).await }));
    world.settle();
    gate.open();
    for reader in readers {
        assert_eq!(&world.run(reader).unwrap()[..], b"wanted by many");
    }
    assert_eq!(world.script.count(Operation::GetRange), 1);
    assert_eq!(world.script.count(Operation::Get), 0);
    assert_eq!(world.status().fetched, 1);
    world.script.offline();
    assert_eq!(&world.get(pointer).unwrap()[..], b"wanted by many");
}

#[test]
fn when_the_reader_that_fetches_is_dropped_another_takes_over() {
    let mut world = World::new();
    let pointer = world.remote_put(b"handed over");
    let gate = Gate::new();
    world
        .script
        .nth(Operation::GetRange, 1, Fault::Hold(gate.clone()));
    let pair = world.pair.clone();
    let first = world.spawn(async move { pair.get(&pointer).await });
    world.settle();
    let pair = world.pair.clone();
    let second = world.spawn(async move { pair.get(&pointer).await });
    world.settle();
    drop(first);
    assert_eq!(&world.run(second).unwrap()[..], b"handed over");
}

#[test]
fn an_unreachable_remote_is_transient_and_never_an_absence() {
    let mut world = World::new();
    let pointer = world.remote_put(b"out there");
    world.script.offline();
    assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::Transient);
    let pair = world.pair.clone();
    world.run(async move {
        let kind = |error: crate::Error| error.kind();
        assert_eq!(
            pair.stat(&pointer).await.map_err(kind),
            Err(Kind::Transient)
        );
        assert_eq!(
            pair.has(&[pointer]).await.map_err(kind),
            Err(Kind::Transient)
        );
        assert_eq!(pair.list(None, 5).await.map_err(kind), Err(Kind::Transient));
        assert_eq!(
            pair.get_range(&pointer, 0..1).await.map_err(kind),
            Err(Kind::Transient)
        );
        assert_eq!(pair.root("head").await.map_err(kind), Err(Kind::Transient));
    });
    world.script.heal();
    assert!(world.get(pointer).is_ok(), "nothing bad was remembered");
}

#[test]
fn a_lying_remote_yields_corrupt_and_never_bytes() {
    for fault in [Fault::Flip, Fault::Cut] {
        let mut world = World::new();
        let pointer = world.remote_put(b"the truth");
        world.script.every(Operation::GetRange, fault.clone());
        world.script.every(Operation::Get, fault);
        assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::Corrupt);
        let pair = world.pair.clone();
        let range = world.run(async move { pair.get_range(&pointer, 0..3).await });
        assert_eq!(range.unwrap_err().kind(), Kind::Corrupt);
        assert!(!world.fast_has(pointer));
        world.script.heal();
        assert_eq!(&world.get(pointer).unwrap()[..], b"the truth");
    }
}

#[test]
fn a_lying_remote_yields_corrupt_for_large_blobs_too() {
    for whole_only in [false, true] {
        let mut world = World::new();
        *world.slow.whole_only.lock() = whole_only;
        let bytes = noise(3, 6 << 20);
        let pointer = world.remote_put(&bytes);
        let operation = match whole_only {
            true => Operation::GetRange,
            false => Operation::GetChunk,
        };
        world.script.nth(operation, 3, Fault::Flip);
        assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::Corrupt);
        assert!(!world.fast_has(pointer));
        assert_eq!(world.get(pointer).unwrap(), bytes);
        assert!(world.fast_has(pointer));
    }
}

#[test]
fn no_byte_of_a_blob_travels_twice() {
    for (len, whole_only, ranges) in [
        (100, false, 1),
        (100, true, 1),
        (3 << 20, false, 0),
        // Of a blob that is kept whole, a remote may send all of it for each part.
        (3 << 20, true, 1),
        (6 << 20, true, 6),
    ] {
        let mut world = World::new();
        *world.slow.whole_only.lock() = whole_only;
        let bytes = noise(6, len);
        let pointer = world.remote_put(&bytes);
        let list = futures::executor::block_on(world.remote.chunks(&pointer)).unwrap();
        let chunks = match whole_only {
            true => 0,
            false => list.map_or(0, |list| list.0.len()),
        };
        assert_eq!(world.get(pointer).unwrap(), bytes);
        assert_eq!(world.script.count(Operation::GetRange), ranges, "{len}");
        assert_eq!(world.script.count(Operation::GetChunk), chunks, "{len}");
        assert_eq!(world.script.count(Operation::Get), 0, "{len}");
    }
}

#[test]
fn a_range_of_a_large_blob_fetches_and_checks_the_whole() {
    let mut world = World::new();
    let bytes = noise(4, 5 << 20);
    let pointer = world.remote_put(&bytes);
    let pair = world.pair.clone();
    let range = world.run(async move { pair.get_range(&pointer, 4_000_000..4_000_100).await });
    assert_eq!(range.unwrap(), bytes.slice(4_000_000..4_000_100));
    world.script.offline();
    assert_eq!(world.get(pointer).unwrap(), bytes);
}

#[test]
fn a_fill_that_fails_is_told_in_the_status_and_not_to_the_reader() {
    let mut world = World::new();
    let (small, large) = (noise(1, 100), noise(2, 3 << 20));
    let pointers = [world.remote_put(&small), world.remote_put(&large)];
    // The store takes nothing more.
    world.disk.break_it();
    assert_eq!(world.get(pointers[0]).unwrap(), small);
    assert_eq!(world.get(pointers[1]).unwrap(), large);
    let pair = world.pair.clone();
    let range = world.run(async move { pair.get_range(&pointers[1], 7..2_000_000).await });
    assert_eq!(range.unwrap(), large.slice(7..2_000_000));
    let status = world.status();
    assert_eq!(status.unfilled, 3);
    assert!(status.last_fill_error.is_some());
}

#[test]
fn a_key_is_not_missed_while_it_is_handed_over() {
    // The blob comes into fast just after the look there found nothing, and is not at slow yet.
    let mut world = World::new();
    let gate = Gate::new();
    let pointer = Pointer::of(b"late");
    world
        .script
        .every(Operation::GetRange, Fault::Hold(gate.clone()));
    world
        .script
        .every(Operation::Has, Fault::Hold(gate.clone()));
    world
        .script
        .every(Operation::Stat, Fault::Hold(gate.clone()));
    world
        .script
        .every(Operation::Put, Fault::Fail(error(Kind::Transient)));
    let pair = world.pair.clone();
    let get = world.spawn(async move { pair.get(&pointer).await });
    let pair = world.pair.clone();
    let stat = world.spawn(async move { pair.stat(&pointer).await });
    let pair = world.pair.clone();
    let has = world.spawn(async move { pair.has(&[pointer]).await });
    world.settle();
    world.put(b"late");
    gate.open();
    assert_eq!(&world.run(get).unwrap()[..], b"late");
    assert_eq!(world.run(stat).unwrap().unwrap().size, 4);
    assert_eq!(world.run(has).unwrap(), [true]);
}

#[test]
fn stat_and_has_see_both_sides() {
    let mut world = World::new();
    let far = world.remote_put(b"far");
    world
        .script
        .every(Operation::Put, Fault::Fail(error(Kind::Transient)));
    let near = world.put(b"nearby").pointer();
    let nowhere = Pointer::of(b"nowhere");
    let pair = world.pair.clone();
    world.run(async move {
        assert_eq!(pair.stat(&far).await.unwrap().unwrap().size, 3);
        assert_eq!(pair.stat(&near).await.unwrap().unwrap().size, 6);
        assert!(pair.stat(&nowhere).await.unwrap().is_none());
        let has = pair.has(&[nowhere, near, far, nowhere]).await.unwrap();
        assert_eq!(has, [false, true, true, false]);
        let error = pair.get(&nowhere).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
    });
    // Only what fast lacks is asked for.
    let asked = world.script.calls();
    let has = asked.iter().rfind(|call| call.operation == Operation::Has);
    assert_eq!(has.unwrap().pointers, [nowhere, far, nowhere]);
}

#[test]
fn list_is_both_sides_in_order_once_each_without_what_is_deleted() {
    let mut world = World::new();
    world
        .script
        .every(Operation::Put, Fault::Fail(error(Kind::Transient)));
    world
        .script
        .every(Operation::Delete, Fault::Fail(error(Kind::Transient)));
    let mut expected = Vec::new();
    for i in 0..60_u8 {
        let bytes = [i; 4];
        let pointer = Pointer::of(&bytes);
        if i % 3 != 0 {
            world.remote_put(&bytes);
        }
        if i % 3 != 1 {
            world.put(&bytes);
        }
        match i % 10 {
            7 => assert!(world.delete(pointer)),
            _ => expected.push(pointer),
        }
    }
    expected.sort();
    for limit in [1, 2, 7, 100] {
        let pair = world.pair.clone();
        let listed = world.run(async move {
            let mut listed = Vec::new();
            let mut after = None;
            loop {
                let page = pair.list(after, limit).await.unwrap();
                assert!(page.len() <= limit);
                let Some(last) = page.last() else {
                    return listed;
                };
                after = Some(last.pointer);
                listed.extend(page.iter().map(|row| row.pointer));
            }
        });
        assert_eq!(listed, expected, "pages of {limit}");
    }
}

#[test]
fn the_empty_blob_is_a_blob() {
    let mut world = World::new();
    let pointer = world.remote_put(b"");
    assert!(world.get(pointer).unwrap().is_empty());
    world.script.offline();
    assert!(world.get(pointer).unwrap().is_empty());
}

#[test]
fn a_remote_that_never_answers_a_read_is_given_up() {
    let mut world = World::with(Options {
        stall: secs(30),
        ..Options::default()
    });
    let pointer = world.remote_put(b"never");
    world
        .script
        .every(Operation::GetRange, Fault::Hold(Gate::new()));
    world
        .script
        .every(Operation::Stat, Fault::Hold(Gate::new()));
    assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::Timeout);
    let pair = world.pair.clone();
    let stat = world.run(async move { pair.stat(&pointer).await });
    assert_eq!(stat.unwrap_err().kind(), Kind::Timeout);
}

#[test]
fn a_mark_that_slow_has_it_is_dropped_when_slow_says_that_it_has_not() {
    let mut world = World::new();
    let pointer = world.put(b"lost by the remote").pointer();
    world.sync().unwrap();
    let (fast, remote) = (world.pair.fast().clone(), world.remote.clone());
    world.run(async move {
        fast.delete(&pointer).await.unwrap();
        remote.delete(&pointer).await.unwrap();
    });
    assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::NotFound);
    // Putting it again uploads it again.
    world.put(b"lost by the remote");
    world.sync().unwrap();
    assert!(world.remote_has(pointer));
}

#[test]
fn an_answer_of_not_there_that_is_older_than_an_upload_does_not_undo_its_mark() {
    let mut world = World::new();
    let pointer = Pointer::of(b"just arrived");
    let gate = Gate::new();
    world.slow.hold_answer(&gate);
    let pair = world.pair.clone();
    let reader = world.spawn(async move { pair.get(&pointer).await });
    world.settle();
    let receipt = world.put(b"just arrived");
    world.sync().unwrap();
    gate.open();
    assert_eq!(&world.run(reader).unwrap()[..], b"just arrived");
    let reached = world.run(async move { receipt.reached().await });
    assert_eq!(reached.unwrap(), Durability::Remote);
}
