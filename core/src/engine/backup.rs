//! A consistent copy while writes go on.

use super::{
    batch::{Batch, SMALL},
    store::Store,
    superblock::{LOGS, SLOT},
    types::{Direction, Durability, Options, Space},
    view::Scan,
};
use crate::{
    Error, Kind, Result,
    port::{Entropy, Volume},
    sync::Mutex,
};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;
use core::ops::Range;
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
        if target.len().await? != 0 {
            return Err(Error::new(
                Kind::AlreadyExists,
                "the target of a backup is not empty: name a new file",
            ));
        }
        let view = self.view();
        let (alignment, log_size) = {
            let state = self.0.state.lock();
            state.check_open()?;
            (state.superblock.alignment, state.superblock.log_size)
        };
        let options = Options {
            alignment,
            log_size,
            ..Options::default()
        };
        let target = Arc::new(Unfinished::new(target));
        let copy = Store::open(target.clone(), entropy, options).await?;
        let all = Bytes::from_static(&[0xff; super::MAX_KEY + 2]);
        let scan = Scan::new(view, Bytes::new(), all, Direction::Forward);
        let count = {
            let copying = core::pin::pin!(copy_all(scan, &copy, log_size));
            let driving = core::pin::pin!(copy.drive());
            match select(copying, driving).await {
                Either::Left((result, _)) => result?,
                Either::Right(((), _)) => return Err(super::store::closed()),
            }
            // Here the background work is dropped: it may be in the middle of a write that `close` waits for.
        };
        copy.close().await?;
        target.finish().await?;
        Ok(count)
    }
}

/// What stands where a superblock belongs as long as a backup is not whole.
pub(crate) const UNFINISHED: &[u8] = b"Littoral backup, unfinished\n";

/// A volume whose superblocks come last: whatever ends a backup early, what it leaves is no store.
struct Unfinished<T> {
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

async fn copy_all<V: Volume, T: Volume>(
    mut scan: Scan<V>,
    copy: &Store<T>,
    log_size: u64,
) -> Result<u64> {
    let mut batch = Batch::new();
    // What of a batch goes into the log must fit in half of it.
    let most = (log_size / 4) as usize;
    let (mut size, mut in_log, mut count) = (0, 0, 0u64);
    let mut unwritten = 0;
    while let Some((key, _)) = scan.next_value().await? {
        let value = scan.value().await?;
        let Some((space, key)) = key.split_first() else {
            continue;
        };
        size += value.len() + key.len();
        in_log += key.len() + ENTRY + if value.len() < SMALL { value.len() } else { 0 };
        count += 1;
        batch.put(Space(*space), key, value);
        if size >= BATCH || in_log >= most {
            unwritten += size;
            let durability = match unwritten >= UNWRITTEN {
                true => Durability::Strict,
                false => Durability::Memory,
            };
            copy.commit(core::mem::take(&mut batch), durability).await?;
            if durability == Durability::Strict {
                unwritten = 0;
            }
            (size, in_log) = (0, 0);
        }
    }
    copy.commit(batch, Durability::Memory).await?;
    Ok(count)
}
