//! Closing: back by the deadline, saying what is left.

use super::support::{World, error, secs};
use crate::{
    Kind,
    blob::{Fault, Gate, Operation, Pointer},
    engine::Durability,
    pair::{Options, Phase},
    port::Clock,
};

fn close(world: &mut World, deadline: u64) -> crate::Result<crate::pair::Pending> {
    let pair = world.pair.clone();
    world.run(async move { pair.close(secs(deadline)).await })
}

#[test]
fn closing_brings_everything_to_slow_and_returns_early() {
    let mut world = World::new();
    world.script.every(Operation::Put, Fault::Delay(secs(3)));
    let pointer = world.put(b"just in time").pointer();
    let left = close(&mut world, 1000).unwrap();
    assert_eq!(left.count, 0);
    assert!(world.env.now() <= secs(10));
    assert!(world.remote_has(pointer));
}

#[test]
fn closing_is_back_by_the_deadline_and_says_what_is_left() {
    let mut world = World::new();
    world.script.offline();
    world.put(&[1; 10]);
    world.put(&[2; 20]);
    let left = close(&mut world, 40).unwrap();
    assert_eq!((left.count, left.bytes), (2, 30));
    assert!(world.env.now() <= secs(40));
    world.script.heal();
    world.crash();
    world.sync().unwrap();
}

#[test]
fn closing_does_not_wait_for_what_cannot_move() {
    let mut world = World::new();
    world.pair.pause();
    world.put(b"x");
    assert_eq!(close(&mut world, 1000).unwrap().count, 1);
    assert!(world.env.now() < secs(1));
    let mut world = World::new();
    world.script.all(Fault::Fail(error(Kind::Auth)));
    world.put(b"x");
    world.settle();
    assert_eq!(close(&mut world, 1000).unwrap().count, 1);
    assert!(world.env.now() < secs(1));
}

#[test]
fn a_deadline_of_nothing_is_kept() {
    let mut world = World::new();
    world.script.offline();
    world.put(b"x");
    assert_eq!(close(&mut world, 0).unwrap().count, 1);
    assert_eq!(world.env.now(), secs(0));
}

#[test]
fn any_use_after_closing_says_closed() {
    for driven in [true, false] {
        let mut world = match driven {
            true => World::new(),
            false => World::undriven(Options::default()),
        };
        world.pair.pause();
        let receipt = world.put(b"x");
        let pointer = receipt.pointer();
        close(&mut world, 10).unwrap();
        let pair = world.pair.clone();
        let kinds = world.run(async move {
            let mut kinds = alloc::vec::Vec::new();
            let mut tried = |result: crate::Result<()>| kinds.push(result.unwrap_err().kind());
            tried(pair.put(&b"x"[..]).await.map(drop));
            tried(pair.try_put(&b"x"[..]).await.map(drop));
            tried(pair.put_stream(bytes::Bytes::new()).await.map(drop));
            tried(pair.get(&pointer).await.map(drop));
            tried(pair.get_range(&pointer, 0..1).await.map(drop));
            tried(pair.stat(&pointer).await.map(drop));
            tried(pair.has(&[pointer]).await.map(drop));
            tried(pair.list(None, 1).await.map(drop));
            tried(pair.delete(&pointer).await.map(drop));
            tried(pair.root("head").await.map(drop));
            tried(pair.roots(None, 1).await.map(drop));
            tried(pair.refresh_root("head").await.map(drop));
            tried(pair.move_root("head", None, None).await.map(drop));
            tried(pair.pin(&pointer).await);
            tried(pair.unpin(&pointer).await);
            tried(pair.pinned(None, 1).await.map(drop));
            tried(pair.queue(None, 1).await.map(drop));
            tried(pair.failed(None, 1).await.map(drop));
            tried(pair.retry_failed().await.map(drop));
            tried(pair.pending().await.map(drop));
            tried(pair.sync(core::future::pending()).await);
            tried(pair.verify().await.map(drop));
            tried(pair.repair().await.map(drop));
            tried(pair.buffer().get(&pointer).await.map(drop));
            tried(pair.buffer().list(None, 1).await.map(drop));
            tried(receipt.wait(Durability::Remote).await);
            tried(receipt.reached().await.map(drop));
            tried(pair.close(secs(1)).await.map(drop));
            kinds
        });
        for (i, kind) in kinds.into_iter().enumerate() {
            assert_eq!(kind, Kind::Closed, "call {i}");
        }
        let pair = world.pair.clone();
        world.run(async move {
            pair.drive().await;
            let mut watch = pair.status();
            assert!(matches!(
                watch.changed().await.unwrap().phase,
                Phase::Closed
            ));
            assert!(watch.changed().await.is_none());
        });
    }
}

#[test]
fn who_waits_learns_that_the_pair_was_closed() {
    let mut world = World::with(Options {
        queue: Some(crate::pair::QueueBound {
            entries: 1,
            bytes: 100,
        }),
        ..Options::default()
    });
    world.script.all(Fault::Hold(Gate::new()));
    let receipt = world.put(b"x");
    let remote = world.spawn(async move { receipt.wait(Durability::Remote).await });
    let pair = world.pair.clone();
    let sync = world.spawn(async move { pair.sync(core::future::pending()).await });
    let pair = world.pair.clone();
    let room = world.spawn(async move { pair.put(&b"y"[..]).await.map(drop) });
    let pair = world.pair.clone();
    let drive = world.spawn(async move { pair.drive().await });
    world.settle();
    close(&mut world, 8).unwrap();
    assert_eq!(world.run(room).unwrap_err().kind(), Kind::Closed);
    assert_eq!(world.run(remote).unwrap_err().kind(), Kind::Closed);
    assert_eq!(world.run(sync).unwrap_err().kind(), Kind::Closed);
    world.run(drive);
}

#[test]
fn while_it_closes_a_pair_takes_no_changes_and_reads_go_on() {
    let mut world = World::new();
    world.script.offline();
    world.put(b"x");
    let pair = world.pair.clone();
    let first = world.spawn(async move { pair.close(secs(100)).await.map(drop) });
    world.settle();
    let put = {
        let pair = world.pair.clone();
        world.run(async move { pair.put(&b"y"[..]).await.map(drop) })
    };
    assert_eq!(
        put.unwrap_err().kind(),
        Kind::Closed,
        "no more changes are taken"
    );
    assert_eq!(
        &world.get(Pointer::of(b"x")).unwrap()[..],
        b"x",
        "reads go on"
    );
    world.run(first).unwrap();
    assert_eq!(close(&mut world, 1).unwrap_err().kind(), Kind::Closed);
}

#[test]
fn closing_does_not_wait_for_a_root_that_waits_behind_a_refused_blob() {
    let mut world = World::new();
    let needed = Pointer::of(b"needed");
    world.slow.turn_down(needed, Kind::InvalidInput);
    world.put(b"needed");
    let pair = world.pair.clone();
    world
        .run(async move { pair.move_root("head", None, Some(needed)).await.map(drop) })
        .unwrap();
    let now = world.env.now();
    assert_eq!(close(&mut world, 1000).unwrap().count, 2);
    assert!(world.env.now() < now + secs(10));
}

#[test]
fn a_put_that_has_not_ended_counts_as_left() {
    let mut world = World::new();
    let gate = Gate::new();
    *world.disk.slow_sync.lock() = Some(gate.clone());
    let pair = world.pair.clone();
    let put = world.spawn(async move { pair.put(&b"just now"[..]).await.map(drop) });
    world.settle();
    world.pair.pause();
    assert_eq!(close(&mut world, 10).unwrap().count, 1);
    *world.disk.slow_sync.lock() = None;
    gate.open();
    world.run(put).unwrap();
}

#[test]
fn a_store_that_cannot_be_closed_is_told() {
    for driven in [true, false] {
        let mut world = match driven {
            true => World::new(),
            false => World::undriven(Options::default()),
        };
        world.pair.pause();
        world.put(b"x");
        world.disk.break_it();
        assert!(close(&mut world, 10).is_err());
    }
}

#[test]
fn a_sync_over_a_store_that_takes_no_more_writes_comes_back() {
    let mut world = World::with(Options {
        uploads: 1,
        ..Options::default()
    });
    world.script.offline();
    world.put(b"x");
    world.put(b"y");
    world.disk.break_it();
    world.script.heal();
    world.pair.wake();
    assert_eq!(world.sync().unwrap_err().kind(), Kind::Poisoned);
    // What is in memory is not what is in the store any more.
    assert!(close(&mut world, 1).is_err());
}

#[test]
fn who_waits_for_the_remote_learns_that_the_store_takes_no_more_writes() {
    let mut world = World::with(Options {
        uploads: 1,
        ..Options::default()
    });
    world.script.offline();
    world.put(b"x");
    let receipt = world.put(b"y");
    let waiting = world.spawn(async move { receipt.wait(Durability::Remote).await });
    world.settle();
    world.disk.break_it();
    world.script.heal();
    world.pair.wake();
    assert_eq!(world.run(waiting).unwrap_err().kind(), Kind::Poisoned);
    assert!(close(&mut world, 1).is_err());
}
