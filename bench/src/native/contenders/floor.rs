//! The floor: what the disk and the processor give to someone who keeps no index.
//!
//! Commits go to a bare double-buffered log in a file of real zeros: a leader writes and syncs one
//! buffer for everybody while followers fill the other. Loads are hashing by one thread and writing
//! by another. Reads know where the value is. It cannot be opened again: it is no store.

use crate::{
    data::{Key, key_of},
    native::contender::{Contender, Entry, Reader, Store, Table},
};
use anyhow::Result;
use bytes::Bytes;
use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

pub struct Floor;

impl Contender for Floor {
    fn name(&self) -> &'static str {
        super::FLOOR
    }

    fn leaves_out(&self, workload: &str) -> Option<&'static str> {
        match workload {
            "reopen" => Some("it has no index to open"),
            "disk" => Some("its log is there for another workload"),
            _ => None,
        }
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Store>> {
        Ok(Box::new(FloorStore {
            log: Log::open(&dir.join("log"))?,
            dir: dir.to_owned(),
        }))
    }
}

struct FloorStore {
    log: Log,
    dir: PathBuf,
}

/// Written at once; a value that is as long has no business in the log.
const BLOCK: usize = 1 << 20;

impl FloorStore {
    fn append(&self, table: Table, values: impl Iterator<Item = Bytes>) -> Result<()> {
        let path = path_of(&self.dir, table);
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let mut buffer = Vec::with_capacity(BLOCK);
        for value in values {
            if buffer.len() + value.len() > BLOCK {
                file.write_all(&buffer)?;
                buffer.clear();
            }
            if value.len() >= BLOCK {
                file.write_all(&value)?;
            } else {
                buffer.extend_from_slice(&value);
            }
        }
        file.write_all(&buffer)?;
        file.sync_data()?;
        Ok(())
    }
}

fn path_of(dir: &Path, table: Table) -> PathBuf {
    dir.join(format!("{table:?}"))
}

impl Store for FloorStore {
    fn commit(&self, key: &[u8], value: Bytes) -> Result<()> {
        self.log.commit(&[key, &value])
    }

    fn put(&self, value: Bytes) -> Result<Key> {
        let key = key_of(&value);
        if value.len() < BLOCK {
            self.log.commit(&[&key, &value])?;
        } else {
            self.append(Table::Blobs, std::iter::once(value))?;
        }
        Ok(key)
    }

    fn load_blobs(&self, values: Vec<Bytes>) -> Result<()> {
        // One thread hashes, one writes.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                values
                    .iter()
                    .map(|value| key_of(value))
                    .for_each(|key| _ = std::hint::black_box(key))
            });
            self.append(Table::Blobs, values.iter().cloned())
        })
    }

    fn load_pairs(&self, pairs: Vec<(Bytes, Bytes)>) -> Result<()> {
        self.append(Table::Pairs, pairs.into_iter().map(|(_, value)| value))
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(FloorReader {
            dir: &self.dir,
            open: None,
            buffer: Vec::new(),
        }))
    }

    fn settle(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

struct FloorReader<'a> {
    dir: &'a Path,
    open: Option<(Table, File)>,
    buffer: Vec<u8>,
}

impl FloorReader<'_> {
    fn read(&mut self, table: Table, offset: u64, len: usize) -> Result<&[u8]> {
        let file = match self.open.take() {
            Some((opened, file)) if opened == table => file,
            _ => File::open(path_of(self.dir, table))?,
        };
        self.buffer.resize(len, 0);
        file.read_exact_at(&mut self.buffer, offset)?;
        self.open = Some((table, file));
        Ok(&self.buffer)
    }
}

impl Reader for FloorReader<'_> {
    fn get(&mut self, table: Table, entry: Entry, see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        see(self.read(table, (entry.nth * entry.len) as u64, entry.len)?);
        Ok(true)
    }

    fn scan(&mut self, table: Table, len: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let end = path_of(self.dir, table).metadata()?.len();
        let step = (BLOCK / len * len) as u64;
        for at in (0..end).step_by(step as usize) {
            let block = self.read(table, at, step.min(end - at) as usize)?;
            block.chunks_exact(len).for_each(|value| see(&[], value));
        }
        Ok(())
    }
}

/// A log with group commit and nothing else.
struct Log {
    file: File,
    state: Mutex<State>,
    /// Where the writers of a group wait, by the group's parity: those of the group that is being
    /// synced at one, those of the group that is being filled at the other.
    waiting: [Condvar; 2],
}

#[derive(Default)]
struct State {
    /// The group that commits are put into now, and its bytes.
    group: u64,
    filling: Vec<u8>,
    /// The other buffer, while nobody writes it.
    spare: Vec<u8>,
    syncing: bool,
    /// Groups below this one are on the disk.
    synced: u64,
    at: u64,
    broken: bool,
}

/// The log's length. It is used again from its start when it is full.
const LOG: u64 = 64 << 20;
/// Each group begins on a sector of its own.
const SECTOR: usize = 4096;

impl Log {
    fn open(path: &Path) -> Result<Self> {
        let mut file = File::create_new(path)?;
        let zeros = vec![0; BLOCK];
        for _ in 0..LOG / BLOCK as u64 {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        Ok(Log {
            file,
            state: Mutex::default(),
            waiting: Default::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit(&self, parts: &[&[u8]]) -> Result<()> {
        let mut state = self.lock();
        let mine = state.group;
        for part in parts {
            state.filling.extend_from_slice(part);
        }
        loop {
            anyhow::ensure!(!state.broken, "an earlier write failed");
            if state.synced > mine {
                return Ok(());
            }
            if !state.syncing {
                return self.lead(state);
            }
            let waiting = &self.waiting[(mine & 1) as usize];
            state = waiting.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes and syncs the group that `state` holds, and wakes everybody in it.
    fn lead(&self, mut state: MutexGuard<'_, State>) -> Result<()> {
        state.syncing = true;
        let group = state.group;
        state.group += 1;
        let spare = std::mem::take(&mut state.spare);
        let mut full = std::mem::replace(&mut state.filling, spare);
        let len = full.len().next_multiple_of(SECTOR);
        full.resize(len, 0);
        if state.at + len as u64 > LOG {
            state.at = 0;
        }
        let at = state.at;
        state.at += len as u64;
        drop(state);

        let written = self
            .file
            .write_all_at(&full, at)
            .and_then(|()| self.file.sync_data());

        full.clear();
        let mut state = self.lock();
        state.spare = full;
        state.syncing = false;
        state.synced = group + 1;
        state.broken = written.is_err();
        let next_is_waiting = !state.filling.is_empty();
        drop(state);
        self.waiting[(group & 1) as usize].notify_all();
        if next_is_waiting {
            self.waiting[(group & 1 ^ 1) as usize].notify_one();
        }
        Ok(written?)
    }
}
