//! How often each chunk is named. A chunk's bytes are there as long as its count is.
//!
//! Whoever changes a count requires that it has not changed since it was read, so of a writer
//! that found a chunk there and a deleter that found it unnamed only one commits.

use super::super::{
    Chunk, Pointer,
    space::{self, CHUNKS, REFERENCES},
};
use crate::{
    Error, Kind, Result,
    engine::{Batch, View},
    port::Volume,
};
use alloc::{collections::BTreeMap, vec::Vec};
use bytes::Bytes;

/// A chunk to be named, with its bytes where they are at hand.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub chunk: Chunk,
    pub bytes: Option<Bytes>,
}

/// Adds what names each of `chunks` once more, and stores those that are not there.
///
/// # Errors
/// `NotFound` for a chunk that is neither there nor at hand, `Corrupt` for one of another length.
pub(super) async fn add<V: Volume>(
    batch: &mut Batch,
    view: &View<V>,
    chunks: &[Named],
) -> Result<()> {
    let mut times: BTreeMap<Pointer, (u64, &Named)> = BTreeMap::new();
    for named in chunks {
        times.entry(named.chunk.pointer).or_insert((0, named)).0 += 1;
    }
    for (pointer, (more, named)) in times {
        let count = count(view, &pointer).await?;
        let key = space::key(&pointer);
        let there = match count {
            0 => None,
            _ => view.len(CHUNKS, &key).await?,
        };
        match (there, &named.bytes) {
            (Some(len), _) if len == u64::from(named.chunk.len) => {}
            (Some(len), _) => {
                return Err(Error::new(
                    Kind::Corrupt,
                    alloc::format!(
                        "chunk {pointer} has {len} bytes, the list says {}",
                        named.chunk.len
                    ),
                ));
            }
            (None, Some(bytes)) => batch.put(CHUNKS, key.clone(), bytes.clone()),
            (None, None) => {
                return Err(Error::new(
                    Kind::NotFound,
                    alloc::format!("chunk {pointer} is not in the store"),
                ));
            }
        }
        set(batch, view, key, count.saturating_add(more));
    }
    Ok(())
}

/// Adds what names each of `chunks` once less, and removes those that nothing names then.
pub(super) async fn remove<V: Volume>(
    batch: &mut Batch,
    view: &View<V>,
    chunks: &[Pointer],
) -> Result<()> {
    let mut times: BTreeMap<Pointer, u64> = BTreeMap::new();
    for chunk in chunks {
        *times.entry(*chunk).or_default() += 1;
    }
    let mut order: Vec<(Pointer, u64)> = Vec::with_capacity(times.len());
    order.extend(times);
    for (pointer, less) in order {
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
