//! How often each chunk is named. A chunk's bytes are there as long as its count is.
//!
//! Whoever changes a count requires that it has not changed since it was read, so of a writer
//! that found a chunk there and a deleter that found it unnamed only one commits.

use super::{
    super::{
        Chunk, Pointer,
        space::{self, CHUNKS, REFERENCES},
        store::no_chunk,
    },
    known::Known,
};
use crate::{
    Error, Kind, Result,
    engine::{Batch, View},
    port::Volume,
};
use alloc::vec::Vec;
use bytes::Bytes;

/// A chunk to be named, with its bytes where they are at hand.
pub(super) type Named = (Chunk, Option<Bytes>);

/// Adds what names each of `chunks` once more, and stores those that are not there, or whose bytes are at hand and
/// cannot be read any more.
///
/// # Errors
/// `NotFound` for a chunk that is neither there nor at hand, `Corrupt` for one of another length.
pub(super) async fn add<V: Volume>(
    batch: &mut Batch,
    view: &View<V>,
    known: &Known,
    chunks: &[Named],
) -> Result<()> {
    let mut sorted: Vec<&Named> = chunks.iter().collect();
    sorted.sort_by_key(|(chunk, _)| chunk.pointer);
    for named in sorted.chunk_by(|(one, _), (other, _)| one.pointer == other.pointer) {
        let [(Chunk { pointer, len }, bytes), ..] = named else {
            continue;
        };
        let (pointer, len, more) = (*pointer, *len, named.len() as u64);
        let count = count(view, &pointer).await?;
        let key = space::key(&pointer);
        match bytes {
            Some(bytes) => {
                let sound = count > 0 && known.is_sound(view, CHUNKS, &pointer).await?;
                if !sound {
                    batch.put(CHUNKS, key.clone(), bytes.clone());
                }
            }
            None => {
                let there = match count {
                    0 => None,
                    _ => view.len(CHUNKS, &key).await?,
                };
                let there = there.ok_or_else(|| no_chunk(&pointer))?;
                if there != u64::from(len) {
                    return Err(Error::new(
                        Kind::Corrupt,
                        alloc::format!("chunk {pointer} has {there} bytes, its list says {len}"),
                    ));
                }
            }
        }
        set(batch, view, key, count.saturating_add(more));
    }
    Ok(())
}

/// What [`add`] added is committed.
pub(super) fn added(known: &Known, chunks: &[Named]) {
    for (chunk, bytes) in chunks {
        if bytes.is_some() {
            known.mended(CHUNKS, &chunk.pointer);
        }
    }
}

/// Adds what names each of `chunks` once less, and removes those that nothing names then.
pub(super) async fn remove<V: Volume>(
    batch: &mut Batch,
    view: &View<V>,
    chunks: &[Pointer],
) -> Result<()> {
    let mut sorted = chunks.to_vec();
    sorted.sort_unstable();
    for named in sorted.chunk_by(|one, other| one == other) {
        let [pointer, ..] = named else { continue };
        let (pointer, less) = (*pointer, named.len() as u64);
        let left = count(view, &pointer)
            .await?
            .checked_sub(less)
            .ok_or_else(|| space::unreadable("the count of a chunk"))?;
        let key = space::key(&pointer);
        if left == 0 {
            batch.delete(CHUNKS, key.clone());
        }
        set(batch, view, key, left);
    }
    Ok(())
}

/// How often `chunk` is named.
pub(super) async fn count<V: Volume>(view: &View<V>, chunk: &Pointer) -> Result<u64> {
    match view.get(REFERENCES, chunk.as_bytes()).await? {
        Some(value) => space::number(&value),
        None => Ok(0),
    }
}

fn set<V: Volume>(batch: &mut Batch, view: &View<V>, key: Bytes, count: u64) {
    batch.require_unchanged(REFERENCES, key.clone(), view);
    match count {
        0 => batch.delete(REFERENCES, key),
        _ => batch.put(REFERENCES, key, count.to_le_bytes().to_vec()),
    }
}
