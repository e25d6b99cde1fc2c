//! Damage in fast is found, quarantined, and fetched again.

use super::support::{World, noise, secs};
use crate::{
    Kind,
    blob::{BlobStore, Gate, Pointer},
    pair::{Checked, Options},
};
use bytes::Bytes;

/// A world with these blobs in fast and remote, some of them then damaged on the disk.
fn damaged(blobs: &[Bytes], at: &[&[u8]]) -> World {
    let mut world = World::new();
    for bytes in blobs {
        world.put(bytes);
    }
    world.sync().unwrap();
    let store = world.pair.store().clone();
    world.run(async move { store.checkpoint().await }).unwrap();
    for bytes in at {
        assert!(world.disk.damage(bytes), "it is not on the disk");
    }
    world.crash();
    world
}

fn verify(world: &mut World) -> Checked {
    let pair = world.pair.clone();
    world.run(async move { pair.verify().await }).unwrap()
}

fn repair(world: &mut World) -> Checked {
    let pair = world.pair.clone();
    world.run(async move { pair.repair().await }).unwrap()
}

#[test]
fn a_damaged_blob_is_read_from_slow_and_is_whole_again() {
    let blobs = [noise(1, 50_000), noise(2, 50_000)];
    let mut world = damaged(&blobs, &[&blobs[0]]);
    assert_eq!(world.get(Pointer::of(&blobs[0])).unwrap(), blobs[0]);
    let status = world.status();
    assert_eq!(status.damaged, 1);
    assert_eq!(status.last_damaged, Some(Pointer::of(&blobs[0])));
    world.script.offline();
    assert_eq!(world.get(Pointer::of(&blobs[0])).unwrap(), blobs[0]);
    assert_eq!(verify(&mut world).damaged, 0);
}

#[test]
fn a_damaged_blob_is_whole_again_once_it_is_put_again() {
    let bytes = [noise(1, 50_000), noise(2, 3 << 20)];
    for blob in bytes {
        // Also where nobody has met the damage yet, or an earlier process has.
        for met in [false, true] {
            for streamed in [false, true] {
                let mut world = damaged(core::slice::from_ref(&blob), &[&blob[..4096]]);
                world.script.offline();
                let pointer = Pointer::of(&blob);
                if met {
                    world.get(pointer).unwrap_err();
                    world.crash();
                }
                let (pair, again) = (world.pair.clone(), blob.clone());
                world.run(async move {
                    match streamed {
                        true => pair.put_stream(again).await.map(drop),
                        false => pair.put(again).await.map(drop),
                    }
                    .unwrap();
                });
                assert_eq!(world.get(pointer).unwrap(), blob);
                assert_eq!(verify(&mut world).damaged, 0);
            }
        }
    }
}

#[test]
fn a_late_answer_about_what_is_lost_queues_nothing_that_was_uploaded_since() {
    let mut world = World::new();
    let pointer = Pointer::of(b"lost and found");
    world.put(b"lost and found");
    world.sync().unwrap();
    let remote = world.remote.clone();
    world
        .run(async move { remote.delete(&pointer).await })
        .unwrap();
    let gate = Gate::new();
    world.slow.hold_answer(&gate);
    let pair = world.pair.clone();
    let repairing = world.spawn(async move { pair.repair().await });
    world.settle();
    world.delete(pointer);
    world.pass(secs(60));
    world.put(b"lost and found");
    world.sync().unwrap();
    gate.open();
    assert_eq!(world.run(repairing).unwrap().requeued, 0);
    assert_eq!(world.queued(), 0);
    assert!(world.remote_has(pointer));
}

#[test]
fn a_damaged_blob_is_never_returned_as_data() {
    let blobs = [noise(1, 50_000)];
    let mut world = damaged(&blobs, &[&blobs[0]]);
    let pointer = Pointer::of(&blobs[0]);
    world.script.offline();
    assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::Transient);
    world.script.heal();
    let remote = world.remote.clone();
    world
        .run(async move { remote.delete(&pointer).await })
        .unwrap();
    let error = world.get(pointer).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.damage().is_some(), "the place is told: {error:?}");
}

#[test]
fn verify_finds_all_damage_and_repair_mends_it() {
    let blobs = [noise(1, 50_000), noise(2, 50_000), noise(3, 4 << 20)];
    let middle = blobs[2].slice(2_000_000..2_000_100);
    let mut world = damaged(&blobs, &[&blobs[0], &middle]);
    let checked = verify(&mut world);
    assert_eq!(
        (checked.blobs, checked.damaged, checked.repaired),
        (1, 2, 0)
    );
    assert_eq!(checked.left.len(), 2);
    assert!(
        checked
            .left
            .iter()
            .all(|d| d.reason.kind() == Kind::Corrupt)
    );
    let mended = repair(&mut world);
    assert_eq!((mended.damaged, mended.repaired), (2, 2));
    assert!(mended.left.is_empty());
    assert_eq!(verify(&mut world).damaged, 0);
    world.crash();
    world.script.offline();
    for bytes in blobs {
        assert_eq!(world.get(Pointer::of(&bytes)).unwrap(), bytes);
    }
}

#[test]
fn a_damaged_chunk_is_mended_for_every_blob_that_has_it() {
    let shared = noise(7, 3 << 20);
    let mut other = shared.to_vec();
    other.extend_from_slice(&noise(8, 2 << 20));
    let blobs = [shared.clone(), Bytes::from(other)];
    let at = shared.slice(1_000_000..1_000_100);
    let mut world = damaged(&blobs, &[&at]);
    assert_eq!(verify(&mut world).damaged, 2);
    assert_eq!(world.get(Pointer::of(&blobs[0])).unwrap(), blobs[0]);
    world.script.offline();
    assert_eq!(world.get(Pointer::of(&blobs[1])).unwrap(), blobs[1]);
}

#[test]
fn what_cannot_be_mended_is_reported_with_the_reason() {
    let blobs = [noise(1, 50_000)];
    let mut world = damaged(&blobs, &[&blobs[0]]);
    let pointer = Pointer::of(&blobs[0]);
    let remote = world.remote.clone();
    world
        .run(async move { remote.delete(&pointer).await })
        .unwrap();
    let checked = repair(&mut world);
    assert_eq!((checked.damaged, checked.repaired), (1, 0));
    assert_eq!(checked.left[0].pointer, pointer);
    let remedy = checked.left[0].remedy.as_ref().unwrap();
    assert_eq!(remedy.kind(), Kind::NotFound);
    // Putting it again mends it too.
    world.put(&blobs[0]);
    world.sync().unwrap();
    assert_eq!(world.get(pointer).unwrap(), blobs[0]);
    assert!(world.remote_has(pointer));
    assert_eq!(verify(&mut world).damaged, 0);
}

#[test]
fn a_queued_blob_that_is_damaged_is_missing_and_not_sent() {
    let mut world = World::undriven(Options::default());
    let bytes = noise(1, 50_000);
    let pointer = world.put(&bytes).pointer();
    let store = world.pair.store().clone();
    world.run(async move { store.checkpoint().await }).unwrap();
    assert!(world.disk.damage(&bytes));
    world.crash();
    world.pass(secs(60));
    assert!(!world.remote_has(pointer));
    assert_eq!((world.status().missing, world.queued()), (1, 1));
    world.put(&bytes);
    world.sync().unwrap();
    assert!(world.remote_has(pointer));
}

#[test]
fn repair_queues_again_what_the_remote_lost() {
    let mut world = World::new();
    let pointer = world.put(b"lost over there").pointer();
    world.sync().unwrap();
    let remote = world.remote.clone();
    world
        .run(async move { remote.delete(&pointer).await })
        .unwrap();
    assert_eq!(repair(&mut world).requeued, 1);
    world.sync().unwrap();
    assert!(world.remote_has(pointer));
    assert_eq!(repair(&mut world).requeued, 0);
}
