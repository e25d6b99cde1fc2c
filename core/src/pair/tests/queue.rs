//! The bound of the queue, what is told about it, and pairs without one.

use super::support::{World, secs};
use crate::{
    Kind,
    blob::{BlobStore, Fault, Operation, Pointer, Staged},
    pair::{Change, Options, Phase, QueueBound},
};
use alloc::{rc::Rc, vec::Vec};
use core::cell::RefCell;
use futures::FutureExt;

fn bounded(entries: u64, bytes: u64) -> Options {
    Options {
        queue: Some(QueueBound { entries, bytes }),
        ..Options::default()
    }
}

#[test]
fn a_full_queue_makes_put_wait_and_try_put_say_busy() {
    let mut world = World::with(bounded(3, 1000));
    world.script.offline();
    for i in 0..3_u8 {
        world.put(&[i]);
    }
    let pair = world.pair.clone();
    let tried = world.run(async move { pair.try_put(&b"x"[..]).await.map(drop) });
    assert_eq!(tried.unwrap_err().kind(), Kind::Busy);
    assert!(!world.fast_has(Pointer::of(b"x")), "nothing was stored");
    let done = Rc::new(RefCell::new(0));
    let mut waiting = Vec::new();
    for i in 10..13_u8 {
        let (pair, done) = (world.pair.clone(), done.clone());
        waiting.push(world.spawn(async move {
            pair.put(alloc::vec![i; 2]).await.unwrap();
            *done.borrow_mut() += 1;
        }));
    }
    world.pass(secs(100));
    assert_eq!(*done.borrow(), 0);
    // What is queued already takes no room, nor does what leaves the line.
    world.put(&[0]);
    drop(waiting.remove(0));
    world.script.heal();
    world.pass(secs(100));
    assert_eq!(*done.borrow(), 2);
    assert_eq!(world.queued(), 0);
}

#[test]
fn what_is_put_while_the_queue_is_counted_is_counted() {
    let mut world = World::new();
    world.put(b"gone before");
    world.pass(secs(60));
    assert_eq!(world.queued(), 0);
    world.script.offline();
    let store = world.pair.store().clone();
    world.run(async move { store.checkpoint().await }).unwrap();
    // Nothing of the table stays in memory, so that counting has to wait for a read.
    world.store.memory_budget = 1;
    world.crash();
    let pair = world.pair.clone();
    let mut counting = alloc::boxed::Box::pin(pair.pending());
    assert!((&mut counting).now_or_never().is_none());
    world.put(b"new");
    let pending = futures::executor::block_on(counting).unwrap();
    assert_eq!((pending.count, pending.bytes), (1, 3));
}

#[test]
fn a_blob_that_its_host_has_hashed_is_queued_like_any_other() {
    let mut world = World::with(bounded(3, 1000));
    world.script.offline();
    let staged = Staged::hashed(Pointer::of(b"hashed"), "hashed".into()).unwrap();
    let pair = world.pair.clone();
    world
        .run(async move { pair.put_staged(&staged).await.map(drop) })
        .unwrap();
    assert_eq!(world.queued(), 1);
    assert!(world.fast_has(Pointer::of(b"hashed")));
}

#[test]
fn the_bound_counts_bytes_too() {
    let mut world = World::with(bounded(100, 10));
    world.script.offline();
    world.put(&[1; 8]);
    let pair = world.pair.clone();
    let tried = world.run(async move { pair.try_put(alloc::vec![2; 3]).await.map(drop) });
    assert_eq!(tried.unwrap_err().kind(), Kind::Busy);
    let pair = world.pair.clone();
    world
        .run(async move { pair.try_put(alloc::vec![2; 2]).await.map(drop) })
        .unwrap();
}

#[test]
fn the_bound_holds_after_a_restart() {
    let mut world = World::with(bounded(2, 1000));
    world.script.offline();
    world.put(b"a");
    world.put(b"b");
    world.crash();
    let pair = world.pair.clone();
    let tried = world.run(async move { pair.try_put(&b"c"[..]).await.map(drop) });
    assert_eq!(tried.unwrap_err().kind(), Kind::Busy);
}

#[test]
fn deleting_a_queued_blob_makes_room() {
    let mut world = World::with(bounded(100, 10));
    world.script.offline();
    let pointer = world.put(&[1; 10]).pointer();
    world.delete(pointer);
    world.put(&[2; 10]);
    assert_eq!(world.status().queued_bytes, 10);
}

#[test]
fn without_a_queue_a_pair_reads_and_writes_nothing() {
    let mut world = World::with(Options::read_only());
    let pointer = world.remote_put(b"to be read");
    assert_eq!(&world.get(pointer).unwrap()[..], b"to be read");
    assert!(world.fast_has(pointer), "reads still fill fast");
    let pair = world.pair.clone();
    let kinds = world.run(async move {
        [
            pair.put(&b"x"[..]).await.map(drop).unwrap_err().kind(),
            pair.try_put(&b"x"[..]).await.map(drop).unwrap_err().kind(),
            pair.delete(&pointer).await.map(drop).unwrap_err().kind(),
            pair.move_root("head", None, Some(pointer))
                .await
                .map(drop)
                .unwrap_err()
                .kind(),
            pair.retry_failed().await.map(drop).unwrap_err().kind(),
        ]
    });
    assert_eq!(kinds, [Kind::ReadOnly; 5]);
    assert!(!world.pair.capabilities().writable);
}

#[test]
fn a_pair_without_a_queue_leaves_the_buffer_alone_and_one_with_a_queue_resumes_it() {
    let mut world = World::new();
    world.script.offline();
    let pointer = world.put(b"left in the buffer").pointer();
    let gone = world.put(b"deleted").pointer();
    world.delete(gone);
    world.script.heal();
    world.crash_into(Options::read_only());
    world.pass(secs(1000));
    assert!(!world.remote_has(pointer));
    assert_eq!(world.get(gone).unwrap_err().kind(), Kind::NotFound);
    assert_eq!(&world.get(pointer).unwrap()[..], b"left in the buffer");
    world.crash_into(Options::default());
    world.sync().unwrap();
    assert!(world.remote_has(pointer));
}

#[test]
fn pending_tells_count_bytes_age_and_the_last_error() {
    let mut world = World::new();
    world.script.offline();
    world.pass(secs(1000));
    world.put(&[1; 5]);
    world.pass(secs(50));
    world.put(&[2; 7]);
    let pair = world.pair.clone();
    let pending = world.run(async move { pair.pending().await }).unwrap();
    assert_eq!((pending.count, pending.bytes), (2, 12));
    assert_eq!(pending.oldest, Some(secs(1000)));
    assert_eq!((pending.missing, pending.failed), (0, 0));
    assert_eq!(pending.last_error.unwrap().kind(), Kind::Transient);
    world.script.heal();
    world.sync().unwrap();
    let pair = world.pair.clone();
    let pending = world.run(async move { pair.pending().await }).unwrap();
    assert_eq!((pending.count, pending.oldest), (0, None));
}

#[test]
fn the_queue_lists_every_change_in_order() {
    let mut world = World::new();
    world.script.offline();
    let a = world.put(b"a").pointer();
    let b = world.put(b"b").pointer();
    world.delete(a);
    let pair = world.pair.clone();
    world
        .run(async move { pair.move_root("head", None, Some(b)).await.map(drop) })
        .unwrap();
    let pair = world.pair.clone();
    let (first, rest) = world.run(async move {
        let first = pair.queue(None, 1).await.unwrap();
        let rest = pair.queue(Some(first[0].order), 10).await.unwrap();
        (first, rest)
    });
    assert_eq!(
        first[0].change,
        Change::Put {
            pointer: b,
            size: 1
        }
    );
    assert_eq!(rest[0].change, Change::Delete { pointer: a });
    assert_eq!(
        rest[1].change,
        Change::MoveRoot {
            name: "head".into(),
            from: None,
            to: Some(b)
        }
    );
    assert_eq!(rest.len(), 2);
}

#[test]
fn the_buffer_shows_what_is_not_yet_remote_and_asks_nobody() {
    let mut world = World::new();
    let known = world.put(b"remote").pointer();
    world.sync().unwrap();
    world.script.offline();
    let queued = world.put(b"not yet").pointer();
    world.script.forget();
    let buffer = world.pair.buffer();
    world.run(async move {
        assert_eq!(&buffer.get(&queued).await.unwrap()[..], b"not yet");
        assert_eq!(&buffer.get_range(&queued, 4..9).await.unwrap()[..], b"yet");
        assert_eq!(buffer.stat(&queued).await.unwrap().unwrap().size, 7);
        assert!(!buffer.has(&known).await.unwrap());
        assert_eq!(buffer.get(&known).await.unwrap_err().kind(), Kind::NotFound);
        let list = buffer.list(None, 10).await.unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!((list[0].pointer, list[0].size), (queued, 7));
        assert!(buffer.list(Some(queued), 10).await.unwrap().is_empty());
    });
    assert!(
        world
            .script
            .calls()
            .iter()
            .all(|call| call.operation == Operation::Put)
    );
}

#[test]
fn sync_waits_for_what_was_queued_before_it_and_for_nothing_else() {
    let mut world = World::with(Options {
        uploads: 1,
        ..Options::default()
    });
    world.pair.pause();
    world.put(b"before");
    let pair = world.pair.clone();
    let mut sync = world.spawn(async move { pair.sync(core::future::pending()).await });
    world.settle();
    let later = world.put(b"after").pointer();
    world.slow.turn_down(later, Kind::Transient);
    world.pair.resume();
    world.settle();
    assert!(matches!((&mut sync).now_or_never(), Some(Ok(()))));
    assert_eq!(world.queued(), 1);
}

#[test]
fn sync_can_be_cancelled_and_says_what_is_left() {
    let mut world = World::new();
    world.script.offline();
    world.put(&[1; 5]);
    let pair = world.pair.clone();
    let env = world.env.clone();
    let cancelled = world.run(async move {
        use crate::port::Clock;
        pair.sync(env.sleep(secs(10))).await
    });
    let error = cancelled.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(alloc::format!("{error}").contains("1 changes (5 bytes)"));
}

#[test]
fn sync_of_nothing_returns_at_once() {
    let mut world = World::undriven(Options::default());
    world.sync().unwrap();
}

#[test]
fn the_status_is_told_when_it_changes_and_nothing_piles_up() {
    let mut world = World::new();
    let mut watch = world.pair.status();
    let first = world.run(async move {
        let first = watch.changed().await.unwrap();
        (first, watch)
    });
    let (first, mut watch) = first;
    assert!(matches!(first.phase, Phase::Idle));
    world.script.offline();
    for i in 0..50_u8 {
        world.put(&[i]);
    }
    world.pass(secs(30));
    // However much happened, one call tells the latest.
    let (status, mut watch) = world.run(async move {
        let status = watch.changed().await.unwrap();
        (status, watch)
    });
    assert_eq!(status.queued, 50);
    assert!(matches!(status.phase, Phase::Waiting { .. }));
    world.script.heal();
    world.pair.pause();
    world.settle();
    let next = world.spawn(async move {
        let paused = watch.changed().await.unwrap();
        (paused, watch)
    });
    let (paused, mut watch) = world.run(next);
    assert!(matches!(paused.phase, Phase::Paused));
    let mut idle = world.spawn(async move { watch.changed().await });
    world.settle();
    assert!((&mut idle).now_or_never().is_none(), "nothing changed");
}

#[test]
fn a_pair_that_nobody_drives_says_so() {
    let mut world = World::undriven(Options::default());
    world.put(b"x");
    assert!(matches!(world.status().phase, Phase::Stopped));
    world.drive();
    world.sync().unwrap();
    world.stop_driving();
    assert!(matches!(world.status().phase, Phase::Stopped));
}

#[test]
fn a_second_driver_waits_for_the_first() {
    let mut world = World::new();
    let pair = world.pair.clone();
    let second = world.spawn(async move { pair.drive().await });
    world.settle();
    world.stop_driving();
    world.settle();
    world.put(b"by the second");
    world.sync().unwrap();
    drop(second);
}

#[test]
fn a_driver_that_is_dropped_in_mid_upload_is_taken_up_by_the_next() {
    let mut world = World::new();
    let gate = crate::blob::Gate::new();
    world.script.next(Operation::Put, Fault::Hold(gate));
    let pointer = world.put(b"cut off").pointer();
    world.settle();
    world.stop_driving();
    world.settle();
    world.drive();
    world.sync().unwrap();
    assert!(world.remote_has(pointer));
}

#[test]
fn what_is_tried_again_while_its_refusal_is_written_down_is_not_forgotten() {
    let mut tried = 0;
    for turns in 0..80 {
        let mut world = World::undriven(Options::default());
        world
            .slow
            .turn_down(Pointer::of(b"picky"), Kind::InvalidInput);
        world.put(b"picky");
        world.drive();
        let (pair, slow) = (world.pair.clone(), world.slow.clone());
        tried += world.run(async move {
            for _ in 0..turns {
                super::support::turn().await;
            }
            slow.relent();
            pair.retry_failed().await.unwrap()
        });
        // It is remote, or was refused and nobody has asked again: it is not just left lying.
        let _ = world.sync();
    }
    assert!(tried > 0);
}
