//! SQLite with a JSON column, changed by `json_set`; and a row for each change, from which a past state is put together: the last change of the
//! field up to that commit.

use super::{Arguments, Figures, KEYS, each, field, mix, text, together};
use anyhow::Result;
use rusqlite::Connection;
use std::{fs, path::Path, sync::Mutex};

pub fn run(arguments: &Arguments) -> Result<Figures> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("sqlite");
    let connection = open(&file, "NORMAL")?;
    connection.execute_batch(
        "CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
         CREATE TABLE log (number INTEGER PRIMARY KEY, field TEXT NOT NULL, value TEXT NOT NULL);
         CREATE INDEX by_field ON log (field, number);",
    )?;
    let object: Vec<String> = (0..KEYS)
        .map(|key| format!("\"key{key:04}\":\"{}\"", text(0)))
        .collect();
    let object = format!("{{{}}}", object.join(","));
    connection.execute("INSERT INTO doc VALUES (1, ?1)", (object,))?;
    let writer = Mutex::new(connection);
    let commit = |number: u64| -> Result<()> {
        let mut writer = writer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let transaction = writer.transaction()?;
        let (field, text) = (field(number), text(number));
        transaction
            .prepare_cached("UPDATE doc SET body = json_set(body, '$.' || ?1, ?2) WHERE id = 1")?
            .execute((&field, &text))?;
        transaction
            .prepare_cached("INSERT INTO log (field, value) VALUES (?1, ?2)")?
            .execute((&field, &text))?;
        Ok(transaction.commit()?)
    };
    // It rewrites the object each time: a tenth of the commits is enough to know its speed.
    let commits = (arguments.commits / 10).max(1);
    let us = each(commits, commit)?;
    let settle = "PRAGMA wal_checkpoint(TRUNCATE)";
    let locked = || {
        writer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    };
    locked().query_row(settle, (), |_| Ok(()))?;
    let bytes = fs::metadata(&file)?.len() as f64 / commits as f64;
    let head = each(arguments.reads, |number| {
        let reader = locked();
        let mut query =
            reader.prepare_cached("SELECT json_extract(body, '$.' || ?1) FROM doc WHERE id = 1")?;
        query.query_row((field(number),), |row| row.get::<_, String>(0))?;
        Ok(())
    })?;
    let past = each(arguments.reads, |number| {
        let reader = locked();
        let mut query = reader.prepare_cached(
            "SELECT value FROM log WHERE field = ?1 AND number <= ?2 ORDER BY number DESC LIMIT 1",
        )?;
        let commit = (1 + mix(number ^ 0x77) % commits) as i64;
        let mut rows = query.query((field(number), commit))?;
        rows.next()?;
        Ok(())
    })?;
    let whole = each(50, |_| {
        let reader = locked();
        let body: String =
            reader.query_row("SELECT body FROM doc WHERE id = 1", (), |row| row.get(0))?;
        let _: serde_json::Value = serde_json::from_str(&body)?;
        Ok(())
    })?;
    locked().execute_batch("PRAGMA synchronous = FULL")?;
    let strict = together(arguments.seconds, commit)?;
    Ok(Figures {
        name: "sqlite, JSON column",
        relaxed: 1e6 / us,
        in_log: 1e6 / us,
        strict,
        head,
        past: Some(past),
        leaves: KEYS as f64 * 1e6 / whole,
        bytes,
    })
}

fn open(file: &Path, synchronous: &str) -> Result<Connection> {
    let connection = Connection::open(file)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA cache_size = -32768;"
    ))?;
    Ok(connection)
}
