//! Littoral's document over a file.

use super::{
    KEYS, field, key,
    script::{self, Document, How, Scale, each},
    text,
};
use anyhow::{Context, Result};
use littoral::{FileVolume, OsEntropy, SystemClock, block_on, spawn_driver};
use littoral_core::{
    doc::{Documents, Op, Options, Patch, Value},
    engine::{self, Batch, Durability, Space, Store},
};
use std::path::Path;

/// A space of one's own, for bare gets.
const BARE: Space = Space(0x80);

/// The object before the first commit.
pub fn first() -> Value {
    Value::object((0..KEYS).map(|at| (key(at), Value::from(text(0)))))
}

/// The patch of commit `number`.
pub fn patch(number: u64) -> Patch {
    Patch::ops(Op::set(field(number).as_str(), text(number)).ok())
}

struct Littoral {
    store: Store<FileVolume>,
    doc: Documents<FileVolume, SystemClock>,
    /// The commit before the first that is measured.
    base: u64,
}

pub fn run(dir: &Path, scale: Scale) -> Result<Vec<(&'static str, f64)>> {
    let volume = FileVolume::open(dir.join("store"))?;
    let store = block_on(Store::open(volume, &OsEntropy, engine::Options::default()))?;
    let driver = spawn_driver(store.clone())?;
    let options = Options::default();
    let doc = block_on(Documents::open(store.clone(), SystemClock, options))?;
    let base = block_on(doc.patch("", Patch::set(first()), None))?;
    let littoral = Littoral { store, doc, base };
    let figures = script::run(&littoral, scale);
    block_on(littoral.doc.close())?;
    driver.stop()?;
    figures
}

impl Document for Littoral {
    fn set(&self, number: u64, how: How) -> Result<()> {
        let durability = match how {
            How::Relaxed => Durability::Memory,
            How::Logged => Durability::Local,
            How::Durable => Durability::Strict,
        };
        block_on(self.doc.patch_with("", patch(number), None, durability))?;
        Ok(())
    }

    fn settle(&self) -> Result<u64> {
        block_on(async {
            self.store.checkpoint().await?;
            self.store.reclaim().await
        })?;
        Ok(self.store.size_in_use())
    }

    fn head(&self, field: &str) -> Result<String> {
        string(block_on(self.doc.read(field))?)
    }

    fn past(&self, field: &str, number: u64) -> Result<String> {
        string(block_on(self.doc.read_at(field, self.base + number))?)
    }

    fn whole(&self) -> Result<usize> {
        match block_on(self.doc.read(""))? {
            Value::Object(fields) => Ok(fields.len()),
            _ => anyhow::bail!("no object"),
        }
    }

    /// A bare get of as many keys, as long as the others read.
    fn more(&self, scale: Scale) -> Result<Vec<(&'static str, f64)>> {
        block_on(async {
            let mut batch = Batch::new();
            for at in 0..KEYS {
                batch.put(BARE, key(at), text(at as u64));
            }
            self.store.commit(batch, Durability::Strict).await?;
            self.store.checkpoint().await?;
            self.store.reclaim().await
        })?;
        let get = each(scale.reading, |number| {
            let value = block_on(self.store.get(BARE, field(number).as_bytes()))?;
            value.context("a bare get").map(drop)
        })?;
        Ok(vec![("get", get)])
    }
}

fn string(value: Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        other => anyhow::bail!("{other:?} is no string"),
    }
}
