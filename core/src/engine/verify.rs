//! Reading everything and checking every checksum.

use super::{
    codec::Ref,
    disk::Disk,
    memtable::Value,
    store::Store,
    superblock::{SLOT, Superblock},
    table::{Block, Table, check_filled, check_kind, child, value_of},
    types::Verified,
    upkeep::yield_now,
};
use crate::{Damage, Error, Kind, Result, port::Volume};
use alloc::{sync::Arc, vec, vec::Vec};
use bytes::Bytes;

impl<V: Volume> Store<V> {
    /// Reads everything and checks every checksum: superblocks, tables, values. Damage is in the
    /// answer, not an error. Reads and writes go on.
    ///
    /// # Errors
    /// Those of the volume that are no damage; `Closed`.
    pub async fn verify(&self) -> Result<Verified> {
        self.0.state.lock().check_open()?;
        // The superblock is not replaced while it is looked at.
        let mut verified = Verified::default();
        {
            let upkeep = self.0.upkeep.lock().await;
            let disk = &self.0.disk;
            // A slot whose rewriting was dropped half-way is known to be bad, and written next.
            for slot in (0..2).filter(|slot| upkeep.suspect != Some(*slot)) {
                let bytes = disk.device.read(slot * SLOT, SLOT as usize).await?;
                if Superblock::parse(&bytes).is_err() {
                    verified
                        .damage
                        .push(Damage::new(slot * SLOT..(slot + 1) * SLOT, "a superblock"));
                }
            }
            let manifest = self.0.state.lock().superblock.manifest;
            if manifest.len > 0 {
                verified.note(disk.device.read_ref(&manifest, "the manifest").await)?;
            }
        }
        let view = self.view();
        for table in &view.current.version.tables {
            self.verify_table(table, &mut verified).await?;
        }
        Ok(verified)
    }

    async fn verify_table(&self, table: &Table, verified: &mut Verified) -> Result<()> {
        let disk = &self.0.disk;
        if let Some(at) = &table.ranges {
            verified.note(disk.device.read_ref(at, "a block of deleted ranges").await)?;
        }
        let mut leaves = Leaves::of(table);
        while let Some(block) = leaves.next(disk, verified).await? {
            for index in 0..block.len() {
                let Some(item) = verified.note(block.item(index))? else {
                    continue;
                };
                if let Some(Some(value)) = verified.note(value_of(&item))? {
                    let len = value.len();
                    if let Value::External(_) = value {
                        let loaded = self.0.load(&item.key, value.clone()).await;
                        if loaded.is_err() && !self.is_read(&item.key, &value).await {
                            continue;
                        }
                        if verified.note(loaded)?.is_none() {
                            continue;
                        }
                    }
                    verified.values += 1;
                    verified.bytes += len;
                }
            }
            yield_now().await;
        }
        Ok(())
    }
}

/// The leaves of a table that can be read, in order.
pub(super) struct Leaves<'a> {
    table: &'a Table,
    /// Blocks to come, the next one last; of each its level, and the first key in it where that is known.
    left: Vec<(Ref, u8, Option<Bytes>)>,
    last: Option<Bytes>,
}

impl<'a> Leaves<'a> {
    pub(super) fn of(table: &'a Table) -> Self {
        Leaves {
            table,
            left: vec![(table.root, table.height, None)],
            last: None,
        }
    }

    /// The next one. What is damaged on the way is noted, and passed by.
    pub(super) async fn next<V: Volume>(
        &mut self,
        disk: &Disk<V>,
        verified: &mut Verified,
    ) -> Result<Option<Arc<Block>>> {
        while let Some((at, level, first)) = self.left.pop() {
            let read = disk.device.read_ref(&at, "a table block").await;
            let parsed = read
                .and_then(|bytes| super::disk::parse_block(bytes, &at))
                .and_then(|block| check_kind(&block, level, &at).map(|()| block));
            let Some(block) = verified.note(parsed.map_err(|error| beginning(error, first)))?
            else {
                continue;
            };
            // Blocks that name each other in circles would not end, nor would empty ones.
            let in_order = check_order(&block, level, &mut self.last, &at, self.table);
            if verified.note(in_order)?.is_none() {
                self.left.clear();
                return Ok(None);
            }
            if level == 0 {
                return Ok(Some(block));
            }
            for index in (0..block.len()).rev() {
                if let Some(child) = verified.note(child(&block, index, &at))? {
                    let first = block.item(index).ok().map(|item| item.key);
                    self.left.push((child, level - 1, first));
                }
            }
        }
        Ok(None)
    }
}

/// Damage of a block, with the first key that was in it.
fn beginning(error: Error, first: Option<Bytes>) -> Error {
    let key = first.as_deref().and_then(<[u8]>::split_first);
    match (error.damage(), key) {
        (Some(damage), Some((space, key))) => {
            Error::corrupt(damage.clone().of_key(*space, key)).with_source(error)
        }
        _ => error,
    }
}

impl<V: Volume> Store<V> {
    /// Whether this is what a reader of `key` gets. If not, the pack that it was in may be gone.
    pub(super) async fn is_read(&self, key: &[u8], value: &Value) -> bool {
        let current = self.0.readers.current();
        match self.0.find(&current, key, u64::MAX).await {
            Ok(found) => found.as_ref() == Some(value),
            Err(_) => true,
        }
    }
}

/// Leaves come in the order of their keys.
fn check_order(
    block: &Block,
    level: u8,
    last: &mut Option<Bytes>,
    at: &Ref,
    table: &Table,
) -> Result<()> {
    check_filled(block, at, table)?;
    let Some(behind) = block.len().checked_sub(1).filter(|_| level == 0) else {
        return Ok(());
    };
    let first = block.item(0)?.key;
    if last.as_ref().is_some_and(|last| first <= *last) {
        return Err(Error::corrupt(Damage::new(
            at.offset..at.end(),
            "a table block, whose keys are out of order,",
        )));
    }
    *last = Some(block.item(behind)?.key.max(first));
    Ok(())
}

impl Verified {
    /// The good result, or `None` with the damage noted.
    pub(super) fn note<T>(&mut self, result: Result<T, Error>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == Kind::Corrupt => {
                let damage = error.damage().cloned();
                self.damage
                    .push(damage.unwrap_or_else(|| Damage::new(0..0, alloc::format!("{error}"))));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
