//! What readers read: the memtables, and the tables and packs under them.

use super::{
    extent::{Extent, Space},
    memtable::Memtable,
    table::Table,
};
use crate::{
    sorted::SortedMap,
    sync::{Mutex, RwLock, stripe},
};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;
use core::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A set of tables, newest first, and the packs that they refer to.
#[derive(Clone, Default)]
pub(crate) struct Version {
    pub tables: Vec<Arc<Table>>,
    pub packs: Vec<Arc<Pack>>,
}

impl Version {
    /// Without packs that nothing refers to.
    pub(crate) fn without_packs(&mut self, gone: &[Arc<Pack>]) {
        self.packs
            .retain(|pack| !gone.iter().any(|gone| Arc::ptr_eq(gone, pack)));
    }
}

/// All that a reader needs. Replaced as a whole.
#[derive(Clone)]
pub(crate) struct Current {
    pub active: Arc<Memtable>,
    /// The memtable of the log that is being turned into a table.
    pub sealed: Option<Arc<Memtable>>,
    pub version: Arc<Version>,
}

/// What `State::current` is, in copies that threads read without meeting each other: a reader then
/// writes to no line of memory that another processor reads.
pub(crate) struct Readers {
    stripes: [Stripe; STRIPES],
}

/// Two lines of the processor's cache: it fetches them in pairs.
#[repr(align(128))]
struct Stripe(RwLock<Arc<Current>>);

const STRIPES: usize = 8;

impl Readers {
    pub(crate) fn new(current: &Current) -> Arc<Self> {
        let stripe = |_| Stripe(RwLock::new(Arc::new(current.clone())));
        Arc::new(Readers {
            stripes: core::array::from_fn(stripe),
        })
    }

    pub(crate) fn current(&self) -> Arc<Current> {
        let [first, ..] = &self.stripes;
        let stripe = self.stripes.get(stripe(STRIPES)).unwrap_or(first);
        stripe.0.read().clone()
    }

    /// Called under the lock of `State`: a later commit is then found through every copy.
    pub(crate) fn set(&self, current: &Current) {
        for stripe in &self.stripes {
            *stripe.0.write() = Arc::new(current.clone());
        }
    }
}

/// An extent of values, one behind the other.
pub(crate) struct Pack(Mutex<PackState>);

struct PackState {
    extent: Extent,
    end: u64,
}

impl Pack {
    /// An empty pack in `extent`, for values that the log refers to.
    pub(crate) fn new(extent: Extent) -> Arc<Self> {
        extent.name();
        let end = extent.range().start;
        Arc::new(Pack(Mutex::new(PackState { extent, end })))
    }

    /// A pack that is full.
    pub(crate) fn full(extent: Extent) -> Arc<Self> {
        let end = extent.range().end;
        Arc::new(Pack(Mutex::new(PackState { extent, end })))
    }

    /// Room for `len` bytes behind the last ones.
    pub(crate) fn append(&self, len: u64) -> Option<u64> {
        let mut state = self.0.lock();
        let at = state.end;
        let end = at
            .checked_add(len)
            .filter(|end| *end <= state.extent.range().end)?;
        state.end = end;
        Some(at)
    }

    /// Makes room for `len` more bytes behind the last ones, if the file has it there and the pack
    /// stays shorter than `most`.
    pub(crate) fn extend(&self, space: &Space, len: u64, most: u64) -> bool {
        let mut state = self.0.lock();
        let range = state.extent.range();
        let missing = (state.end + len).saturating_sub(range.end);
        range.end - range.start + missing <= most && space.extend(&mut state.extent, missing)
    }

    /// A superblock is about to refer to it.
    pub(crate) fn name(&self) {
        self.0.lock().extent.name();
    }

    /// Whether the pack ends at `offset`.
    pub(crate) fn ends_at(&self, offset: u64) -> bool {
        self.0.lock().extent.range().end == offset
    }

    /// Nothing more is appended: what is left of the extent is given back.
    pub(crate) fn seal(&self) {
        let mut state = self.0.lock();
        let end = state.end;
        state.extent.shrink(end);
    }

    /// The pages that hold values.
    pub(crate) fn range(&self) -> Range<u64> {
        let state = self.0.lock();
        state.extent.range().start..super::codec::align(state.end, super::extent::PAGE)
    }
}

/// Values of large batches that are committed and not in their pack yet: read from here.
#[derive(Default)]
pub(crate) struct Unwritten {
    /// Each run's values with their places, by where it begins.
    runs: Mutex<SortedMap<u64, Vec<(u64, Bytes)>>>,
    count: AtomicUsize,
}

impl Unwritten {
    /// Adds the values of a run that begins at `base`. Called before anyone can look for them.
    pub(crate) fn add(&self, base: u64, run: &[Bytes]) {
        if run.is_empty() {
            return;
        }
        let mut place = base;
        let mut values = Vec::with_capacity(run.len());
        for value in run {
            values.push((place, value.clone()));
            place += value.len() as u64;
        }
        let mut runs = self.runs.lock();
        runs.insert(base, values);
        self.count.store(runs.len(), Ordering::Release);
    }

    /// The run has been written.
    pub(crate) fn remove(&self, base: u64) {
        let mut runs = self.runs.lock();
        let run = runs.remove(&base);
        self.count.store(runs.len(), Ordering::Release);
        drop(runs);
        drop(run);
    }

    pub(crate) fn find(&self, offset: u64) -> Option<Bytes> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let runs = self.runs.lock();
        let run = runs.at_most(&offset)?;
        let at = run
            .binary_search_by_key(&offset, |(place, _)| *place)
            .ok()?;
        run.get(at).map(|(_, value)| value.clone())
    }
}
