//! Littoral: `engine::Store` over a file, with its driver on a thread of its own and every other
//! call on the thread that makes it.

use super::CACHE;
use crate::{
    data::{Key, key_of},
    native::contender::{Contender, Entry, Reader, Store, Table},
};
use anyhow::Result;
use bytes::Bytes;
use littoral::{Driver, FileVolume, OsEntropy, block_on, spawn_driver};
use littoral_core::engine::{self, Batch, Direction, Durability, KeyRange, Options, Space, View};
use std::path::Path;

pub struct Littoral;

impl Contender for Littoral {
    fn name(&self) -> &'static str {
        super::LITTORAL
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Store>> {
        let mut options = Options::default();
        options.memory_budget = CACHE;
        let volume = FileVolume::open(dir.join("store"))?;
        let store = block_on(engine::Store::open(volume, &OsEntropy, options))?;
        let driver = spawn_driver(store.clone())?;
        Ok(Box::new(LittoralStore { store, driver }))
    }
}

fn space(table: Table) -> Space {
    match table {
        Table::Records => Space(0x80),
        Table::Blobs => Space(0x81),
        Table::Pairs => Space(0x82),
    }
}

struct LittoralStore {
    store: engine::Store<FileVolume>,
    driver: Driver,
}

impl LittoralStore {
    fn insert(&self, table: Table, key: &[u8], value: Bytes) -> Result<()> {
        let mut batch = Batch::new();
        batch.put(space(table), Bytes::copy_from_slice(key), value);
        block_on(self.store.commit(batch, Durability::Strict))?;
        Ok(())
    }

    /// Batches that nobody waits for, and one that is synced at the end: a commit survives only
    /// with all that came before it.
    fn load(&self, table: Table, entries: impl Iterator<Item = (Bytes, Bytes)>) -> Result<()> {
        block_on(async {
            let mut batch = Batch::new();
            let mut bytes = 0;
            for (key, value) in entries {
                bytes += key.len() + value.len();
                batch.put(space(table), key, value);
                if bytes >= LOAD {
                    let full = std::mem::take(&mut batch);
                    self.store.commit(full, Durability::Memory).await?;
                    bytes = 0;
                }
            }
            self.store.commit(batch, Durability::Strict).await?;
            Ok(())
        })
    }
}

/// Bytes in one batch of a load.
const LOAD: usize = 1 << 20;

impl Store for LittoralStore {
    fn commit(&self, key: &[u8], value: Bytes) -> Result<()> {
        self.insert(Table::Records, key, value)
    }

    fn put(&self, value: Bytes) -> Result<Key> {
        let key = key_of(&value);
        self.insert(Table::Blobs, &key, value)?;
        Ok(key)
    }

    fn load_blobs(&self, values: Vec<Bytes>) -> Result<()> {
        let hashed = values
            .into_iter()
            .map(|value| (Bytes::copy_from_slice(&key_of(&value)), value));
        self.load(Table::Blobs, hashed)
    }

    fn load_pairs(&self, pairs: Vec<(Bytes, Bytes)>) -> Result<()> {
        self.load(Table::Pairs, pairs.into_iter())
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(LittoralReader(self.store.view())))
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

struct LittoralReader(View<FileVolume>);

impl Reader for LittoralReader {
    fn get(&mut self, table: Table, entry: Entry, see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = block_on(self.0.get(space(table), entry.key))?;
        if let Some(value) = &found {
            see(value);
        }
        Ok(found.is_some())
    }

    fn scan(&mut self, table: Table, _len: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        block_on(async {
            let mut scan = self
                .0
                .scan(space(table), KeyRange::all(), Direction::Forward);
            while let Some(entry) = scan.next().await? {
                see(&entry.key, &scan.value().await?);
            }
            Ok(())
        })
    }
}
