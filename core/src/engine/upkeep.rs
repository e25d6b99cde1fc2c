//! Background work: the sealed log becomes a table, tables are merged, superblocks are written.
//!
//! One thing at a time, in slices, under one asynchronous lock; readers and writers never wait for
//! it unless both logs are full. A slice that is dropped half-way gives back what it took and is
//! done again.

use super::{
    batch::SMALL,
    codec::{Ref, checksum},
    disk::Disk,
    extent::{Claim, Extent},
    manifest::{Manifest, TableEntry},
    memtable::{Found, Memtable, Value},
    state::{Phase, Sealed, State},
    store::{Inner, Store},
    superblock::{SLOT, Superblock},
    table::{ExtentWriter, Merge, Merged, Table, TableWriter},
    types::Durability,
    version::{Current, Pack, Version},
};
use crate::{Error, Kind, Result, port::Volume, sorted::SortedMap};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;
use core::ops::Bound;

/// Entries that a merge takes in one slice.
const SLICE: usize = 2048;
/// Entries of a memtable that are taken at once.
const PAGE: usize = 512;
/// Packs with more bytes of garbage than this, and more than half of all, are reclaimed unasked.
const GARBAGE: u64 = 16 << 20;

/// With this many tables, commits that find both logs full merge some of them first.
const MAX_TABLES: usize = 24;
/// An index of at most this many bytes is kept in one table when there is nothing else to do.
const SMALL_INDEX: u64 = 16 << 20;

/// What background work remembers from slice to slice.
#[derive(Default)]
pub(crate) struct Upkeep {
    pub merge: Option<Running>,
    /// Where the durable manifest is.
    pub manifest: Option<Extent>,
    /// A slot that may be torn; it is written before the other one.
    pub suspect: Option<u64>,
    /// The tables are others than the durable manifest says.
    pub dirty: bool,
    /// Bytes in packs that merges have seen nothing refer to any more.
    pub garbage: u64,
    /// A damaged block is in the way of merging; reads around it go on.
    pub merging_failed: bool,
    pub next_id: u64,
}

/// A merge and what it is for.
pub(crate) struct Running {
    pub id: u64,
    merge: Merge,
    /// Packs that nothing refers to when it is done.
    emptied: Vec<Arc<Pack>>,
}

/// Where the log stands after a checkpoint.
#[derive(Clone, Copy)]
pub(crate) struct LogStart {
    pub epoch: u64,
    pub seed: u64,
    pub last_commit: u64,
    pub chain: u64,
}

/// What a new superblock is written for.
pub(crate) enum Reason {
    /// The log begins anew.
    Opening(LogStart),
    /// The sealed log is in a table.
    Checkpoint(LogStart, Checkpointed),
    /// The tables are others.
    Tables,
    /// The file becomes shorter.
    Trim,
}

/// What a checkpoint made.
pub(crate) struct Checkpointed {
    table: Option<Arc<Table>>,
    packs: Vec<Arc<Pack>>,
}

impl<V: Volume> Store<V> {
    /// Background work: flushes of relaxed commits, checkpoints, merges. A host polls one such
    /// future per store for as long as it is open; it returns when the store is closed.
    ///
    /// Without it, a commit that finds both logs full does a checkpoint itself, and tables are not
    /// merged. Dropping it stops the work; another may go on.
    pub async fn drive(&self) {
        let inner = &*self.0;
        loop {
            let listener = inner.work.listen();
            let (phase, last, durable) = {
                let state = inner.state.lock();
                (state.phase, state.next - 1, state.durable)
            };
            if phase == Phase::Closed {
                return;
            }
            let alive = inner.disk.device.failure().is_none() && phase == Phase::Open;
            if alive && durable < last {
                // Commits that nobody waits for. A failure is told to whoever commits next.
                let _ = inner.reach(last, Durability::Strict).await;
                // Those who go on committing so are not to do the rest themselves.
                let state = inner.state.lock();
                if state.sealed.is_none() && state.current.version.tables.len() < MAX_TABLES / 2 {
                    continue;
                }
            }
            if alive {
                match inner.slice(self).await {
                    Ok(true) => {
                        yield_now().await;
                        continue;
                    }
                    Ok(false) => {}
                    Err(error) => {
                        inner.state.lock().upkeep_error = Some(error);
                    }
                }
            }
            listener.await;
        }
    }

    /// Turns what is in the log into tables and packs. Waits for commits that were handed over before.
    ///
    /// # Errors
    /// `Quota`, `Poisoned`, `Closed`.
    pub async fn checkpoint(&self) -> Result<()> {
        self.0.state.lock().check_open()?;
        self.0.checkpoint_all().await
    }
}

impl<V: Volume> Inner<V> {
    pub(crate) fn memtable_limit(&self) -> usize {
        self.options.memory_budget / 6
    }

    /// One slice of whatever is most urgent; `false` when there is nothing to do.
    async fn slice(&self, store: &Store<V>) -> Result<bool> {
        let mut upkeep = self.upkeep.lock().await;
        if self.checkpoint_sealed(&mut upkeep).await? {
            return Ok(true);
        }
        if upkeep.merge.is_some() {
            self.merge_slice(&mut upkeep).await?;
            return Ok(true);
        }
        let version = self.state.lock().current.version.clone();
        if !upkeep.merging_failed {
            if let Some(count) = mergeable(&version.tables) {
                let inputs = version.tables.get(..count).unwrap_or_default().to_vec();
                self.begin_merge(
                    &mut upkeep,
                    inputs,
                    count == version.tables.len(),
                    Vec::new(),
                )
                .await?;
                return Ok(true);
            }
            let packed: u64 = version
                .packs
                .iter()
                .map(|pack| pack.range())
                .map(|range| range.end - range.start)
                .sum();
            if upkeep.garbage > GARBAGE && upkeep.garbage > packed / 2 {
                upkeep.garbage = 0;
                drop(upkeep);
                self.reclaim_unasked(store).await?;
                return Ok(true);
            }
        }
        if upkeep.dirty {
            self.publish(&mut upkeep, &version, Reason::Tables).await?;
            return Ok(true);
        }
        // Nobody has committed since the last checkpoint: time to make reading cheaper.
        if !upkeep.merging_failed
            && worth_one(&version.tables)
            && self.state.lock().current.active.is_empty()
        {
            self.begin_merge(&mut upkeep, version.tables.clone(), true, Vec::new())
                .await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Both logs are full: turns the sealed one into a table, unless somebody else just did.
    pub(crate) async fn free_log(&self) -> Result<()> {
        let mut upkeep = self.upkeep.lock().await;
        self.checkpoint_sealed(&mut upkeep).await?;
        // Nobody drives, or not fast enough: reading is not to become slower without end.
        while !upkeep.merging_failed {
            let version = self.state.lock().current.version.clone();
            if version.tables.len() < MAX_TABLES {
                break;
            }
            if upkeep.merge.is_none() {
                let count = mergeable(&version.tables).unwrap_or(version.tables.len());
                let inputs = version.tables.get(..count).unwrap_or_default().to_vec();
                let bottom = count == version.tables.len();
                self.begin_merge(&mut upkeep, inputs, bottom, Vec::new())
                    .await?;
            }
            match self.merge_slice(&mut upkeep).await {
                // The log is free all the same.
                Err(error) if error.kind() == Kind::Quota => break,
                merged => merged?,
            }
        }
        Ok(())
    }

    /// Everything that was committed before is in tables when this returns.
    pub(crate) async fn checkpoint_all(&self) -> Result<()> {
        let mut upkeep = self.upkeep.lock().await;
        let last = self.state.lock().next - 1;
        loop {
            self.checkpoint_sealed(&mut upkeep).await?;
            let mut state = self.state.lock();
            if state.current.active.is_empty() || state.current.active.first > last {
                return Ok(());
            }
            state.seal();
        }
    }

    /// What `close` does: a checkpoint, and a file that is as short as it can be.
    pub(crate) async fn last_checkpoint(&self) -> Result<()> {
        let last = self.state.lock().next - 1;
        self.reach(last, Durability::Strict).await?;
        self.checkpoint_all().await?;
        let mut upkeep = self.upkeep.lock().await;
        upkeep.merge = None;
        let pack = self.state.lock().pack.take();
        if let Some(pack) = pack {
            pack.seal();
        }
        self.trim(&mut upkeep).await
    }

    /// Writes a superblock that frees what is waiting, then one of a shorter file.
    pub(crate) async fn trim(&self, upkeep: &mut Upkeep) -> Result<()> {
        let version = self.state.lock().current.version.clone();
        self.publish(upkeep, &version, Reason::Tables).await?;
        let end = upkeep.manifest.as_ref().map(|extent| extent.range().end);
        if end == Some(self.disk.space.usage().0) {
            // Its manifest found room at the end alone: now there is some before it.
            self.publish(upkeep, &version, Reason::Tables).await?;
        }
        self.publish(upkeep, &version, Reason::Trim).await?;
        let least = self.state.lock().superblock.file_len;
        self.disk.cut(least).await
    }

    /// Turns the sealed log into a table, if there is one.
    async fn checkpoint_sealed(&self, upkeep: &mut Upkeep) -> Result<bool> {
        let Some(sealed) = self.state.lock().sealed.clone() else {
            return Ok(false);
        };
        if !sealed.in_tables {
            let _spending = Spending(self);
            self.table_of(&sealed, upkeep).await?;
        }
        // Only now, or a commit could be written there before it is discarded.
        let (area, log_size) = {
            let state = self.state.lock();
            let superblock = &state.superblock;
            (superblock.area(sealed.epoch), superblock.log_size)
        };
        self.disk.device.discard(area..area + log_size).await?;
        {
            let mut state = self.state.lock();
            state.sealed = None;
            state.upkeep_error = None;
        }
        Ok(true)
    }

    /// Makes a table of the sealed log. The superblock that refers to it and the version that
    /// readers see change together: whoever is dropped, and wherever, no superblock comes later
    /// that knows the log's end and not the table.
    async fn table_of(&self, sealed: &Sealed, upkeep: &mut Upkeep) -> Result<()> {
        self.reach(sealed.last, Durability::Strict).await?;
        let (base, chain, seed) = {
            let state = self.state.lock();
            (
                state.current.version.clone(),
                state.chain_behind(sealed.epoch),
                state.superblock.log_seed,
            )
        };
        let (table, packs) = self
            .disk
            .build(&sealed.memtable, base.tables.is_empty(), &SortedMap::new())
            .await?;
        let start = LogStart {
            epoch: sealed.epoch + 1,
            seed,
            last_commit: sealed.last,
            chain,
        };
        let version =
            Version::clone(&self.state.lock().current.version).with(table.as_ref(), &packs);
        let made = Checkpointed { table, packs };
        let reason = Reason::Checkpoint(start, made);
        self.publish(upkeep, &version, reason).await?;
        upkeep.garbage = upkeep.garbage.saturating_add(sealed.memtable.garbage());
        Ok(())
    }

    /// Makes a manifest of `version` and a superblock that refers to it durable.
    pub(crate) async fn publish(
        &self,
        upkeep: &mut Upkeep,
        version: &Version,
        reason: Reason,
    ) -> Result<()> {
        // What waits now is not in `version`: it is free once the superblock is durable.
        let waiting = self.disk.space.waiting();
        let manifest = Manifest {
            garbage: upkeep.garbage,
            tables: version
                .tables
                .iter()
                .map(|table| TableEntry::of(table))
                .collect(),
            packs: version
                .packs
                .iter()
                .map(|pack| pack.range())
                .filter(|range| !range.is_empty())
                .collect(),
        };
        let bytes: Bytes = manifest.encode().into();
        let extent = self.disk.take(bytes.len() as u64, Claim::Kept).await?;
        let at = Ref {
            offset: extent.range().start,
            len: u32::try_from(bytes.len())
                .map_err(|_| Error::new(Kind::OutOfRange, "the manifest grew beyond its format"))?,
            checksum: checksum(0, &bytes),
        };
        self.disk.device.write_fresh(at.offset, bytes).await?;
        // By what the file grows from here on may not survive with the superblock.
        let (len, _) = self.disk.space.usage();
        let unused = self.disk.space.unused();
        self.disk.device.sync().await?;
        self.disk.free(unused).await?;
        let superblock = {
            let now = self.state.lock().superblock;
            let start = match &reason {
                Reason::Opening(start) | Reason::Checkpoint(start, _) => *start,
                Reason::Tables | Reason::Trim => LogStart {
                    epoch: now.log_epoch,
                    seed: now.log_seed,
                    last_commit: now.last_commit,
                    chain: now.chain,
                },
            };
            Superblock {
                generation: now.generation + 1,
                log_epoch: start.epoch,
                log_seed: start.seed,
                last_commit: start.last_commit,
                chain: start.chain,
                manifest: at,
                file_len: match reason {
                    Reason::Trim => len.min(self.disk.space.used_len()),
                    _ => len,
                },
                ..now
            }
        };
        version.name();
        extent.name();
        self.disk
            .write_superblock(&mut upkeep.suspect, &superblock)
            .await?;
        {
            let mut state = self.state.lock();
            state.superblock = superblock;
            if let Reason::Checkpoint(_, made) = reason {
                state.checkpointed(made);
            }
        }
        upkeep.manifest = Some(extent);
        upkeep.dirty = false;
        // One by one, as in `Disk::free`: whoever is dropped here again and again gets on all the same.
        for _ in 0..waiting {
            let Some(range) = self.disk.space.first_waiting() else {
                break;
            };
            self.disk.device.discard(range).await?;
            self.disk.space.release();
        }
        Ok(())
    }

    pub(crate) async fn begin_merge(
        &self,
        upkeep: &mut Upkeep,
        inputs: Vec<Arc<Table>>,
        bottom: bool,
        emptied: Vec<Arc<Pack>>,
    ) -> Result<u64> {
        let ranges = emptied.iter().map(|pack| pack.range()).collect();
        let merge = match Merge::begin(&self.disk, inputs, bottom, ranges).await {
            Ok(merge) => merge,
            Err(error) => {
                upkeep.merging_failed |= error.kind() == Kind::Corrupt;
                return Err(error);
            }
        };
        upkeep.next_id += 1;
        upkeep.merge = Some(Running {
            id: upkeep.next_id,
            merge,
            emptied,
        });
        Ok(upkeep.next_id)
    }

    /// Goes on with the running merge; installs its table when it is done.
    pub(crate) async fn merge_slice(&self, upkeep: &mut Upkeep) -> Result<()> {
        // Taken out: if this future is dropped, the merge is, and begins anew some time.
        let Some(mut running) = upkeep.merge.take() else {
            return Ok(());
        };
        match running.merge.step(&self.disk, SLICE).await {
            Ok(false) => {
                upkeep.merge = Some(running);
                return Ok(());
            }
            Ok(true) => {}
            Err(error) => {
                upkeep.merging_failed |= error.kind() == Kind::Corrupt;
                return Err(error);
            }
        }
        let emptied = running.emptied;
        let merged = running.merge.finish(&self.disk).await?;
        upkeep.garbage = upkeep.garbage.saturating_add(merged.dropped);
        upkeep.dirty = true;
        let mut state = self.state.lock();
        let mut version = Version::clone(&state.current.version);
        version.replace(merged, &emptied)?;
        state.set_version(version);
        Ok(())
    }
}

/// A checkpoint that takes what is kept for it. When it has ended or was given up, as much is kept as the next one needs.
struct Spending<'a, V>(&'a Inner<V>);

impl<V> Drop for Spending<'_, V> {
    fn drop(&mut self) {
        let state = self.0.state.lock();
        let (active, sealed) = state.checkpoint_room(0);
        self.0.disk.space.checkpoint_ended(active + sealed);
    }
}

/// What was made of a memtable.
pub(crate) type Built = (Option<Arc<Table>>, Vec<Arc<Pack>>);

impl<V: Volume> Disk<V> {
    /// A memtable as a table, its long values in a pack. Nothing is synced. Of values that are in a pack already, those in
    /// `again`, by their place there, are written once more.
    pub(crate) async fn build(
        &self,
        memtable: &Memtable,
        bottom: bool,
        again: &SortedMap<u64, Bytes>,
    ) -> Result<Built> {
        let more: u64 = again.values().map(|value| value.len() as u64).sum();
        let long = memtable.long_bytes(SMALL).saturating_add(more);
        let mut values = ExtentWriter::new(long, Claim::Kept);
        let rest = (memtable.bytes() as u64).saturating_sub(long);
        let mut out = TableWriter::new(rest, Claim::Kept);
        let mut behind: Option<Bytes> = None;
        loop {
            let from = behind
                .as_ref()
                .map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_ref()));
            let page = memtable.page(from, false, u64::MAX, PAGE);
            let Some((last, _)) = page.last() else { break };
            behind = Some(last.clone());
            for (key, found) in page {
                let found = match found {
                    Found::Value(Value::External(at)) => match again.get(&at.offset) {
                        Some(value) => Found::Value(Value::Inline(value.clone())),
                        None => found,
                    },
                    found => found,
                };
                let value = match found {
                    Found::Value(Value::Inline(value)) if value.len() >= SMALL => {
                        Some(Value::External(Ref {
                            offset: values.append(self, &value).await?,
                            len: value.len() as u32,
                            checksum: checksum(0, &value),
                        }))
                    }
                    Found::Value(value) => Some(value),
                    Found::Deleted | Found::Nothing if bottom => continue,
                    Found::Deleted | Found::Nothing => None,
                };
                out.add(self, key, value).await?;
            }
        }
        let ranges = if bottom {
            Vec::new()
        } else {
            memtable.ranges()
        };
        let table = if out.is_empty() && ranges.is_empty() {
            None
        } else {
            Some(Arc::new(out.finish(self, ranges).await?))
        };
        let packs = values
            .finish(self)
            .await?
            .into_iter()
            .map(Pack::full)
            .collect();
        Ok((table, packs))
    }

    /// Writes both slots, one after the other: at every moment one of them is whole.
    pub(crate) async fn write_superblock(
        &self,
        suspect: &mut Option<u64>,
        superblock: &Superblock,
    ) -> Result<()> {
        let bytes: Bytes = superblock.encode().into();
        let first = suspect.unwrap_or(0);
        for slot in [first, 1 - first] {
            *suspect = Some(slot);
            self.device.discard(slot * SLOT..(slot + 1) * SLOT).await?;
            self.device.write(slot * SLOT, bytes.clone()).await?;
            self.device.sync().await?;
            *suspect = None;
        }
        Ok(())
    }
}

impl State {
    /// Readers find in tables what was in the sealed memtable. The log area is not free yet.
    fn checkpointed(&mut self, made: Checkpointed) {
        let version = Version::clone(&self.current.version).with(made.table.as_ref(), &made.packs);
        self.set_current(Current {
            active: self.current.active.clone(),
            sealed: None,
            version: Arc::new(version),
        });
        if let Some(sealed) = &mut self.sealed {
            sealed.in_tables = true;
        }
    }

    pub(crate) fn set_version(&mut self, version: Version) {
        self.set_current(Current {
            active: self.current.active.clone(),
            sealed: self.current.sealed.clone(),
            version: Arc::new(version),
        });
    }
}

impl Version {
    /// A superblock is about to refer to all of it.
    fn name(&self) {
        let extents = self.tables.iter().flat_map(|table| &table.extents);
        extents.for_each(Extent::name);
        self.packs.iter().for_each(|pack| pack.name());
    }

    /// With a newer table and its packs.
    pub(crate) fn with(mut self, table: Option<&Arc<Table>>, packs: &[Arc<Pack>]) -> Self {
        if let Some(table) = table {
            self.tables.insert(0, table.clone());
        }
        self.packs.extend_from_slice(packs);
        self
    }

    /// With a merge's table in place of its inputs, and without the packs that it emptied.
    fn replace(&mut self, merged: Merged, emptied: &[Arc<Pack>]) -> Result<()> {
        let at = merged
            .inputs
            .first()
            .and_then(|first| {
                self.tables
                    .iter()
                    .position(|table| Arc::ptr_eq(table, first))
            })
            .ok_or_else(|| {
                Error::new(Kind::Conflict, "a merge's inputs were replaced meanwhile")
            })?;
        self.tables
            .splice(at..at + merged.inputs.len(), merged.table.map(Arc::new));
        self.packs.retain(|pack| {
            let start = pack.range().start;
            !emptied.iter().any(|gone| Arc::ptr_eq(gone, pack))
                || merged.kept.iter().any(|kept| kept.start == start)
        });
        self.packs.extend(merged.packs.into_iter().map(Pack::full));
        Ok(())
    }
}

impl TableEntry {
    fn of(table: &Table) -> Self {
        TableEntry {
            root: table.root,
            height: table.height,
            ranges: table.ranges,
            entries: table.entries,
            bytes: table.bytes,
            extents: table
                .extents
                .iter()
                .map(|extent| extent.range())
                .filter(|range| !range.is_empty())
                .collect(),
        }
    }
}

/// How many of the newest tables are worth merging: sizes are to grow by a factor of three from
/// table to table, and four small ones are no trouble yet.
fn mergeable(tables: &[Arc<Table>]) -> Option<usize> {
    let mut sum = 0u64;
    let mut count = 0;
    for (index, table) in tables.iter().enumerate() {
        if index > 0 && table.bytes < sum.saturating_mul(3) {
            count = index + 1;
        }
        sum = sum.saturating_add(table.bytes);
    }
    (count >= 4).then_some(count)
}

/// Whether rewriting all tables as one costs little against what lies in the newer ones.
fn worth_one(tables: &[Arc<Table>]) -> bool {
    let Some((oldest, newer)) = tables.split_last() else {
        return false;
    };
    let newer_bytes: u64 = newer.iter().map(|table| table.bytes).sum();
    !newer.is_empty()
        && (newer_bytes >= oldest.bytes / 8 || newer_bytes + oldest.bytes <= SMALL_INDEX)
}

/// Lets others run.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    core::future::poll_fn(|context| {
        if core::mem::replace(&mut yielded, true) {
            return core::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        core::task::Poll::Pending
    })
    .await;
}
