//! Checking a part of a blob without reading all of it each time.
//!
//! A file has only one hash, the pointer. So the first range of a large blob reads all of it, checks
//! the pointer, and keeps the hash of each block in memory; the later ranges are checked block by block.

use crate::{
    core::{
        blob::{Hasher, Pointer},
        sync::Mutex,
    },
    platform,
};
use bytes::Bytes;
use std::{collections::VecDeque, fs::File, io, ops::Range, sync::Arc};

/// What is checked at once, in bytes. A smaller blob is read whole.
const BLOCK: u64 = 1 << 20;

/// Block hashes that are kept, over all blobs: 4 MiB of them, which stand for 128 GiB.
const KEPT: usize = 128 << 10;

/// The hashes of the blocks of blobs that were found whole, latest used last.
#[derive(Default)]
pub(super) struct Ranges(Mutex<VecDeque<(Pointer, Arc<[Pointer]>)>>);

impl Ranges {
    /// Bytes `range` (which is in the file) of the blob, or the range in which it is damaged.
    pub(super) fn read(
        &self,
        file: &File,
        size: u64,
        pointer: &Pointer,
        range: Range<u64>,
    ) -> io::Result<Result<Bytes, Range<u64>>> {
        let hashes = match self.known(pointer) {
            Some(hashes) => hashes,
            None => match hash_blocks(file, size, pointer)? {
                Some(hashes) => self.keep(*pointer, hashes),
                None => return Ok(Err(0..size)),
            },
        };
        if hashes.len() as u64 != size.div_ceil(BLOCK) {
            return Ok(Err(0..size));
        }
        let mut found = Vec::new();
        found.try_reserve_exact(usize::try_from(range.end - range.start).unwrap_or(usize::MAX))?;
        let first = range.start / BLOCK;
        for (index, hash) in (first..).zip(hashes.iter().skip(first as usize)) {
            let block = index * BLOCK..((index + 1) * BLOCK).min(size);
            if block.start >= range.end {
                break;
            }
            let bytes = read_block(file, &block)?;
            if Pointer::of(&bytes) != *hash {
                return Ok(Err(block));
            }
            let from = range.start.saturating_sub(block.start) as usize;
            let to = (range.end - block.start).min(BLOCK) as usize;
            found.extend_from_slice(bytes.get(from..to.min(bytes.len())).unwrap_or_default());
        }
        Ok(Ok(found.into()))
    }

    fn known(&self, pointer: &Pointer) -> Option<Arc<[Pointer]>> {
        let mut kept = self.0.lock();
        let index = kept.iter().position(|(of, _)| of == pointer)?;
        let entry = kept.remove(index)?;
        let hashes = entry.1.clone();
        kept.push_back(entry);
        Some(hashes)
    }

    fn keep(&self, pointer: Pointer, hashes: Arc<[Pointer]>) -> Arc<[Pointer]> {
        let mut kept = self.0.lock();
        kept.retain(|(of, _)| *of != pointer);
        let mut total = hashes.len() + kept.iter().map(|(_, hashes)| hashes.len()).sum::<usize>();
        while total > KEPT
            && let Some((_, oldest)) = kept.pop_front()
        {
            total -= oldest.len();
        }
        kept.push_back((pointer, hashes.clone()));
        hashes
    }
}

/// The hash of each block, if all of them together are the blob.
fn hash_blocks(file: &File, size: u64, pointer: &Pointer) -> io::Result<Option<Arc<[Pointer]>>> {
    let mut whole = Hasher::new();
    let mut hashes = Vec::new();
    let mut start = 0;
    while start < size {
        let block = start..(start + BLOCK).min(size);
        let bytes = read_block(file, &block)?;
        whole.update(&bytes);
        hashes.push(Pointer::of(&bytes));
        start = block.end;
    }
    Ok((whole.finish() == *pointer).then(|| hashes.into()))
}

fn read_block(file: &File, block: &Range<u64>) -> io::Result<Vec<u8>> {
    platform::read_exact_at(file, block.start, (block.end - block.start) as usize)
}
