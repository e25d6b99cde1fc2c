//! Littoral: blobs through `blob::EngineBlobs`, everything else through `engine::Store`, over a
//! file, as it comes and with mapped reads. Its driver has a thread of its own; every other call runs on
//! the thread that makes it.

use super::CACHE;
use crate::{
    data::Key,
    native::contender::{Contender, Entry, Reader, Store, Table},
};
use anyhow::{Context, Result};
use bytes::Bytes;
use littoral::{Driver, FileOptions, FileVolume, OsEntropy, block_on, spawn_driver};
use littoral_core::{
    Kind,
    blob::{BlobStore, EngineBlobs, Pointer, space::WHOLE},
    engine::{self, Batch, Direction, Durability, KeyRange, Options, Space, View},
};
use std::{path::Path, thread};

pub struct Littoral;

impl Contender for Littoral {
    fn name(&self) -> &'static str {
        super::LITTORAL
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Store>> {
        Ok(Box::new(open(dir)?))
    }
}

/// The same, over a file that is mapped into memory.
pub struct Mapped;

impl Contender for Mapped {
    fn name(&self) -> &'static str {
        super::MAPPED
    }

    fn leaves_out(&self, workload: &str) -> Option<&'static str> {
        match workload {
            "load" | "small" => None,
            _ => Some("mapped reads make no difference there"),
        }
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Store>> {
        Ok(Box::new(open_with(dir, FileOptions::new().map_reads())?))
    }
}

/// The store in `dir`, with the same budget of memory as everybody's cache.
pub fn open(dir: &Path) -> Result<LittoralStore> {
    open_with(dir, FileOptions::new())
}

fn open_with(dir: &Path, file: FileOptions) -> Result<LittoralStore> {
    let mut options = Options::default();
    options.memory_budget = CACHE;
    let volume = file.open(dir.join("store"))?;
    let store = block_on(engine::Store::open(volume, &OsEntropy, options))?;
    let driver = spawn_driver(store.clone())?;
    let blobs = EngineBlobs::new(store.clone());
    Ok(LittoralStore {
        store,
        blobs,
        driver,
    })
}

pub struct LittoralStore {
    store: engine::Store<FileVolume>,
    pub blobs: EngineBlobs<FileVolume>,
    driver: Driver,
}

impl LittoralStore {
    /// Batches that nobody waits for, up to one that is synced at the end: a commit survives only
    /// with all that came before it.
    async fn load<T>(
        &self,
        entries: impl Iterator<Item = T>,
        add: impl Fn(&mut Batch, T) -> usize,
    ) -> Result<()> {
        let mut batch = Batch::new();
        let mut bytes = 0;
        for entry in entries {
            bytes += add(&mut batch, entry);
            if bytes >= LOAD {
                let full = std::mem::take(&mut batch);
                self.store.commit(full, Durability::Memory).await?;
                bytes = 0;
            }
        }
        self.store.commit(batch, Durability::Memory).await?;
        Ok(())
    }

    /// Everything that was loaded is durable.
    fn sync(&self) -> Result<()> {
        block_on(self.store.commit(Batch::new(), Durability::Strict))?;
        Ok(())
    }
}

/// Bytes in one batch of a load.
const LOAD: usize = 1 << 20;

fn space(table: Table) -> Space {
    match table {
        Table::Records => Space(0x80),
        Table::Blobs => WHOLE,
        Table::Pairs => Space(0x81),
    }
}

impl Store for LittoralStore {
    fn commit(&self, key: &[u8], value: Bytes) -> Result<()> {
        let mut batch = Batch::new();
        batch.put(space(Table::Records), Bytes::copy_from_slice(key), value);
        block_on(self.store.commit(batch, Durability::Strict))?;
        Ok(())
    }

    fn put(&self, value: Bytes) -> Result<Key> {
        Ok(*block_on(self.blobs.put(value))?.as_bytes())
    }

    fn load_blobs(&self, values: Vec<Bytes>) -> Result<()> {
        let load = |part: &[Bytes]| {
            block_on(self.load(part.iter().cloned(), |batch, value| {
                let len = value.len();
                self.blobs.put_in(batch, Pointer::of(&value), value);
                len
            }))
        };
        thread::scope(|scope| {
            let threads: Vec<_> = super::parts(&values)
                .map(|part| scope.spawn(move || load(part)))
                .collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().ok().context("a loader panicked")?)
        })?;
        self.sync()
    }

    fn load_pairs(&self, pairs: Vec<(Bytes, Bytes)>) -> Result<()> {
        block_on(self.load(pairs.into_iter(), |batch, (key, value)| {
            let len = key.len() + value.len();
            batch.put(space(Table::Pairs), key, value);
            len
        }))?;
        self.sync()
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(LittoralReader {
            blobs: &self.blobs,
            view: self.store.view(),
        }))
    }

    fn settle(&mut self) -> Result<()> {
        block_on(async {
            self.store.checkpoint().await?;
            self.store.reclaim().await?;
            Ok(())
        })
    }

    fn close(self: Box<Self>) -> Result<()> {
        block_on(self.store.close())?;
        Ok(self.driver.stop()?)
    }
}

struct LittoralReader<'a> {
    blobs: &'a EngineBlobs<FileVolume>,
    view: View<FileVolume>,
}

impl Reader for LittoralReader<'_> {
    fn get(&mut self, table: Table, entry: Entry, see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        if table == Table::Blobs {
            let pointer = Pointer::from_bytes(entry.key.try_into()?);
            match block_on(self.blobs.get(&pointer)) {
                Ok(value) => see(&value),
                Err(error) if error.kind() == Kind::NotFound => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            return Ok(true);
        }
        let found = block_on(self.view.get(space(table), entry.key))?;
        if let Some(value) = &found {
            see(value);
        }
        Ok(found.is_some())
    }

    fn scan(&mut self, table: Table, _len: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        block_on(async {
            let range = KeyRange::all();
            let mut scan = self.view.scan(space(table), range, Direction::Forward);
            while let Some(entry) = scan.next().await? {
                see(&entry.key, &scan.value().await?);
            }
            Ok(())
        })
    }
}
