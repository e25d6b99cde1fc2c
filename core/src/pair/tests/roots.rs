//! Names that follow what they point at.

use super::support::{World, error, secs};
use crate::{
    Error, Kind,
    blob::{Fault, Gate, Operation, Pointer, RootStore},
    engine::Durability,
    pair::{Change, Options, QueueBound},
};

fn move_root(
    world: &mut World,
    name: &'static str,
    from: Option<Pointer>,
    to: Option<Pointer>,
) -> Result<super::support::TestReceipt, Error> {
    let pair = world.pair.clone();
    world.run(async move { pair.move_root(name, from, to).await })
}

fn root(world: &mut World, name: &'static str) -> Result<Option<Pointer>, Error> {
    let pair = world.pair.clone();
    world.run(async move { pair.root(name).await })
}

fn remote_move(world: &World, name: &str, from: Option<Pointer>, to: Option<Pointer>) {
    futures::executor::block_on(world.remote.move_root(name, from, to)).unwrap();
}

#[test]
fn a_root_reaches_the_remote_after_everything_queued_before_it() {
    let mut world = World::new();
    let gate = Gate::new();
    world
        .script
        .every(Operation::Put, Fault::Hold(gate.clone()));
    let pointers: alloc::vec::Vec<_> = (0..30_u8).map(|i| world.put(&[i]).pointer()).collect();
    let receipt = move_root(&mut world, "head", None, Some(pointers[29])).unwrap();
    // What is queued later does not wait for the root.
    let later = world.put(b"later").pointer();
    world.settle();
    assert_eq!(root(&mut world, "head").unwrap(), Some(pointers[29]));
    assert_eq!(world.script.count(Operation::MoveRoot), 0);
    gate.open();
    world
        .run(async move { receipt.wait(Durability::Remote).await })
        .unwrap();
    for pointer in &pointers {
        assert!(world.remote_has(*pointer));
    }
    assert_eq!(world.remote_root("head"), Some(pointers[29]));
    world.sync().unwrap();
    assert!(world.remote_has(later));
}

#[test]
fn a_root_waits_for_what_failed_in_passing_and_for_what_was_refused() {
    let mut world = World::new();
    world
        .slow
        .turn_down(Pointer::of(b"needed"), Kind::InvalidInput);
    let needed = world.put(b"needed").pointer();
    move_root(&mut world, "head", None, Some(needed)).unwrap();
    world.pass(secs(600));
    assert_eq!(world.remote_root("head"), None, "a root must not dangle");
    world.crash();
    world.pass(secs(600));
    assert_eq!(world.remote_root("head"), None);
    world.slow.relent();
    let pair = world.pair.clone();
    world.run(async move { pair.retry_failed().await }).unwrap();
    world.sync().unwrap();
    assert_eq!(world.remote_root("head"), Some(needed));
}

#[test]
fn deleting_the_refused_blob_lets_the_root_go() {
    let mut world = World::new();
    let refused = Pointer::of(b"refused");
    world.slow.turn_down(refused, Kind::InvalidInput);
    world.put(b"refused");
    let good = world.put(b"good").pointer();
    move_root(&mut world, "head", None, Some(good)).unwrap();
    world.pass(secs(60));
    assert_eq!(world.remote_root("head"), None);
    world.slow.relent();
    world.delete(refused);
    world.sync().unwrap();
    assert_eq!(world.remote_root("head"), Some(good));
}

#[test]
fn a_refused_root_or_deletion_holds_no_later_root_up() {
    let mut world = World::new();
    let a = world.put(b"a").pointer();
    world.sync().unwrap();
    remote_move(&world, "taken", None, Some(a));
    world
        .script
        .every(Operation::Root, Fault::Fail(error(Kind::Transient)));
    world.slow.turn_down(a, Kind::ReadOnly);
    world.delete(a);
    let b = world.put(b"b").pointer();
    let lost = move_root(&mut world, "taken", None, Some(b)).unwrap();
    move_root(&mut world, "free", None, Some(b)).unwrap();
    world.pass(secs(60));
    assert_eq!(world.remote_root("free"), Some(b));
    let waited = world.run(async move { lost.wait(Durability::Remote).await });
    assert_eq!(waited.unwrap_err().kind(), Kind::Conflict);
    assert_eq!(world.status().failed, 2);
}

#[test]
fn of_two_writers_exactly_one_wins_and_the_other_is_told() {
    let mut world = World::new();
    let (ours, theirs) = (world.put(b"ours").pointer(), Pointer::of(b"theirs"));
    let start = Pointer::of(b"start");
    remote_move(&world, "head", None, Some(start));
    assert_eq!(root(&mut world, "head").unwrap(), Some(start));
    world.pair.pause();
    let receipt = move_root(&mut world, "head", Some(start), Some(ours)).unwrap();
    remote_move(&world, "head", Some(start), Some(theirs));
    world.pair.resume();
    let told = world.run(async move { receipt.wait(Durability::Remote).await });
    assert_eq!(told.unwrap_err().kind(), Kind::Conflict);
    assert_eq!(world.remote_root("head"), Some(theirs));
    // Here it stays where it was moved to, until slow's value is taken over.
    assert_eq!(root(&mut world, "head").unwrap(), Some(ours));
    assert_eq!(world.status().failed, 1);
    let pair = world.pair.clone();
    let failed = world
        .run(async move { pair.failed(None, 9).await })
        .unwrap();
    assert!(matches!(&failed[0].change, Change::MoveRoot { name, .. } if name == "head"));
    let again = move_root(&mut world, "head", None, Some(ours)).unwrap();
    let pair = world.pair.clone();
    let now = world.run(async move { pair.refresh_root("head").await });
    assert_eq!(now.unwrap(), Some(theirs));
    let told = world.run(async move { again.reached().await });
    assert_eq!(
        told.unwrap_err().kind(),
        Kind::Conflict,
        "giving up is not winning"
    );
    assert_eq!(world.status().failed, 0);
    assert_eq!(world.queued(), 0);
    move_root(&mut world, "head", Some(theirs), Some(ours)).unwrap();
    world.sync().unwrap();
    assert_eq!(world.remote_root("head"), Some(ours));
}

#[test]
fn moves_that_were_given_up_are_remembered_for_whoever_has_a_receipt_alone() {
    let mut world = World::new();
    let [ours, theirs] = [b"ours", b"them"].map(|p| Pointer::of(p));
    let mut orders = alloc::vec::Vec::new();
    for kept in [true, false] {
        world.script.offline();
        let receipt = move_root(&mut world, "head", None, Some(ours)).unwrap();
        remote_move(&world, "head", None, Some(theirs));
        world.script.heal();
        assert_eq!(world.sync().unwrap_err().kind(), Kind::Conflict);
        let pair = world.pair.clone();
        let queue = world.run(async move { pair.queue(None, 1).await }).unwrap();
        let receipt = kept.then_some(receipt);
        let pair = world.pair.clone();
        world
            .run(async move { pair.refresh_root("head").await })
            .unwrap();
        assert_eq!(world.pair.0.account.is_given_up(queue[0].order), kept);
        drop(receipt);
        orders.push(queue[0].order);
        move_root(&mut world, "head", Some(theirs), None).unwrap();
        world.sync().unwrap();
    }
    for order in orders {
        assert!(!world.pair.0.account.is_given_up(order));
    }
}

#[test]
fn who_waits_for_a_root_learns_that_a_blob_before_it_was_refused() {
    let mut world = World::new();
    let needed = Pointer::of(b"needed");
    world.slow.turn_down(needed, Kind::InvalidInput);
    world.pair.pause();
    world.put(b"needed");
    let receipt = move_root(&mut world, "head", None, Some(needed)).unwrap();
    let waiting = world.spawn(async move {
        let told = receipt.wait(Durability::Remote).await;
        (told, receipt)
    });
    world.settle();
    world.pair.resume();
    let (told, receipt) = world.run(waiting);
    assert_eq!(told.unwrap_err().kind(), Kind::InvalidInput);
    // Once it is tried again, waiting works.
    world.slow.relent();
    let pair = world.pair.clone();
    world.run(async move {
        pair.retry_failed().await.unwrap();
        receipt.wait(Durability::Remote).await.unwrap();
    });
    assert_eq!(world.remote_root("head"), Some(needed));
}

#[test]
fn a_local_race_is_lost_at_once() {
    let mut world = World::new();
    let (a, b) = (Pointer::of(b"a"), Pointer::of(b"b"));
    move_root(&mut world, "head", None, Some(a)).unwrap();
    let lost = move_root(&mut world, "head", None, Some(b)).map(drop);
    assert_eq!(lost.unwrap_err().kind(), Kind::Conflict);
    // A move to where it is already succeeds.
    move_root(&mut world, "head", None, Some(a)).unwrap();
    world.sync().unwrap();
    assert_eq!(world.script.count(Operation::MoveRoot), 1);
}

#[test]
fn a_move_whose_answer_was_lost_is_repeated_safely() {
    let mut world = World::new();
    world.script.next(
        Operation::MoveRoot,
        Fault::FailAfter(error(Kind::Transient)),
    );
    let a = Pointer::of(b"a");
    move_root(&mut world, "head", None, Some(a)).unwrap();
    world.sync().unwrap();
    assert_eq!(world.remote_root("head"), Some(a));
    assert_eq!(world.status().failed, 0);
}

#[test]
fn moves_made_offline_follow_each_other_also_over_a_crash() {
    let mut world = World::new();
    let [a, b, c] = [b"a", b"b", b"c"].map(|x| Pointer::of(x));
    world.script.offline();
    move_root(&mut world, "head", None, Some(a)).unwrap();
    move_root(&mut world, "head", Some(a), Some(b)).unwrap();
    world.crash();
    move_root(&mut world, "head", Some(b), Some(c)).unwrap();
    assert_eq!(root(&mut world, "head").unwrap(), Some(c));
    world.script.heal();
    world.sync().unwrap();
    assert_eq!(world.remote_root("head"), Some(c));
    // And away again.
    move_root(&mut world, "head", Some(c), None).unwrap();
    assert_eq!(root(&mut world, "head").unwrap(), None);
    world.sync().unwrap();
    assert_eq!(world.remote_root("head"), None);
    assert_eq!(root(&mut world, "head").unwrap(), None);
}

#[test]
fn offline_an_unknown_root_is_moved_from_where_the_caller_says_and_slow_decides() {
    let mut world = World::new();
    let [a, b, x] = [b"a", b"b", b"x"].map(|p| Pointer::of(p));
    remote_move(&world, "right", None, Some(a));
    remote_move(&world, "wrong", None, Some(x));
    world.script.offline();
    move_root(&mut world, "right", Some(a), Some(b)).unwrap();
    move_root(&mut world, "wrong", Some(a), Some(b)).unwrap();
    world.script.heal();
    assert_eq!(world.sync().unwrap_err().kind(), Kind::Conflict);
    assert_eq!(world.remote_root("right"), Some(b));
    assert_eq!(world.remote_root("wrong"), Some(x));
    let pair = world.pair.clone();
    world
        .run(async move { pair.refresh_root("wrong").await })
        .unwrap();
}

#[test]
fn an_unknown_root_is_asked_for_before_it_is_moved() {
    let mut world = World::new();
    let [a, b] = [b"a", b"b"].map(|p| Pointer::of(p));
    remote_move(&world, "head", None, Some(a));
    let lost = move_root(&mut world, "head", None, Some(b)).map(drop);
    assert_eq!(lost.unwrap_err().kind(), Kind::Conflict);
    move_root(&mut world, "head", Some(a), Some(b)).unwrap();
    world.sync().unwrap();
    assert_eq!(world.remote_root("head"), Some(b));
}

#[test]
fn a_root_is_read_here_once_it_is_known() {
    let mut world = World::new();
    let a = Pointer::of(b"a");
    remote_move(&world, "head", None, Some(a));
    assert_eq!(root(&mut world, "head").unwrap(), Some(a));
    world.script.offline();
    world.crash();
    assert_eq!(root(&mut world, "head").unwrap(), Some(a));
    assert_eq!(
        root(&mut world, "other").unwrap_err().kind(),
        Kind::Transient
    );
}

#[test]
fn the_list_of_roots_is_both_sides() {
    let mut world = World::new();
    let [a, b] = [b"a", b"b"].map(|p| Pointer::of(p));
    for name in ["delta", "alpha", "echo"] {
        remote_move(&world, name, None, Some(a));
    }
    world
        .script
        .every(Operation::MoveRoot, Fault::Fail(error(Kind::Transient)));
    move_root(&mut world, "bravo", None, Some(b)).unwrap();
    move_root(&mut world, "echo", Some(a), Some(b)).unwrap();
    move_root(&mut world, "delta", Some(a), None).unwrap();
    for limit in [1, 2, 10] {
        let pair = world.pair.clone();
        let roots = world.run(async move {
            let mut roots: alloc::vec::Vec<(alloc::string::String, Pointer)> = Default::default();
            loop {
                let after = roots.last().map(|(name, _)| name.clone());
                let page = pair.roots(after.as_deref(), limit).await.unwrap();
                if page.is_empty() {
                    return roots;
                }
                roots.extend(page);
            }
        });
        let expected = [("alpha", a), ("bravo", b), ("echo", b)];
        assert_eq!(roots, expected.map(|(name, p)| (name.into(), p)));
    }
}

#[test]
fn a_name_that_cannot_be_one_is_refused_at_once() {
    let mut world = World::new();
    for name in ["", "a\0b"] {
        let moved = move_root(&mut world, name, None, None).map(drop);
        assert_eq!(moved.unwrap_err().kind(), Kind::InvalidInput);
        assert_eq!(
            root(&mut world, name).unwrap_err().kind(),
            Kind::InvalidInput
        );
    }
    assert_eq!(world.queued(), 0);
}

#[test]
fn a_full_queue_makes_a_move_wait() {
    let mut world = World::with(Options {
        queue: Some(QueueBound {
            entries: 1,
            bytes: 100,
        }),
        ..Options::default()
    });
    world.script.offline();
    world.put(b"full");
    let pair = world.pair.clone();
    let a = Pointer::of(b"a");
    let moving = world.spawn(async move { pair.move_root("head", None, Some(a)).await.map(drop) });
    world.pass(secs(100));
    assert_eq!(world.queued(), 1);
    world.script.heal();
    world.run(moving).unwrap();
    world.sync().unwrap();
    assert_eq!(world.remote_root("head"), Some(a));
}

#[test]
fn an_answer_of_slow_that_is_older_than_a_move_does_not_undo_it() {
    for refused in [false, true] {
        let mut world = World::new();
        let ours = world.put(b"ours").pointer();
        let gate = Gate::new();
        world.slow.hold_answer(&gate);
        let pair = world.pair.clone();
        let reader = world.spawn(async move { pair.root("head").await });
        world.settle();
        world.pair.pause();
        let receipt = move_root(&mut world, "head", None, Some(ours)).unwrap();
        if refused {
            remote_move(&world, "head", None, Some(Pointer::of(b"theirs")));
        }
        world.pair.resume();
        let _ = world.sync();
        gate.open();
        assert_eq!(world.run(reader).unwrap(), Some(ours));
        assert_eq!(root(&mut world, "head").unwrap(), Some(ours));
        let second = move_root(&mut world, "head", None, Some(Pointer::of(b"x")));
        assert_eq!(second.err().unwrap().kind(), Kind::Conflict);
        // Who lost is told: nobody has given the move up.
        assert_eq!(world.status().failed, u64::from(refused));
        let told = world.run(async move { receipt.wait(Durability::Remote).await });
        assert_eq!(told.is_err(), refused);
    }
}

#[test]
fn a_sync_comes_back_although_a_root_waits_behind_a_refused_blob() {
    let mut world = World::new();
    let needed = Pointer::of(b"needed");
    world.slow.turn_down(needed, Kind::InvalidInput);
    world.put(b"needed");
    let receipt = move_root(&mut world, "head", None, Some(needed)).unwrap();
    let later = world.put(b"later").pointer();
    assert_eq!(world.sync().unwrap_err().kind(), Kind::InvalidInput);
    assert!(world.remote_has(later), "all the rest is remote");
    // The move is not lost: it goes once the blob does.
    assert_eq!(world.queued(), 2);
    world.slow.relent();
    let pair = world.pair.clone();
    world.run(async move { pair.retry_failed().await }).unwrap();
    world.sync().unwrap();
    world
        .run(async move { receipt.wait(Durability::Remote).await })
        .unwrap();
    assert_eq!(world.remote_root("head"), Some(needed));
}
