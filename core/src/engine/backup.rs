//! A consistent copy while writes go on.

use super::{
    batch::{Batch, SMALL},
    device::Device,
    open,
    store::Store,
    superblock::Superblock,
    types::{Direction, Durability, KeyRange, Options, Space},
    view::Scan,
};
use crate::{
    Error, Kind, Result,
    port::{Entropy, Volume},
};
use bytes::Bytes;
use core::future::Future;
use futures::future::{Either, select};

/// Values that are copied in one commit.
const BATCH: usize = 1 << 20;
/// Bytes that may wait in memory to be written: every commit that comes to this waits for the disk.
const UNWRITTEN: usize = 8 << 20;
/// What an entry takes in the log besides its key and value, at most.
const ENTRY: usize = 64;

impl<V: Volume> Store<V> {
    /// Writes a consistent, compact copy of the store as it is now into the empty `target`, while
    /// reads and writes go on. Opening the copy is the restore. Returns the number of entries.
    ///
    /// A backup that failed, or whose future was dropped, leaves a target that says so when it is opened: it is to be
    /// removed. Only one that is whole, and durable, is a store.
    ///
    /// # Errors
    /// `AlreadyExists` when the target is not empty; `Corrupt` when a value cannot be read:
    /// a backup is never silently incomplete; those of both volumes.
    pub async fn backup<T: Volume>(&self, target: T, entropy: &impl Entropy) -> Result<u64> {
        let view = self.view();
        let options = {
            let state = self.0.state.lock();
            state.check_open()?;
            made_as(&state.superblock)
        };
        let target = Target::begin(target, entropy, options).await?;
        let all = Bytes::from_static(&[0xff; super::MAX_KEY + 2]);
        let scan = Scan::new(view, Bytes::new(), all, Direction::Forward);
        let count = target.driven(copy_all(scan, target.filler())).await?;
        target.finish().await?;
        Ok(count)
    }
}

/// Options for a store that is like the one with this superblock.
pub(super) fn made_as(superblock: &Superblock) -> Options {
    Options {
        alignment: superblock.alignment,
        log_size: superblock.log_size,
        ..Options::default()
    }
}

/// A copy that is being written: a store only once it is whole, and durable.
pub(super) struct Target<T> {
    copy: Store<T>,
    log_size: u64,
}

impl<T: Volume> Target<T> {
    /// # Errors
    /// `AlreadyExists` when the volume is not empty; its own.
    pub(super) async fn begin(volume: T, entropy: &impl Entropy, options: Options) -> Result<Self> {
        if volume.len().await? != 0 {
            return Err(Error::new(
                Kind::AlreadyExists,
                "the target of a backup is not empty: name a new file",
            ));
        }
        let log_size = options.log_size;
        let copy = open::open(Device::unfinished(volume), entropy, options).await?;
        Ok(Target { copy, log_size })
    }

    pub(super) fn filler(&self) -> Filler<'_, T> {
        Filler {
            copy: &self.copy,
            // What of a batch goes into the log must fit in half of it.
            most: (self.log_size / 4) as usize,
            batch: Batch::new(),
            size: 0,
            in_log: 0,
            unwritten: 0,
        }
    }

    /// Does `work` beside the copy's background work, which is dropped then: it may be in the middle of a write that
    /// `finish` waits for.
    pub(super) async fn driven<R>(&self, work: impl Future<Output = Result<R>>) -> Result<R> {
        let work = core::pin::pin!(work);
        let driving = core::pin::pin!(self.copy.drive());
        match select(work, driving).await {
            Either::Left((result, _)) => result,
            Either::Right(((), _)) => Err(super::store::closed()),
        }
    }

    pub(super) async fn finish(self) -> Result<()> {
        self.copy.close().await?;
        self.copy.0.disk.device.finish().await
    }
}

/// Writes a copy in commits of a good size.
pub(super) struct Filler<'a, T> {
    copy: &'a Store<T>,
    most: usize,
    batch: Batch,
    size: usize,
    in_log: usize,
    unwritten: usize,
}

impl<T: Volume> Filler<'_, T> {
    pub(super) async fn put(&mut self, space: Space, key: &[u8], value: Bytes) -> Result<()> {
        self.size += value.len() + key.len();
        self.in_log += key.len() + ENTRY + if value.len() < SMALL { value.len() } else { 0 };
        self.batch.put(space, key, value);
        self.flush_full().await
    }

    pub(super) async fn delete(&mut self, space: Space, key: &[u8]) -> Result<()> {
        self.in_log += key.len() + ENTRY;
        self.batch.delete(space, key);
        self.flush_full().await
    }

    pub(super) async fn delete_range(&mut self, space: Space, range: KeyRange) -> Result<()> {
        self.in_log += 2 * (super::MAX_KEY + ENTRY);
        self.batch.delete_range(space, range);
        self.flush_full().await
    }

    async fn flush_full(&mut self) -> Result<()> {
        if self.size < BATCH && self.in_log < self.most {
            return Ok(());
        }
        self.unwritten += self.size;
        let durability = match self.unwritten >= UNWRITTEN {
            true => Durability::Strict,
            false => Durability::Memory,
        };
        let batch = core::mem::take(&mut self.batch);
        self.copy.commit(batch, durability).await?;
        if durability == Durability::Strict {
            self.unwritten = 0;
        }
        (self.size, self.in_log) = (0, 0);
        Ok(())
    }

    pub(super) async fn end(self) -> Result<()> {
        self.copy.commit(self.batch, Durability::Memory).await?;
        Ok(())
    }
}

async fn copy_all<V: Volume, T: Volume>(mut scan: Scan<V>, mut to: Filler<'_, T>) -> Result<u64> {
    let mut count = 0;
    while let Some((key, _)) = scan.next_value().await? {
        let value = scan.value().await?;
        let Some((space, key)) = key.split_first() else {
            continue;
        };
        to.put(Space(*space), key, value).await?;
        count += 1;
    }
    to.end().await?;
    Ok(count)
}
