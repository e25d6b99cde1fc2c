//! A list of chunks as bytes, the same over HTTP and in the store.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 36 n | 32 | pointer of chunk n |
//! | 36 n + 32 | 4 | its length in bytes, little-endian, 1 to [`MAX_CHUNK`] |

use crate::{
    Error, Kind, Result,
    blob::{Chunk, ChunkList, Pointer},
};
use alloc::vec::Vec;

/// The longest chunk that is taken from others, in bytes. Our own are at most [`MAX`](super::MAX).
pub const MAX_CHUNK: u32 = 4 << 20;

/// Bytes of one row.
pub(crate) const ROW: usize = 36;

impl ChunkList {
    /// The list as bytes, 36 for each chunk.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * ROW);
        for chunk in &self.0 {
            bytes.extend_from_slice(chunk.pointer.as_bytes());
            bytes.extend_from_slice(&chunk.len.to_le_bytes());
        }
        bytes
    }

    /// Whether a store can make a blob of it.
    ///
    /// # Errors
    /// `InvalidInput` for a list without chunks, or a chunk that is empty or longer than [`MAX_CHUNK`].
    pub fn check(&self) -> Result<()> {
        if self.0.is_empty() {
            return Err(invalid("a list of chunks that names none".into()));
        }
        for (i, chunk) in self.0.iter().enumerate() {
            check_row(i, chunk.len)?;
        }
        Ok(())
    }

    /// The list in `bytes`, whoever they come from.
    ///
    /// # Errors
    /// `InvalidInput` when they are no whole number of rows, or a chunk is empty or longer than [`MAX_CHUNK`].
    pub fn decode(bytes: &[u8]) -> Result<ChunkList> {
        let (rows, []) = bytes.as_chunks::<ROW>() else {
            return Err(invalid(alloc::format!(
                "a list of chunks has {ROW} bytes for each, this one has {} in all",
                bytes.len()
            )));
        };
        let mut chunks = Vec::with_capacity(rows.len());
        for (i, row) in rows.iter().enumerate() {
            let Some((pointer, len)) = row.split_first_chunk::<32>() else {
                break;
            };
            let len = len.first_chunk().map_or(0, |len| u32::from_le_bytes(*len));
            check_row(i, len)?;
            chunks.push(Chunk {
                pointer: Pointer::from_bytes(*pointer),
                len,
            });
        }
        Ok(ChunkList(chunks))
    }
}

/// The length of a chunk that somebody wants to store.
pub(crate) fn check_len(len: usize) -> Result<u32> {
    u32::try_from(len)
        .ok()
        .filter(|len| (1..=MAX_CHUNK).contains(len))
        .ok_or_else(|| {
            invalid(alloc::format!(
                "a chunk of {len} bytes; 1 to {MAX_CHUNK} are taken"
            ))
        })
}

fn check_row(i: usize, len: u32) -> Result<()> {
    if len == 0 || len > MAX_CHUNK {
        return Err(invalid(alloc::format!(
            "chunk {i} of a list says that it has {len} bytes; 1 to {MAX_CHUNK} are taken"
        )));
    }
    Ok(())
}

fn invalid(message: alloc::string::String) -> Error {
    Error::new(Kind::InvalidInput, message)
}
