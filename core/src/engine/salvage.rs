//! Copying what can be read of a damaged store.

use super::{
    backup::{Filler, Target, made_as},
    open::open_damaged,
    scratch::Scratch,
    store::Store,
    table::{Block, Ranges, Table, value_of},
    types::{KeyRange, Options, Space, Verified},
    upkeep::yield_now,
    verify::Leaves,
    version::Current,
};
use crate::{
    Damage, Kind, Result,
    port::{Entropy, Volume},
};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;

/// What [`Store::salvage`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// Values that were copied, and are as they were written.
    pub values: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What could not be read, and was left behind.
    pub damage: Vec<Damage>,
}

impl<V: Volume> Store<V> {
    /// Writes everything that can be read of the store in `damaged` into the empty `target`, a store of its own that is
    /// whole; `damaged` is not changed. Takes as much memory as opening does, and what the logs hold once more.
    ///
    /// The log is read up to where it is damaged; of a file that was cut short, what is left. What stood in a damaged block
    /// of a table is lost, and what an older table says of the same keys is taken in its place: an older value may
    /// come back so, or one that was deleted. All of it is in the answer.
    ///
    /// # Errors
    /// `Corrupt` when nothing can be found because both superblocks are damaged; those of [`Store::open`] for what is no
    /// store; `AlreadyExists` when `target` is not empty; those of both volumes.
    pub async fn salvage<T: Volume>(
        damaged: V,
        target: T,
        entropy: &impl Entropy,
    ) -> Result<Salvaged> {
        let scratch = Scratch::over(damaged).await?;
        let mut damage = Vec::new();
        let store = open_damaged(scratch, entropy, Options::default(), &mut damage).await?;
        let left = Verified {
            damage,
            ..Verified::default()
        };
        let options = made_as(&store.0.state.lock().superblock);
        let target = Target::begin(target, entropy, options).await?;
        let salvaged = target
            .driven(copy_readable(&store, target.filler(), left))
            .await?;
        target.finish().await?;
        Ok(salvaged)
    }
}

/// Copies table after table, the oldest first: what is newer is written over it.
async fn copy_readable<V: Volume, T: Volume>(
    store: &Store<V>,
    mut to: Filler<'_, T>,
    mut found: Verified,
) -> Result<Salvaged> {
    let current = store.0.readers.current();
    for table in current.version.tables.iter().rev() {
        copy_ranges(store, table, &mut to, &mut found).await?;
        let mut leaves = Leaves::of(table);
        while let Some(block) = leaves.next(&store.0.disk, &mut found).await? {
            for index in 0..block.len() {
                copy_item(store, &current, &block, index, &mut to, &mut found).await?;
            }
            yield_now().await;
        }
    }
    to.end().await?;
    Ok(Salvaged {
        values: found.values,
        bytes: found.bytes,
        damage: found.damage,
    })
}

async fn copy_ranges<V: Volume, T: Volume>(
    store: &Store<V>,
    table: &Table,
    to: &mut Filler<'_, T>,
    found: &mut Verified,
) -> Result<()> {
    let Some(at) = &table.ranges else {
        return Ok(());
    };
    let block = store.0.disk.block(at).await;
    let ranges = block.and_then(|block: Arc<Block>| Ranges(block).all());
    for (start, end) in found.note(ranges)?.unwrap_or_default() {
        let Some((space, start)) = start.split_first() else {
            continue;
        };
        let range = match end.split_first() {
            Some((last, end)) if last == space => KeyRange::between(start.to_vec(), end.to_vec()),
            _ => KeyRange::from(start.to_vec()),
        };
        to.delete_range(Space(*space), range).await?;
    }
    Ok(())
}

async fn copy_item<V: Volume, T: Volume>(
    store: &Store<V>,
    current: &Current,
    block: &Block,
    index: usize,
    to: &mut Filler<'_, T>,
    found: &mut Verified,
) -> Result<()> {
    let Some(item) = found.note(block.item(index))? else {
        return Ok(());
    };
    let Some(value) = found.note(value_of(&item))? else {
        return Ok(());
    };
    let Some((space, key)) = item.key.split_first() else {
        return Ok(());
    };
    let Some(value) = value else {
        return to.delete(Space(*space), key).await;
    };
    match store.0.find(current, &item.key, u64::MAX).await {
        // A newer table has another one; the pack that this one was in may be gone.
        Ok(newest) if newest.as_ref() != Some(&value) => return Ok(()),
        Err(error) if error.kind() != Kind::Corrupt => return Err(error),
        _ => {}
    }
    let loaded: Result<Bytes> = store.0.load(&item.key, value).await;
    if let Some(value) = found.note(loaded)? {
        found.values += 1;
        found.bytes += value.len() as u64;
        to.put(Space(*space), key, value).await?;
    }
    Ok(())
}
