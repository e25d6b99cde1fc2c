//! One block of a table.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | kind: 0 leaf, 1 index, 2 ranges |
//! | 1 | zero |
//! | 2 | length of the prefix that all keys share |
//! | 4 | number of items |
//! | 4 | length of the filter |
//! | | prefix, items, filter |
//! | 4 each | where each item begins, from the block's start |
//!
//! Item: rest of the key (short length, bytes), tag, and by tag: 0 deleted; 1 value (short length,
//! bytes); 2 reference to a value in a pack; 3 reference to a child; 4 end of a range (short length, bytes).

use super::super::codec::{Put, Ref, Take, behind};
use super::super::memtable::Value;
use crate::{Error, Kind, Result};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;
use core::{cmp::Ordering, sync::atomic::AtomicBool};

const HEAD: usize = 12;

/// A block that has been read and checked.
pub(crate) struct Block {
    bytes: Bytes,
    pub kind: u8,
    prefix: usize,
    count: usize,
    filter: (usize, usize),
    offsets: usize,
    /// The first 8 bytes of each key behind the shared prefix, as a number of the same order: a
    /// search looks at few of these, which lie side by side, instead of jumping from item to item.
    heads: Vec<u64>,
    /// Somebody read it since the cache looked last.
    pub touched: AtomicBool,
}

/// What stands behind a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    Deleted,
    Value(Value),
    Child(Ref),
    RangeEnd(Bytes),
}

/// A key and what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub key: Bytes,
    pub kind: ItemKind,
}

pub(crate) const LEAF: u8 = 0;
pub(crate) const INDEX: u8 = 1;
pub(crate) const RANGES: u8 = 2;

impl Block {
    /// Checks the shape and the keys; what stands behind a key is checked when it is read.
    pub(crate) fn parse(bytes: Bytes) -> Result<Arc<Block>> {
        let mut take = Take::new(&bytes);
        let kind = take.u8()?;
        let _ = take.u8()?;
        let prefix = usize::from(take.u16()?);
        let count = take.u32()? as usize;
        let filter = take.u32()? as usize;
        take.slice(prefix)?;
        let offsets = count
            .checked_mul(4)
            .and_then(|table| bytes.len().checked_sub(table))
            .filter(|offsets| *offsets >= take.position())
            .ok_or_else(shapeless)?;
        let filter_start = offsets
            .checked_sub(filter)
            .filter(|start| *start >= take.position())
            .ok_or_else(shapeless)?;
        if kind > RANGES {
            return Err(shapeless());
        }
        let mut block = Block {
            prefix,
            count,
            filter: (filter_start, offsets),
            offsets,
            kind,
            bytes,
            heads: Vec::new(),
            touched: AtomicBool::new(false),
        };
        let mut heads = Vec::with_capacity(count);
        for index in 0..count {
            heads.push(head(block.key_at(index)?.0));
        }
        block.heads = heads;
        Ok(Arc::new(block))
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Bytes of memory it takes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + self.count * 8 + 128
    }

    pub(crate) fn filter(&self) -> &[u8] {
        self.bytes
            .get(self.filter.0..self.filter.1)
            .unwrap_or_default()
    }

    /// The item at `index`.
    pub(crate) fn item(&self, index: usize) -> Result<Item> {
        let (rest, mut take) = self.key_at(index)?;
        let key = if self.prefix == 0 {
            behind(&self.bytes, &take, rest.len())?
        } else {
            let mut key = Vec::with_capacity(self.prefix + rest.len());
            key.extend_from_slice(self.shared());
            key.extend_from_slice(rest);
            key.into()
        };
        Ok(Item {
            key,
            kind: self.kind_at(&mut take)?,
        })
    }

    /// What stands behind the item at `index`, without its key.
    pub(crate) fn kind_of(&self, index: usize) -> Result<ItemKind> {
        let (_, mut take) = self.key_at(index)?;
        self.kind_at(&mut take)
    }

    /// The first index whose key is not less than `key`, and whether it is equal.
    pub(crate) fn search(&self, key: &[u8]) -> Result<(usize, bool)> {
        let shared = self.shared();
        let common = shared.len().min(key.len());
        let (start, rest) = key.split_at_checked(common).unwrap_or((key, &[]));
        match shared.get(..common).unwrap_or_default().cmp(start) {
            Ordering::Less => return Ok((self.count, false)),
            Ordering::Greater => return Ok((0, false)),
            Ordering::Equal if common < shared.len() => return Ok((0, false)),
            Ordering::Equal => {}
        }
        let wanted = head(rest);
        let mut low = first_not_less(&self.heads, wanted);
        let same = self.heads.get(low..).unwrap_or_default();
        let mut high = low + same.partition_point(|head| *head == wanted);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.key_at(middle)?.0.cmp(rest) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok((middle, true)),
                Ordering::Greater => high = middle,
            }
        }
        Ok((low, false))
    }

    /// The last child whose first key is not greater than `key`.
    pub(crate) fn child_for(&self, key: &[u8]) -> Result<Option<usize>> {
        let (at, equal) = self.search(key)?;
        Ok(if equal { Some(at) } else { at.checked_sub(1) })
    }

    fn shared(&self) -> &[u8] {
        self.bytes.get(HEAD..HEAD + self.prefix).unwrap_or_default()
    }

    fn key_at(&self, index: usize) -> Result<(&[u8], Take<'_>)> {
        let at = index
            .checked_mul(4)
            .filter(|_| index < self.count)
            .map(|skip| self.offsets + skip);
        let offset = at
            .and_then(|at| self.bytes.get(at..at + 4)?.try_into().ok())
            .map(u32::from_le_bytes)
            .ok_or_else(shapeless)?;
        let mut take = Take::new(self.bytes.get(..self.filter.0).unwrap_or_default());
        take.slice(offset as usize)?;
        Ok((take.bytes()?, take))
    }

    fn kind_at(&self, take: &mut Take<'_>) -> Result<ItemKind> {
        Ok(match take.u8()? {
            0 => ItemKind::Deleted,
            1 => {
                let len = take.bytes()?.len();
                ItemKind::Value(Value::Inline(behind(&self.bytes, take, len)?))
            }
            2 => ItemKind::Value(Value::External(take.reference()?)),
            3 => ItemKind::Child(take.reference()?),
            4 => {
                let len = take.bytes()?.len();
                ItemKind::RangeEnd(behind(&self.bytes, take, len)?)
            }
            _ => return Err(shapeless()),
        })
    }
}

/// The first index whose head is not less than `wanted`. Where keys are spread evenly, as hashes are,
/// a guess lands within a few places, and two lines of the processor's cache are looked at.
fn first_not_less(heads: &[u64], wanted: u64) -> usize {
    let (Some(&first), Some(&last)) = (heads.first(), heads.last()) else {
        return 0;
    };
    if wanted <= first || wanted > last {
        return if wanted <= first { 0 } else { heads.len() };
    }
    let share = (wanted - first) as f64 / (last - first) as f64;
    let guess = (share * heads.len() as f64) as usize;
    let near = guess.saturating_sub(BESIDE)..heads.len().min(guess + BESIDE);
    let (from, some) = match heads.get(near.clone()) {
        Some(some)
            if some.first().is_some_and(|head| *head < wanted)
                && some.last().is_some_and(|head| *head >= wanted) =>
        {
            (near.start, some)
        }
        _ => (0, heads),
    };
    from + some.partition_point(|head| *head < wanted)
}

/// How far beside the guess is looked first.
const BESIDE: usize = 8;

/// The first 8 bytes of `key` as a number: keys of different heads are in the order of their heads.
fn head(key: &[u8]) -> u64 {
    match key.first_chunk::<8>() {
        Some(head) => u64::from_be_bytes(*head),
        None => key
            .iter()
            .chain(core::iter::repeat(&0))
            .take(8)
            .fold(0, |head, byte| head << 8 | u64::from(*byte)),
    }
}

/// Gathers the items of a block that is being written.
#[derive(Default)]
pub(crate) struct Builder {
    items: Vec<Item>,
    bytes: usize,
}

impl Builder {
    pub(crate) fn add(&mut self, item: Item) {
        self.bytes += item.key.len()
            + 8
            + match &item.kind {
                ItemKind::Value(Value::Inline(value)) => value.len() + 5,
                ItemKind::RangeEnd(end) => end.len() + 5,
                _ => Ref::SIZE + 1,
            };
        self.items.push(item);
    }

    /// About how long the block is going to be.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn first_key(&self) -> Option<Bytes> {
        self.items.first().map(|item| item.key.clone())
    }

    /// The block's bytes; the builder is empty again.
    pub(crate) fn finish(&mut self, kind: u8, filter: &[u8]) -> Vec<u8> {
        let prefix = match (self.items.first(), self.items.last()) {
            (Some(first), Some(last)) => first
                .key
                .iter()
                .zip(last.key.iter())
                .take_while(|(a, b)| a == b)
                .count()
                .min(usize::from(u16::MAX)),
            _ => 0,
        };
        let mut out = Vec::with_capacity(self.bytes + filter.len() + HEAD);
        out.push(kind);
        out.push(0);
        out.put_u16(prefix as u16);
        out.put_u32(self.items.len() as u32);
        out.put_u32(filter.len() as u32);
        if let Some(first) = self.items.first() {
            out.extend_from_slice(first.key.get(..prefix).unwrap_or_default());
        }
        let mut offsets = Vec::with_capacity(self.items.len());
        for item in self.items.drain(..) {
            offsets.push(out.len() as u32);
            out.put_bytes(item.key.get(prefix..).unwrap_or_default());
            match &item.kind {
                ItemKind::Deleted => out.push(0),
                ItemKind::Value(Value::Inline(value)) => {
                    out.push(1);
                    out.put_bytes(value);
                }
                ItemKind::Value(Value::External(at)) => {
                    out.push(2);
                    out.put_ref(at);
                }
                ItemKind::Child(at) => {
                    out.push(3);
                    out.put_ref(at);
                }
                ItemKind::RangeEnd(end) => {
                    out.push(4);
                    out.put_bytes(end);
                }
            }
        }
        out.extend_from_slice(filter);
        for offset in offsets {
            out.put_u32(offset);
        }
        self.bytes = 0;
        out
    }
}

fn shapeless() -> Error {
    Error::new(
        Kind::Corrupt,
        "a table block does not have the shape of one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Short keys over few bytes, so that heads are equal, cut short, and padded like real zeros.
    fn keys() -> Vec<Bytes> {
        let mut keys = alloc::collections::BTreeSet::new();
        let mut state = 1u64;
        while keys.len() < 300 {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let len = (state >> 33) as usize % 14;
            let byte = |at: usize| [0, 0, 1, 255][(state >> (35 + 2 * at)) as usize & 3];
            keys.insert(Bytes::from_iter((0..len).map(byte)));
        }
        keys.into_iter().collect()
    }

    #[test]
    fn the_first_head_that_is_not_less_is_found_whatever_the_guess() {
        let even: Vec<u64> = (1..100).map(|nth| nth << 56).collect();
        let steep: Vec<u64> = (0..63).map(|nth| 1 << nth).collect();
        let equal = [[7; 40], [u64::MAX; 40]].concat();
        for heads in [&even[..], &steep, &equal, &[5], &[]] {
            for near in heads
                .iter()
                .flat_map(|head| [head - 1, *head, head.saturating_add(1)])
            {
                let expected = heads.partition_point(|head| *head < near);
                assert_eq!(first_not_less(heads, near), expected);
            }
            // Damage that passes the checksum: any answer, but one.
            let mut wild = heads.to_vec();
            wild.reverse();
            assert!(first_not_less(&wild, 9 << 50) <= wild.len());
        }
    }

    #[test]
    fn a_search_finds_every_key_and_the_place_of_every_other() {
        let keys = keys();
        for prefix in [&b""[..], b"shared"] {
            let whole = |key: &Bytes| Bytes::from([prefix, key].concat());
            let mut builder = Builder::default();
            for key in keys.iter().step_by(2) {
                let (key, kind) = (whole(key), ItemKind::Deleted);
                builder.add(Item { key, kind });
            }
            let block = Block::parse(builder.finish(LEAF, &[]).into()).unwrap();
            for (nth, key) in keys.iter().enumerate() {
                let expected = (nth.div_ceil(2), nth.is_multiple_of(2));
                assert_eq!(block.search(&whole(key)).unwrap(), expected, "{key:?}");
            }
        }
    }
}
