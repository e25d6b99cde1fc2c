//! What is staged and does not become a blob is let go at once, and not at the next sweep.

use super::support::{World, noise};
use crate::{
    Kind,
    blob::{BlobStore, ChunkList, Fault, Gate, Operation, Pointer, space::CHUNKS},
    engine::{Direction, KeyRange},
    pair::{Options, QueueBound},
    port::Body,
};
use bytes::Bytes;

/// How many chunks fast holds, whether a blob has them or not.
fn chunks(world: &mut World) -> usize {
    let store = world.pair.store().clone();
    world.run(async move {
        let mut scan = store
            .view()
            .scan(CHUNKS, KeyRange::all(), Direction::Forward);
        let mut chunks = 0;
        while scan.next().await.unwrap().is_some() {
            chunks += 1;
        }
        chunks
    })
}

fn bounded(bytes: u64) -> World {
    World::with(Options {
        queue: Some(QueueBound { entries: 1, bytes }),
        ..Options::default()
    })
}

#[test]
fn a_lie_leaves_nothing() {
    for whole_only in [false, true] {
        let mut world = World::new();
        *world.slow.whole_only.lock() = whole_only;
        let pointer = world.remote_put(&noise(3, 6 << 20));
        let operation = match whole_only {
            true => Operation::GetRange,
            false => Operation::GetChunk,
        };
        world.script.nth(operation, 3, Fault::Flip);
        assert_eq!(world.get(pointer).unwrap_err().kind(), Kind::Corrupt);
        assert_eq!(chunks(&mut world), 0);
    }
}

#[test]
fn a_put_that_finds_the_queue_full_has_stored_nothing() {
    let mut world = bounded(1000);
    world.script.offline();
    world.put(b"x");
    let pair = world.pair.clone();
    let refused = world.run(async move { pair.try_put(noise(50, 6 << 20)).await.map(drop) });
    assert_eq!(refused.unwrap_err().kind(), Kind::Busy);
    assert_eq!(chunks(&mut world), 0);
}

#[test]
fn what_is_here_or_queued_already_needs_no_room() {
    let mut world = bounded(100 << 20);
    let known = noise(51, 3 << 20);
    world.put(&known);
    world.sync().unwrap();
    world.script.offline();
    let queued = noise(52, 3 << 20);
    world.put(&queued);
    let before = chunks(&mut world);
    for bytes in [known, queued] {
        let pair = world.pair.clone();
        world
            .run(async move { pair.try_put(bytes).await.map(drop) })
            .unwrap();
    }
    assert_eq!(chunks(&mut world), before);
}

/// Says nothing of its length.
struct Unmeasured(Option<Bytes>);

impl Body for Unmeasured {
    fn len(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> crate::Result<Option<Bytes>> {
        Ok(self.0.take())
    }
}

#[test]
fn a_stream_that_is_closed_while_it_waits_for_room_leaves_nothing() {
    let mut world = bounded(1000);
    world.script.offline();
    world.put(b"x");
    let pair = world.pair.clone();
    let body = Unmeasured(Some(noise(53, 3 << 20)));
    let waits = world.spawn(async move { pair.put_stream(body).await.map(drop) });
    world.settle();
    assert!(chunks(&mut world) > 0);
    let pair = world.pair.clone();
    let closing = world.spawn(async move { pair.close(super::support::secs(60)).await.map(drop) });
    assert_eq!(world.run(waits).unwrap_err().kind(), Kind::Closed);
    assert_eq!(chunks(&mut world), 0);
    world.run(closing).unwrap();
}

#[test]
fn a_fill_of_a_blob_that_is_deleted_meanwhile_leaves_nothing() {
    let mut world = World::new();
    let bytes = noise(54, 3 << 20);
    let pointer = world.remote_put(&bytes);
    let list: Option<ChunkList> =
        futures::executor::block_on(world.remote.chunks(&pointer)).unwrap();
    let gate = Gate::new();
    let last = list.unwrap().0.len();
    world
        .script
        .nth(Operation::GetChunk, last, Fault::Hold(gate.clone()));
    let pair = world.pair.clone();
    let reader = world.spawn(async move { pair.get(&pointer).await.map(drop) });
    world.settle();
    world.delete(pointer);
    gate.open();
    let _ = world.run(reader);
    world.sync().unwrap();
    assert!(!world.fast_has(Pointer::of(&bytes)));
    assert_eq!(chunks(&mut world), 0);
}
