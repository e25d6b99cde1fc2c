//! What the public suite cannot see: what is left behind, what happens in between, what is damaged.

mod damaged;
mod durable;
mod interleaved;
mod leftovers;

use super::*;
use crate::{
    blob::{conformance::noise, space::REFERENCES},
    engine::{Options, Space},
    port::{Entropy, MemoryVolume},
};
use alloc::collections::BTreeMap;
use futures::executor::block_on;
use std::println;

pub(in crate::blob) struct Seven;

impl Entropy for Seven {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill(7);
        Ok(())
    }
}

/// An empty store, large enough for a test that nobody does background work for.
pub(in crate::blob) async fn blobs() -> EngineBlobs<MemoryVolume> {
    open(MemoryVolume::new()).await
}

pub(in crate::blob) async fn open(volume: MemoryVolume) -> EngineBlobs<MemoryVolume> {
    let store = Store::open(volume, &Seven, Options::default()).await;
    EngineBlobs::new(store.unwrap())
}

/// An empty store that is soon full of what only background work can put away.
async fn small_blobs() -> EngineBlobs<MemoryVolume> {
    let options = Options {
        log_size: 256 << 10,
        memory_budget: 1 << 20,
        ..Options::default()
    };
    let store = Store::open(MemoryVolume::new(), &Seven, options).await;
    EngineBlobs::new(store.unwrap())
}

/// Lets every other task of a test run between the reading and the committing of a change.
pub(super) async fn pause() {
    crate::port::Clock::sleep(&crate::blob::NoClock, core::time::Duration::ZERO).await;
}

/// The keys of a space, and their values.
async fn all_of(blobs: &EngineBlobs<MemoryVolume>, space: Space) -> BTreeMap<Bytes, Bytes> {
    let mut all = BTreeMap::new();
    let view = blobs.store().view();
    let mut scan = view.scan(space, KeyRange::all(), Direction::Forward);
    while let Some(entry) = scan.next().await.unwrap() {
        all.insert(entry.key, scan.value().await.unwrap());
    }
    all
}

/// Checks that everything in the blobs' spaces fits together: each chunk is there, and counted as often as it is named.
async fn consistent(blobs: &EngineBlobs<MemoryVolume>) {
    let mut named: BTreeMap<Bytes, u64> = BTreeMap::new();
    let mut lists: BTreeMap<u64, (u64, u32)> = BTreeMap::new();
    for (key, value) in all_of(blobs, space::PARTS).await {
        let (id, at) = (
            key[..8].try_into().unwrap(),
            space::part_offset(&key).unwrap(),
        );
        let (size, chunks) = lists.entry(u64::from_be_bytes(id)).or_default();
        for chunk in ChunkList::decode(&value).unwrap().0 {
            *named.entry(space::key(&chunk.pointer)).or_default() += 1;
            *size += u64::from(chunk.len);
            *chunks += 1;
        }
        assert!(*size > at);
    }
    for (key, header) in all_of(blobs, LISTED).await {
        let header = Header::decode(&header).unwrap();
        let list = lists.remove(&header.id);
        assert_eq!(list, Some((header.size, header.chunks)), "list of {key:?}");
    }
    for (key, _) in all_of(blobs, STAGED).await {
        match key[0] {
            space::WRITING | space::ABANDONED => {
                lists.remove(&space::staged_list(&key).unwrap());
            }
            space::LOOSE => *named.entry(key.slice(1..)).or_default() += 1,
            _ => {}
        }
    }
    assert!(lists.is_empty(), "lists that nobody knows of: {lists:?}");
    let mut counted = BTreeMap::new();
    for (key, count) in all_of(blobs, REFERENCES).await {
        counted.insert(key, space::number(&count).unwrap());
    }
    assert_eq!(
        named, counted,
        "chunks as they are named, and as they are counted"
    );
    let chunks = all_of(blobs, CHUNKS).await;
    assert!(
        chunks.keys().eq(counted.keys()),
        "chunks that are there, and counted"
    );
    for (key, bytes) in chunks {
        assert_eq!(space::key(&Pointer::of(&bytes)), key);
    }
}

/// Checks that nothing is left but counters.
async fn empty(blobs: &EngineBlobs<MemoryVolume>) {
    for space in [WHOLE, LISTED, CHUNKS, REFERENCES, space::PARTS] {
        let left = all_of(blobs, space).await;
        assert!(left.is_empty(), "{} left in {space:?}", left.len());
    }
    let staged = all_of(blobs, STAGED).await;
    assert!(staged.keys().all(|key| key[0] == 0), "{staged:?}");
}

// Without std a store is confined to one thread.
#[cfg(feature = "std")]
#[test]
fn every_future_of_a_store_over_a_sendable_volume_is_sendable() {
    fn is_send<T: Send>(_: &T) {}
    block_on(async {
        use crate::blob::{EngineRoots, RootStore};
        let blobs = blobs().await;
        let roots = EngineRoots::new(blobs.store().clone());
        let view = blobs.store().view();
        let pointer = Pointer::NULL;
        let mut batch = Batch::new();
        is_send(&blobs);
        is_send(&blobs.put(Bytes::new()));
        is_send(&blobs.put_stream(Bytes::new()));
        is_send(&blobs.get(&pointer));
        is_send(&blobs.get_range(&pointer, 0..1));
        is_send(&blobs.stat(&pointer));
        is_send(&blobs.has(&[]));
        is_send(&blobs.delete(&pointer));
        is_send(&blobs.list(None, 1));
        is_send(&blobs.chunks(&pointer));
        is_send(&blobs.has_chunks(&[]));
        is_send(&blobs.put_chunk(Bytes::new()));
        is_send(&blobs.get_chunk(&pointer));
        is_send(&blobs.put_list(&pointer, ChunkList::default()));
        is_send(&blobs.stage(Bytes::new(), &mut batch));
        is_send(&blobs.remove_in(&mut batch, &pointer, &view));
        is_send(&blobs.sweep());
        is_send(&blobs.heal_chunk(Bytes::new()));
        is_send(&crate::blob::copy(&blobs, &blobs, &pointer));
        is_send(&crate::blob::open(&blobs, pointer));
        is_send(&crate::blob::list_all(&blobs).next());
        is_send(&roots.move_root("a", None, None));
        is_send(&roots.move_in(&mut batch, &view, "a", None, None));
        is_send(&roots.roots(None, 1));
    });
}

#[test]
fn a_put_of_what_is_there_commits_nothing() {
    block_on(async {
        let blobs = blobs().await;
        for size in [100, 3_000_000] {
            let data = noise(1, size);
            blobs.put(data.clone()).await.unwrap();
            let before = blobs.store().stats();
            blobs.put(data.clone()).await.unwrap();
            let after = blobs.store().stats();
            assert!(after.durable_commit >= before.last_commit);
            if size == 100 {
                assert_eq!(after.last_commit, before.last_commit);
            }
        }
        let pointer = Pointer::of(&noise(1, 3_000_000));
        let list = blobs.chunks(&pointer).await.unwrap().unwrap();
        let before = blobs.store().stats();
        blobs.put_list(&pointer, list).await.unwrap();
        assert_eq!(blobs.store().stats().last_commit, before.last_commit);
    });
}

#[test]
fn a_blob_that_its_host_has_hashed_is_put_like_any_other() {
    block_on(async {
        let blobs = blobs().await;
        let data = noise(3, 5000);
        let staged = Staged::hashed(Pointer::of(&data), data.clone()).unwrap();
        let pointer = blobs.put_staged(staged).await.unwrap();
        assert_eq!(blobs.get(&pointer).await.unwrap(), data);
        let long = noise(3, chunk::MAX + 1);
        let refused = Staged::hashed(Pointer::of(&long), long).unwrap_err();
        assert_eq!(refused.kind(), Kind::InvalidInput);
    });
}

#[test]
fn a_put_of_what_was_just_handed_over_waits_until_it_is_durable() {
    block_on(async {
        let blobs = blobs().await;
        let mut batch = Batch::new();
        let data = noise(2, 100);
        blobs.put_in(&mut batch, Pointer::of(&data), data.clone());
        let receipt = blobs
            .store()
            .commit(batch, Durability::Memory)
            .await
            .unwrap();
        assert_eq!(receipt.reached(), Durability::Memory);
        blobs.put(data).await.unwrap();
        assert_eq!(receipt.reached(), Durability::Strict);
    });
}

#[test]
fn a_large_blob_reads_a_range_of_it_without_the_rest() {
    block_on(async {
        let blobs = blobs().await;
        let data = noise(3, 9_000_000);
        let pointer = blobs.put(data.clone()).await.unwrap();
        // Without the first and the last chunk nothing but what needs them fails.
        let list = blobs.chunks(&pointer).await.unwrap().unwrap().0;
        let mut batch = Batch::new();
        batch.delete(CHUNKS, space::key(&list[0].pointer));
        batch.delete(CHUNKS, space::key(&list[list.len() - 1].pointer));
        blobs
            .store()
            .commit(batch, Durability::Local)
            .await
            .unwrap();
        let first = u64::from(list[0].len);
        let got = blobs.get_range(&pointer, first..first + 3_000_000).await;
        assert_eq!(
            got.unwrap(),
            data.slice(first as usize..first as usize + 3_000_000)
        );
        let got = blobs.get_range(&pointer, first - 1..first + 1).await;
        assert_eq!(got.unwrap_err().kind(), Kind::Corrupt);
        assert!(blobs.has(&[pointer]).await.unwrap()[0]);
        println!("{} chunks", list.len());
    });
}
