//! The store files that are kept in `tests/golden/`, so that a later change of the format cannot go unnoticed.
//!
//! `cargo run -p littoral-tests --bin golden` writes those that are not there. A file that is there
//! is never written again: a new format version gets new files, and the old ones must still open.

use crate::{
    model::{Recovered, State},
    sim::{Chance, SimEntropy},
};
use bytes::Bytes;
use futures::{executor::block_on, future::FutureExt};
use littoral_core::{
    Result,
    blob::Pointer,
    doc::{self, Documents, Match, Op, Patch, Remove, Retention, Value},
    engine::{Batch, Durability, KeyRange, Options, Space, Store},
    port::{Clock, MemoryVolume},
};
use std::time::Duration;

/// A kept file: its name, and what makes it.
pub type Golden = (&'static str, fn() -> Result<Vec<u8>>);

/// Every kept file of the current format version.
pub const FILES: [Golden; 3] = [
    ("v1-closed.littoral", closed),
    ("v1-log.littoral", with_log),
    ("v1-document.littoral", document),
];

/// The folder they are kept in.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");

/// How the kept stores are made.
pub fn options() -> Options {
    let mut options = Options::default();
    options.memory_budget = 1 << 20;
    options.log_size = 64 << 10;
    options.alignment = 512;
    options.max_size = 384 << 10;
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

/// A store with a document that has one of everything: a row of each kind, a past, a scope, an unfinished transaction, a key, a horizon.
///
/// # Errors
/// Those of the store.
pub fn document() -> Result<Vec<u8>> {
    let volume = MemoryVolume::new();
    block_on(async {
        let doc = open_document(&volume).await?;
        doc.declare_key("boats", "name").await?;
        for (path, patch) in patches()? {
            doc.patch(path, patch, None).await?;
        }
        let keep = Retention {
            remove: Remove::KeepLast(KEPT),
            ..Retention::default()
        };
        doc.snapshot_with(keep).await?;
        let draft = doc.create_scope("draft").await?;
        let absent = Match::from_json(r#"{"$absent": true}"#)?;
        draft.patch("flags", Patch::set(7), absent).await?;
        draft
            .patch("", Patch::ops([Op::delete("boats(Ebb).log")?]), None)
            .await?;
        let meta = Value::from_json(r#"{"why": "trade"}"#)?;
        let transaction = doc.begin(2, meta, Duration::from_secs(1 << 32)).await?;
        let join = transaction.join("one", Patch::set(1), None);
        // It waits for the other one for ever.
        let _ = join.now_or_never();
        doc.close().await
    })?;
    Ok(volume.to_bytes())
}

/// Past states that the kept document has: so many of the last commits.
pub const KEPT: u64 = 4;

/// What was done to the kept document, one commit each.
///
/// # Errors
/// None: they are all well made.
pub fn patches() -> Result<Vec<(&'static str, Patch)>> {
    let boat = Value::object([
        ("berth", Value::from(7)),
        ("length", Value::try_from(9.25)?),
        ("afloat", Value::from(true)),
        ("owner", Value::Null),
        ("photo", Value::Link(Pointer::of(b"a photo"))),
        ("key", Value::Bytes(Bytes::from_static(&[0, 1, 255]))),
        ("log", Value::list(["low", "high"])),
        (
            "tides",
            Value::sparse([(3, Value::from("neap")), (1 << 40, Value::from("spring"))]),
        ),
    ]);
    Ok(vec![
        ("boats(Ebb)", Patch::set(boat)),
        ("boats(Flow).berth", Patch::set(8)),
        (
            "boats(Ebb)",
            Patch::merge(Value::from_json(r#"{"owner": "Ann", "berth": null}"#)?),
        ),
        (
            "",
            Patch::ops([Op::splice("boats(Ebb).log", 1, 0, vec!["mid".into()])?]),
        ),
        ("", Patch::ops([Op::shift("boats(Ebb).tides", "tides")?])),
        (
            "",
            Patch::json(r#"[{"op": "add", "path": "/boats/-", "value": {"name": "Slack"}}]"#)?,
        ),
        ("", Patch::ops([Op::increment("boats(Flow).berth", -2)?])),
    ])
}

/// Opens a kept document.
///
/// # Errors
/// Those of the document.
pub async fn open_document(volume: &MemoryVolume) -> Result<Documents<MemoryVolume, Noon>> {
    Documents::open(open(volume).await?, Noon, doc::Options::default()).await
}

/// The same time, always.
#[derive(Clone, Copy)]
pub struct Noon;

impl Clock for Noon {
    fn now(&self) -> Duration {
        Duration::from_secs(1_700_000_000)
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending().await
    }
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
