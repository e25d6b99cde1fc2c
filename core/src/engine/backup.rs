//! A consistent copy while writes go on.

use super::{
    batch::{Batch, SMALL},
    store::Store,
    superblock::{LOGS, SLOT, Superblock},
    types::{Direction, Durability, KeyRange, Options, Space},
    view::Scan,
};
use crate::{
    Error, Kind, Result,
    port::{Entropy, Volume},
    sync::Mutex,
};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;
use core::{future::Future, ops::Range};
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
    volume: Arc<Unfinished<T>>,
    copy: Store<Arc<Unfinished<T>>>,
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
        let volume = Arc::new(Unfinished::new(volume));
        let log_size = options.log_size;
        let copy = Store::open(volume.clone(), entropy, options).await?;
        Ok(Target {
            volume,
            copy,
            log_size,
        })
    }

    pub(super) fn filler(&self) -> Filler<'_, Arc<Unfinished<T>>> {
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
        self.volume.finish().await
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

/// What stands where a superblock belongs as long as a backup is not whole.
pub(crate) const UNFINISHED: &[u8] = b"Littoral backup, unfinished\n";

/// A volume whose superblocks come last: whatever ends a backup early, what it leaves is no store.
pub(super) struct Unfinished<T> {
    target: T,
    slots: Mutex<Vec<u8>>,
}

impl<T: Volume> Unfinished<T> {
    fn new(target: T) -> Self {
        let slots = Mutex::new(alloc::vec![0; LOGS as usize]);
        Unfinished { target, slots }
    }

    async fn finish(&self) -> Result<()> {
        self.target.sync().await?;
        let slots = Bytes::from(core::mem::take(&mut *self.slots.lock()));
        for slot in [0, SLOT] {
            self.target.discard(slot..slot + SLOT).await?;
            let bytes = slots.slice(slot as usize..(slot + SLOT) as usize);
            self.target.write_at(slot, bytes).await?;
            self.target.sync().await?;
        }
        Ok(())
    }
}

impl<T: Volume> Volume for Unfinished<T> {
    async fn len(&self) -> Result<u64> {
        self.target.len().await
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        if len > 0 && self.target.len().await? == 0 {
            let mark = Bytes::from_static(UNFINISHED);
            self.target.write_at(0, mark).await?;
        }
        self.target.set_len(len).await
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        if offset >= LOGS {
            return self.target.read_at(offset, len).await;
        }
        let slots = self.slots.lock();
        let from = slots.get(offset as usize..).unwrap_or_default();
        let held = from.get(..len).map(Bytes::copy_from_slice);
        held.ok_or_else(|| Error::new(Kind::OutOfRange, "a read across the superblocks' end"))
    }

    async fn write_at(&self, offset: u64, bytes: Bytes) -> Result<()> {
        if offset >= LOGS {
            return self.target.write_at(offset, bytes).await;
        }
        let mut slots = self.slots.lock();
        let place = slots.get_mut(offset as usize..).unwrap_or_default();
        match place.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(&bytes);
                Ok(())
            }
            None => Err(Error::new(
                Kind::OutOfRange,
                "a write across the superblocks' end",
            )),
        }
    }

    async fn discard(&self, range: Range<u64>) -> Result<()> {
        match range.start >= LOGS {
            true => self.target.discard(range).await,
            false => Ok(()),
        }
    }

    async fn sync(&self) -> Result<()> {
        self.target.sync().await
    }
}
