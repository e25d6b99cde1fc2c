//! A store of blobs that is a directory: one file per blob, for a disk, a stick or a network share
//! that several processes use at once.
//!
//! ```text
//! ROOT/littoral-directory    "littoral directory 1\n", written last: the directory is complete
//! ROOT/blobs/ab/abcdef...    a blob's bytes, under its pointer's 64 hex digits
//! ROOT/roots/HEX             a named root, under the SHA-256 of its name
//! ROOT/temporary/HEX         a file being written, locked by its writer
//! ROOT/lock                  locked while a root is moved
//! ```
//!
//! | file | what is in it |
//! |---|---|
//! | `layout.rs` | making, recognizing and naming all that |
//! | `temporary.rs` | a file on its way to its name; the leftovers of crashes |
//! | `ranges.rs` | checking a part of a blob without reading all of it each time |
//! | `roots.rs` | named roots |

mod layout;
mod ranges;
mod roots;
mod temporary;

use crate::{
    block_on::blocking,
    core::{
        Damage, Error, Kind, Result,
        blob::{BlobStore, Capabilities, Listed, Pointer, Stat},
        port::Body,
    },
    platform,
};
use bytes::Bytes;
use layout::Layout;
use ranges::Ranges;
use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, Read},
    ops::Range,
    path::Path,
    sync::Arc,
};
use temporary::Temporary;

/// Pieces of a stream are gathered to this size before they are written.
const GATHER: usize = 256 << 10;

/// One file per blob, in a directory.
///
/// A blob gets its name only when its bytes are synced (temporary file, sync, rename, sync of the directory), so no
/// crash leaves a part of one. Any number of processes may use one directory at a time. Every
/// read is checked against the pointer. Clones are the same store.
///
/// Each put costs two syncs, as any store of one file per blob does; the engine's blobs share theirs.
#[derive(Clone)]
pub struct DirectoryBlobs(Arc<Inner>);

struct Inner {
    layout: Layout,
    ranges: Ranges,
}

impl DirectoryBlobs {
    /// Opens the store in the directory at `path`, or makes one in an empty or missing directory. Removes what
    /// crashed writers left.
    ///
    /// This does file work on the calling thread, a few milliseconds for a new one.
    ///
    /// # Errors
    /// `InvalidInput` when there is a directory with other things in it, a file, or a name with a NUL;
    /// `NotImplemented` for a store of a newer version; `ReadOnly` when the permissions do not allow it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let layout = Layout::open(path.as_ref())?;
        temporary::sweep(&layout)?;
        Ok(DirectoryBlobs(Arc::new(Inner {
            layout,
            ranges: Ranges::default(),
        })))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.layout.root()
    }

    /// Does file work where it stalls nobody.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.0.clone();
        blocking(move || work(&inner)).await
    }
}

impl BlobStore for DirectoryBlobs {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }

    /// If the future is dropped, the blob is put or it is not.
    async fn put(&self, bytes: Bytes) -> Result<Pointer> {
        self.run(move |inner| inner.put(&bytes)).await
    }

    async fn put_stream<B: Body>(&self, mut body: B) -> Result<Pointer> {
        let mut temporary = self.run(|inner| Temporary::create(&inner.layout)).await?;
        let mut gathered = Vec::new();
        let mut size = 0;
        loop {
            let piece = body.next().await?;
            let over = piece.is_none();
            if let Some(piece) = piece {
                size += piece.len();
                gathered.push(piece);
            }
            if size >= GATHER || over {
                let pieces = std::mem::take(&mut gathered);
                size = 0;
                temporary = blocking(move || {
                    temporary.append(&pieces)?;
                    Ok(temporary)
                })
                .await?;
            }
            if over {
                break;
            }
        }
        self.run(move |inner| {
            let pointer = temporary.pointer();
            temporary.publish(&inner.layout.blob(&pointer))?;
            Ok(pointer)
        })
        .await
    }

    async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        let pointer = *pointer;
        self.run(move |inner| inner.get(&pointer)).await
    }

    /// The first range of a large blob reads and checks all of it; the later ones only what they ask for.
    async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        let pointer = *pointer;
        self.run(move |inner| inner.get_range(&pointer, range))
            .await
    }

    async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
        let pointer = *pointer;
        self.run(move |inner| Ok(inner.size(&pointer)?.map(Stat::whole)))
            .await
    }

    async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        let pointers = pointers.to_vec();
        self.run(move |inner| inner.has(&pointers)).await
    }

    async fn delete(&self, pointer: &Pointer) -> Result<bool> {
        let pointer = *pointer;
        self.run(move |inner| inner.delete(&pointer)).await
    }

    async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
        self.run(move |inner| inner.list(after, limit.max(1))).await
    }
}

impl Inner {
    fn put(&self, bytes: &Bytes) -> Result<Pointer> {
        let pointer = Pointer::of(bytes);
        let path = self.layout.blob(&pointer);
        // What is there and whole need not be written again; what is damaged is replaced.
        if self.size(&pointer)? == Some(bytes.len() as u64) && self.get(&pointer).is_ok() {
            self.layout.sync_parent(&path)?;
            return Ok(pointer);
        }
        let mut temporary = Temporary::create(&self.layout)?;
        temporary.append(std::slice::from_ref(bytes))?;
        temporary.publish(&path)?;
        Ok(pointer)
    }

    fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        let (mut file, size) = self.open(pointer)?;
        let mut read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            let len = usize::try_from(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
            bytes.try_reserve_exact(len)?;
            // A file that grows meanwhile is a damaged one; it does not get more memory.
            Read::by_ref(&mut file).take(size).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error| self.failed(error, pointer))?;
        if Pointer::of(&bytes) != *pointer {
            return Err(self.damaged(pointer, 0..size));
        }
        Ok(bytes.into())
    }

    fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        let (file, size) = self.open(pointer)?;
        let range = crate::core::blob::cut_range(range, size)?;
        self.ranges
            .read(&file, size, pointer, range)
            .map_err(|error| self.failed(error, pointer))?
            .map_err(|bad| self.damaged(pointer, bad))
    }

    /// The blob's length, if it is there.
    fn size(&self, pointer: &Pointer) -> Result<Option<u64>> {
        match fs::metadata(self.layout.blob(pointer)) {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.layout.check_is_there()?;
                Ok(None)
            }
            Err(error) => Err(self.failed(error, pointer)),
        }
    }

    /// Whether each blob is there to stay: who gave one its name may have died before the directory was synced.
    fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        let mut has = Vec::with_capacity(pointers.len());
        let mut named = BTreeMap::new();
        for pointer in pointers {
            let there = self.size(pointer)?.is_some();
            if there {
                named.insert(pointer.as_bytes()[0], pointer);
            }
            has.push(there);
        }
        for pointer in named.into_values() {
            self.layout.sync_parent(&self.layout.blob(pointer))?;
        }
        Ok(has)
    }

    fn open(&self, pointer: &Pointer) -> Result<(File, u64)> {
        let open = || {
            let file = File::open(self.layout.blob(pointer))?;
            let size = file.metadata()?.len();
            Ok((file, size))
        };
        open().map_err(|error: io::Error| {
            if error.kind() != io::ErrorKind::NotFound {
                return self.failed(error, pointer);
            }
            match self.layout.check_is_there() {
                Ok(()) => {
                    let message = format!("blob {pointer} is not in it");
                    Error::new(Kind::NotFound, message).context(self.layout.root().display())
                }
                Err(error) => error,
            }
        })
    }

    fn delete(&self, pointer: &Pointer) -> Result<bool> {
        let path = self.layout.blob(pointer);
        let was_there = match fs::remove_file(&path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.layout.check_is_there()?;
                false
            }
            Err(error) => return Err(self.failed(error, pointer)),
        };
        self.layout.sync_parent(&path)?;
        Ok(was_there)
    }

    fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
        let first = after.map_or(0, |after| after.as_bytes()[0]);
        let mut page = Vec::new();
        for byte in first..=u8::MAX {
            for pointer in self.layout.blobs_below(byte)? {
                if page.len() == limit {
                    return Ok(page);
                }
                // It may have been deleted since the directory was read.
                if after.is_none_or(|after| pointer > after)
                    && let Some(size) = self.size(&pointer)?
                {
                    page.push(Listed { pointer, size });
                }
            }
        }
        Ok(page)
    }

    fn failed(&self, error: io::Error, pointer: &Pointer) -> Error {
        let error = match error.kind() {
            io::ErrorKind::OutOfMemory => {
                Error::new(Kind::OutOfRange, "it does not fit in memory: read ranges")
            }
            _ => Error::from(error),
        };
        error.context(self.layout.blob(pointer).display())
    }

    fn damaged(&self, pointer: &Pointer, range: Range<u64>) -> Error {
        let damage = Damage::new(range, format!("blob {pointer}"));
        Error::corrupt(damage).context(self.layout.blob(pointer).display())
    }
}

impl fmt::Debug for DirectoryBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DirectoryBlobs").field(&self.path()).finish()
    }
}

/// A directory's names are synced as bytes are: through the drive's cache.
fn sync_directory(path: &Path) -> Result<()> {
    #[cfg(test)]
    tests::synced(path);
    platform::sync_directory(path).map_err(|error| Error::from(error).context(path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{path::PathBuf, sync::Mutex};

    static SYNCED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

    pub(super) fn synced(path: &Path) {
        SYNCED.lock().unwrap().push(path.to_owned());
    }

    #[test]
    fn the_name_of_a_blob_that_is_said_to_be_there_survives_power_loss() {
        let directory = tempfile::tempdir().unwrap();
        let store = DirectoryBlobs::open(directory.path()).unwrap();
        let pointer = Pointer::of(b"named, and not synced");
        // What a writer leaves that dies between the two.
        let path = store.0.layout.blob(&pointer);
        fs::write(&path, "named, and not synced").unwrap();
        let syncs = || {
            let synced = SYNCED.lock().unwrap();
            let here = synced
                .iter()
                .filter(|synced| path.parent() == Some(synced.as_path()));
            here.count()
        };
        let asked = [pointer, Pointer::of(b"not there"), pointer];
        let before = syncs();
        let has = crate::block_on(store.has(&asked)).unwrap();
        assert_eq!(has, [true, false, true]);
        assert_eq!(syncs(), before + 1);
    }
}
