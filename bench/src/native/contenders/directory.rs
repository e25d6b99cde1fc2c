//! One file per blob: what many programs do. Each value is written to a temporary file, synced and
//! renamed, and the directory is synced. A load syncs the whole file system once instead.

use crate::{
    data::{Key, key_of},
    native::contender::{Contender, Entry, Reader, Store, Table},
};
use anyhow::{Context, Result};
use bytes::Bytes;
use std::{
    ffi::OsString,
    fmt::Write as _,
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

pub struct Directory;

impl Contender for Directory {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn leaves_out(&self, workload: &str) -> Option<&'static str> {
        match workload {
            "small" => Some("nobody keeps 100 bytes in a file of their own"),
            "reopen" => Some("there is nothing to open"),
            _ => None,
        }
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Store>> {
        // Fanned out, so that no directory grows without end and syncs of different ones run beside each other.
        let fans = (0..=u8::MAX)
            .map(|fan| {
                let path = dir.join(format!("{fan:02x}"));
                fs::create_dir_all(&path)?;
                Ok(Fan {
                    handle: File::open(&path)?,
                    path,
                })
            })
            .collect::<Result<_>>()?;
        File::open(dir)?.sync_all()?;
        Ok(Box::new(DirectoryStore {
            fans,
            temporary: AtomicU64::new(0),
        }))
    }
}

struct DirectoryStore {
    fans: Vec<Fan>,
    temporary: AtomicU64,
}

struct Fan {
    path: PathBuf,
    handle: File,
}

impl DirectoryStore {
    fn fan(&self, key: &[u8]) -> Result<&Fan> {
        let first = *key.first().context("an empty key")?;
        Ok(&self.fans[usize::from(first)])
    }

    fn write(&self, key: &[u8], value: &[u8]) -> Result<(File, PathBuf)> {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let path = self.fan(key)?.path.join(format!("new-{number}"));
        let mut file = File::create(&path)?;
        file.write_all(value)?;
        Ok((file, path))
    }

    fn insert(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let (file, path) = self.write(key, value)?;
        file.sync_data()?;
        let fan = self.fan(key)?;
        fs::rename(path, fan.path.join(name(key)))?;
        Ok(fan.handle.sync_all()?)
    }
}

fn name(key: &[u8]) -> String {
    key.iter()
        .fold(String::with_capacity(key.len() * 2), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        })
}

impl Store for DirectoryStore {
    fn commit(&self, key: &[u8], value: Bytes) -> Result<()> {
        self.insert(key, &value)
    }

    fn put(&self, value: Bytes) -> Result<Key> {
        let key = key_of(&value);
        self.insert(&key, &value)?;
        Ok(key)
    }

    fn load_blobs(&self, values: Vec<Bytes>) -> Result<()> {
        let mut written = Vec::with_capacity(values.len());
        thread::scope(|scope| {
            let write = |value: &Bytes| {
                let key = key_of(value);
                Ok((key, self.write(&key, value)?.1))
            };
            let threads: Vec<_> = super::parts(&values)
                .map(|part| scope.spawn(move || part.iter().map(write).collect::<Result<Vec<_>>>()))
                .collect();
            for thread in threads {
                written.append(&mut thread.join().ok().context("a loader panicked")??);
            }
            Ok::<_, anyhow::Error>(())
        })?;
        rustix::fs::syncfs(&self.fans[0].handle)?;
        for (key, path) in written {
            fs::rename(path, self.fan(&key)?.path.join(name(&key)))?;
        }
        Ok(rustix::fs::syncfs(&self.fans[0].handle)?)
    }

    fn load_pairs(&self, _pairs: Vec<(Bytes, Bytes)>) -> Result<()> {
        anyhow::bail!("one file per pair is left out")
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(DirectoryReader(self)))
    }

    fn settle(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

struct DirectoryReader<'a>(&'a DirectoryStore);

impl Reader for DirectoryReader<'_> {
    fn get(&mut self, _table: Table, entry: Entry, see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        match fs::read(self.0.fan(entry.key)?.path.join(name(entry.key))) {
            Ok(value) => see(&value),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    fn scan(
        &mut self,
        _table: Table,
        _len: usize,
        see: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        for fan in &self.0.fans {
            let mut names = fs::read_dir(&fan.path)?
                .map(|entry| Ok(entry?.file_name()))
                .collect::<Result<Vec<OsString>>>()?;
            names.sort_unstable();
            for name in names {
                see(name.as_encoded_bytes(), &fs::read(fan.path.join(&name))?);
            }
        }
        Ok(())
    }
}
