//! The queue reaches slow: oldest first, once in effect, whatever happens on the way.

use super::support::{World, error, secs};
use crate::{
    Error, Kind,
    blob::{BlobStore, Fault, Gate, Operation, Pointer},
    engine::{Batch, Durability, Space},
    pair::{Options, Phase, Trouble},
    port::Clock,
};
use alloc::{string::ToString, vec::Vec};

#[test]
fn what_was_put_is_here_at_once_and_remote_in_time() {
    let mut world = World::new();
    let receipt = world.put(b"high tide");
    assert_eq!(receipt.pointer(), Pointer::of(b"high tide"));
    world
        .run(async move { receipt.wait(Durability::Remote).await })
        .unwrap();
    assert!(world.remote_has(Pointer::of(b"high tide")));
    assert_eq!(world.queued(), 0);
    assert_eq!(world.status().uploaded, 1);
}

#[test]
fn a_receipt_tells_each_step() {
    let mut world = World::new();
    let gate = Gate::new();
    world
        .script
        .every(Operation::Put, Fault::Hold(gate.clone()));
    let receipt = world.put(b"step by step");
    let receipt = world.run(async move {
        receipt.wait(Durability::Local).await.unwrap();
        receipt.wait(Durability::Strict).await.unwrap();
        assert_eq!(receipt.reached().await.unwrap(), Durability::Strict);
        receipt
    });
    gate.open();
    world.sync().unwrap();
    let reached = world.run(async move { receipt.reached().await });
    assert_eq!(reached.unwrap(), Durability::Remote);
}

#[test]
fn the_oldest_goes_first() {
    let mut world = World::undriven(Options {
        uploads: 1,
        ..Options::default()
    });
    let pointers: Vec<_> = (0..20_u8).map(|i| world.put(&[i; 3]).pointer()).collect();
    world.drive();
    world.sync().unwrap();
    let sent: Vec<_> = world
        .script
        .calls()
        .into_iter()
        .filter(|call| call.operation == Operation::Put)
        .map(|call| call.pointers[0])
        .collect();
    assert_eq!(sent, pointers);
}

#[test]
fn no_more_travel_at_a_time_than_the_options_say() {
    let mut world = World::with(Options {
        uploads: 3,
        ..Options::default()
    });
    let gate = Gate::new();
    world
        .script
        .every(Operation::Put, Fault::Hold(gate.clone()));
    for i in 0..10_u8 {
        world.put(&[i]);
    }
    world.settle();
    assert_eq!(world.script.count(Operation::Put), 3);
    assert_eq!(world.status().active, 3);
    gate.open();
    world.sync().unwrap();
    assert_eq!(world.script.count(Operation::Put), 10);
}

#[test]
fn what_was_queued_survives_a_crash() {
    let mut world = World::new();
    world.script.offline();
    let pointers: Vec<_> = (0..50_u8).map(|i| world.put(&[i; 9]).pointer()).collect();
    world.crash();
    assert_eq!(world.queued(), 50);
    assert_eq!(world.status().queued_bytes, 450);
    world.script.heal();
    world.sync().unwrap();
    for pointer in pointers {
        assert!(world.remote_has(pointer));
    }
}

#[test]
fn a_lost_answer_costs_a_question_and_no_second_upload() {
    let mut world = World::new();
    world
        .script
        .next(Operation::Put, Fault::FailAfter(error(Kind::Transient)));
    let pointer = world.put(b"once in effect").pointer();
    world.sync().unwrap();
    assert_eq!(world.uploads_of(pointer), 1);
    assert_eq!(world.script.count_of(Operation::Has, &pointer), 1);
}

#[test]
fn a_crash_between_the_upload_and_its_acknowledgement_uploads_again_harmlessly() {
    let mut world = World::new();
    let gate = Gate::new();
    world.script.every(Operation::Put, Fault::Hold(gate));
    let pointer = world.put(b"twice sent").pointer();
    world.settle();
    // The remote gets it, nobody here learns of it.
    world.remote_put(b"twice sent");
    world.crash();
    world.script.heal();
    world.sync().unwrap();
    assert!(world.remote_has(pointer));
    assert_eq!(world.queued(), 0);
}

#[test]
fn what_is_known_to_be_remote_is_not_uploaded_again() {
    let mut world = World::new();
    let pointer = world.put(b"known").pointer();
    world.sync().unwrap();
    world.crash();
    let receipt = world.put(b"known");
    assert_eq!(world.queued(), 0);
    world
        .run(async move { receipt.wait(Durability::Remote).await })
        .unwrap();
    assert_eq!(world.uploads_of(pointer), 1);
}

#[test]
fn what_is_queued_already_is_not_queued_again() {
    let mut world = World::new();
    world.script.offline();
    for _ in 0..5 {
        world.put(b"again and again");
    }
    assert_eq!(world.queued(), 1);
    world.script.heal();
    world.sync().unwrap();
}

#[test]
fn concurrent_puts_of_the_same_bytes_make_one_entry() {
    let mut world = World::new();
    world.script.offline();
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let pair = world.pair.clone();
        tasks.push(world.spawn(async move { pair.put(&b"together"[..]).await.map(drop) }));
    }
    for task in tasks {
        world.run(task).unwrap();
    }
    assert_eq!(world.queued(), 1);
}

#[test]
fn an_unreachable_remote_is_tried_at_growing_distances_and_by_one_item_at_a_time() {
    let mut world = World::new();
    world.script.offline();
    for i in 0..100_u8 {
        world.put(&[i]);
    }
    world.settle();
    let first = world.script.calls().len();
    assert!(first <= 16, "{first} calls at once");
    world.pass(secs(600));
    let calls = world.script.calls().len();
    // A wait is at least a tenth of a minute once it has grown.
    assert!(calls < 130, "{calls} calls in ten minutes");
    assert!(calls > first + 5, "only {calls} calls in ten minutes");
    assert!(matches!(world.status().phase, Phase::Waiting { .. }));
    world.script.heal();
    world.sync().unwrap();
    assert!(matches!(world.status().phase, Phase::Idle));
}

#[test]
fn waking_tries_at_once_what_waits() {
    let mut world = World::new();
    world.script.offline();
    for i in 0..5_u8 {
        world.put(&[i]);
    }
    world.pass(secs(300));
    world.script.heal();
    world.pair.wake();
    world.settle();
    assert_eq!(world.queued(), 0);
}

#[test]
fn retry_after_is_honoured_and_an_answer_meanwhile_does_not_cut_it_short() {
    let mut world = World::new();
    let busy = Error::new(Kind::Transient, "busy").with_retry_after(secs(100));
    world.script.next(Operation::Put, Fault::Fail(busy));
    world.put(b"a");
    world.settle();
    world.put(b"b");
    let before = world.script.calls().len();
    world.pass(secs(99));
    assert_eq!(world.script.calls().len(), before);
    world.pass(secs(60));
    assert_eq!(world.queued(), 0);
}

#[test]
fn a_retry_after_of_ten_years_is_cut_to_an_hour() {
    let mut world = World::new();
    let busy = Error::new(Kind::Transient, "busy").with_retry_after(secs(315_360_000));
    world.script.next(Operation::Put, Fault::Fail(busy));
    world.put(b"a");
    world.pass(secs(3590));
    assert_eq!(world.queued(), 1);
    world.pass(secs(100));
    assert_eq!(world.queued(), 0);
}

#[test]
fn wrong_credentials_pause_everything_and_say_so() {
    let mut world = World::new();
    world.script.all(Fault::Fail(error(Kind::Auth)));
    for i in 0..20_u8 {
        world.put(&[i]);
    }
    world.pass(secs(200));
    assert!(matches!(world.status().phase, Phase::Auth(_)));
    let calls = world.script.calls().len();
    assert!(calls <= 16, "{calls} calls with wrong credentials");
    assert_eq!(world.sync().unwrap_err().kind(), Kind::Auth);
    assert_eq!(world.status().failed, 0);
    world.script.heal();
    world.pair.resume();
    world.sync().unwrap();
}

#[test]
fn credentials_that_became_right_are_found_out_with_nobody_kicking() {
    let mut world = World::new();
    world.script.all(Fault::Fail(error(Kind::Auth)));
    for i in 0..5_u8 {
        world.put(&[i]);
    }
    world.pass(secs(700));
    let calls = world.script.calls().len();
    assert!(calls <= 5 + 2, "{calls} calls");
    world.script.heal();
    world.pass(secs(301));
    assert_eq!(world.queued(), 0);
    assert!(matches!(world.status().phase, Phase::Idle));
}

#[test]
fn waking_with_wrong_credentials_makes_one_attempt_and_the_next_comes_by_itself() {
    let mut world = World::new();
    world.script.all(Fault::Fail(error(Kind::Auth)));
    world.put(b"a");
    world.settle();
    world.script.forget();
    world.pair.wake();
    world.settle();
    assert_eq!(world.script.calls().len(), 1);
    world.pass(secs(301));
    assert_eq!(world.script.calls().len(), 2);
    assert!(matches!(world.status().phase, Phase::Auth(_)));
}

#[test]
fn what_slow_refuses_for_good_is_failed_with_its_reason_and_holds_up_nothing() {
    for kind in [
        Kind::InvalidInput,
        Kind::ReadOnly,
        Kind::NotImplemented,
        Kind::OutOfRange,
        Kind::Corrupt,
    ] {
        let mut world = World::with(Options {
            uploads: 1,
            ..Options::default()
        });
        let poison = Pointer::of(b"poison");
        world.slow.turn_down(poison, kind);
        let refused = world.put(b"poison");
        let good = world.put(b"good");
        world
            .run(async move { good.wait(Durability::Remote).await })
            .unwrap();
        world.pass(secs(300));
        let pair = world.pair.clone();
        let failed = world
            .run(async move { pair.failed(None, 10).await })
            .unwrap();
        assert_eq!(failed.len(), 1, "{kind:?}");
        let Some(Trouble::Refused { reason, attempts }) = &failed[0].trouble else {
            panic!("not refused");
        };
        assert_eq!(reason.kind(), kind);
        assert!(reason.to_string().contains("as the test wants it"));
        // Damage may have happened on the way: it gets three tries.
        assert_eq!(*attempts, if kind == Kind::Corrupt { 3 } else { 1 });
        let waited = world.run(async move { refused.wait(Durability::Remote).await });
        assert_eq!(waited.unwrap_err().kind(), kind);
        assert_eq!(world.sync().unwrap_err().kind(), kind);
        // Kept over a restart, not tried again by itself, tried again when asked.
        world.crash();
        world.script.forget();
        world.pass(secs(600));
        assert_eq!(world.script.calls().len(), 0);
        assert_eq!(world.status().failed, 1);
        world.slow.relent();
        let pair = world.pair.clone();
        let again = world.run(async move { pair.retry_failed().await });
        assert_eq!(again.unwrap(), 1);
        world.sync().unwrap();
        assert!(world.remote_has(poison));
    }
}

#[test]
fn items_that_always_fail_in_passing_do_not_starve_the_others() {
    let mut world = World::undriven(Options {
        uploads: 2,
        ..Options::default()
    });
    for poison in [&b"poison 1"[..], b"poison 2", b"poison 3"] {
        let pointer = world.put(poison).pointer();
        world.slow.turn_down(pointer, Kind::Transient);
    }
    for i in 0..200_u32 {
        world.put(&i.to_le_bytes());
    }
    world.drive();
    world.pass(secs(60));
    assert_eq!(world.queued(), 3);
    assert_eq!(world.status().failed, 0);
    world.slow.relent();
    world.sync().unwrap();
}

#[test]
fn a_full_remote_is_waited_for() {
    let mut world = World::new();
    world
        .script
        .every(Operation::Put, Fault::Fail(error(Kind::Quota)));
    world.put(b"when there is room");
    world.pass(secs(3000));
    assert_eq!((world.queued(), world.status().failed), (1, 0));
    assert_eq!(
        world.status().last_error.map(|error| error.kind()),
        Some(Kind::Quota)
    );
    world.script.heal();
    world.sync().unwrap();
}

#[test]
fn bytes_that_are_missing_here_keep_their_entry_and_are_reported() {
    let mut world = World::undriven(Options::default());
    let receipt = world.put(b"gone astray");
    let other = world.put(b"still here").pointer();
    let pointer = receipt.pointer();
    let fast = world.pair.fast().clone();
    world
        .run(async move { fast.delete(&pointer).await })
        .unwrap();
    world.drive();
    world.pass(secs(600));
    assert!(world.remote_has(other));
    let status = world.status();
    assert_eq!((status.missing, status.failed, status.queued), (1, 0, 1));
    let waited = world.run(async move { receipt.wait(Durability::Remote).await });
    assert_eq!(waited.unwrap_err().kind(), Kind::NotFound);
    world.crash();
    assert_eq!(world.status().missing, 1);
    // Putting it again gives it its bytes back.
    world.put(b"gone astray");
    world.sync().unwrap();
    assert!(world.remote_has(pointer));
    assert_eq!(world.status().missing, 0);
}

#[test]
fn bytes_that_are_missing_here_and_are_there_already_are_not_missed() {
    let mut world = World::undriven(Options::default());
    let pointer = world.put(b"there already").pointer();
    world.remote_put(b"there already");
    let fast = world.pair.fast().clone();
    world
        .run(async move { fast.delete(&pointer).await })
        .unwrap();
    world.drive();
    world.sync().unwrap();
    assert_eq!(world.queued(), 0);
}

#[test]
fn a_remote_that_never_answers_is_given_up_and_tried_again() {
    let mut world = World::new();
    let gate = Gate::new();
    world.script.next(Operation::Put, Fault::Hold(gate));
    let pointer = world.put(b"into the void").pointer();
    world.sync().unwrap();
    assert!(world.env.now() >= secs(120));
    assert!(world.remote_has(pointer));
}

#[test]
fn a_line_that_is_slow_but_moves_is_given_all_the_time_it_needs() {
    let mut world = World::new();
    let gate = Gate::new();
    world
        .script
        .next(Operation::PutChunk, Fault::Hold(gate.clone()));
    let (env, moved) = (world.env.clone(), world.slow.moved.clone());
    let trickle = world.spawn(async move {
        for _ in 0..20 {
            env.sleep(secs(100)).await;
            *moved.lock() += 1;
        }
        gate.open();
    });
    let bytes = super::support::noise(5, 6_000_000);
    let pointer = world.put(&bytes).pointer();
    world.sync().unwrap();
    drop(trickle);
    assert!(world.env.now() >= secs(2000));
    assert!(world.remote_has(pointer));
    assert!(world.status().last_error.is_none());
}

#[test]
fn pause_starts_nothing_and_resume_goes_on() {
    let mut world = World::new();
    world.pair.pause();
    world.put(b"waits");
    world.pass(secs(3000));
    assert_eq!(world.script.calls().len(), 0);
    assert!(matches!(world.status().phase, Phase::Paused));
    world.pair.resume();
    world.sync().unwrap();
}

#[test]
fn a_remote_that_is_silent_about_missing_bytes_does_not_keep_the_others() {
    let mut world = World::undriven(Options {
        uploads: 1,
        ..Options::default()
    });
    let missing = world.put(b"missing").pointer();
    let fast = world.pair.fast().clone();
    world
        .run(async move { fast.delete(&missing).await })
        .unwrap();
    world.script.every(Operation::Has, Fault::Hold(Gate::new()));
    world.drive();
    let other = world.put(b"other").pointer();
    world.pass(secs(20 * 60));
    assert!(world.remote_has(other));
}

#[test]
fn an_attempt_goes_on_while_the_queue_is_counted_again() {
    let mut world = World::undriven(Options::default());
    let remote = Gate::new();
    world
        .script
        .next(Operation::Put, Fault::Hold(remote.clone()));
    let receipt = world.put(b"x");
    let _uploads = world.spawn(world.pair.clone().upload_loop());
    world.settle();
    // The logs are full, and the disk is slow.
    let disk = Gate::new();
    *world.disk.slow_sync.lock() = Some(disk.clone());
    let store = world.pair.store().clone();
    let filling = world.spawn(async move {
        for round in 0..100u32 {
            let mut batch = Batch::new();
            for key in 0..400u32 {
                let key = (round * 400 + key).to_be_bytes();
                batch.put(Space(0x80), key, &[0; 900][..]);
            }
            store.commit(batch, Durability::Memory).await.unwrap();
        }
    });
    world.settle();
    drop(filling);
    // Now the attempt waits for the disk, and the count for what the attempt holds.
    remote.open();
    world.settle();
    drop(world.pair.0.account.handover());
    world.settle();
    *world.disk.slow_sync.lock() = None;
    disk.open();
    world
        .run(async move { receipt.wait(Durability::Remote).await })
        .unwrap();
}
