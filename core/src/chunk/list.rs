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

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(byte: u8, len: u32) -> Chunk {
        Chunk {
            pointer: Pointer::from_bytes([byte; 32]),
            len,
        }
    }

    #[test]
    fn a_list_is_36_bytes_for_each_chunk_and_comes_back() {
        let list = ChunkList(alloc::vec![
            chunk(1, 1),
            chunk(2, 0x30201),
            chunk(1, MAX_CHUNK)
        ]);
        let bytes = list.encode();
        assert_eq!(bytes.len(), 3 * ROW);
        assert_eq!(bytes[36..68], [2; 32]);
        assert_eq!(bytes[68..72], [1, 2, 3, 0]);
        assert_eq!(ChunkList::decode(&bytes).unwrap(), list);
        assert_eq!(list.size(), 1 + 0x30201 + u64::from(MAX_CHUNK));
        assert_eq!(ChunkList::decode(&[]).unwrap(), ChunkList::default());
    }

    #[test]
    fn a_list_that_is_cut_or_says_impossible_lengths_is_refused() {
        let bytes = ChunkList(alloc::vec![chunk(1, 7), chunk(2, 8)]).encode();
        for len in 1..bytes.len() {
            let cut = ChunkList::decode(&bytes[..len]);
            assert_eq!(cut.is_ok(), len == ROW, "{len}");
        }
        for len in [0, MAX_CHUNK + 1, u32::MAX] {
            let list = ChunkList(alloc::vec![chunk(1, 7), chunk(2, len)]);
            let error = ChunkList::decode(&list.encode()).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidInput);
            assert!(alloc::format!("{error}").starts_with("chunk 1 "), "{error}");
            assert_eq!(list.check().unwrap_err().kind(), Kind::InvalidInput);
        }
        assert!(ChunkList::default().check().is_err());
    }
}
