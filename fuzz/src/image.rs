//! A small store as the bytes of its file, with something in every part of it: tables, packs,
//! and commits that are only in the log.

use crate::Fixed;
use arbitrary::Arbitrary;
use bytes::Bytes;
use futures::{
    executor::block_on,
    future::{self, Either},
};
use littoral_core::{
    Result,
    engine::{Batch, Direction, Durability, KeyRange, Options, Space, Store},
    port::{MemoryVolume, Volume},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    pin::pin,
};

const SPACE: Space = Space(0x80);
/// Everything that a key has ever been set to.
type Model = BTreeMap<Vec<u8>, BTreeSet<Bytes>>;

/// A store's file, and what may be read from it.
pub struct Image {
    /// The file.
    pub bytes: Vec<u8>,
    superblock: Range<usize>,
    log: Range<usize>,
    extents: Range<usize>,
    live: Vec<usize>,
    values: Model,
}

/// A part of the file.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Part {
    /// The two slots of the superblock.
    Superblock,
    /// The two log areas.
    Log,
    /// Tables, packs, and the manifest that lists them.
    Extents,
}

/// New bytes for a place in a file.
#[derive(Arbitrary, Debug)]
pub struct Patch {
    /// Where, counting only bytes of the part that are not zero: the rest is mostly free space.
    pub at: u16,
    /// What is there then.
    pub bytes: Vec<u8>,
}

impl Image {
    /// Makes the store.
    pub fn new() -> Image {
        let mut values = Model::new();
        let volume = MemoryVolume::new();
        let log_size = block_on(async {
            let store = Store::open(volume.clone(), &Fixed, options()).await?;
            for round in 0..3u8 {
                fill(&store, round, &mut values).await?;
                store.checkpoint().await?;
            }
            fill(&store, 3, &mut values).await?;
            // The store is left as by a crash: its last commits are in the log only.
            Ok::<_, littoral_core::Error>(store.stats().log_size as usize)
        })
        .expect("a store in memory");
        let bytes = volume.to_bytes();
        let slots = bytes.len().min(8192);
        let logs = bytes.len().min(slots + 2 * log_size);
        Image {
            superblock: 0..slots,
            log: slots..logs,
            extents: logs..bytes.len(),
            live: (0..bytes.len()).filter(|at| bytes[*at] != 0).collect(),
            bytes,
            values,
        }
    }

    /// The file with `patches` in `part` of it.
    pub fn patched(&self, part: Part, patches: &[Patch]) -> Vec<u8> {
        let mut file = self.bytes.clone();
        let part = match part {
            Part::Superblock => &self.superblock,
            Part::Log => &self.log,
            Part::Extents => &self.extents,
        };
        let from = self.live.partition_point(|place| *place < part.start);
        let to = self.live.partition_point(|place| *place < part.end);
        let live = &self.live[from..to];
        for patch in patches {
            let place = live[patch.at as usize * live.len() / (1 << 16)];
            let len = patch.bytes.len().min(part.end - place);
            file[place..place + len].copy_from_slice(&patch.bytes[..len]);
        }
        file
    }

    /// Whether `key` was ever set to `value`.
    pub fn ever_held(&self, key: &[u8], value: &Bytes) -> bool {
        self.values.get(key).is_some_and(|all| all.contains(value))
    }
}

impl Default for Image {
    fn default() -> Self {
        Image::new()
    }
}

fn options() -> Options {
    let mut options = Options::default();
    options.log_size = 64 << 10;
    options.alignment = 512;
    options.memory_budget = 1 << 20;
    options.max_size = 16 << 20;
    options
}

async fn fill(store: &Store<MemoryVolume>, round: u8, values: &mut Model) -> Result<()> {
    for number in 0..24u8 {
        let key = vec![b'k', number];
        let len = match number {
            0..8 => number as usize,
            8..16 => 100 * number as usize,
            _ => 200 * number as usize,
        };
        let value = Bytes::from(vec![round.wrapping_mul(31) ^ number; len]);
        let mut batch = Batch::new();
        batch.put(SPACE, key.clone(), value.clone());
        if number % 7 == round {
            batch.delete(SPACE, vec![b'k', number + 1]);
            batch.delete_range(SPACE, KeyRange::between(vec![b'k', 22], vec![b'k', 23]));
        }
        store.commit(batch, Durability::Strict).await?;
        values.entry(key).or_default().insert(value);
    }
    Ok(())
}

/// Opens `file` and uses all of it. Every error is fine; `seen` is told each value that is read.
pub fn use_everything(file: Vec<u8>, mut seen: impl FnMut(&[u8], &Bytes)) {
    let volume = MemoryVolume::from_bytes(file);
    block_on(async {
        salvage(volume.clone(), &mut seen).await;
        for _ in 0..2 {
            let Ok(store) = Store::open(volume.clone(), &Fixed, options()).await else {
                return;
            };
            let driver = store.clone();
            let drive = pin!(driver.drive());
            let work = pin!(work(&store, &mut seen));
            if let Either::Left(((), work)) = future::select(drive, work).await {
                work.await;
            }
        }
    });
}

/// What is salvaged of it is a whole store, with nothing in it that was not there.
async fn salvage(damaged: MemoryVolume, seen: &mut impl FnMut(&[u8], &Bytes)) {
    let target = MemoryVolume::new();
    if Store::salvage(damaged, target.clone(), &Fixed)
        .await
        .is_err()
    {
        return;
    }
    let store = Store::open(target, &Fixed, options())
        .await
        .expect("what was salvaged is a store");
    let verified = store.verify().await.expect("a store in memory");
    assert!(verified.damage.is_empty(), "{:?}", verified.damage);
    let mut scan = store
        .view()
        .scan(SPACE, KeyRange::all(), Direction::Forward);
    while let Some(entry) = scan.next().await.expect("a whole store") {
        let value = scan.value().await.expect("a whole store");
        seen(&entry.key, &value);
    }
}

async fn work<V: Volume>(store: &Store<V>, seen: &mut impl FnMut(&[u8], &Bytes)) {
    for number in 0..24u8 {
        if let Ok(Some(value)) = store.get(SPACE, &[b'k', number]).await {
            seen(&[b'k', number], &value);
        }
    }
    for direction in [Direction::Forward, Direction::Backward] {
        let mut scan = store.view().scan(SPACE, KeyRange::all(), direction);
        // As many as a file of this size can hold; one that goes on for ever is a hang.
        while let Ok(Some(entry)) = scan.next().await {
            if let Ok(value) = scan.value().await {
                seen(&entry.key, &value);
            }
        }
    }
    let _ = store.verify().await;
    let _ = store.backup(MemoryVolume::new(), &Fixed).await;
    let mut batch = Batch::new();
    batch.put(SPACE, &b"new"[..], &b"value"[..]);
    if store.commit(batch, Durability::Strict).await.is_ok() {
        let value = store.get(SPACE, b"new").await;
        assert!(!matches!(value, Ok(None)), "what was committed is gone");
    }
    let _ = store.checkpoint().await;
    let _ = store.reclaim().await;
    let _ = store.close().await;
}
