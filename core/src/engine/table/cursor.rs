//! Finding a key in a table, and walking through one.

use super::{
    Table,
    block::{Block, INDEX, Item, ItemKind, LEAF},
    filter,
};
use crate::{
    Damage, Error, Kind, Result,
    engine::{
        codec::{Ref, verifies},
        disk::{Disk, parse_block},
        memtable::{Found, Value},
    },
    port::Volume,
};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;

impl Table {
    /// What the table says of `key`, its deleted ranges aside.
    pub(crate) async fn find<V: Volume>(
        &self,
        disk: &Disk<V>,
        key: &[u8],
        hash: &mut Option<u64>,
    ) -> Result<Found> {
        let root = match self.root_block.get() {
            Some(root) => root,
            None => {
                let root = disk.block(&self.root).await?;
                self.root_block.get_or_init(|| root)
            }
        };
        let mut at = self.root;
        let mut below;
        let mut block = root;
        for level in (0..=self.height).rev() {
            if level < self.height {
                below = disk.block(&at).await?;
                block = &below;
            }
            check_kind(block, level, &at)?;
            if level == 0 {
                let (index, equal) = block.search(key)?;
                if !equal {
                    return Ok(Found::Nothing);
                }
                return match block.kind_of(index)? {
                    ItemKind::Deleted => Ok(Found::Deleted),
                    ItemKind::Value(value) => Ok(Found::Value(value)),
                    _ => Err(misplaced(&at)),
                };
            }
            if level == 1
                && !filter::may_contain(
                    block.filter(),
                    *hash.get_or_insert_with(|| filter::hash(key)),
                )
            {
                return Ok(Found::Nothing);
            }
            let Some(index) = block.child_for(key)? else {
                return Ok(Found::Nothing);
            };
            match block.kind_of(index)? {
                ItemKind::Child(child) => at = child,
                _ => return Err(misplaced(&at)),
            }
        }
        Ok(Found::Nothing)
    }

    /// The end of the extent that `offset` is in: how far one may read ahead.
    fn extent_end(&self, offset: u64) -> u64 {
        self.extents
            .iter()
            .map(|extent| extent.range())
            .find(|range| range.contains(&offset))
            .map_or(offset, |range| range.end)
    }
}

/// Reads a table's blocks in about file order, many at once.
pub(crate) struct Reader {
    window: (u64, Bytes),
    ahead: u64,
}

impl Reader {
    /// Reads `ahead` bytes at once; with 0 a block at a time, through the cache.
    pub(crate) fn new(ahead: u64) -> Self {
        Reader {
            window: (0, Bytes::new()),
            ahead,
        }
    }

    pub(crate) async fn block<V: Volume>(
        &mut self,
        disk: &Disk<V>,
        table: &Table,
        at: &Ref,
    ) -> Result<Arc<Block>> {
        if let Some(block) = disk.cache.find(at) {
            return Ok(block);
        }
        if self.ahead == 0 {
            return disk.block(at).await;
        }
        if self.cut(at).is_none() {
            let room = table.extent_end(at.offset).saturating_sub(at.offset);
            let len = self.ahead.min(room).max(u64::from(at.len));
            self.window = (
                at.offset,
                disk.device
                    .read(at.offset, len as usize)
                    .await
                    .map_err(|error| {
                        Error::corrupt(Damage::new(at.offset..at.end(), "a table block"))
                            .with_source(error.clone())
                            .with_kind(if error.kind() == Kind::OutOfRange {
                                Kind::Corrupt
                            } else {
                                error.kind()
                            })
                    })?,
            );
        }
        match self.cut(at) {
            Some(bytes) if verifies(0, &bytes, at.checksum) => parse_block(bytes, at),
            // Not what it should be: read it alone once more, which says what is wrong.
            _ => disk.block(at).await,
        }
    }

    fn cut(&self, at: &Ref) -> Option<Bytes> {
        let start = usize::try_from(at.offset.checked_sub(self.window.0)?).ok()?;
        let end = start.checked_add(at.len as usize)?;
        (end <= self.window.1.len()).then(|| self.window.1.slice(start..end))
    }
}

/// A place in a table, from which one can go on in one direction.
pub(crate) struct Cursor {
    table: Arc<Table>,
    reader: Reader,
    /// From the root to the leaf: block, and the index of the item that comes next.
    path: Vec<(Arc<Block>, usize)>,
    backward: bool,
    /// The key that it came past last.
    last: Option<Bytes>,
}

impl Cursor {
    /// Before the first key that is not less than `from`; going backward, behind the last one that is less.
    pub(crate) async fn seek<V: Volume>(
        disk: &Disk<V>,
        table: Arc<Table>,
        from: &[u8],
        backward: bool,
        ahead: u64,
    ) -> Result<Self> {
        let mut cursor = Cursor {
            reader: Reader::new(ahead),
            path: Vec::new(),
            backward,
            table,
            last: None,
        };
        let mut at = cursor.table.root;
        for level in (0..=cursor.table.height).rev() {
            let block = cursor.load(disk, &at, level).await?;
            if level == 0 {
                let (index, _) = block.search(from)?;
                cursor.path.push((block, index));
                break;
            }
            // Going backward from a key, a child that begins with it has nothing before it.
            let index = block.child_for(from)?.unwrap_or(0);
            at = child(&block, index, &at)?;
            cursor
                .path
                .push((block, if backward { index } else { index + 1 }));
        }
        Ok(cursor)
    }

    /// The next item. A future that is dropped has not moved the cursor past anything.
    ///
    /// # Errors
    /// `Corrupt` also for keys that are out of order: a table whose blocks name each other in
    /// circles, or one of them over and over, would not end.
    pub(crate) async fn next<V: Volume>(&mut self, disk: &Disk<V>) -> Result<Option<Item>> {
        loop {
            let depth = self.path.len();
            let Some((block, index)) = self.path.last_mut() else {
                return Ok(None);
            };
            let here = if self.backward {
                index.checked_sub(1)
            } else {
                Some(*index).filter(|index| *index < block.len())
            };
            let Some(here) = here else {
                self.path.pop();
                continue;
            };
            let behind = if self.backward { here } else { here + 1 };
            let level = usize::from(self.table.height) + 1 - depth;
            if level == 0 {
                let item = block.item(here)?;
                let in_order = self.last.as_ref().is_none_or(|last| {
                    if self.backward {
                        item.key < *last
                    } else {
                        item.key > *last
                    }
                });
                if !in_order {
                    return Err(Error::new(Kind::Corrupt, "a table's keys are out of order"));
                }
                *index = behind;
                self.last = Some(item.key.clone());
                return Ok(Some(item));
            }
            let at = child(block, here, &self.table.root)?;
            let child = self.load(disk, &at, (level - 1) as u8).await?;
            if let Some((_, index)) = self.path.last_mut() {
                *index = behind;
            }
            let start = if self.backward { child.len() } else { 0 };
            self.path.push((child, start));
        }
    }

    async fn load<V: Volume>(&mut self, disk: &Disk<V>, at: &Ref, level: u8) -> Result<Arc<Block>> {
        let block = self.reader.block(disk, &self.table, at).await?;
        check_kind(&block, level, at)?;
        check_filled(&block, at, &self.table)?;
        Ok(block)
    }
}

/// The value behind a leaf's item.
pub(crate) fn value_of(item: &Item) -> Result<Option<Value>> {
    match &item.kind {
        ItemKind::Deleted => Ok(None),
        ItemKind::Value(value) => Ok(Some(value.clone())),
        _ => Err(Error::new(
            Kind::Corrupt,
            "a leaf holds something else than values",
        )),
    }
}

pub(crate) fn child(block: &Block, index: usize, at: &Ref) -> Result<Ref> {
    match block.kind_of(index)? {
        ItemKind::Child(child) => Ok(child),
        _ => Err(misplaced(at)),
    }
}

pub(crate) fn check_kind(block: &Block, level: u8, at: &Ref) -> Result<()> {
    if block.kind == if level == 0 { LEAF } else { INDEX } {
        Ok(())
    } else {
        Err(misplaced(at))
    }
}

/// Only the root may be empty, of a table that holds nothing but deleted ranges.
pub(crate) fn check_filled(block: &Block, at: &Ref, table: &Table) -> Result<()> {
    if block.len() == 0 && *at != table.root {
        return Err(misplaced(at));
    }
    Ok(())
}

fn misplaced(at: &Ref) -> Error {
    Error::corrupt(Damage::new(
        at.offset..at.end(),
        "a table block of another kind",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{codec::checksum, device::Device, extent::Space, table::block::Builder},
        port::MemoryVolume,
    };
    use futures::executor::block_on;

    /// A tree of valid blocks in which every block names the same child twice: walking through all
    /// of it would take longer than there is time.
    fn endless(leaf: &[&'static [u8]]) -> (Disk<MemoryVolume>, Arc<Table>) {
        let mut file = Vec::new();
        let mut write = |mut builder: Builder, kind| {
            let block = builder.finish(kind, &[]);
            let at = Ref {
                offset: file.len() as u64,
                len: block.len() as u32,
                checksum: checksum(0, &block),
            };
            file.extend_from_slice(&block);
            at
        };
        let mut items = Builder::default();
        for key in leaf {
            items.add(Item {
                key: Bytes::from_static(key),
                kind: ItemKind::Deleted,
            });
        }
        let mut root = write(items, LEAF);
        for _ in 0..64 {
            let mut items = Builder::default();
            for key in ["a", "b"] {
                items.add(Item {
                    key: key.into(),
                    kind: ItemKind::Child(root),
                });
            }
            root = write(items, INDEX);
        }
        let len = file.len() as u64;
        let device = Device::new(MemoryVolume::from_bytes(file));
        let space = Space::new(len, Vec::new()).unwrap();
        let table = Table {
            root_block: crate::sync::OnceLock::new(),
            root,
            height: 64,
            ranges: None,
            entries: 1,
            bytes: len,
            extents: Vec::new(),
        };
        (Disk::new(device, space, 1 << 20, len), Arc::new(table))
    }

    #[test]
    fn a_table_whose_blocks_name_one_child_over_and_over_ends_with_an_error() {
        for (leaf, before) in [(&[&b"a"[..]][..], 1), (&[], 0)] {
            for backward in [false, true] {
                let (disk, table) = endless(leaf);
                let error = block_on(async {
                    let from = if backward { &b"z"[..] } else { &[] };
                    let mut cursor = Cursor::seek(&disk, table, from, backward, 4096).await?;
                    for _ in 0..before {
                        cursor.next(&disk).await?;
                    }
                    cursor.next(&disk).await
                });
                assert_eq!(error.unwrap_err().kind(), Kind::Corrupt);
            }
        }
    }
}
