//! A consistent copy while writes go on.

use super::{
    batch::{Batch, SMALL},
    device::Device,
    open,
    store::Store,
    types::{Direction, Durability, Options, Space},
    view::Scan,
};
use crate::{
    Error, Kind, Result,
    port::{Entropy, Volume},
};
use bytes::Bytes;
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
        let copy = open::open(Device::unfinished(target), entropy, options).await?;
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
        copy.0.disk.device.finish().await?;
        Ok(count)
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
