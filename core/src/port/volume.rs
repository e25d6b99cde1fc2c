use crate::Result;
use alloc::vec::Vec;
use bytes::Bytes;
use core::ops::Range;

/// Parts shorter than this are written together, where a host cannot write several at once.
const GATHER: usize = 1 << 20;

/// The one file (or table of rows, or import) that a store is kept in.
///
/// Whoever makes a `Volume` takes the exclusive lock of its one writer first (`Kind::Busy` if
/// somebody else holds it) and gives it back when the value is dropped.
///
/// # What the core promises to a host
/// Each write either appends directly behind the write before it inside an extent, or starts at
/// the beginning of a range that was discarded (or never written). A host may therefore keep each
/// write as one row. No two calls in flight write to overlapping ranges, except that a call whose
/// future was dropped may be made again, with the same bytes at the same offset.
///
/// # What a host promises to the core
/// - After `sync` returns, everything that was written by calls that returned before `sync` was
///   called survives power loss. What was written by calls whose future was dropped either
///   happened by then or never will.
/// - Without `sync`, any subset of the sectors of unsynced writes may survive.
/// - Bytes between writes that were never written, or were discarded, read as anything.
#[allow(clippy::len_without_is_empty)]
pub trait Volume {
    /// Length in bytes; 0 for a new one.
    async fn len(&self) -> Result<u64>;

    /// Makes the volume longer (new bytes read as zeros) or shorter.
    ///
    /// # Errors
    /// `Quota` when there is no room; the length is then as before.
    async fn set_len(&self, len: u64) -> Result<()>;

    /// Exactly `len` bytes from `offset`.
    ///
    /// # Errors
    /// `OutOfRange` when the volume ends before `offset + len`.
    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes>;

    /// Writes all of `bytes` at `offset`, making the volume longer when needed.
    ///
    /// # Errors
    /// `Quota` when there is no room. After any error the bytes in the range are unspecified.
    async fn write_at(&self, offset: u64, bytes: Bytes) -> Result<()>;

    /// Writes `parts` one behind the other from `offset`: one write for a host that can gather them.
    ///
    /// This has a default, which copies short parts together and calls [`write_at`](Volume::write_at) for
    /// each MiB. Promises are those of that call, for each of the writes that it comes to.
    ///
    /// # Errors
    /// As [`write_at`](Volume::write_at).
    async fn write_parts_at(&self, offset: u64, parts: Vec<Bytes>) -> Result<()> {
        let mut at = offset;
        let mut gathered: Vec<u8> = Vec::new();
        for part in parts {
            if gathered.is_empty() && part.len() >= GATHER {
                let len = part.len() as u64;
                self.write_at(at, part).await?;
                at += len;
                continue;
            }
            gathered.extend_from_slice(&part);
            if gathered.len() >= GATHER {
                let len = gathered.len() as u64;
                self.write_at(at, core::mem::take(&mut gathered).into())
                    .await?;
                at += len;
            }
        }
        if gathered.is_empty() {
            return Ok(());
        }
        self.write_at(at, gathered.into()).await
    }

    /// Tells that nobody will read `range` before it is written again. Only a hint.
    async fn discard(&self, range: Range<u64>) -> Result<()>;

    /// Returns only when what was written before survives power loss.
    ///
    /// The first poll starts it, awaiting it waits: other calls go on meanwhile.
    ///
    /// # Errors
    /// After an error nothing is known about what was written since the last success, and the
    /// core never calls a write or sync of this volume again.
    async fn sync(&self) -> Result<()>;

    /// Awaited before a group of commits is closed and written: what commits until it returns shares that write and its
    /// sync. A host whose callers run one after another in one turn of an event loop lets the others run first here.
    /// By default it returns at once.
    async fn gather(&self) {}
}

impl<T: Volume> Volume for alloc::sync::Arc<T> {
    fn len(&self) -> impl Future<Output = Result<u64>> {
        T::len(self)
    }

    fn set_len(&self, len: u64) -> impl Future<Output = Result<()>> {
        T::set_len(self, len)
    }

    fn read_at(&self, offset: u64, len: usize) -> impl Future<Output = Result<Bytes>> {
        T::read_at(self, offset, len)
    }

    fn write_at(&self, offset: u64, bytes: Bytes) -> impl Future<Output = Result<()>> {
        T::write_at(self, offset, bytes)
    }

    fn write_parts_at(&self, offset: u64, parts: Vec<Bytes>) -> impl Future<Output = Result<()>> {
        T::write_parts_at(self, offset, parts)
    }

    fn discard(&self, range: Range<u64>) -> impl Future<Output = Result<()>> {
        T::discard(self, range)
    }

    fn sync(&self) -> impl Future<Output = Result<()>> {
        T::sync(self)
    }

    async fn gather(&self) {
        T::gather(self).await;
    }
}
