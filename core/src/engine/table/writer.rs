//! Writes tables, from the bottom up, in bounded memory.

use super::{
    Table,
    block::{Builder, INDEX, Item, ItemKind, LEAF, RANGES},
    filter,
};
use crate::{
    Error, Kind, Result,
    engine::{
        codec::{Ref, checksum},
        disk::{Disk, parse_block},
        extent::{Claim, Extent},
        memtable::Value,
    },
    port::Volume,
    sync::OnceLock,
};
use alloc::{vec, vec::Vec};
use bytes::Bytes;

/// A leaf is closed when it would become longer than this.
pub(crate) const LEAF_BYTES: usize = 4096;
/// An index block is closed when it has this many children.
const FANOUT: usize = 64;
/// Written at once.
const BUFFER: usize = 256 << 10;
const MIN_EXTENT: u64 = 64 << 10;
const MAX_EXTENT: u64 = 16 << 20;

/// Appends to extents, taking as many as it needs.
pub(crate) struct ExtentWriter {
    extents: Vec<Extent>,
    /// Where the next byte goes.
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    next: u64,
    claim: Claim,
}

impl ExtentWriter {
    /// A writer that expects about `expected` bytes, and whose room they take.
    pub(crate) fn new(expected: u64, claim: Claim) -> Self {
        ExtentWriter {
            extents: Vec::new(),
            at: 0,
            end: 0,
            buffer: Vec::new(),
            next: expected.clamp(1, MAX_EXTENT),
            claim,
        }
    }

    /// Appends `bytes` in one piece; returns where they are.
    pub(crate) async fn append<V: Volume>(&mut self, disk: &Disk<V>, bytes: &[u8]) -> Result<u64> {
        let len = bytes.len() as u64;
        if self.at + len > self.end {
            self.flush(disk).await?;
            self.close_extent();
            let extent = self.take(disk, len).await?;
            self.next = match self.claim {
                Claim::Spare => self.next * 2,
                // What is kept is as much as was expected, and others need their part of it.
                Claim::Kept => self
                    .next
                    .saturating_sub(extent.range().end - extent.range().start),
            }
            .clamp(MIN_EXTENT, MAX_EXTENT);
            self.at = extent.range().start;
            self.end = extent.range().end;
            self.extents.push(extent);
        }
        let offset = self.at;
        self.buffer.extend_from_slice(bytes);
        self.at += len;
        if self.buffer.len() >= BUFFER {
            self.flush(disk).await?;
        }
        Ok(offset)
    }

    /// Where the next `len` bytes and more go.
    async fn take<V: Volume>(&self, disk: &Disk<V>, len: u64) -> Result<Extent> {
        // A lower place rather than one piece, as long as the pieces do not get too small.
        let (least, most) = (
            len.max(self.next / 8).max(MIN_EXTENT.min(self.next)),
            len.max(self.next),
        );
        let space = &disk.space;
        let extent = match space.take_between(least, most, self.claim) {
            Some(extent) => extent,
            None => match disk.take(most, self.claim).await {
                // Whatever piece is left.
                Err(error) if error.kind() == Kind::Quota => space
                    .take_between(len, len.max(MIN_EXTENT), self.claim)
                    .ok_or(error)?,
                taken => taken?,
            },
        };
        if self.claim == Claim::Kept {
            let range = extent.range();
            space.spend(range.end - range.start);
        }
        Ok(extent)
    }

    /// Everything is written (not synced); what was taken too much is given back.
    pub(crate) async fn finish<V: Volume>(mut self, disk: &Disk<V>) -> Result<Vec<Extent>> {
        self.flush(disk).await?;
        self.close_extent();
        Ok(self.extents)
    }

    async fn flush<V: Volume>(&mut self, disk: &Disk<V>) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let buffer = core::mem::take(&mut self.buffer);
        let offset = self.at - buffer.len() as u64;
        disk.device.write_fresh(offset, buffer.into()).await
    }

    fn close_extent(&mut self) {
        if let Some(extent) = self.extents.last_mut() {
            extent.shrink(self.at);
        }
    }
}

/// Takes items in key order and makes a table of them.
pub(crate) struct TableWriter {
    out: ExtentWriter,
    levels: Vec<Builder>,
    hashes: Vec<u64>,
    entries: u64,
    bytes: u64,
}

impl TableWriter {
    /// A writer that expects about `expected` bytes, and whose room they take.
    pub(crate) fn new(expected: u64, claim: Claim) -> Self {
        TableWriter {
            out: ExtentWriter::new(expected, claim),
            levels: vec![Builder::default()],
            hashes: Vec::new(),
            entries: 0,
            bytes: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Adds an item behind all before it.
    pub(crate) async fn add<V: Volume>(
        &mut self,
        disk: &Disk<V>,
        key: Bytes,
        value: Option<Value>,
    ) -> Result<()> {
        let size = key.len()
            + value.as_ref().map_or(0, |value| {
                if let Value::Inline(v) = value {
                    v.len()
                } else {
                    Ref::SIZE
                }
            });
        let full = self
            .levels
            .first()
            .is_some_and(|leaf| leaf.len() > 0 && leaf.bytes() + size > LEAF_BYTES);
        if full {
            self.close_from(disk, 0).await?;
        }
        self.hashes.push(filter::hash(&key));
        self.entries += 1;
        let kind = value.map_or(ItemKind::Deleted, ItemKind::Value);
        if let Some(leaf) = self.levels.first_mut() {
            leaf.add(Item { key, kind });
        }
        Ok(())
    }

    /// Closes the table; `ranges` are sorted and without overlap.
    pub(crate) async fn finish<V: Volume>(
        mut self,
        disk: &Disk<V>,
        ranges: Vec<(Bytes, Bytes)>,
    ) -> Result<Table> {
        let mut level = 0;
        let root = loop {
            let top = level + 1 == self.levels.len();
            let builder = self.levels.get(level).ok_or_else(lost)?;
            if !top {
                if builder.len() > 0 {
                    self.close_one(disk, level).await?;
                }
                level += 1;
                continue;
            }
            break self.write_block(disk, level).await?;
        };
        let ranges = if ranges.is_empty() {
            None
        } else {
            let mut builder = Builder::default();
            for (key, end) in ranges {
                builder.add(Item {
                    key,
                    kind: ItemKind::RangeEnd(end),
                });
            }
            Some(self.append(disk, builder.finish(RANGES, &[])).await?)
        };
        let height = u8::try_from(level).map_err(|_| lost())?;
        let (entries, bytes) = (self.entries, self.bytes);
        Ok(Table {
            root: root.1,
            root_block: OnceLock::new(),
            height,
            ranges,
            entries,
            bytes,
            extents: self.out.finish(disk).await?,
        })
    }

    /// Closes the block at `level`, and those above that became full by it.
    async fn close_from<V: Volume>(&mut self, disk: &Disk<V>, mut level: usize) -> Result<()> {
        loop {
            self.close_one(disk, level).await?;
            level += 1;
            if self
                .levels
                .get(level)
                .is_none_or(|builder| builder.len() < FANOUT)
            {
                return Ok(());
            }
        }
    }

    async fn close_one<V: Volume>(&mut self, disk: &Disk<V>, level: usize) -> Result<()> {
        let (key, at) = self.write_block(disk, level).await?;
        if self.levels.len() == level + 1 {
            self.levels.push(Builder::default());
        }
        if let Some(parent) = self.levels.get_mut(level + 1) {
            parent.add(Item {
                key,
                kind: ItemKind::Child(at),
            });
        }
        Ok(())
    }

    async fn write_block<V: Volume>(
        &mut self,
        disk: &Disk<V>,
        level: usize,
    ) -> Result<(Bytes, Ref)> {
        let filter = if level == 1 {
            filter::build(&core::mem::take(&mut self.hashes))
        } else {
            Vec::new()
        };
        let builder = self.levels.get_mut(level).ok_or_else(lost)?;
        let first = builder.first_key().unwrap_or_default();
        let block = builder.finish(if level == 0 { LEAF } else { INDEX }, &filter);
        Ok((first, self.append(disk, block).await?))
    }

    async fn append<V: Volume>(&mut self, disk: &Disk<V>, block: Vec<u8>) -> Result<Ref> {
        let len = u32::try_from(block.len()).map_err(|_| lost())?;
        let at = Ref {
            offset: self.out.append(disk, &block).await?,
            len,
            checksum: checksum(0, &block),
        };
        self.bytes += u64::from(len);
        // What was just committed is looked for soon, and a write that has to read before it comes late.
        if self.out.claim == Claim::Kept {
            disk.cache.insert(at, parse_block(block.into(), &at)?);
        }
        Ok(at)
    }
}

fn lost() -> Error {
    Error::new(Kind::OutOfRange, "a table grew beyond its format")
}
