//! A store's volume in a file.

mod changes;
// A map of a file cannot be had without it.
#[cfg(unix)]
#[allow(unsafe_code)]
mod map;
#[cfg(not(unix))]
mod no_map;
mod open;
mod syncs;

use crate::{
    block_on::{blocking, may_block},
    core::{Error, Kind, Result, port::Volume},
    platform,
};
use bytes::Bytes;
use changes::Changes;
#[cfg(unix)]
use map::Map;
#[cfg(not(unix))]
use no_map::Map;
use std::{
    fmt,
    fs::File,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};
use syncs::Syncs;

pub use open::FileOptions;

/// A file as the volume of a store, held by one writer at a time.
///
/// The file is locked (an advisory lock of the operating system) from opening until the value is
/// dropped or the process ends, however it ends. A change that was begun and whose future was
/// dropped may still be running on another thread then; the lock is given back when it has ended.
///
/// File work is done in place on a thread inside [`block_on`](crate::block_on), and on a pool of
/// threads everywhere else; one volume can be used both ways at once.
///
/// `sync` is `fdatasync` (Linux), `F_FULLFSYNC` (macOS) or `FlushFileBuffers` (Windows). Once one has failed every later one
/// fails with the same error, also when the future of the first was dropped: only opening the file again helps.
/// `discard` does nothing: a range that was written before is written again at half the cost of one that
/// the file system has to find room for, so space goes back when the file is made shorter.
pub struct FileVolume(Arc<Held>);

/// What work on another thread keeps alive: the file, and with it the lock.
struct Held {
    file: File,
    path: PathBuf,
    changes: Changes,
    syncs: Syncs,
    map: Option<Map>,
}

impl FileVolume {
    /// Opens the file at `path`, or makes an empty one.
    ///
    /// This does file work on the calling thread, usually well under a millisecond.
    ///
    /// # Errors
    /// `Busy` when another process (or another volume of this one) holds it, `InvalidInput` for a directory,
    /// a device or a name with a NUL, `NotFound` when the directory of `path` is not there, `ReadOnly` when
    /// the permissions do not allow it. The message names the path.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        FileOptions::new().open(path)
    }

    /// Makes a new empty file at `path`.
    ///
    /// # Errors
    /// `AlreadyExists`, and those of [`open`](FileVolume::open).
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        FileOptions::new().only_new().open(path)
    }

    /// Where it is, as it was given.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Work that changes nothing.
    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Held) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if may_block() {
            return work(&self.0);
        }
        let held = self.0.clone();
        blocking(move || work(&held)).await
    }

    /// Work that changes the file. It waits for changes that were left running when their future was
    /// dropped, so that none of them can undo this one.
    async fn change(&self, work: impl FnOnce(&Held) -> Result<()> + Send + 'static) -> Result<()> {
        self.0.changes.none_abandoned().await;
        if may_block() {
            return work(&self.0);
        }
        let held = self.0.clone();
        let (waiter, running) = self.0.changes.begin();
        let result = blocking::unblock(move || {
            let result = work(&held);
            drop(running);
            result
        })
        .await;
        drop(waiter);
        result
    }

    async fn sync_by(
        &self,
        sync: impl FnOnce(&File) -> io::Result<()> + Send + 'static,
    ) -> Result<()> {
        self.0.changes.none_abandoned().await;
        if may_block() {
            // Let whatever else this thread runs get ready first: it then shares the next sync.
            futures_lite::future::yield_now().await;
        }
        self.look(|held| {
            held.syncs
                .run(|| sync(&held.file).map_err(|error| held.failed(error, format_args!("sync"))))
        })
        .await
    }
}

impl Volume for FileVolume {
    async fn len(&self) -> Result<u64> {
        self.look(|held| held.len()).await
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        self.change(move |held| {
            if let Some(map) = &held.map {
                map.will_be(len);
            }
            let done = platform::set_len(&held.file, len)
                .map_err(|error| held.failed(error, format_args!("set its length to {len}")));
            if let Some(map) = &held.map {
                map.is(held.len()?);
            }
            done
        })
        .await
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        let map = self.0.map.as_ref().filter(|_| may_block());
        if let Some(bytes) = map.and_then(|map| map.read(&self.0.file, offset, len)) {
            return Ok(bytes);
        }
        self.look(move |held| held.read_at(offset, len)).await
    }

    async fn write_at(&self, offset: u64, bytes: Bytes) -> Result<()> {
        self.write_parts_at(offset, vec![bytes]).await
    }

    async fn write_parts_at(&self, offset: u64, parts: Vec<Bytes>) -> Result<()> {
        self.change(move |held| {
            platform::write_all_at(&held.file, offset, &parts).map_err(|error| {
                let len: usize = parts.iter().map(Bytes::len).sum();
                held.failed(error, format_args!("write {len} bytes at {offset}"))
            })
        })
        .await
    }

    async fn discard(&self, _range: Range<u64>) -> Result<()> {
        Ok(())
    }

    async fn sync(&self) -> Result<()> {
        self.sync_by(platform::sync_data).await
    }
}

impl Held {
    fn len(&self) -> Result<u64> {
        match self.file.metadata() {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(self.failed(error, format_args!("ask for its length"))),
        }
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        // A length that is worth worrying about is compared with the file before it allocates.
        let doubtful = len > 1 << 20 || offset > i64::MAX as u64;
        if doubtful && self.len()?.saturating_sub(offset) < len as u64 {
            return Err(self.too_short(offset, len));
        }
        match platform::read_exact_at(&self.file, offset, len) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.too_short(offset, len))
            }
            Err(error) => Err(self.failed(error, format_args!("read {len} bytes at {offset}"))),
        }
    }

    fn too_short(&self, offset: u64, len: usize) -> Error {
        let message = format!("the file ends before {len} bytes at {offset}");
        Error::new(Kind::OutOfRange, message).context(self.path.display())
    }

    fn failed(&self, error: io::Error, what: fmt::Arguments<'_>) -> Error {
        Error::from(error)
            .context(format_args!("cannot {what}"))
            .context(self.path.display())
    }
}

impl fmt::Debug for FileVolume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileVolume").field(&self.0.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::time::Duration;

    /// A write that another thread has begun, and whose future was dropped.
    fn abandon_a_slow_write(volume: &FileVolume) {
        let (begun, has_begun) = std::sync::mpsc::channel();
        let write = volume.change(move |held| {
            begun.send(()).unwrap();
            std::thread::sleep(Duration::from_millis(100));
            platform::write_all_at(&held.file, 0, &[Bytes::from_static(b"old")])
                .map_err(Error::from)
        });
        // Polled where nobody may block, whatever the thread of the test is.
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut write = std::pin::pin!(write);
                assert!(write.as_mut().now_or_never().is_none());
                has_begun.recv().unwrap();
            });
        });
    }

    fn both_ways<F: Future<Output = ()>>(test: impl Fn(FileVolume) -> F) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        crate::block_on(test(FileVolume::create(&path).unwrap()));
        std::fs::remove_file(&path).unwrap();
        futures::executor::block_on(test(FileVolume::create(&path).unwrap()));
    }

    #[test]
    fn file_work_is_done_in_place_inside_block_on_and_on_another_thread_anywhere_else() {
        let directory = tempfile::tempdir().unwrap();
        let volume = FileVolume::create(directory.path().join("store")).unwrap();
        let here = std::thread::current().id();
        let there = || volume.look(|_| Ok(std::thread::current().id()));
        assert_eq!(crate::block_on(there()).unwrap(), here);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        assert_ne!(runtime.block_on(there()).unwrap(), here);
        let changed = volume.change(move |_| {
            assert_ne!(std::thread::current().id(), here);
            Ok(())
        });
        futures::executor::block_on(changed).unwrap();
        // Also after a time inside.
        assert_ne!(futures::executor::block_on(there()).unwrap(), here);
    }

    #[test]
    fn sync_returns_only_when_a_write_whose_future_was_dropped_has_ended() {
        both_ways(|volume| async move {
            abandon_a_slow_write(&volume);
            assert_eq!(volume.len().await.unwrap(), 0);
            volume.sync().await.unwrap();
            assert_eq!(volume.len().await.unwrap(), 3);
        });
    }

    #[test]
    fn a_write_whose_future_was_dropped_never_lands_on_a_later_one() {
        both_ways(|volume| async move {
            abandon_a_slow_write(&volume);
            volume
                .write_at(0, Bytes::from_static(b"new"))
                .await
                .unwrap();
            std::thread::sleep(Duration::from_millis(200));
            assert_eq!(volume.read_at(0, 3).await.unwrap(), &b"new"[..]);
        });
    }

    /// The error of a disk that lost something.
    fn lost(_: &File) -> io::Result<()> {
        Err(io::Error::other("the disk lost something"))
    }

    #[test]
    fn after_a_sync_that_failed_every_later_one_fails() {
        both_ways(|volume| async move {
            volume.sync().await.unwrap();
            let first = volume.sync_by(lost).await.unwrap_err();
            // The system tells each open file once: asked again, it would say that all is well.
            let second = volume.sync().await.unwrap_err();
            assert_eq!(second.to_string(), first.to_string());
            assert!(volume.sync().await.is_err());
        });
    }

    #[test]
    fn parts_are_written_one_behind_the_other_however_many_and_however_short() {
        both_ways(|volume| async move {
            // More of them than one call of the system takes, some empty, one long.
            let mut parts: Vec<_> = (0..3000u32)
                .map(|number| Bytes::from(vec![number as u8; number as usize % 7]))
                .collect();
            parts.push(Bytes::from(vec![9; 1 << 20]));
            parts.push(Bytes::new());
            let whole = parts.concat();
            volume.write_parts_at(5, parts).await.unwrap();
            assert_eq!(volume.len().await.unwrap(), 5 + whole.len() as u64);
            assert_eq!(volume.read_at(5, whole.len()).await.unwrap(), whole);
            volume.write_parts_at(0, Vec::new()).await.unwrap();
            assert_eq!(volume.len().await.unwrap(), 5 + whole.len() as u64);
        });
    }

    #[test]
    fn a_sync_that_failed_after_its_future_was_dropped_is_told_to_the_next_one() {
        both_ways(|volume| async move {
            let (begun, has_begun) = std::sync::mpsc::channel();
            let slow = volume.sync_by(move |file| {
                begun.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(100));
                lost(file)
            });
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    let mut slow = std::pin::pin!(slow);
                    assert!(slow.as_mut().now_or_never().is_none());
                    has_begun.recv().unwrap();
                });
            });
            let error = volume.sync().await.unwrap_err();
            assert!(error.to_string().contains("lost something"), "{error}");
        });
    }

    #[test]
    fn of_two_syncs_at_a_time_none_succeeds_after_the_other_was_told_of_a_loss() {
        let directory = tempfile::tempdir().unwrap();
        let volume = FileVolume::create(directory.path().join("store")).unwrap();
        // As the kernel does it: the first that asks is told.
        let told = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let sync = |volume: &FileVolume| {
            let told = told.clone();
            let once = move |_: &File| {
                if told.swap(true, std::sync::atomic::Ordering::SeqCst) {
                    return Ok(());
                }
                // Time enough for the other to end first, if it could.
                std::thread::sleep(Duration::from_millis(50));
                Err(io::Error::other("lost"))
            };
            crate::block_on(volume.sync_by(once))
        };
        std::thread::scope(|scope| {
            let both = [0, 1].map(|_| scope.spawn(|| sync(&volume)));
            for one in both {
                assert!(one.join().unwrap().is_err());
            }
        });
    }

    #[test]
    fn the_lock_is_kept_while_a_write_whose_future_was_dropped_runs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let volume = FileVolume::create(&path).unwrap();
        abandon_a_slow_write(&volume);
        drop(volume);
        let at_once = FileOptions::new().patience(Duration::ZERO);
        assert_eq!(at_once.open(&path).unwrap_err().kind(), Kind::Busy);
        let patient = FileOptions::new().patience(Duration::from_secs(60));
        assert_eq!(patient.open(&path).unwrap().0.len().unwrap(), 3);
    }
}
