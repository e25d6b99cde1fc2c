//! fjall: a log-structured tree. Blobs are kept apart from their keys, as its documentation advises
//! for large values; nothing is compressed, since nothing here can be.

use super::{CACHE, hashed_in_order, in_order};
use crate::{
    data::{Key, key_of},
    native::contender::{Contender, Entry, Reader, Store, Table},
};
use anyhow::Result;
use bytes::Bytes;
use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode,
    Readable, Snapshot, config::CompressionPolicy,
};
use std::path::Path;

pub struct Fjall;

impl Contender for Fjall {
    fn name(&self) -> &'static str {
        "fjall"
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Store>> {
        let db = Database::builder(dir.join("fjall"))
            .cache_size(CACHE as u64)
            .journal_compression(CompressionType::None)
            .open()?;
        let plain = || {
            KeyspaceCreateOptions::default()
                .data_block_compression_policy(CompressionPolicy::disabled())
        };
        let apart = || {
            let options = KvSeparationOptions::default().compression(CompressionType::None);
            plain().with_kv_separation(Some(options))
        };
        Ok(Box::new(FjallStore {
            records: db.keyspace("records", plain)?,
            blobs: db.keyspace("blobs", apart)?,
            pairs: db.keyspace("pairs", plain)?,
            db,
        }))
    }
}

struct FjallStore {
    db: Database,
    records: Keyspace,
    blobs: Keyspace,
    pairs: Keyspace,
}

impl FjallStore {
    fn table(&self, table: Table) -> &Keyspace {
        match table {
            Table::Records => &self.records,
            Table::Blobs => &self.blobs,
            Table::Pairs => &self.pairs,
        }
    }

    fn insert(&self, table: Table, key: &[u8], value: Bytes) -> Result<()> {
        self.table(table).insert(key, value.as_ref())?;
        Ok(self.db.persist(PersistMode::SyncData)?)
    }

    /// Entries in key order straight into tables, past the journal.
    fn ingest<K: AsRef<[u8]>>(&self, table: Table, entries: Vec<(K, Bytes)>) -> Result<()> {
        let mut ingestion = self.table(table).start_ingestion()?;
        for (key, value) in entries {
            ingestion.write(key.as_ref(), value.as_ref())?;
        }
        ingestion.finish()?;
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }
}

impl Store for FjallStore {
    fn commit(&self, key: &[u8], value: Bytes) -> Result<()> {
        self.insert(Table::Records, key, value)
    }

    fn put(&self, value: Bytes) -> Result<Key> {
        let key = key_of(&value);
        self.insert(Table::Blobs, &key, value)?;
        Ok(key)
    }

    fn load_blobs(&self, values: Vec<Bytes>) -> Result<()> {
        self.ingest(Table::Blobs, hashed_in_order(values)?)
    }

    fn load_pairs(&self, pairs: Vec<(Bytes, Bytes)>) -> Result<()> {
        self.ingest(Table::Pairs, in_order(pairs))
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(FjallReader {
            store: self,
            snapshot: self.db.snapshot(),
        }))
    }

    fn settle(&mut self) -> Result<()> {
        for table in [&self.records, &self.blobs, &self.pairs] {
            table.rotate_memtable_and_wait()?;
            table.major_compact()?;
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }
}

struct FjallReader<'a> {
    store: &'a FjallStore,
    snapshot: Snapshot,
}

impl Reader for FjallReader<'_> {
    fn get(&mut self, table: Table, entry: Entry, see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.snapshot.get(self.store.table(table), entry.key)?;
        if let Some(value) = &found {
            see(value);
        }
        Ok(found.is_some())
    }

    fn scan(&mut self, table: Table, _len: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for entry in self.snapshot.iter(self.store.table(table)) {
            let (key, value) = entry.into_inner()?;
            see(&key, &value);
        }
        Ok(())
    }
}
