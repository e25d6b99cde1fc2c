//! SQLite with a JSON column, changed by `json_set`; and a row for each change, from which a past state is put together: the last change of the
//! field up to that commit.

use super::{
    field, first_json,
    script::{self, Document, How, Scale},
    text,
};
use anyhow::Result;
use rusqlite::{Connection, OptionalExtension};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One connection behind a lock, and what a file takes when everything is in it.
pub struct Database {
    connection: Mutex<Connection>,
    file: PathBuf,
}

impl Database {
    pub fn open(dir: &Path, schema: &str) -> Result<Database> {
        let file = dir.join("sqlite");
        let connection = Connection::open(&file)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768;",
        )?;
        connection.execute_batch(schema)?;
        let connection = Mutex::new(connection);
        Ok(Database { connection, file })
    }

    pub fn lock(&self) -> MutexGuard<'_, Connection> {
        let locked = self.connection.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    /// With `NORMAL`, a commit is in the log when it returns, and synced with the next checkpoint.
    pub fn prepare_for(&self, connection: &Connection, how: How) -> Result<()> {
        let synchronous = match how {
            How::Durable => "FULL",
            _ => "NORMAL",
        };
        Ok(connection.pragma_update(None, "synchronous", synchronous)?)
    }

    pub fn settle(&self) -> Result<u64> {
        let settle = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.lock().query_row(settle, (), |_| Ok(()))?;
        Ok(fs::metadata(&self.file)?.len())
    }
}

struct Column(Database);

pub fn run(dir: &Path, scale: Scale) -> Result<Vec<(&'static str, f64)>> {
    let database = Database::open(
        dir,
        "CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
         CREATE TABLE log (number INTEGER PRIMARY KEY, field TEXT NOT NULL, value TEXT NOT NULL);
         CREATE INDEX by_field ON log (field, number);",
    )?;
    let first = "INSERT INTO doc VALUES (1, ?1)";
    database.lock().execute(first, (first_json(),))?;
    script::run(&Column(database), scale)
}

impl Document for Column {
    fn set(&self, number: u64, how: How) -> Result<()> {
        let mut connection = self.0.lock();
        self.0.prepare_for(&connection, how)?;
        let transaction = connection.transaction()?;
        let (field, text) = (field(number), text(number));
        transaction
            .prepare_cached("UPDATE doc SET body = json_set(body, '$.' || ?1, ?2) WHERE id = 1")?
            .execute((&field, &text))?;
        transaction
            .prepare_cached("INSERT INTO log (field, value) VALUES (?1, ?2)")?
            .execute((&field, &text))?;
        Ok(transaction.commit()?)
    }

    fn settle(&self) -> Result<u64> {
        self.0.settle()
    }

    fn head(&self, field: &str) -> Result<String> {
        let connection = self.0.lock();
        let mut query = connection
            .prepare_cached("SELECT json_extract(body, '$.' || ?1) FROM doc WHERE id = 1")?;
        Ok(query.query_row((field,), |row| row.get(0))?)
    }

    fn past(&self, field: &str, number: u64) -> Result<String> {
        let connection = self.0.lock();
        let mut query = connection.prepare_cached(
            "SELECT value FROM log WHERE field = ?1 AND number <= ?2 ORDER BY number DESC LIMIT 1",
        )?;
        let found = query.query_row((field, number as i64), |row| row.get(0));
        // Not changed by then: what it was made with.
        Ok(found.optional()?.unwrap_or_else(|| text(0)))
    }

    fn whole(&self) -> Result<usize> {
        let connection = self.0.lock();
        let mut query = connection.prepare_cached("SELECT body FROM doc WHERE id = 1")?;
        let body: String = query.query_row((), |row| row.get(0))?;
        leaves(&body)
    }
}

/// The values of an object, read into memory.
pub fn leaves(json: &str) -> Result<usize> {
    let object: serde_json::Value = serde_json::from_str(json)?;
    Ok(object.as_object().map_or(0, serde_json::Map::len))
}
