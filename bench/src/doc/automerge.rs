//! Automerge: the document in memory, and each change appended to a file. A past state is read at the heads that there were after a commit.

use super::{
    KEYS, field, key,
    script::{self, Document, How, Scale},
    text,
};
use anyhow::{Context, Result};
use automerge::{AutoCommit, ChangeHash, ROOT, ReadDoc, transaction::Transactable};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

struct Automerge {
    open: Mutex<Open>,
    dir: PathBuf,
}

struct Open {
    doc: AutoCommit,
    /// The change that each commit was.
    changes: Vec<ChangeHash>,
    log: File,
}

pub fn run(dir: &Path, scale: Scale) -> Result<Vec<(&'static str, f64)>> {
    let mut doc = AutoCommit::new();
    for at in 0..KEYS {
        doc.put(ROOT, key(at), text(0))?;
    }
    let first = doc.commit().context("a change")?;
    let mut log = File::create(dir.join("log"))?;
    log.write_all(&doc.save_incremental())?;
    let open = Open {
        doc,
        changes: vec![first],
        log,
    };
    let automerge = Automerge {
        open: Mutex::new(open),
        dir: dir.to_owned(),
    };
    script::run(&automerge, scale)
}

impl Automerge {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Document for Automerge {
    fn set(&self, number: u64, how: How) -> Result<()> {
        let mut open = self.lock();
        open.doc.put(ROOT, field(number), text(number))?;
        let change = open.doc.commit().context("a change")?;
        open.changes.push(change);
        let bytes = open.doc.save_incremental();
        open.log.write_all(&bytes)?;
        if how == How::Durable {
            open.log.sync_data()?;
        }
        Ok(())
    }

    /// As its documentation has it: the appended changes become one compressed document.
    fn settle(&self) -> Result<u64> {
        let bytes = self.lock().doc.save();
        fs::write(self.dir.join("document"), &bytes)?;
        Ok(bytes.len() as u64)
    }

    fn head(&self, field: &str) -> Result<String> {
        let open = self.lock();
        let found = open.doc.get(ROOT, field)?;
        string(found)
    }

    fn past(&self, field: &str, number: u64) -> Result<String> {
        let open = self.lock();
        let change = open.changes.get(number as usize).context("no commit")?;
        string(open.doc.get_at(ROOT, field, &[*change])?)
    }

    fn whole(&self) -> Result<usize> {
        let open = self.lock();
        let mut values = Vec::with_capacity(KEYS);
        for item in open.doc.map_range(ROOT, ..) {
            values.push((item.key.to_string(), item.value.into_value()));
        }
        Ok(values.len())
    }
}

fn string(found: Option<(automerge::Value<'_>, automerge::ObjId)>) -> Result<String> {
    let (value, _) = found.context("nothing there")?;
    Ok(value.as_str().context("no string")?.to_owned())
}
