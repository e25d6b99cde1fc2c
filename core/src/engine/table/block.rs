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
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use bytes::Bytes;
use core::{cmp::Ordering, sync::atomic::AtomicBool};

const HEAD: usize = 12;

/// A block that has been read and checked. What a search looks at lies close together.
pub(crate) struct Block {
    bytes: Bytes,
    places: Box<[Place]>,
    /// The heads of the first and the last place.
    ends: (u64, u64),
    /// The beginning of the prefix that all keys share.
    start: [u8; 8],
    filter: u32,
    prefix: u16,
    pub kind: u8,
    /// Somebody read it since the cache looked last.
    pub touched: AtomicBool,
}

/// Where an item is, and the first 8 bytes of its key behind the shared prefix, as a number of the same
/// order: a search looks at few of these, which lie side by side, instead of jumping from item to item.
#[derive(Clone, Copy)]
struct Place {
    head: u64,
    offset: u32,
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
        let shared = take.slice(prefix)?;
        let mut start = [0; 8];
        for (to, from) in start.iter_mut().zip(shared) {
            *to = *from;
        }
        let offsets = count
            .checked_mul(4)
            .and_then(|table| bytes.len().checked_sub(table))
            .filter(|offsets| *offsets >= take.position())
            .ok_or_else(shapeless)?;
        let filter = offsets
            .checked_sub(filter)
            .filter(|start| *start >= take.position())
            .ok_or_else(shapeless)?;
        if kind > RANGES {
            return Err(shapeless());
        }
        let items = bytes.get(..filter).unwrap_or_default();
        let mut table = Take::new(bytes.get(offsets..).unwrap_or_default());
        let mut places = Vec::with_capacity(count);
        for _ in 0..count {
            let offset = table.u32()?;
            let mut item = Take::new(items);
            item.slice(offset as usize)?;
            let head = head(item.bytes()?);
            places.push(Place { head, offset });
        }
        let end = |place: Option<&Place>| place.map_or(0, |place| place.head);
        Ok(Arc::new(Block {
            ends: (end(places.first()), end(places.last())),
            places: places.into(),
            start,
            filter: u32::try_from(filter).map_err(|_| shapeless())?,
            prefix: prefix as u16,
            kind,
            touched: AtomicBool::new(false),
            bytes,
        }))
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes of memory it takes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + self.places.len() * size_of::<Place>() + 128
    }

    pub(crate) fn filter(&self) -> &[u8] {
        let end = self.bytes.len().saturating_sub(self.places.len() * 4);
        self.bytes
            .get(self.filter as usize..end)
            .unwrap_or_default()
    }

    /// The item at `index`.
    pub(crate) fn item(&self, index: usize) -> Result<Item> {
        let (rest, mut take) = self.key_at(index)?;
        let key = if self.prefix == 0 {
            behind(&self.bytes, &take, rest.len())?
        } else {
            let mut key = Vec::with_capacity(usize::from(self.prefix) + rest.len());
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
        let prefix = usize::from(self.prefix);
        let common = prefix.min(key.len());
        let (start, rest) = key.split_at_checked(common).unwrap_or((key, &[]));
        let shared = match self.start.get(..prefix) {
            Some(short) => short,
            None => self.shared(),
        };
        match shared.get(..common).unwrap_or_default().cmp(start) {
            Ordering::Less => return Ok((self.places.len(), false)),
            Ordering::Greater => return Ok((0, false)),
            Ordering::Equal if common < prefix => return Ok((0, false)),
            Ordering::Equal => {}
        }
        let wanted = head(rest);
        let mut low = first_not_less(&self.places, self.ends, wanted);
        let same = self.places.get(low..).unwrap_or_default();
        let mut high = low
            + match same.get(1) {
                // Most heads are unlike their neighbours.
                Some(next) if next.head != wanted => 1,
                _ => same.partition_point(|place| place.head == wanted),
            };
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
        self.bytes
            .get(HEAD..HEAD + usize::from(self.prefix))
            .unwrap_or_default()
    }

    fn key_at(&self, index: usize) -> Result<(&[u8], Take<'_>)> {
        let place = self.places.get(index).ok_or_else(shapeless)?;
        let items = self.bytes.get(..self.filter as usize);
        let mut take = Take::new(items.unwrap_or_default());
        take.slice(place.offset as usize)?;
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
/// a guess between the heads at both ends lands within a few places.
fn first_not_less(places: &[Place], ends: (u64, u64), wanted: u64) -> usize {
    let (first, last) = ends;
    if wanted <= first {
        return 0;
    }
    if wanted > last {
        return places.len();
    }
    let share = (wanted - first) as f64 / (last - first) as f64;
    let mut at = ((share * places.len() as f64) as usize).min(places.len().saturating_sub(1));
    let is_less = |at: usize| places.get(at).is_some_and(|place| place.head < wanted);
    let steps = at..at + STEPS;
    if is_less(at) {
        for _ in steps {
            at += 1;
            if !is_less(at) {
                return at;
            }
        }
        let behind = places.get(at..).unwrap_or_default();
        return at + behind.partition_point(|place| place.head < wanted);
    }
    for _ in steps {
        if at == 0 || is_less(at - 1) {
            return at;
        }
        at -= 1;
    }
    let before = places.get(..at).unwrap_or_default();
    before.partition_point(|place| place.head < wanted)
}

/// How many places beside the guess are looked at one after another.
const STEPS: usize = 8;

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
        let search = |heads: &[u64], wanted| {
            let place = |head: &u64| Place {
                head: *head,
                offset: 0,
            };
            let places: Vec<_> = heads.iter().map(place).collect();
            let end = |head: Option<&u64>| head.copied().unwrap_or_default();
            let ends = (end(heads.first()), end(heads.last()));
            first_not_less(&places, ends, wanted)
        };
        for heads in [&even[..], &steep, &equal, &[5], &[]] {
            for near in heads
                .iter()
                .flat_map(|head| [head - 1, *head, head.saturating_add(1)])
            {
                let expected = heads.partition_point(|head| *head < near);
                assert_eq!(search(heads, near), expected);
            }
            // Damage that passes the checksum: any answer, but one.
            let mut wild = heads.to_vec();
            wild.reverse();
            assert!(search(&wild, 9 << 50) <= wild.len());
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
