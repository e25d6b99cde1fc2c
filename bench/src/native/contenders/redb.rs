//! redb: a copy-on-write B-tree in one file. Commits are durable by default.

use super::{CACHE, hashed_in_order, in_order};
use crate::{
    data::{Key, key_of},
    native::contender::{Contender, Entry, Reader, Store, Table},
};
use anyhow::Result;
use bytes::Bytes;
use redb::{Builder, Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition};
use std::path::Path;

pub struct Redb;

impl Contender for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Store>> {
        let path = dir.join("redb");
        let is_new = !path.exists();
        let db = Builder::new().set_cache_size(CACHE).create(path)?;
        if is_new {
            let transaction = db.begin_write()?;
            for table in [Table::Records, Table::Blobs, Table::Pairs] {
                transaction.open_table(definition(table))?;
            }
            transaction.commit()?;
        }
        Ok(Box::new(RedbStore(db)))
    }
}

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

fn definition(table: Table) -> Definition {
    TableDefinition::new(match table {
        Table::Records => "records",
        Table::Blobs => "blobs",
        Table::Pairs => "pairs",
    })
}

struct RedbStore(Database);

impl RedbStore {
    fn insert<K: AsRef<[u8]>>(
        &self,
        table: Table,
        entries: impl IntoIterator<Item = (K, Bytes)>,
    ) -> Result<()> {
        let transaction = self.0.begin_write()?;
        {
            let mut table = transaction.open_table(definition(table))?;
            for (key, value) in entries {
                table.insert(key.as_ref(), value.as_ref())?;
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Store for RedbStore {
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
        let transaction = self.0.begin_read()?;
        Ok(Box::new(RedbReader {
            records: transaction.open_table(definition(Table::Records))?,
            blobs: transaction.open_table(definition(Table::Blobs))?,
            pairs: transaction.open_table(definition(Table::Pairs))?,
            _transaction: transaction,
        }))
    }

    fn settle(&mut self) -> Result<()> {
        while self.0.compact()? {}
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

type Opened = ReadOnlyTable<&'static [u8], &'static [u8]>;

struct RedbReader {
    records: Opened,
    blobs: Opened,
    pairs: Opened,
    _transaction: ReadTransaction,
}

impl RedbReader {
    fn table(&self, table: Table) -> &Opened {
        match table {
            Table::Records => &self.records,
            Table::Blobs => &self.blobs,
            Table::Pairs => &self.pairs,
        }
    }
}

impl Reader for RedbReader {
    fn get(&mut self, table: Table, entry: Entry, see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.table(table).get(entry.key)?;
        if let Some(value) = &found {
            see(value.value());
        }
        Ok(found.is_some())
    }

    fn scan(&mut self, table: Table, _len: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for entry in self.table(table).range::<&[u8]>(..)? {
            let (key, value) = entry?;
            see(key.value(), value.value());
        }
        Ok(())
    }
}
