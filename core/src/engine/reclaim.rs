//! Giving space back: what was deleted or replaced, and the end of the file.
//!
//! Which values are alive is found by walking the index, never from counters that could drift.
//! Packs that are worth it are emptied by one merge of all tables, which copies their living values
//! to new packs lower in the file.

use super::{
    memtable::Value,
    store::{Inner, Store},
    types::{Direction, Durability, Reclaimed},
    upkeep::{Reason, yield_now},
    version::Version,
    view::{Scan, View},
};
use crate::{Kind, Result, port::Volume};
use alloc::{sync::Arc, vec, vec::Vec};
use bytes::Bytes;
use core::ops::Range;

/// Merges of everything in one call, at most.
const PASSES: usize = 6;
/// This much free space within the file, or a 64th of it, is not worth another pass.
const SLACK: u64 = 256 << 10;

/// What a merge of everything is for.
#[derive(Clone, Copy, PartialEq)]
enum Pass {
    /// Emptying packs that are mostly garbage.
    Garbage,
    /// Moving what lies behind where the data could end into holes before it.
    Down,
    /// Moving the same to the end of the file first: the holes, which are too small or in the way of
    /// one another, become one.
    Up,
}

impl<V: Volume> Store<V> {
    /// Gives back the space of what was deleted or replaced, and shortens the file. Reads and writes go on.
    ///
    /// Space that an open view sees is kept. A future that is dropped half-way has reclaimed less.
    ///
    /// # Errors
    /// `Corrupt` when a damaged table is in the way, `Quota` when there is no room to copy what is alive,
    /// `Poisoned`, `Closed`.
    pub async fn reclaim(&self) -> Result<Reclaimed> {
        self.0.state.lock().check_open()?;
        let _alone = self.0.reclaiming.lock().await;
        let before = (self.size(), self.size_in_use());
        let mut pass = Pass::Garbage;
        let mut went_up = false;
        for _ in 0..PASSES {
            match self.0.reclaim_pass(self, pass).await {
                // No room for a detour: what has been given back by now is all there is.
                Err(error) if error.kind() == Kind::Quota && pass == Pass::Up => break,
                done => done?,
            }
            let mut upkeep = self.0.upkeep.lock().await;
            self.0.trim(&mut upkeep).await?;
            drop(upkeep);
            pass = match self.0.next_pass() {
                Some(Pass::Up) if went_up => break,
                Some(next) => next,
                None => break,
            };
            went_up |= pass == Pass::Up;
        }
        Ok(Reclaimed {
            bytes_freed: before.1.saturating_sub(self.size_in_use()),
            bytes_shortened: before.0.saturating_sub(self.size()),
        })
    }
}

impl<V: Volume> Inner<V> {
    /// What would make the file shorter, if anything does.
    fn next_pass(&self) -> Option<Pass> {
        let (size, free) = self.disk.space.usage();
        let slack = (size / 64).max(SLACK);
        if free <= slack {
            return None;
        }
        let version = self.state.lock().current.version.clone();
        let tables: u64 = version.tables.iter().map(|table| table.bytes).sum();
        let packs = version.packs.iter().map(|pack| pack.range());
        let behind: u64 = packs
            .filter(|range| range.end > size - free)
            .map(|range| range.end - range.start)
            .sum();
        match self.disk.space.reach(tables + behind) {
            Some(end) if end + slack < size => Some(Pass::Down),
            _ => Some(Pass::Up),
        }
    }

    /// Merges all tables into one, emptying the packs that `pass` is about.
    async fn reclaim_pass(&self, store: &Store<V>, pass: Pass) -> Result<()> {
        let compact = pass != Pass::Garbage;
        let _at_end = (pass == Pass::Up).then(|| self.disk.space.at_end());
        // Packs that take no more values. What was committed into them before now is in tables
        // after the checkpoint, and nothing later can refer to them.
        let mut packs = {
            let mut state = self.state.lock();
            if let Some(pack) = state.pack.take() {
                pack.seal();
            }
            state.current.version.packs.clone()
        };
        packs.retain(|pack| !pack.range().is_empty());
        packs.sort_by_key(|pack| pack.range().start);
        self.checkpoint_all().await?;
        let ranges: Vec<Range<u64>> = packs.iter().map(|pack| pack.range()).collect();
        let view = store.view();
        let seen = view.commit();
        let alive = alive(view, &ranges).await?;
        let (size, free) = self.disk.space.usage();
        let end = size - free;
        let mut upkeep = self.upkeep.lock().await;
        // A merge that is under way has older inputs.
        upkeep.merge = None;
        let (mut dead, mut emptied) = (Vec::new(), Vec::new());
        let version = self.state.lock().current.version.clone();
        for (pack, living) in packs.into_iter().zip(alive) {
            // Others may have emptied it meanwhile, and a new pack may lie in its place.
            if !version.packs.iter().any(|other| Arc::ptr_eq(&pack, other)) {
                continue;
            }
            let range = pack.range();
            let len = range.end - range.start;
            if living == 0 {
                dead.push(pack);
            } else if living < len - len / 8 || compact && range.end > end {
                emptied.push(pack);
            }
        }
        let tables = version.tables.clone();
        drop(version);
        if !dead.is_empty() {
            // What nobody reads needs no merge, which on a full disk would find no room. Power loss must not bring back what
            // was deleted, to a place where something else is then.
            self.reach(seen, Durability::Strict).await?;
            let version = {
                let mut state = self.state.lock();
                let mut version = Version::clone(&state.current.version);
                version.without_packs(&dead);
                state.set_version(version);
                state.current.version.clone()
            };
            drop(dead);
            upkeep.garbage = 0;
            self.publish(&mut upkeep, &version, Reason::Tables).await?;
        }
        if tables.is_empty() || tables.len() == 1 && emptied.is_empty() && !compact {
            return Ok(());
        }
        let id = self.begin_merge(&mut upkeep, tables, true, emptied).await?;
        upkeep.garbage = 0;
        loop {
            if upkeep.merge.as_ref().is_none_or(|running| running.id != id) {
                return Ok(());
            }
            self.merge_slice(&mut upkeep).await?;
            drop(upkeep);
            yield_now().await;
            upkeep = self.upkeep.lock().await;
        }
    }

    /// What background work does about garbage, unasked, unless somebody is at it.
    pub(crate) async fn reclaim_unasked(&self, store: &Store<V>) -> Result<()> {
        match self.reclaiming.try_lock() {
            Some(_alone) => self.reclaim_pass(store, Pass::Garbage).await,
            None => Ok(()),
        }
    }
}

/// Bytes of living values in each of `packs`, which are sorted.
async fn alive<V: Volume>(view: View<V>, packs: &[Range<u64>]) -> Result<Vec<u64>> {
    let mut alive = vec![0u64; packs.len()];
    let all = Bytes::from_static(&[0xff; super::MAX_KEY + 2]);
    let mut scan = Scan::new(view, Bytes::new(), all, Direction::Forward);
    let mut count = 0u32;
    while let Some((_, value)) = scan.next_value().await? {
        if let Value::External(at) = value {
            let behind = packs.partition_point(|pack| pack.start <= at.offset);
            let index = behind
                .checked_sub(1)
                .filter(|index| packs.get(*index).is_some_and(|pack| at.offset < pack.end));
            if let Some(living) = index.and_then(|index| alive.get_mut(index)) {
                *living += u64::from(at.len);
            }
        }
        count = count.wrapping_add(1);
        if count.is_multiple_of(1024) {
            yield_now().await;
        }
    }
    Ok(alive)
}
