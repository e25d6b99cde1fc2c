//! The store files that are kept in `tests/golden/`, so that a later change of the format cannot go unnoticed.
//!
//! `cargo run -p littoral-tests --bin golden` writes those that are not there. A file that is there
//! is never written again: a new format version gets new files, and the old ones must still open.

use crate::{
    model::{Recovered, State},
    sim::{Chance, SimEntropy},
};
use bytes::Bytes;
use futures::executor::block_on;
use littoral_core::{
    Result,
    engine::{Batch, Durability, KeyRange, Options, Space, Store},
    port::MemoryVolume,
};

/// A kept file: its name, and what makes it.
pub type Golden = (&'static str, fn() -> Result<Vec<u8>>);

/// Every kept file of the current format version.
pub const FILES: [Golden; 2] = [
    ("v1-closed.littoral", closed),
    ("v1-log.littoral", with_log),
];

/// The folder they are kept in.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");

/// How the kept stores are made.
pub fn options() -> Options {
    let mut options = Options::default();
    options.memory_budget = 1 << 20;
    options.log_size = 64 << 10;
    options.alignment = 512;
    options.max_size = 224 << 10;
    options
}

/// A store that was closed: tables, a pack, deleted keys and ranges.
///
/// # Errors
/// Those of the store.
pub fn closed() -> Result<Vec<u8>> {
    let volume = MemoryVolume::new();
    block_on(async {
        let store = open(&volume).await?;
        fill(&store).await?;
        store.close().await
    })?;
    Ok(volume.to_bytes())
}

/// The same store with some commits more that are in the log only, as a crash leaves it.
///
/// # Errors
/// Those of the store.
pub fn with_log() -> Result<Vec<u8>> {
    let volume = MemoryVolume::new();
    block_on(async {
        let store = open(&volume).await?;
        fill(&store).await?;
        for number in 0..5 {
            store.commit(late(number), Durability::Strict).await?;
        }
        Ok::<_, littoral_core::Error>(())
    })?;
    Ok(volume.to_bytes())
}

/// What is in [`closed`].
pub fn contents() -> State {
    let mut state = State::new();
    for number in 0..120 {
        state.insert(
            (0x80, key(number)),
            value(number, 20 + number as usize % 70),
        );
    }
    for number in 0..2 {
        state.insert((0x81, key(number)), value(number, 3_000));
    }
    for number in (0..120).step_by(7) {
        state.remove(&(0x80, key(number)));
    }
    for number in 50..60 {
        state.remove(&(0x80, key(number)));
    }
    state
}

/// What is in [`with_log`] after so many of its five last commits.
pub fn contents_after(commits: u64) -> State {
    let mut state = contents();
    for number in 0..commits {
        state.insert((0x82, key(number)), value(number + 500, 40));
        state.remove(&(0x80, key(number * 2 + 1)));
    }
    state
}

/// The commit number of [`closed`]; each of the five last commits of [`with_log`] adds one.
pub const COMMITS: u64 = 6;

/// What a store with these contents is when it is opened.
pub fn recovered(commits: u64) -> Recovered {
    Recovered {
        last: COMMITS + commits,
        state: contents_after(commits),
    }
}

async fn open(volume: &MemoryVolume) -> Result<Store<MemoryVolume>> {
    let entropy = SimEntropy::new(Chance::new(0x90_1d));
    Store::open(volume.clone(), &entropy, options()).await
}

/// Six commits and two checkpoints.
async fn fill(store: &Store<MemoryVolume>) -> Result<()> {
    for part in 0..3 {
        let mut batch = Batch::new();
        for number in part * 40..(part + 1) * 40 {
            let value = value(number, 20 + number as usize % 70);
            batch.put(Space(0x80), key(number), value);
        }
        store.commit(batch, Durability::Strict).await?;
    }
    let mut batch = Batch::new();
    for number in 0..2 {
        batch.put(Space(0x81), key(number), value(number, 3_000));
    }
    store.commit(batch, Durability::Strict).await?;
    store.checkpoint().await?;
    let mut batch = Batch::new();
    for number in (0..120).step_by(7) {
        batch.delete(Space(0x80), key(number));
    }
    store.commit(batch, Durability::Strict).await?;
    let mut batch = Batch::new();
    batch.delete_range(Space(0x80), KeyRange::between(key(50), key(60)));
    store.commit(batch, Durability::Strict).await?;
    store.checkpoint().await
}

fn late(number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put(Space(0x82), key(number), value(number + 500, 40));
    batch.delete(Space(0x80), key(number * 2 + 1));
    batch
}

fn key(number: u64) -> Bytes {
    format!("shore/{number:04}").into_bytes().into()
}

fn value(number: u64, len: usize) -> Bytes {
    let mut value = vec![0; len];
    Chance::new(number).fill(&mut value);
    value.into()
}
