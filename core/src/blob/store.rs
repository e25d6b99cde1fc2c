//! What every store of blobs can do.

use super::Pointer;
use crate::{Error, Kind, Result, port::Body};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::ops::Range;

/// A store of immutable bytes, addressed by their SHA-256.
///
/// The required methods are all that an implementer must write; what has a default may be
/// overridden where the store can do better. `blob::conformance` tests an implementation.
pub trait BlobStore {
    /// What this store can do.
    fn capabilities(&self) -> Capabilities;

    /// Stores `bytes`, returning once they are durable. Putting what is there already is not an error.
    ///
    /// # Errors
    /// `ReadOnly`, `Quota`, `Transient`, `Auth`, `Closed`.
    async fn put(&self, bytes: Bytes) -> Result<Pointer>;

    /// Stores what arrives, hashing on the way, in bounded memory. Nothing is visible before the end.
    ///
    /// # Errors
    /// Those of [`put`](BlobStore::put) and of the source; nothing was stored then.
    async fn put_stream<B: Body>(&self, body: B) -> Result<Pointer>;

    /// The blob's bytes, checked.
    ///
    /// # Errors
    /// `NotFound`; `Corrupt` instead of wrong bytes; `Transient` when the store cannot be reached.
    /// `OutOfRange` for a blob larger than fits in memory: read ranges.
    async fn get(&self, pointer: &Pointer) -> Result<Bytes>;

    /// Bytes `range` of the blob. A range that ends behind the blob's end is cut to it.
    ///
    /// # Errors
    /// Those of [`get`](BlobStore::get); `OutOfRange` when it starts behind the end; `InvalidInput` when start > end.
    async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes>;

    /// What is known of the blob, or `None` if it is not there.
    async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>>;

    /// Whether each of `pointers` is there, in the order asked. A yes is worth as much as the answer to a put: that blob is
    /// durable. Whoever lost the answer to a put asks this before putting again.
    ///
    /// # Errors
    /// Those of [`put`](BlobStore::put) where that cannot be promised, besides those of a read.
    async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>>;

    /// Removes the blob; whether it was there.
    async fn delete(&self, pointer: &Pointer) -> Result<bool>;

    /// Up to `limit` (at least 1) blobs in pointer order behind `after` (from the first one without it).
    /// An empty answer is the end; a shorter one is not.
    async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>>;

    /// The list of chunks that the blob is kept as, or `None` where it is kept whole (or not there).
    async fn chunks(&self, _pointer: &Pointer) -> Result<Option<ChunkList>> {
        Ok(None)
    }

    /// Which of these chunks are there already.
    async fn has_chunks(&self, _chunks: &[Pointer]) -> Result<Vec<bool>> {
        Err(no_chunks())
    }

    /// Stores one chunk, to be named by a list soon; a chunk that no list names is removed in time.
    async fn put_chunk(&self, _bytes: Bytes) -> Result<Pointer> {
        Err(no_chunks())
    }

    /// One chunk's bytes, checked.
    async fn get_chunk(&self, _chunk: &Pointer) -> Result<Bytes> {
        Err(no_chunks())
    }

    /// Bytes that have gone to and come from where this store is, so far: whoever waits for a call can tell a slow line from a dead
    /// one. Clones count together. Where it stays 0, nobody counts.
    fn moved(&self) -> u64 {
        0
    }

    /// Makes a blob of chunks that are there. The store checks that together they hash to `pointer`.
    ///
    /// # Errors
    /// `NotFound` when a chunk is missing, `Corrupt` when they are not that blob.
    async fn put_list(&self, _pointer: &Pointer, _list: ChunkList) -> Result<()> {
        Err(no_chunks())
    }
}

pub(crate) fn no_chunks() -> Error {
    Error::new(
        Kind::NotImplemented,
        "this store keeps blobs whole; put them without chunks",
    )
}

/// Mutable names that point at blobs, moved by compare-and-swap.
pub trait RootStore {
    /// Where `name` points, or `None`.
    async fn root(&self, name: &str) -> Result<Option<Pointer>>;

    /// Moves `name` from `from` to `to`; `None` is "not there". A move to where it is already succeeds.
    ///
    /// # Errors
    /// `Conflict` when it points elsewhere. `InvalidInput` for a name that is empty, longer than 512 bytes, has a NUL, or is `.` or `..`.
    async fn move_root(&self, name: &str, from: Option<Pointer>, to: Option<Pointer>)
    -> Result<()>;

    /// Up to `limit` roots in name order behind `after`.
    async fn roots(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Pointer)>>;
}

/// What a store can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Puts and deletes work.
    pub writable: bool,
    /// Blobs can be transferred as chunks.
    pub chunks: bool,
    /// What was put is there after the store is opened again.
    pub durable: bool,
}

impl Capabilities {
    /// Writable and durable, whole blobs.
    pub const fn new() -> Self {
        Capabilities {
            writable: true,
            chunks: false,
            durable: true,
        }
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::new()
    }
}

/// What is known of a blob without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// Length in bytes.
    pub size: u64,
    /// Chunks that it is kept as; 1 where it is kept whole.
    pub chunks: u32,
}

impl Stat {
    /// A blob of `size` bytes kept whole.
    pub const fn whole(size: u64) -> Self {
        Stat { size, chunks: 1 }
    }
}

/// One row of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The blob.
    pub pointer: Pointer,
    /// Its length in bytes.
    pub size: u64,
}

/// A blob as the chunks that it is made of, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkList(pub Vec<Chunk>);

/// One piece of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// SHA-256 of the piece.
    pub pointer: Pointer,
    /// Its length in bytes.
    pub len: u32,
}

impl Chunk {
    /// Whether `bytes`, which hash to this chunk's pointer, are as long as its list says.
    pub(crate) fn check_bytes(&self, bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 == u64::from(self.len) {
            return Ok(());
        }
        Err(Error::new(
            Kind::Corrupt,
            alloc::format!(
                "chunk {} has {} bytes, its list says {}",
                self.pointer,
                bytes.len(),
                self.len
            ),
        ))
    }
}

impl ChunkList {
    /// Length of the whole blob.
    pub fn size(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, chunk| sum.saturating_add(u64::from(chunk.len)))
    }
}

/// Cuts `range` to a blob of `size` bytes, as [`BlobStore::get_range`] promises.
///
/// # Errors
/// `InvalidInput` when it starts behind its end, `OutOfRange` when it starts behind the blob's.
pub fn cut_range(range: Range<u64>, size: u64) -> Result<Range<u64>> {
    if range.start > range.end {
        return Err(Error::new(
            Kind::InvalidInput,
            alloc::format!("a range from {} to {}", range.start, range.end),
        ));
    }
    if range.start > size {
        return Err(Error::new(
            Kind::OutOfRange,
            alloc::format!("a range from {} of a blob of {size} bytes", range.start),
        ));
    }
    Ok(range.start..range.end.min(size))
}

pub(crate) fn not_found(pointer: &Pointer) -> Error {
    Error::new(
        Kind::NotFound,
        alloc::format!("blob {pointer} is not in the store"),
    )
}

pub(crate) fn no_chunk(chunk: &Pointer) -> Error {
    Error::new(
        Kind::NotFound,
        alloc::format!("chunk {chunk} is not in the store"),
    )
}

pub(crate) fn not_the_blob(pointer: &Pointer) -> Error {
    Error::new(
        Kind::Corrupt,
        alloc::format!("the chunks of the list together are not blob {pointer}"),
    )
}

/// Makes room for `len` more bytes, if there is memory for them.
pub(crate) fn reserve(bytes: &mut Vec<u8>, len: u64) -> Result<()> {
    usize::try_from(len)
        .ok()
        .and_then(|len| bytes.try_reserve_exact(len).ok())
        .ok_or_else(|| {
            Error::new(
                Kind::OutOfRange,
                alloc::format!("{len} bytes do not fit in memory: read ranges"),
            )
        })
}
