//! RocksDB: a log-structured tree with write groups. Every commit asks for `sync`; log files are
//! used again, which spares the file system's journal; blobs are kept in blob files. Nothing is
//! compressed, since nothing here can be.

use super::{CACHE, hashed_in_order, in_order};
use crate::{
    data::{Key, key_of},
    native::contender::{Contender, Entry, Reader, Store, Table},
};
use anyhow::{Context, Result};
use bytes::Bytes;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    IngestExternalFileOptions, IteratorMode, Options, ReadOptions, SnapshotWithThreadMode,
    SstFileWriter, WaitForCompactOptions, WriteOptions,
};
use std::path::Path;

pub struct Rocksdb;

impl Contender for Rocksdb {
    fn name(&self) -> &'static str {
        "rocksdb"
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Store>> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.increase_parallelism(2);
        options.set_recycle_log_file_num(4);

        let cache = Cache::new_lru_cache(CACHE);
        let tables = [Table::Records, Table::Blobs, Table::Pairs]
            .map(|table| ColumnFamilyDescriptor::new(name(table), table_options(table, &cache)));
        let db = DB::open_cf_descriptors(&options, dir.join("rocksdb"), tables)?;
        Ok(Box::new(RocksdbStore(db, cache)))
    }
}

fn name(table: Table) -> &'static str {
    match table {
        Table::Records => "records",
        Table::Blobs => "blobs",
        Table::Pairs => "pairs",
    }
}

fn table_options(table: Table, cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::None);
    if table == Table::Blobs {
        options.set_enable_blob_files(true);
        options.set_min_blob_size(1024);
        options.set_blob_compression_type(DBCompressionType::None);
    }
    options
}

struct RocksdbStore(DB, Cache);

impl RocksdbStore {
    fn table(&self, table: Table) -> Result<&ColumnFamily> {
        self.0
            .cf_handle(name(table))
            .context("a column family that was made at opening")
    }

    fn insert(&self, table: Table, key: &[u8], value: &[u8]) -> Result<()> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self
            .0
            .put_cf_opt(self.table(table)?, key, value, &options)?)
    }

    /// A sorted file that is taken in whole, synced.
    fn load<K: AsRef<[u8]>>(&self, table: Table, entries: Vec<(K, Bytes)>) -> Result<()> {
        let options = table_options(table, &self.1);
        let path = self.0.path().with_extension("load");
        let mut writer = SstFileWriter::create(&options);
        writer.open(&path)?;
        for (key, value) in entries {
            writer.put(key, value)?;
        }
        writer.finish()?;
        let mut ingest = IngestExternalFileOptions::default();
        ingest.set_move_files(true);
        let handle = self.table(table)?;
        Ok(self
            .0
            .ingest_external_file_cf_opts(handle, &ingest, vec![path])?)
    }
}

impl Store for RocksdbStore {
    fn commit(&self, key: &[u8], value: Bytes) -> Result<()> {
        self.insert(Table::Records, key, &value)
    }

    fn put(&self, value: Bytes) -> Result<Key> {
        let key = key_of(&value);
        self.insert(Table::Blobs, &key, &value)?;
        Ok(key)
    }

    fn load_blobs(&self, values: Vec<Bytes>) -> Result<()> {
        self.load(Table::Blobs, hashed_in_order(values)?)
    }

    fn load_pairs(&self, pairs: Vec<(Bytes, Bytes)>) -> Result<()> {
        self.load(Table::Pairs, in_order(pairs))
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(RocksdbReader {
            store: self,
            snapshot: self.0.snapshot(),
        }))
    }

    fn settle(&mut self) -> Result<()> {
        for table in [Table::Records, Table::Blobs, Table::Pairs] {
            let handle = self.table(table)?;
            self.0.flush_cf(handle)?;
            self.0
                .compact_range_cf(handle, None::<&[u8]>, None::<&[u8]>);
        }
        Ok(self.0.wait_for_compact(&WaitForCompactOptions::default())?)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.0.cancel_all_background_work(true);
        Ok(())
    }
}

struct RocksdbReader<'a> {
    store: &'a RocksdbStore,
    snapshot: SnapshotWithThreadMode<'a, DB>,
}

impl Reader for RocksdbReader<'_> {
    fn get(&mut self, table: Table, entry: Entry, see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let mut options = ReadOptions::default();
        options.set_snapshot(&self.snapshot);
        let handle = self.store.table(table)?;
        let found = self
            .store
            .0
            .get_pinned_cf_opt(handle, entry.key, &options)?;
        if let Some(value) = &found {
            see(value);
        }
        Ok(found.is_some())
    }

    fn scan(&mut self, table: Table, _len: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let handle = self.store.table(table)?;
        for entry in self.snapshot.iterator_cf(handle, IteratorMode::Start) {
            let (key, value) = entry?;
            see(&key, &value);
        }
        Ok(())
    }
}
