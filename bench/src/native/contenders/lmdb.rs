//! LMDB through heed: a copy-on-write B-tree that is mapped into memory. Durable by default.

use super::{hashed_in_order, in_order};
use crate::{
    data::{Key, key_of},
    native::contender::{Contender, Entry, Reader, Store, Table},
};
use anyhow::{Context, Result};
use bytes::Bytes;
use heed::{CommitOrAbort, Env, EnvOpenOptions, RoTxn, WithTls, types::Bytes as Raw};
use std::path::Path;

pub struct Lmdb;

/// Address space for the map; the file grows as it is filled.
const MAP: usize = 64 << 30;

impl Contender for Lmdb {
    fn name(&self) -> &'static str {
        "lmdb"
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Store>> {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP).max_dbs(3).max_readers(128);
        // SAFETY: nobody else touches the file while it is mapped; the directory is ours.
        let env = unsafe { options.open(dir)? };
        let tables = env
            .create_databases_and_commit(env.write_txn()?, |opener, transaction| {
                Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((
                    opener.create_database(transaction, Some("records"))?,
                    opener.create_database(transaction, Some("blobs"))?,
                    opener.create_database(transaction, Some("pairs"))?,
                )))
            })?
            .commit()
            .context("LMDB did not make its tables")?;
        Ok(Box::new(LmdbStore { env, tables }))
    }
}

type Database = heed::Database<'static, Raw, Raw>;

struct LmdbStore {
    env: Env,
    tables: (Database, Database, Database),
}

impl LmdbStore {
    fn table(&self, table: Table) -> &Database {
        match table {
            Table::Records => &self.tables.0,
            Table::Blobs => &self.tables.1,
            Table::Pairs => &self.tables.2,
        }
    }

    fn insert<K: AsRef<[u8]>>(
        &self,
        table: Table,
        entries: impl IntoIterator<Item = (K, Bytes)>,
    ) -> Result<()> {
        let mut transaction = self.env.write_txn()?;
        for (key, value) in entries {
            self.table(table)
                .put(&mut transaction, key.as_ref(), &value)?;
        }
        Ok(transaction.commit()?)
    }
}

impl Store for LmdbStore {
    fn commit(&self, key: &[u8], value: Bytes) -> Result<()> {
        self.insert(Table::Records, [(key, value)])
    }

    fn put(&self, value: Bytes) -> Result<Key> {
        let key = key_of(&value);
        self.insert(Table::Blobs, [(key, value)])?;
        Ok(key)
    }

    fn load_blobs(&self, values: Vec<Bytes>) -> Result<()> {
        self.insert(Table::Blobs, hashed_in_order(values)?)
    }

    fn load_pairs(&self, pairs: Vec<(Bytes, Bytes)>) -> Result<()> {
        self.insert(Table::Pairs, in_order(pairs))
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(LmdbReader {
            store: self,
            transaction: self.env.read_txn()?,
        }))
    }

    fn settle(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.env.prepare_for_closing().wait();
        Ok(())
    }
}

struct LmdbReader<'a> {
    store: &'a LmdbStore,
    transaction: RoTxn<'a, WithTls>,
}

impl Reader for LmdbReader<'_> {
    fn get(&mut self, table: Table, entry: Entry, see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.store.table(table).get(&self.transaction, entry.key)?;
        if let Some(value) = found {
            see(value);
        }
        Ok(found.is_some())
    }

    fn scan(&mut self, table: Table, _len: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for entry in self.store.table(table).iter(&self.transaction)? {
            let (key, value) = entry?;
            see(key, value);
        }
        Ok(())
    }
}
