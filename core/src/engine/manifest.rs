//! The list of tables and packs, written anew at each checkpoint, referred to by the superblock.
//!
//! | bytes | field |
//! |---|---|
//! | 4 | magic `LMAN` |
//! | 8 | bytes in packs that nothing refers to any more, as far as merges have seen |
//! | 4 | number of tables, newest first; for each: |
//! | 20 | - reference to the root block |
//! | 1 | - height |
//! | 1, 20 | - 1 and the reference to its block of deleted ranges, or 0 |
//! | 8, 8 | - entries, bytes of blocks |
//! | 4, 16 each | - number of extents; offset and length of each |
//! | 4, 16 each | number of packs; offset and length of each |
//!
//! All ranges are multiples of a page, within the file, behind the logs, and disjoint.

use super::codec::{Put, Ref, Take};
use crate::{Error, Kind, Result};
use alloc::vec::Vec;
use core::ops::Range;

const MAGIC: u32 = u32::from_le_bytes(*b"LMAN");

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub garbage: u64,
    pub tables: Vec<TableEntry>,
    pub packs: Vec<Range<u64>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TableEntry {
    pub root: Ref,
    pub height: u8,
    pub ranges: Option<Ref>,
    pub entries: u64,
    pub bytes: u64,
    pub extents: Vec<Range<u64>>,
}

impl Manifest {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u32(MAGIC);
        out.put_u64(self.garbage);
        out.put_u32(self.tables.len() as u32);
        for table in &self.tables {
            out.put_ref(&table.root);
            out.push(table.height);
            match &table.ranges {
                Some(at) => {
                    out.push(1);
                    out.put_ref(at);
                }
                None => out.push(0),
            }
            out.put_u64(table.entries);
            out.put_u64(table.bytes);
            put_ranges(&mut out, &table.extents);
        }
        put_ranges(&mut out, &self.packs);
        out
    }

    /// # Errors
    /// `Corrupt` for anything that `encode` does not write.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut take = Take::new(bytes);
        if take.u32()? != MAGIC {
            return Err(Error::new(Kind::Corrupt, "this is not a manifest"));
        }
        let garbage = take.u64()?;
        let mut tables = Vec::new();
        for _ in 0..take.u32()? {
            let table = TableEntry {
                root: take.reference()?,
                height: take.u8()?,
                ranges: match take.u8()? {
                    0 => None,
                    _ => Some(take.reference()?),
                },
                entries: take.u64()?,
                bytes: take.u64()?,
                extents: take_ranges(&mut take)?,
            };
            // Extents are disjoint parts of the file, so sums over tables stay within numbers.
            let room = table.extents.iter().map(|extent| extent.end - extent.start);
            if table.bytes > room.fold(0, u64::saturating_add) || table.entries > table.bytes {
                let message = "a manifest names a table that is longer than its extents";
                return Err(Error::new(Kind::Corrupt, message));
            }
            tables.push(table);
        }
        Ok(Manifest {
            garbage,
            tables,
            packs: take_ranges(&mut take)?,
        })
    }
}

fn put_ranges(out: &mut Vec<u8>, ranges: &[Range<u64>]) {
    out.put_u32(ranges.len() as u32);
    for range in ranges {
        out.put_u64(range.start);
        out.put_u64(range.end.saturating_sub(range.start));
    }
}

fn take_ranges(take: &mut Take<'_>) -> Result<Vec<Range<u64>>> {
    // Pushed one by one: a count from damaged bytes allocates nothing.
    let mut ranges = Vec::new();
    for _ in 0..take.u32()? {
        let (start, len) = (take.u64()?, take.u64()?);
        let end = start.checked_add(len).filter(|_| {
            len > 0 && start % super::extent::PAGE == 0 && len % super::extent::PAGE == 0
        });
        ranges.push(
            start..end.ok_or_else(|| {
                Error::new(Kind::Corrupt, "a manifest names an impossible extent")
            })?,
        );
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_longer_than_its_extents_is_refused() {
        let manifest = |entries, bytes| {
            let root = Ref {
                offset: 0,
                len: 0,
                checksum: 0,
            };
            let table = TableEntry {
                root,
                height: 0,
                ranges: None,
                entries,
                bytes,
                extents: alloc::vec![4096..8192, 16_384..20_480],
            };
            let tables = alloc::vec![table];
            let packs = Vec::new();
            Manifest {
                garbage: 0,
                tables,
                packs,
            }
        };
        let whole = manifest(10, 8192);
        assert_eq!(Manifest::parse(&whole.encode()).unwrap(), whole);
        for (entries, bytes) in [(10, 8193), (u64::MAX, 8192), (10, u64::MAX)] {
            let error = Manifest::parse(&manifest(entries, bytes).encode()).unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt);
        }
    }
}
