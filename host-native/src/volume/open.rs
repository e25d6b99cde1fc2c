//! Opening and locking the file of a store.

use super::{FileVolume, Held, Map};
use crate::{
    core::{Error, Kind, Result},
    platform,
};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// How a [`FileVolume`] is opened.
#[derive(Clone, Debug)]
pub struct FileOptions {
    existing: Existing,
    patience: Duration,
    maps: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Existing {
    Allowed,
    Required,
    Refused,
}

impl FileOptions {
    /// Opens what is there, makes what is not, and waits a tenth of a second for the lock.
    pub fn new() -> Self {
        FileOptions {
            existing: Existing::Allowed,
            patience: Duration::from_millis(100),
            maps: false,
        }
    }

    /// Only opens a file that is there; `NotFound` otherwise.
    pub fn only_existing(mut self) -> Self {
        self.existing = Existing::Required;
        self
    }

    /// Only makes a new file; `AlreadyExists` otherwise.
    pub fn only_new(mut self) -> Self {
        self.existing = Existing::Refused;
        self
    }

    /// How long to wait for somebody else to give the lock back before saying `Busy`.
    ///
    /// The little that is waited by default is for a holder that is just going away.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Reads short ranges through a map of the file where the caller may block: random reads of what the
    /// system has cached take about two thirds of the time (`docs/benchmarks.md`).
    ///
    /// Not the default, because a read that the disk fails, or a file that another program cuts, then ends the
    /// process (`SIGBUS`) where it is an error otherwise; and pages that were read count as memory of the
    /// process until the system wants them. Changes nothing on Windows, nor for calls made outside
    /// [`block_on`](crate::block_on).
    pub fn map_reads(mut self) -> Self {
        self.maps = true;
        self
    }

    /// Opens the file at `path` in this way.
    ///
    /// # Errors
    /// See [`FileVolume::open`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<FileVolume> {
        let path = path.as_ref();
        self.open_and_lock(path)
            .and_then(|file| {
                let map = match self.maps {
                    true => Some(Map::new(&file)?),
                    false => None,
                };
                Ok(FileVolume(Arc::new(Held {
                    file,
                    path: path.to_owned(),
                    changes: Default::default(),
                    syncs: Default::default(),
                    map,
                })))
            })
            .map_err(|error| error.context(path.display()))
    }

    fn open_and_lock(&self, path: &Path) -> Result<File> {
        // Without an end for a patience beyond all clocks.
        let until = Instant::now().checked_add(self.patience);
        loop {
            refuse_what_is_no_file(path)?;
            let file = self.open_file(path)?;
            lock(&file, until)?;
            // Its last holder may have put another file in this place while we waited.
            if !platform::is_still_at(&file, path)? {
                continue;
            }
            if file.metadata()?.len() == 0 {
                sync_name(path)?;
            }
            return Ok(file);
        }
    }

    fn open_file(&self, path: &Path) -> io::Result<File> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true);
        match self.existing {
            Existing::Allowed => options.create(true),
            Existing::Required => &mut options,
            Existing::Refused => options.create_new(true),
        }
        .open(path)
    }
}

impl Default for FileOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Opening a pipe or a device has effects of its own, so they are refused before.
fn refuse_what_is_no_file(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(no_file("is a directory")),
        Ok(metadata) if !metadata.is_file() => Err(no_file("is not a regular file")),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn no_file(what: &str) -> Error {
    let message = format!("{what}; a store is one file");
    Error::new(Kind::InvalidInput, message)
}

fn lock(file: &File, until: Option<Instant>) -> Result<()> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) if until.is_none_or(|until| Instant::now() < until) => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(TryLockError::WouldBlock) => {
                let message = "held by another process (or opened twice by this one)";
                return Err(Error::new(Kind::Busy, message));
            }
        }
    }
}

/// Makes the file's name survive power loss. Done whenever the file is empty, for the process that
/// made it may have died right after.
fn sync_name(path: &Path) -> io::Result<()> {
    match fs::canonicalize(path)?.parent() {
        Some(directory) => platform::sync_directory(directory),
        None => Ok(()),
    }
}
