//! Deleted ranges: sorted, without overlap.

use super::block::{Block, ItemKind};
use crate::{Error, Kind, Result};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;

/// The deleted ranges of a table, as its block has them.
#[derive(Clone)]
pub(crate) struct Ranges(pub Arc<Block>);

impl Ranges {
    /// Whether `key` is in one of them.
    pub(crate) fn cover(&self, key: &[u8]) -> Result<bool> {
        let Some(at) = self.0.child_for(key)? else {
            return Ok(false);
        };
        match self.0.kind_of(at)? {
            ItemKind::RangeEnd(end) => Ok(key < end.as_ref()),
            _ => Err(Error::new(
                Kind::Corrupt,
                "a block of ranges holds something else",
            )),
        }
    }

    pub(crate) fn all(&self) -> Result<Vec<(Bytes, Bytes)>> {
        let mut ranges = Vec::new();
        for index in 0..self.0.len() {
            let item = self.0.item(index)?;
            match item.kind {
                ItemKind::RangeEnd(end) => ranges.push((item.key, end)),
                _ => {
                    return Err(Error::new(
                        Kind::Corrupt,
                        "a block of ranges holds something else",
                    ));
                }
            }
        }
        Ok(ranges)
    }
}

/// The same keys as fewer ranges: sorted, without overlap.
pub(crate) fn union(mut ranges: Vec<(Bytes, Bytes)>) -> Vec<(Bytes, Bytes)> {
    ranges.sort();
    let mut out: Vec<(Bytes, Bytes)> = Vec::new();
    for (start, end) in ranges {
        match out.last_mut() {
            Some(last) if start <= last.1 => {
                if end > last.1 {
                    last.1 = end;
                }
            }
            _ => out.push((start, end)),
        }
    }
    out
}
