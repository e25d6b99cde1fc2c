//! A deleted item does not come back: not by a fill, not after a restart, not from the queue.

use super::support::{World, error, secs};
use crate::{
    Kind,
    blob::{BlobStore, Fault, Gate, Operation, Pointer},
    engine::Durability,
    pair::Change,
    port::Clock,
};

#[test]
fn a_deleted_blob_is_hidden_at_once_also_offline() {
    let mut world = World::new();
    let pointer = world.put(b"soon gone").pointer();
    world.sync().unwrap();
    world.script.offline();
    assert!(world.delete(pointer));
    assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::NotFound);
    let pair = world.pair.clone();
    world.run(async move {
        assert!(pair.stat(&pointer).await.unwrap().is_none());
        assert_eq!(pair.has(&[pointer]).await.unwrap(), [false]);
        assert_eq!(
            pair.get_range(&pointer, 0..1).await.unwrap_err().kind(),
            Kind::NotFound
        );
        // A second deletion has nothing to do.
        assert!(!pair.delete(&pointer).await.unwrap());
    });
    assert!(world.remote_has(pointer));
    world.script.heal();
    world.sync().unwrap();
    assert!(!world.remote_has(pointer));
    assert!(!world.fast_has(pointer));
}

#[test]
fn slow_forgets_it_first_and_fast_second() {
    let mut world = World::new();
    let pointer = world.put(b"in order").pointer();
    world.sync().unwrap();
    let gate = Gate::new();
    world
        .script
        .every(Operation::Delete, Fault::Hold(gate.clone()));
    world.delete(pointer);
    world.settle();
    assert!(world.fast_has(pointer));
    gate.open();
    world.sync().unwrap();
    assert!(!world.fast_has(pointer));
}

#[test]
fn after_a_crash_in_mid_delete_it_stays_deleted() {
    let mut world = World::new();
    let pointer = world.put(b"half gone").pointer();
    world.sync().unwrap();
    // Slow has forgotten it, fast has not learned of it.
    world
        .script
        .every(Operation::Delete, Fault::FailAfter(error(Kind::Transient)));
    world.delete(pointer);
    world.pass(secs(10));
    assert!(!world.remote_has(pointer));
    world.crash();
    assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::NotFound);
    world.script.heal();
    world.sync().unwrap();
    assert!(!world.fast_has(pointer));
    assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_queued_upload_of_it_is_cancelled() {
    let mut world = World::new();
    world.script.offline();
    let receipt = world.put(b"never leaves");
    let pointer = receipt.pointer();
    world.delete(pointer);
    assert_eq!(world.status().queued_bytes, 0);
    world.script.heal();
    world.script.forget();
    world.sync().unwrap();
    assert_eq!(world.uploads_of(pointer), 0);
    assert_eq!(world.queued(), 0);
    let waited = world.run(async move { receipt.wait(Durability::Remote).await });
    assert_eq!(waited.unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn an_upload_in_flight_is_waited_for_and_then_undone() {
    let mut world = World::new();
    let gate = Gate::new();
    world
        .script
        .every(Operation::Put, Fault::Hold(gate.clone()));
    let pointer = world.put(b"on its way").pointer();
    world.settle();
    assert_eq!(world.script.count(Operation::Put), 1);
    world.delete(pointer);
    world.settle();
    assert_eq!(
        world.script.count(Operation::Delete),
        0,
        "the upload is waited for"
    );
    gate.open();
    world.sync().unwrap();
    assert!(!world.remote_has(pointer));
    assert!(!world.fast_has(pointer));
    assert_eq!(world.status().uploaded, 0);
}

#[test]
fn a_fill_that_is_on_its_way_cannot_bring_it_back() {
    let mut world = World::new();
    let pointer = world.remote_put(b"like a ghost");
    let gate = Gate::new();
    // The answer is held back, with the bytes in it.
    world.slow.hold_answer(&gate);
    let pair = world.pair.clone();
    let reader = world.spawn(async move { pair.get(&pointer).await });
    world.settle();
    world.delete(pointer);
    // The deletion ends on both sides, its tombstone is gone.
    world.sync().unwrap();
    assert_eq!(world.queued(), 0);
    gate.open();
    let _ = world.run(reader);
    assert!(!world.fast_has(pointer), "the fill brought it back");
    assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_reader_that_comes_after_the_deletion_does_not_join_an_older_fetch() {
    let mut world = World::new();
    let pointer = world.remote_put(b"old news");
    let gate = Gate::new();
    world.slow.hold_answer(&gate);
    let pair = world.pair.clone();
    let early = world.spawn(async move { pair.get(&pointer).await });
    world.settle();
    world.delete(pointer);
    world.sync().unwrap();
    assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::NotFound);
    gate.open();
    let _ = world.run(early);
    assert!(!world.fast_has(pointer));
}

#[cfg(feature = "sabotage")]
#[test]
fn a_pair_whose_fill_races_deletions_is_caught() {
    let mut world = World::with(crate::pair::Options {
        sabotage: Some(crate::engine::Sabotage::FillRacesDelete),
        ..Default::default()
    });
    let pointer = world.remote_put(b"like a ghost");
    let gate = Gate::new();
    world.slow.hold_answer(&gate);
    let pair = world.pair.clone();
    let reader = world.spawn(async move { pair.get(&pointer).await });
    world.settle();
    world.delete(pointer);
    world.sync().unwrap();
    gate.open();
    let _ = world.run(reader);
    assert!(world.fast_has(pointer), "the broken variant is not broken");
}

#[cfg(feature = "sabotage")]
#[test]
fn a_pair_that_removes_entries_before_the_acknowledgement_is_caught() {
    let mut world = World::with(crate::pair::Options {
        sabotage: Some(crate::engine::Sabotage::QueueEntryRemovedBeforeAck),
        ..Default::default()
    });
    world.script.offline();
    let pointer = world.put(b"forgotten").pointer();
    world.pass(secs(1));
    world.crash_into(Default::default());
    world.script.heal();
    world.sync().unwrap();
    assert!(
        !world.remote_has(pointer),
        "the broken variant is not broken"
    );
}

#[test]
fn putting_it_again_brings_it_back_on_both_sides() {
    for offline in [false, true] {
        let mut world = World::new();
        let pointer = world.put(b"phoenix").pointer();
        world.sync().unwrap();
        if offline {
            world.script.offline();
        }
        world.delete(pointer);
        world.put(b"phoenix");
        assert_eq!(&world.get(pointer).unwrap()[..], b"phoenix");
        world.crash();
        assert_eq!(&world.get(pointer).unwrap()[..], b"phoenix");
        world.script.heal();
        world.sync().unwrap();
        assert!(world.remote_has(pointer));
        assert!(world.fast_has(pointer));
    }
}

#[test]
fn on_the_remote_a_deletion_and_the_put_after_it_keep_their_order() {
    let mut world = World::new();
    let pointer = world.put(b"phoenix").pointer();
    world.sync().unwrap();
    let gate = Gate::new();
    // The deletion is on its way when the blob is put again.
    world
        .script
        .every(Operation::Delete, Fault::Hold(gate.clone()));
    world.delete(pointer);
    world.settle();
    world.put(b"phoenix");
    world.settle();
    assert_eq!(
        world.uploads_of(pointer),
        1,
        "the second upload waits for the deletion"
    );
    gate.open();
    world.sync().unwrap();
    assert!(world.remote_has(pointer));
    assert!(world.fast_has(pointer));
    assert_eq!(&world.get(pointer).unwrap()[..], b"phoenix");
}

#[test]
fn a_deletion_whose_answer_was_lost_is_repeated_before_the_blob_is_put_again() {
    let mut world = World::new();
    let pointer = world.put(b"phoenix").pointer();
    world.sync().unwrap();
    world
        .script
        .next(Operation::Delete, Fault::FailAfter(error(Kind::Transient)));
    world.delete(pointer);
    world.settle();
    world.put(b"phoenix");
    world.sync().unwrap();
    assert!(world.remote_has(pointer));
    assert_eq!(world.script.count(Operation::Delete), 2);
}

#[test]
fn put_delete_put_delete_offline_ends_deleted() {
    let mut world = World::new();
    world.script.offline();
    let pointer = Pointer::of(b"undecided");
    for _ in 0..3 {
        world.put(b"undecided");
        world.delete(pointer);
    }
    assert_eq!(world.queued(), 1);
    world.crash();
    world.script.heal();
    world.sync().unwrap();
    assert!(!world.remote_has(pointer));
    assert!(!world.fast_has(pointer));
}

#[test]
fn a_refused_deletion_stays_hidden_and_is_reported() {
    let mut world = World::new();
    let pointer = world.put(b"stuck").pointer();
    world.sync().unwrap();
    world.slow.turn_down(pointer, Kind::ReadOnly);
    world.delete(pointer);
    world.pass(secs(10));
    assert_eq!(world.status().failed, 1);
    world.crash();
    assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::NotFound);
    let pair = world.pair.clone();
    let failed = world
        .run(async move { pair.failed(None, 9).await })
        .unwrap();
    assert_eq!(failed[0].change, Change::Delete { pointer });
    world.slow.relent();
    let pair = world.pair.clone();
    world.run(async move { pair.retry_failed().await }).unwrap();
    world.sync().unwrap();
    assert!(!world.remote_has(pointer));
}

#[test]
fn a_refused_deletion_does_not_keep_the_blob_from_coming_back() {
    for put_before_the_refusal in [false, true] {
        let mut world = World::new();
        let pointer = world.put(b"stuck").pointer();
        world.sync().unwrap();
        world.slow.turn_down(pointer, Kind::ReadOnly);
        world.pair.pause();
        world.delete(pointer);
        if put_before_the_refusal {
            world.put(b"stuck");
        }
        world.pair.resume();
        world.pass(secs(10));
        if !put_before_the_refusal {
            world.put(b"stuck");
        }
        world.slow.relent();
        world.pass(secs(10));
        let pair = world.pair.clone();
        world.run(async move { pair.retry_failed().await }).unwrap();
        world.sync().unwrap();
        assert!(world.remote_has(pointer));
        assert_eq!(world.queued(), 0);
        assert_eq!(&world.get(pointer).unwrap()[..], b"stuck");
    }
}

#[test]
fn what_only_the_remote_knows_is_deleted_there() {
    let mut world = World::new();
    let pointer = world.remote_put(b"elsewhere");
    assert!(world.delete(pointer));
    world.sync().unwrap();
    assert!(!world.remote_has(pointer));
    assert!(!world.delete(pointer));
    assert!(!world.delete(Pointer::of(b"nowhere")));
    assert_eq!(world.queued(), 0);
}

#[test]
fn a_remote_that_does_not_answer_cannot_hold_a_deletion_up() {
    let mut world = World::new();
    let pointer = world.remote_put(b"elsewhere");
    world.script.every(Operation::Has, Fault::Hold(Gate::new()));
    assert!(world.delete(pointer));
    assert!(world.env.now() <= secs(3));
    assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_deleted_blob_is_in_no_list() {
    let mut world = World::new();
    let keep = world.put(b"keep").pointer();
    let gone = world.put(b"gone").pointer();
    world.sync().unwrap();
    world
        .script
        .every(Operation::Delete, Fault::Fail(error(Kind::Transient)));
    world.delete(gone);
    let pair = world.pair.clone();
    let listed = world.run(async move { pair.list(None, 10).await }).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].pointer, keep);
    let fast = world.pair.fast().clone();
    assert_eq!(
        world
            .run(async move { fast.list(None, 9).await })
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn what_slow_answers_late_does_not_show_a_blob_that_was_deleted_before_the_question() {
    let mut world = World::new();
    let pointer = world.remote_put(b"old news");
    let deletion = Gate::new();
    world
        .script
        .every(Operation::Delete, Fault::Hold(deletion.clone()));
    world.delete(pointer);
    let answer = Gate::new();
    world.slow.hold_answer(&answer);
    let pair = world.pair.clone();
    let list = world.spawn(async move { pair.list(None, 10).await });
    world.settle();
    world.slow.hold_answer(&answer);
    let pair = world.pair.clone();
    let has = world.spawn(async move { pair.has(&[pointer]).await });
    world.settle();
    // The deletion ends on both sides, and its tombstone goes, before the answers arrive.
    deletion.open();
    world.sync().unwrap();
    assert!(!world.remote_has(pointer));
    answer.open();
    assert_eq!(world.run(list).unwrap(), []);
    assert_eq!(world.run(has).unwrap(), [false]);
}

#[test]
fn slow_forgets_nothing_before_the_deletion_is_durable_here() {
    let mut world = World::new();
    let pointer = world.put(b"not yet").pointer();
    world.sync().unwrap();
    let gate = Gate::new();
    *world.disk.slow_sync.lock() = Some(gate.clone());
    let pair = world.pair.clone();
    let deletion = world.spawn(async move { pair.delete(&pointer).await });
    world.settle();
    // The walk sees the change already; a crash could still take it back.
    world.pair.wake();
    world.settle();
    assert!(world.remote_has(pointer));
    *world.disk.slow_sync.lock() = None;
    gate.open();
    assert!(world.run(deletion).unwrap());
    world.sync().unwrap();
    assert!(!world.remote_has(pointer));
}
