//! A file on its way to its name, and the leftovers of writers that crashed.
//!
//! A writer keeps its temporary file locked. The system gives the lock back when the writer ends,
//! however it ends: a file that can be locked by somebody else is a leftover.

use super::layout::Layout;
use crate::{
    core::{
        Error, Result,
        blob::{Hasher, Pointer},
        port::Entropy,
    },
    entropy::OsEntropy,
    platform,
};
use bytes::Bytes;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A file being written. Dropped before it was published, it is gone.
pub(super) struct Temporary {
    path: PathBuf,
    file: File,
    hasher: Hasher,
    published: bool,
}

impl Temporary {
    pub(super) fn create(layout: &Layout) -> Result<Self> {
        loop {
            let mut name = [0; 32];
            OsEntropy.fill(&mut name)?;
            let path = layout
                .temporary()
                .join(Pointer::from_bytes(name).to_string());
            if let Some(temporary) = Self::create_at(path)? {
                return Ok(temporary);
            }
        }
    }

    /// Makes the file and locks it; nothing if a sweep came in between.
    fn create_at(path: PathBuf) -> Result<Option<Self>> {
        let create = || -> io::Result<Option<File>> {
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            Ok(platform::is_still_at(&file, &path)?.then_some(file))
        };
        match create() {
            Ok(None) => Ok(None),
            Ok(Some(file)) => Ok(Some(Temporary {
                path,
                file,
                hasher: Hasher::new(),
                published: false,
            })),
            Err(error) => Err(Error::from(error).context(path.display())),
        }
    }

    pub(super) fn append(&mut self, pieces: &[Bytes]) -> Result<()> {
        for piece in pieces {
            self.hasher.update(piece);
            self.file
                .write_all(piece)
                .map_err(|error| Error::from(error).context(self.path.display()))?;
        }
        Ok(())
    }

    /// The pointer of what is in it.
    pub(super) fn pointer(&self) -> Pointer {
        self.hasher.clone().finish()
    }

    /// Gives the file its name, in place of what had it; returns when that survives power loss.
    pub(super) fn publish(mut self, to: &Path) -> Result<()> {
        let publish = || -> io::Result<()> {
            platform::sync_data(&self.file)?;
            fs::rename(&self.path, to)?;
            to.parent().map_or(Ok(()), platform::sync_directory)
        };
        publish().map_err(|error| Error::from(error).context(to.display()))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed now is swept when the store is opened next.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what crashed writers left, and nothing that a living one writes.
pub(super) fn sweep(layout: &Layout) -> Result<()> {
    let directory = layout.temporary();
    let sweep = || -> io::Result<()> {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let Ok(file) = OpenOptions::new().write(true).open(&path) else {
                // Published or swept meanwhile; or not ours.
                continue;
            };
            if file.try_lock().is_ok() && platform::is_still_at(&file, &path)? {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    };
    sweep().map_err(|error| Error::from(error).context(directory.display()))
}
