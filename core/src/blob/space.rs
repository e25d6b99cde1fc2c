//! How blobs and roots are laid out in the engine.
//!
//! | space | key | value |
//! |---|---|---|
//! | `0x10` whole | pointer (32) | exactly the blob's bytes |
//! | `0x11` listed | pointer (32) | list number (u64), size (u64), chunks (u32) |
//! | `0x12` chunks | chunk (32) | exactly the chunk's bytes |
//! | `0x13` references | chunk (32) | how often lists, and loose chunks, name it (u64, at least 1) |
//! | `0x14` staged | `0` `n` | the next list number (u64) |
//! | | `0` `e` | the era: the number of sweeps so far (u64) |
//! | | `1` list number (8) | nothing: the list is being written, no blob has it yet |
//! | | `2` list number (8) | nothing: the list is to be taken apart, no blob has it any more |
//! | | `3` chunk (32) | era (u64) in which the chunk came without a list |
//! | `0x15` roots | name (UTF-8) | pointer (32) |
//! | `0x16` parts | list number (8), offset of the part in the blob (8) | rows of a [list of chunks](crate::chunk) |
//!
//! Numbers in keys are big-endian (they sort), numbers in values little-endian. A part is found by
//! its offset without reading those before it. Making a blob visible is one small key in `0x11`,
//! whatever its size: its chunks, parts and references went in before, in slices; and a deleted
//! blob's list is taken apart in slices afterwards. Every change of which lists name a chunk
//! changes its key in `0x13`, which is what concurrent writers and deleters watch.

use super::Pointer;
use crate::{Error, Kind, Result, engine::Space};
use alloc::vec::Vec;
use bytes::Bytes;

/// Blobs that are kept whole.
pub const WHOLE: Space = Space(0x10);
/// Blobs that are kept as a list of chunks.
pub const LISTED: Space = Space(0x11);
/// Bytes of chunks.
pub const CHUNKS: Space = Space(0x12);
/// How often each chunk is named.
pub const REFERENCES: Space = Space(0x13);
/// Lists that no blob has (yet, or any more), and chunks that no list names yet.
pub const STAGED: Space = Space(0x14);
/// Named roots.
pub const ROOTS: Space = Space(0x15);
/// Parts of lists.
pub const PARTS: Space = Space(0x16);

/// Counters in [`STAGED`].
pub(crate) const NEXT_LIST: &[u8] = &[0, b'n'];
pub(crate) const ERA: &[u8] = &[0, b'e'];

/// What the first byte of a key in [`STAGED`] says.
pub(crate) const WRITING: u8 = 1;
pub(crate) const ABANDONED: u8 = 2;
pub(crate) const LOOSE: u8 = 3;

/// The key of a blob or chunk.
pub(crate) fn key(pointer: &Pointer) -> Bytes {
    Bytes::copy_from_slice(pointer.as_bytes())
}

/// A key in [`STAGED`]: what it says, and of what.
pub(crate) fn staged_key(says: u8, of: &[u8]) -> Bytes {
    let mut key = Vec::with_capacity(1 + of.len());
    key.push(says);
    key.extend_from_slice(of);
    key.into()
}

/// What a key in [`STAGED`] is about, behind its first byte.
pub(crate) fn staged_list(key: &[u8]) -> Result<u64> {
    key.get(1..)
        .and_then(|id| id.try_into().ok())
        .map(u64::from_be_bytes)
        .ok_or_else(|| unreadable("a key of a staged list"))
}

/// What a key in [`STAGED`] is about, behind its first byte.
pub(crate) fn staged_chunk(key: &[u8]) -> Result<Pointer> {
    key.get(1..)
        .and_then(|chunk| chunk.try_into().ok())
        .map(Pointer::from_bytes)
        .ok_or_else(|| unreadable("a key of a loose chunk"))
}

/// The key of the part of list `id` that starts at `offset` of the blob.
pub(crate) fn part_key(id: u64, offset: u64) -> Bytes {
    let mut key = Vec::with_capacity(16);
    key.extend_from_slice(&id.to_be_bytes());
    key.extend_from_slice(&offset.to_be_bytes());
    key.into()
}

/// The offset in the blob of the part with this key.
pub(crate) fn part_offset(key: &[u8]) -> Result<u64> {
    key.last_chunk()
        .copied()
        .map(u64::from_be_bytes)
        .ok_or_else(|| unreadable("a key of a part of a list"))
}

/// The pointer that `key` is.
pub(crate) fn pointer(key: &[u8]) -> Result<Pointer> {
    key.try_into()
        .map(Pointer::from_bytes)
        .map_err(|_| unreadable("a key of a blob"))
}

/// The number that `value` is.
pub(crate) fn number(value: &[u8]) -> Result<u64> {
    value
        .try_into()
        .map(u64::from_le_bytes)
        .map_err(|_| unreadable("a counter"))
}

/// Blob data of this store that checksums call whole and that make no sense all the same.
pub(crate) fn unreadable(what: &str) -> Error {
    Error::new(
        Kind::Corrupt,
        alloc::format!("{what} in the store is not of this format"),
    )
}

/// A list as its blob's key tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub id: u64,
    pub size: u64,
    pub chunks: u32,
}

impl Header {
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(20);
        bytes.extend_from_slice(&self.id.to_le_bytes());
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&self.chunks.to_le_bytes());
        bytes.into()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        fn read(bytes: &[u8]) -> Option<Header> {
            let (id, bytes) = bytes.split_first_chunk()?;
            let (size, bytes) = bytes.split_first_chunk()?;
            Some(Header {
                id: u64::from_le_bytes(*id),
                size: u64::from_le_bytes(*size),
                chunks: u32::from_le_bytes(bytes.try_into().ok()?),
            })
        }
        read(bytes).ok_or_else(|| unreadable("what a blob's key tells of its list"))
    }
}
