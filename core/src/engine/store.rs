//! An open store: what users call. How each part works is in the files it calls.

use super::{
    batch::{Batch, Wanted},
    commit::Receipt,
    device::Device,
    disk::Disk,
    memtable::{Found, Value},
    state::{Phase, State},
    types::{Durability, Options, Space, Stats},
    upkeep::Upkeep,
    version::{Current, Readers, Unwritten},
    view::View,
};
use crate::{
    Damage, Error, Kind, Result,
    port::{Entropy, Volume},
    sync::Mutex,
};
use alloc::sync::Arc;
use bytes::Bytes;
use core::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::Waker,
};
use event_listener::Event;

/// An open store. Clones are the same store; it stays open until `close`, or until the last one is dropped.
///
/// Dropping it without `close` is like a crash: what was acknowledged is there at the next opening.
pub struct Store<V>(pub(crate) Arc<Inner<V>>);

pub(crate) struct Inner<V> {
    pub disk: Disk<V>,
    pub options: Options,
    pub state: Mutex<State>,
    pub readers: Arc<Readers>,
    pub unwritten: Unwritten,
    /// The damage that opening cut from the log, because it was asked to.
    pub salvaged: Option<Error>,
    pub upkeep: async_lock::Mutex<Upkeep>,
    /// Held by whoever reclaims: a second one would hold on to the packs that the first has emptied.
    pub reclaiming: async_lock::Mutex<()>,
    /// Background work has something to do.
    pub work: Event,
    /// Views that are open.
    pub views: AtomicUsize,
    /// The phase is `Closed`: what readers ask without the lock.
    pub closed: AtomicBool,
}

impl<V> Clone for Store<V> {
    fn clone(&self) -> Self {
        Store(self.0.clone())
    }
}

impl<V: Volume> Store<V> {
    /// Opens the store in `volume`, or makes one if the volume is empty ([`Options::no_store`]).
    ///
    /// Costs what is in the two logs, not what is in the store. What a crash left behind is
    /// recovered: everything acknowledged as `Strict` is there, a torn tail is cut.
    ///
    /// # Errors
    /// `InvalidInput` when the volume holds something else or a newer format; `NotFound` when it is empty and no store
    /// is to be made; `Corrupt` when durable bytes are damaged or missing (nothing is changed then); `Quota` when there is no
    /// room for a new store.
    pub fn open(
        volume: V,
        entropy: &impl Entropy,
        options: Options,
    ) -> impl Future<Output = Result<Self>> {
        super::open::open(Device::new(volume), entropy, options)
    }

    /// Commits `batch`, returning once it has reached `durability`.
    ///
    /// The batch is handed over before the first await unless too much is waiting already: a
    /// future that is dropped after that was only waiting. Commit numbers grow by one; a batch
    /// without changes gets the number of the commit before it.
    ///
    /// # Errors
    /// `Conflict` for a requirement that does not hold, `InvalidInput` for keys over 4 KiB, values
    /// over 16 MiB or a batch whose keys and small values do not fit in half a log area, `Quota`,
    /// `Closed`: nothing was changed. `Poisoned`: whether it was is known when the store is opened again.
    pub fn commit(
        &self,
        batch: Batch,
        durability: Durability,
    ) -> impl Future<Output = Result<Receipt<V>>> {
        super::commit::commit(self, batch, durability)
    }

    /// Hands `batch` over as [`commit`](Store::commit) does, and leaves it to the caller to
    /// [`wait`](Receipt::wait) for `durability`: for whoever holds something until the commit has its place.
    ///
    /// What nobody waits for is written by [`drive`](Store::drive) if `durability` is below `Strict`, and with the
    /// next commit otherwise. A future that is dropped has handed over all of it or nothing.
    ///
    /// # Errors
    /// Those of [`commit`](Store::commit), but for `Poisoned` of a write that comes later.
    pub fn submit(
        &self,
        batch: Batch,
        durability: Durability,
    ) -> impl Future<Output = Result<Receipt<V>>> {
        super::commit::submit(self, batch, durability.min(Durability::Strict))
    }

    /// The store as it is now, for as long as the view is kept.
    pub fn view(&self) -> View<V> {
        let state = self.0.state.lock();
        // Under the lock: whoever commits next knows of it.
        self.0.views.fetch_add(1, Ordering::Relaxed);
        View {
            store: self.clone(),
            commit: state.next - 1,
            current: state.current.clone(),
        }
    }

    /// The value of `key` now.
    ///
    /// # Errors
    /// `Corrupt` with the place when its bytes are damaged; `Closed`.
    pub async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        if self.0.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        let current = self.0.readers.current();
        let key = Wanted::new(space, key);
        match self.0.find(&current, &key, u64::MAX).await? {
            Some(value) => self.0.load(&key, value).await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    /// What the store is made of.
    pub fn stats(&self) -> Stats {
        let inner = &*self.0;
        let state = inner.state.lock();
        let (size, free) = inner.disk.space.usage();
        let version = &state.current.version;
        let sealed = state
            .current
            .sealed
            .as_ref()
            .map_or(0, |sealed| sealed.bytes());
        Stats {
            last_commit: state.next - 1,
            durable_commit: state.durable,
            size,
            size_in_use: size - free,
            log_used: state.log_used(),
            log_size: state.superblock.log_size,
            tables: version.tables.len(),
            table_bytes: version.tables.iter().map(|table| table.bytes).sum(),
            table_entries: version.tables.iter().map(|table| table.entries).sum(),
            packs: version.packs.len(),
            pack_bytes: version
                .packs
                .iter()
                .map(|pack| pack.range())
                .map(|range| range.end - range.start)
                .sum(),
            views: inner.views.load(Ordering::Relaxed),
            memory: state.current.active.bytes() + sealed + inner.disk.cache.bytes(),
            poisoned: inner.disk.device.failure().is_some(),
            upkeep_error: state.upkeep_error.clone(),
            salvaged: inner.salvaged.clone(),
        }
    }

    /// Length of the file in bytes.
    pub fn size(&self) -> u64 {
        self.0.disk.space.usage().0
    }

    /// Bytes of the file that are not free.
    pub fn size_in_use(&self) -> u64 {
        let (size, free) = self.0.disk.space.usage();
        size - free
    }

    /// Finishes what was handed over, writes a checkpoint, shortens the file and ends `drive`. Any later call says `Closed`.
    ///
    /// # Errors
    /// `Poisoned` and others of a checkpoint; the store is closed all the same, and the next opening recovers.
    /// A future that is dropped half-way leaves a store that takes no more commits and can be closed again.
    pub async fn close(&self) -> Result<()> {
        {
            let mut state = self.0.state.lock();
            // A close that was dropped half-way goes on here.
            if state.phase == Phase::Closed {
                return Err(closed());
            }
            state.phase = Phase::Closing;
        }
        let result = self.0.last_checkpoint().await;
        let woken = {
            let mut state = self.0.state.lock();
            state.phase = Phase::Closed;
            state.wake_all()
        };
        woken.into_iter().for_each(Waker::wake);
        self.0.closed.store(true, Ordering::Release);
        self.0.work.notify(usize::MAX);
        result
    }
}

impl<V: Volume> Inner<V> {
    /// What `key` is at commit `at`: memtables first, then tables, newest first.
    pub(crate) async fn find(
        &self,
        current: &Current,
        key: &[u8],
        at: u64,
    ) -> Result<Option<Value>> {
        for memtable in [Some(&current.active), current.sealed.as_ref()]
            .into_iter()
            .flatten()
        {
            match memtable.find(key, at) {
                Found::Value(value) => return Ok(Some(value)),
                Found::Deleted => return Ok(None),
                Found::Nothing => {}
            }
        }
        let mut hash = None;
        for table in &current.version.tables {
            match table.find(&self.disk, key, &mut hash).await? {
                Found::Value(value) => return Ok(Some(value)),
                Found::Deleted => return Ok(None),
                Found::Nothing => {}
            }
            if let Some(at) = &table.ranges
                && super::table::Ranges(self.disk.block(at).await?).cover(key)?
            {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// The bytes of a value, checked.
    pub(crate) async fn load(&self, key: &[u8], value: Value) -> Result<Bytes> {
        match value {
            Value::Inline(bytes) => Ok(bytes),
            Value::External(at) if let Some(bytes) = self.unwritten.find(at.offset) => Ok(bytes),
            Value::External(at) => {
                self.disk
                    .device
                    .read_ref(&at, "a value")
                    .await
                    .map_err(|error| match (error.kind(), key.split_first()) {
                        (Kind::Corrupt, Some((space, key))) => Error::corrupt(
                            Damage::new(at.offset..at.end(), "a value").of_key(*space, key),
                        ),
                        _ => error,
                    })
            }
        }
    }
}

impl State {
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.phase == Phase::Open {
            Ok(())
        } else {
            Err(closed())
        }
    }
}

pub(crate) fn closed() -> Error {
    Error::new(Kind::Closed, "the store was closed: open it again")
}
