//! Revision rows, as PouchDB keeps them: each revision of a document is stored whole under the document's id and a number, and an index tells which one
//! wins.

use super::{
    field, first_json,
    script::{self, Document, How, Scale},
    sqlite::{Database, leaves},
    text,
};
use anyhow::Result;
use std::path::Path;

struct Revisions(Database);

pub fn run(dir: &Path, scale: Scale) -> Result<Vec<(&'static str, f64)>> {
    let database = Database::open(
        dir,
        "CREATE TABLE revision (id TEXT NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (id, number));
         CREATE TABLE winner (id TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;",
    )?;
    {
        let connection = database.lock();
        let first = "INSERT INTO revision VALUES ('doc', 0, ?1)";
        connection.execute(first, (first_json(),))?;
        connection.execute("INSERT INTO winner VALUES ('doc', 0)", ())?;
    }
    script::run(&Revisions(database), scale)
}

impl Document for Revisions {
    fn set(&self, number: u64, how: How) -> Result<()> {
        let mut connection = self.0.lock();
        self.0.prepare_for(&connection, how)?;
        let transaction = connection.transaction()?;
        transaction
            .prepare_cached(
                "INSERT INTO revision SELECT 'doc', winner.number + 1, json_set(body, '$.' || ?1, ?2)
                 FROM winner JOIN revision USING (id, number) WHERE winner.id = 'doc'",
            )?
            .execute((field(number), text(number)))?;
        transaction
            .prepare_cached("UPDATE winner SET number = number + 1 WHERE id = 'doc'")?
            .execute(())?;
        Ok(transaction.commit()?)
    }

    fn settle(&self) -> Result<u64> {
        self.0.settle()
    }

    fn head(&self, field: &str) -> Result<String> {
        let connection = self.0.lock();
        let mut query = connection.prepare_cached(
            "SELECT json_extract(body, '$.' || ?1) FROM winner JOIN revision USING (id, number) WHERE winner.id = 'doc'",
        )?;
        Ok(query.query_row((field,), |row| row.get(0))?)
    }

    fn past(&self, field: &str, number: u64) -> Result<String> {
        let connection = self.0.lock();
        let mut query = connection.prepare_cached(
            "SELECT json_extract(body, '$.' || ?1) FROM revision WHERE id = 'doc' AND number = ?2",
        )?;
        Ok(query.query_row((field, number as i64), |row| row.get(0))?)
    }

    fn whole(&self) -> Result<usize> {
        let connection = self.0.lock();
        let mut query = connection.prepare_cached(
            "SELECT body FROM winner JOIN revision USING (id, number) WHERE winner.id = 'doc'",
        )?;
        let body: String = query.query_row((), |row| row.get(0))?;
        leaves(&body)
    }
}
