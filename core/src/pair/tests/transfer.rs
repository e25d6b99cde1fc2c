//! Large blobs travel in chunks, each of them once, in bounded memory.

use super::support::{World, error, noise};
use crate::{
    Kind,
    blob::{BlobStore, Fault, Gate, Operation, Pointer},
    pair::Options,
};
use bytes::Bytes;

#[test]
fn a_large_blob_goes_up_in_chunks_and_comes_back_in_chunks() {
    let mut world = World::new();
    let bytes = noise(1, 5 << 20);
    let pointer = world.put(&bytes).pointer();
    assert_eq!(pointer, Pointer::of(&bytes));
    world.sync().unwrap();
    assert!(world.script.count(Operation::PutChunk) > 5);
    assert_eq!(world.script.count(Operation::PutList), 1);
    assert_eq!(world.script.count(Operation::Put), 0);
    assert_eq!(world.pair.status().current().sent_bytes, 5 << 20);
    let mut other = World::new();
    other.remote_put(&bytes);
    assert_eq!(other.get(pointer).unwrap(), bytes);
    assert!(other.script.count(Operation::GetChunk) > 5);
    assert_eq!(other.script.count(Operation::Get), 0);
}

#[test]
fn equal_chunks_are_uploaded_once() {
    let mut world = World::undriven(Options::default());
    let shared = noise(1, 4 << 20);
    let with_tail = |tail: u64| {
        let mut bytes = shared.to_vec();
        bytes.extend_from_slice(&noise(tail, 100_000));
        Bytes::from(bytes)
    };
    let blobs = [with_tail(2), with_tail(3), with_tail(4)];
    let pointers = blobs.each_ref().map(|bytes| world.put(bytes).pointer());
    world.drive();
    world.sync().unwrap();
    let mut sent = alloc::collections::BTreeMap::new();
    for call in world.script.calls() {
        if call.operation == Operation::PutChunk {
            *sent.entry(call.pointers[0]).or_insert(0) += 1;
        }
    }
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
    for (pointer, bytes) in pointers.iter().zip(&blobs) {
        let (remote, pointer) = (world.remote.clone(), *pointer);
        let got = world.run(async move { remote.get(&pointer).await });
        assert_eq!(&got.unwrap(), bytes);
    }
}

#[test]
fn an_upload_that_was_cut_off_sends_only_the_chunks_that_are_missing() {
    let mut world = World::new();
    let bytes = noise(1, 6 << 20);
    world
        .script
        .nth(Operation::PutChunk, 6, Fault::Fail(error(Kind::Transient)));
    let pointer = world.put(&bytes).pointer();
    world.settle();
    // What has arrived so far is told, although the blob is not there yet.
    let status = world.pair.status().current();
    assert_eq!(status.uploaded_bytes, 0);
    assert!(status.sent_bytes > 1 << 20, "{status:?}");
    world.crash();
    world.sync().unwrap();
    assert!(world.remote_has(pointer));
    let mut sent = alloc::collections::BTreeMap::new();
    for call in world.script.calls() {
        if call.operation == Operation::PutChunk && call.outcome.is_some() {
            *sent.entry(call.pointers[0]).or_insert(0) += 1;
        }
    }
    let twice = sent.values().filter(|times| **times > 1).count();
    assert!(twice <= 1, "{twice} chunks went twice");
}

#[test]
fn a_remote_that_let_go_of_chunks_gets_them_again() {
    let mut world = World::new();
    world
        .script
        .nth(Operation::PutList, 1, Fault::Fail(error(Kind::NotFound)));
    let pointer = world.put(&noise(1, 3 << 20)).pointer();
    world.sync().unwrap();
    assert!(world.remote_has(pointer));
}

#[test]
fn a_remote_without_chunks_gets_a_stream() {
    let mut world = World::new();
    *world.slow.whole_only.lock() = true;
    let bytes = noise(1, 5 << 20);
    let pointer = world.put(&bytes).pointer();
    world.sync().unwrap();
    assert_eq!(world.script.count(Operation::PutStream), 1);
    assert_eq!(world.script.count(Operation::PutChunk), 0);
    let remote = world.remote.clone();
    let got = world.run(async move { remote.get(&pointer).await });
    assert_eq!(got.unwrap(), bytes);
    // And one that has it already is not sent it.
    let more = noise(2, 3 << 20);
    world.remote_put(&more);
    world.put(&more);
    world.sync().unwrap();
    assert_eq!(world.script.count(Operation::PutStream), 1);
}

#[test]
fn a_fetch_takes_only_the_chunks_that_are_not_here() {
    let mut world = World::new();
    let shared = noise(1, 4 << 20);
    world.put(&shared);
    world.sync().unwrap();
    let mut bytes = shared.to_vec();
    bytes.extend_from_slice(&noise(2, 100_000));
    let pointer = world.remote_put(&bytes);
    assert_eq!(world.get(pointer).unwrap(), bytes);
    assert!(world.script.count(Operation::GetChunk) <= 2);
}

#[test]
fn uploads_share_their_memory() {
    // Sixteen uploads with room for one chunk: they take turns and all arrive.
    let mut world = World::undriven(Options {
        upload_memory: 1,
        ..Options::default()
    });
    for i in 0..16 {
        world.put(&noise(i + 1, 200_000));
    }
    world.put(&noise(99, 3 << 20));
    world.drive();
    world.sync().unwrap();
    assert_eq!(world.queued(), 0);
}

#[test]
fn one_chunk_that_is_slow_does_not_hold_up_the_others() {
    let mut world = World::new();
    let gate = Gate::new();
    world
        .script
        .next(Operation::PutChunk, Fault::Hold(gate.clone()));
    let blob = noise(5, 12 << 20);
    let pointer = world.put(&blob).pointer();
    world.settle();
    let pair = world.pair.clone();
    let list = world.run(async move { pair.fast().chunks(&pointer).await });
    let chunks = list.unwrap().unwrap().0.len();
    assert!(chunks > 20, "{chunks}");
    assert_eq!(world.script.count(Operation::PutChunk), chunks);
    gate.open();
    world.sync().unwrap();
}
