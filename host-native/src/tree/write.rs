//! One entry of a tree on disk: a directory, a file or a link, whole or not at all.
//!
//! Every name is one component relative to a directory that is held open, and no link is followed.

use super::{Entry, EntryKind, Existing, WHOLE, name::os_target};
use crate::block_on;
use cap_fs_ext::DirExt;
use cap_std::fs::{Dir, File, OpenOptions};
use littoral_core::{
    Error, Kind, Result,
    blob::{BlobStore, Pointer},
};
use std::{
    io::{self, Read, Write},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

pub(super) struct Written {
    pub bytes: u64,
    pub unchanged: bool,
}

/// Why an entry is not on disk.
pub(super) enum Failed {
    /// Its own fault: the rest goes on.
    Entry(Error),
    /// Nothing else would work either.
    All(Error),
}

impl Failed {
    pub fn store(error: Error) -> Self {
        match error.kind() {
            Kind::NotFound
            | Kind::Corrupt
            | Kind::InvalidInput
            | Kind::OutOfRange
            | Kind::NotImplemented => Failed::Entry(error),
            _ => Failed::All(error),
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        let error = Error::from(error);
        match error.kind() {
            Kind::Quota | Kind::ReadOnly => Failed::All(error),
            _ => Failed::Entry(error),
        }
    }
}

pub(super) fn make_directory(
    parent: &Dir,
    entry: &Entry,
    existing: Existing,
) -> Result<Dir, Failed> {
    let name = entry.name.to_path().map_err(Failed::Entry)?;
    match parent.create_dir(name) {
        Ok(()) => {}
        // What is there may only be a real directory: `open_dir_nofollow` sees to it.
        Err(error)
            if error.kind() == io::ErrorKind::AlreadyExists && existing == Existing::Replace => {}
        Err(error) => return Err(error.into()),
    }
    Ok(parent.open_dir_nofollow(name)?)
}

pub(super) fn write_file<S: BlobStore>(
    store: &S,
    dir: &Dir,
    entry: &Entry,
    existing: Existing,
) -> Result<Written, Failed> {
    let name = entry.name.to_path().map_err(Failed::Entry)?;
    check_free(dir, name, existing)?;
    let unchanged = existing == Existing::Replace && is_there(dir, name, entry);
    if !unchanged {
        let mut temporary = Temporary::create(dir, entry.kind)?;
        temporary.fill(store, entry)?;
        temporary.rename(name)?;
    }
    Ok(Written {
        bytes: entry.size,
        unchanged,
    })
}

pub(super) fn write_symlink<S: BlobStore>(
    store: &S,
    dir: &Dir,
    entry: &Entry,
    existing: Existing,
) -> Result<Written, Failed> {
    const LONGEST: u64 = 64 << 10;
    let name = entry.name.to_path().map_err(Failed::Entry)?;
    check_free(dir, name, existing)?;
    if entry.size > LONGEST {
        let why = "the link's target is longer than 64 KiB";
        return Err(Failed::Entry(Error::new(Kind::InvalidInput, why)));
    }
    let bytes = block_on(store.get_range(&entry.pointer, 0..LONGEST)).map_err(Failed::store)?;
    let target = os_target(&bytes).filter(|_| !bytes.is_empty() && !bytes.contains(&0));
    let target = target.ok_or_else(|| {
        let why = "the link's target cannot be one on this system";
        Failed::Entry(Error::new(Kind::InvalidInput, why))
    })?;
    let temporary = unused_name();
    symlink(dir, target, Path::new(&temporary))?;
    if let Err(error) = dir.rename(&temporary, dir, name) {
        let _ = dir.remove_file(&temporary);
        return Err(error.into());
    }
    Ok(Written {
        bytes: entry.size,
        unchanged: false,
    })
}

#[cfg(unix)]
fn symlink(dir: &Dir, target: &Path, name: &Path) -> io::Result<()> {
    dir.symlink_contents(target, name)
}

/// Windows wants to know what the link will lead to; a file is the usual case.
#[cfg(windows)]
fn symlink(dir: &Dir, target: &Path, name: &Path) -> io::Result<()> {
    DirExt::symlink_file(dir, target, name)
}

/// A rename replaces what has the name: look before. Two entries never have one name, so nobody
/// of this export comes in between, save on a disk that does not tell upper from lower case.
fn check_free(dir: &Dir, name: &Path, existing: Existing) -> Result<(), Failed> {
    match dir.symlink_metadata(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) if existing == Existing::Refuse => Err(Failed::Entry(Error::new(
            Kind::AlreadyExists,
            "there is something of this name already",
        ))),
        Ok(there) if there.is_dir() => Err(Failed::Entry(Error::new(
            Kind::AlreadyExists,
            "a directory has this name already",
        ))),
        Ok(_) => Ok(()),
    }
}

/// Whether the file is there with the bytes and kind that it shall have.
fn is_there(dir: &Dir, name: &Path, entry: &Entry) -> bool {
    let same_kind = dir.symlink_metadata(name).is_ok_and(|there| {
        there.is_file() && there.len() == entry.size && is_executable(&there, entry.kind)
    });
    same_kind
        && dir
            .open(name)
            .and_then(hash)
            .is_ok_and(|pointer| pointer == entry.pointer)
}

#[cfg(unix)]
fn is_executable(there: &cap_std::fs::Metadata, wanted: EntryKind) -> bool {
    use cap_std::fs::PermissionsExt;
    let executable = there.permissions().mode() & 0o111 != 0;
    executable == (wanted == EntryKind::Executable)
}

#[cfg(not(unix))]
fn is_executable(_there: &cap_std::fs::Metadata, _wanted: EntryKind) -> bool {
    true
}

fn hash(mut file: File) -> io::Result<Pointer> {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Pointer::from_bytes(hasher.finalize().into())),
            more => hasher.update(buffer.get(..more).unwrap_or_default()),
        }
    }
}

/// A file that is not whole yet; removed unless it is renamed.
struct Temporary<'a> {
    dir: &'a Dir,
    name: Option<String>,
    file: File,
}

impl<'a> Temporary<'a> {
    fn create(dir: &'a Dir, kind: EntryKind) -> io::Result<Self> {
        let name = unused_name();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        set_mode(&mut options, kind);
        let file = dir.open_with(&name, &options)?;
        Ok(Temporary {
            dir,
            name: Some(name),
            file,
        })
    }

    fn fill<S: BlobStore>(&mut self, store: &S, entry: &Entry) -> Result<(), Failed> {
        if entry.size <= WHOLE {
            let bytes = block_on(store.get_range(&entry.pointer, 0..WHOLE + 1));
            let bytes = bytes.map_err(Failed::store)?;
            check_size(entry, bytes.len() as u64)?;
            return Ok(self.file.write_all(&bytes)?);
        }
        let stat = block_on(store.stat(&entry.pointer)).map_err(Failed::store)?;
        let stat = stat.ok_or_else(|| Failed::Entry(missing(&entry.pointer)))?;
        check_size(entry, stat.size)?;
        let mut at = 0;
        while at < entry.size {
            let end = at.saturating_add(4 << 20).min(entry.size);
            let bytes = block_on(store.get_range(&entry.pointer, at..end));
            let bytes = bytes.map_err(Failed::store)?;
            check_range(end - at, bytes.len() as u64)?;
            self.file.write_all(&bytes)?;
            at = end;
        }
        Ok(())
    }

    fn rename(mut self, name: &Path) -> io::Result<()> {
        if let Some(temporary) = &self.name {
            self.dir.rename(temporary, self.dir, name)?;
            self.name = None;
        }
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = self.dir.remove_file(name);
        }
    }
}

fn check_size(entry: &Entry, found: u64) -> Result<(), Failed> {
    if found == entry.size {
        return Ok(());
    }
    let why = format!(
        "the tree says {} bytes, the blob {} has {found}",
        entry.size, entry.pointer
    );
    Err(Failed::Entry(Error::new(Kind::Corrupt, why)))
}

fn check_range(wanted: u64, found: u64) -> Result<(), Failed> {
    if found == wanted {
        return Ok(());
    }
    let why = format!("{wanted} bytes were asked for, {found} came");
    Err(Failed::Entry(Error::new(Kind::Corrupt, why)))
}

/// A name that nobody else has: two exports into one directory do not meet.
fn unused_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    use std::hash::{BuildHasher, RandomState};
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let chance = RandomState::new().hash_one(next);
    format!(".littoral-{chance:016x}-{next:x}.part")
}

#[cfg(unix)]
fn set_mode(options: &mut OpenOptions, kind: EntryKind) {
    use cap_std::fs::OpenOptionsExt;
    // The user's umask takes away what others shall not do.
    options.mode(if kind == EntryKind::Executable {
        0o777
    } else {
        0o666
    });
}

#[cfg(not(unix))]
fn set_mode(_options: &mut OpenOptions, _kind: EntryKind) {}

pub(super) fn missing(pointer: &Pointer) -> Error {
    Error::new(Kind::NotFound, format!("there is no blob {pointer}"))
}
