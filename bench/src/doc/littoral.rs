//! Littoral's document over a file.

use super::{Arguments, Figures, KEYS, each, field, mix, text, together};
use anyhow::Result;
use littoral::{FileVolume, OsEntropy, SystemClock, block_on, spawn_driver};
use littoral_core::{
    doc::{Documents, Op, Options, Patch, Value},
    engine::{self, Batch, Direction, Durability, KeyRange, Space, Store},
};

/// The space of the document's log.
const LOG: Space = Space(0x32);
/// A space of one's own, for bare gets.
const BARE: Space = Space(0x80);

/// The figures, microseconds of a bare get, and bytes of a patch in the log.
pub fn run(arguments: &Arguments) -> Result<(Figures, f64, f64)> {
    let folder = tempfile::tempdir()?;
    let volume = FileVolume::open(folder.path().join("store"))?;
    let store = block_on(Store::open(volume, &OsEntropy, engine::Options::default()))?;
    let driver = spawn_driver(store.clone())?;
    let doc = block_on(Documents::open(
        store.clone(),
        SystemClock,
        Options::default(),
    ))?;
    let object = Value::object((0..KEYS).map(|key| (format!("key{key:04}"), Value::from(text(0)))));
    block_on(doc.patch("", Patch::set(object), None))?;
    let set = |number: u64| Patch::ops(Op::set(field(number).as_str(), text(number)).ok());
    let us = each(arguments.commits, |number| {
        block_on(doc.patch_with("", set(number), None, Durability::Memory))?;
        Ok(())
    })?;
    let in_log = each((arguments.commits / 10).max(1), |number| {
        block_on(doc.patch_with("", set(number), None, Durability::Local))?;
        Ok(())
    })?;
    let last = doc.current_commit();
    block_on(async {
        let mut batch = Batch::new();
        for key in 0..KEYS as u64 {
            batch.put(BARE, format!("key{key:04}"), text(key));
        }
        store.commit(batch, Durability::Strict).await?;
        store.checkpoint().await?;
        store.reclaim().await
    })?;
    let bytes = store.size_in_use() as f64 / last as f64;
    let log = log_bytes(&store)?;
    let bare = each(arguments.reads, |number| {
        block_on(store.get(BARE, field(number).as_bytes()))?;
        Ok(())
    })?;
    let head = each(arguments.reads, |number| {
        block_on(doc.read(field(number).as_str()))?;
        Ok(())
    })?;
    let past = each(arguments.reads, |number| {
        let commit = 1 + mix(number ^ 0x77) % last;
        block_on(doc.read_at(field(number).as_str(), commit))?;
        Ok(())
    })?;
    let whole = each(50, |_| {
        block_on(doc.read(""))?;
        Ok(())
    })?;
    let strict = together(arguments.seconds, |number| {
        block_on(doc.patch("", set(number), None))?;
        Ok(())
    })?;
    block_on(doc.close())?;
    driver.stop()?;
    let figures = Figures {
        name: "littoral",
        relaxed: 1e6 / us,
        in_log: 1e6 / in_log,
        strict,
        head,
        past: Some(past),
        leaves: KEYS as f64 * 1e6 / whole,
        bytes,
    };
    Ok((figures, bare, log))
}

fn log_bytes(store: &Store<FileVolume>) -> Result<f64> {
    block_on(async {
        let mut scan = store.view().scan(LOG, KeyRange::all(), Direction::Backward);
        let (mut bytes, mut count) = (0, 0);
        while let (Some(entry), true) = (scan.next().await?, count < 10_000) {
            bytes += entry.key.len() as u64 + entry.len;
            count += 1;
        }
        Ok(bytes as f64 / f64::from(count.max(1)))
    })
}
