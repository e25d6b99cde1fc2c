//! SQLite: write-ahead log, `synchronous=FULL`. One connection writes, behind a mutex, since SQLite
//! has one writer at a time and waiting here is cheaper than its busy handler; each reader has its own.

use super::{CACHE, hashed_in_order, in_order};
use crate::{
    data::{Key, key_of},
    native::contender::{Contender, Entry, Reader, Store, Table},
};
use anyhow::{Context, Result};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

pub struct Sqlite;

impl Contender for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Store>> {
        let path = dir.join("sqlite");
        let connection = connect(&path)?;
        // Its documentation advises WITHOUT ROWID for small rows and against it for large ones.
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS records (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS blobs (key BLOB PRIMARY KEY, value BLOB NOT NULL);
             CREATE TABLE IF NOT EXISTS pairs (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
        )?;
        Ok(Box::new(SqliteStore {
            path,
            writer: Mutex::new(connection),
        }))
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -{};",
        CACHE >> 10
    ))?;
    Ok(connection)
}

fn insert(table: Table) -> &'static str {
    match table {
        Table::Records => "INSERT OR REPLACE INTO records VALUES (?1, ?2)",
        Table::Blobs => "INSERT INTO blobs VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        Table::Pairs => "INSERT OR REPLACE INTO pairs VALUES (?1, ?2)",
    }
}

fn select(table: Table) -> &'static str {
    match table {
        Table::Records => "SELECT value FROM records WHERE key = ?1",
        Table::Blobs => "SELECT value FROM blobs WHERE key = ?1",
        Table::Pairs => "SELECT value FROM pairs WHERE key = ?1",
    }
}

fn select_all(table: Table) -> &'static str {
    match table {
        Table::Records => "SELECT key, value FROM records ORDER BY key",
        Table::Blobs => "SELECT key, value FROM blobs ORDER BY key",
        Table::Pairs => "SELECT key, value FROM pairs ORDER BY key",
    }
}

struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Connection>,
}

impl SqliteStore {
    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, table: Table, key: &[u8], value: &[u8]) -> Result<()> {
        self.writer()
            .prepare_cached(insert(table))?
            .execute((key, value))?;
        Ok(())
    }

    fn load<K: AsRef<[u8]>>(&self, table: Table, entries: Vec<(K, Bytes)>) -> Result<()> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        {
            let mut statement = transaction.prepare_cached(insert(table))?;
            for (key, value) in entries {
                statement.execute((key.as_ref(), value.as_ref()))?;
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Store for SqliteStore {
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
        let connection = connect(&self.path)?;
        connection.execute_batch("BEGIN")?;
        Ok(Box::new(SqliteReader(connection)))
    }

    fn settle(&mut self) -> Result<()> {
        self.writer()
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))?;
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        let writer = self
            .writer
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        writer
            .close()
            .map_err(|(_, error)| error)
            .context("closing SQLite")
    }
}

struct SqliteReader(Connection);

impl Reader for SqliteReader {
    fn get(&mut self, table: Table, entry: Entry, see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self
            .0
            .prepare_cached(select(table))?
            .query_row((entry.key,), |row| {
                see(row.get_ref(0)?.as_blob()?);
                Ok(())
            })
            .optional()?;
        Ok(found.is_some())
    }

    fn scan(&mut self, table: Table, _len: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let mut statement = self.0.prepare_cached(select_all(table))?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            see(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
        }
        Ok(())
    }
}
