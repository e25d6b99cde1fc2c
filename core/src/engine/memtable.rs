//! What is in one log and not in a table yet: sorted, in memory, with every version that an open
//! view may still read.

use super::{
    batch::{Change, Operation, decode},
    codec::Ref,
    table::LEAF_BYTES,
};
use crate::{Result, sync::RwLock};
use alloc::{collections::BTreeMap, vec::Vec};
use bytes::Bytes;
use core::{
    ops::Bound,
    sync::atomic::{AtomicBool, Ordering},
};

/// Bookkeeping that an entry costs besides its bytes, roughly.
pub(crate) const OVERHEAD: usize = 96;

pub(crate) struct Memtable {
    inner: RwLock<Inner>,
    /// Nothing was ever put into it: what readers ask without the lock.
    untouched: AtomicBool,
    /// Commits before this one are not in it.
    pub(crate) first: u64,
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<Bytes, Versions>,
    ranges: Vec<(Bytes, Bytes, u64)>,
    bytes: usize,
    /// Bytes in packs of values that a later change replaced.
    replaced: u64,
}

/// A key's newest change, and older ones that a view may need, oldest first.
struct Versions {
    commit: u64,
    change: Change,
    older: Vec<(u64, Change)>,
}

/// What a memtable says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Value(Value),
    Deleted,
    /// It says nothing: look further down.
    Nothing,
}

/// A value, or where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Inline(Bytes),
    External(Ref),
}

impl Value {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Value::Inline(bytes) => bytes.len() as u64,
            Value::External(at) => u64::from(at.len),
        }
    }
}

impl Memtable {
    /// An empty one for commits from `first` on.
    pub(crate) fn new(first: u64) -> Self {
        Memtable {
            inner: RwLock::default(),
            untouched: AtomicBool::new(true),
            first,
        }
    }

    /// Applies a payload whose first batch is commit `first`; returns the values in packs that it names.
    pub(crate) fn apply(
        &self,
        payload: &Bytes,
        first: u64,
        keep_versions: bool,
    ) -> Result<Vec<Ref>> {
        self.untouched.store(false, Ordering::Release);
        let mut inner = self.inner.write();
        let mut externals = Vec::new();
        let mut commit = first.saturating_sub(1);
        decode(payload, |operation| {
            match operation {
                Operation::Batch => commit += 1,
                Operation::Change(key, change) => {
                    if let Change::External(at) = &change {
                        externals.push(*at);
                    }
                    inner.change(key, change, commit, keep_versions);
                }
                Operation::DeleteRange(start, end) => {
                    inner.bytes += start.len() + end.len() + OVERHEAD;
                    inner.ranges.push((start, end, commit));
                }
            }
            Ok(())
        })?;
        Ok(externals)
    }

    /// The newest change of `key` that is not newer than commit `at`.
    pub(crate) fn find(&self, key: &[u8], at: u64) -> Found {
        if self.untouched.load(Ordering::Acquire) {
            return Found::Nothing;
        }
        let inner = self.inner.read();
        match inner.entries.get(key) {
            Some(versions) => inner.visible(key, versions, at),
            None => inner.found(key, None, at),
        }
    }

    /// Whether `key` was changed after commit `since`.
    pub(crate) fn changed_since(&self, key: &[u8], since: u64) -> bool {
        let inner = self.inner.read();
        inner
            .entries
            .get(key)
            .is_some_and(|versions| versions.commit > since)
            || inner
                .covering(key, u64::MAX)
                .is_some_and(|commit| commit > since)
    }

    /// Up to `count` keys behind `from` (before it when `backward`), with what is seen of them at commit `at`.
    pub(crate) fn page(
        &self,
        from: Bound<&[u8]>,
        backward: bool,
        at: u64,
        count: usize,
    ) -> Vec<(Bytes, Found)> {
        let inner = self.inner.read();
        let seen = |(key, versions): (&Bytes, &Versions)| match inner.visible(key, versions, at) {
            // Its versions are all newer than the view.
            Found::Nothing => None,
            found => Some((key.clone(), found)),
        };
        if backward {
            inner
                .entries
                .range::<[u8], _>((Bound::Unbounded, from))
                .rev()
                .filter_map(seen)
                .take(count)
                .collect()
        } else {
            inner
                .entries
                .range::<[u8], _>((from, Bound::Unbounded))
                .filter_map(seen)
                .take(count)
                .collect()
        }
    }

    /// Whether a range that was deleted by commit `at` covers `key`: what is further down is gone.
    pub(crate) fn covers(&self, key: &[u8], at: u64) -> bool {
        self.inner.read().covering(key, at).is_some()
    }

    /// The deleted ranges, sorted and without overlap.
    pub(crate) fn ranges(&self) -> Vec<(Bytes, Bytes)> {
        let ranges = self
            .inner
            .read()
            .ranges
            .iter()
            .map(|(start, end, _)| (start.clone(), end.clone()))
            .collect();
        super::table::union(ranges)
    }

    pub(crate) fn range_count(&self) -> usize {
        self.inner.read().ranges.len()
    }

    /// Bytes of values at least `small` long that are in memory.
    pub(crate) fn long_bytes(&self, small: usize) -> u64 {
        let inner = self.inner.read();
        inner
            .entries
            .values()
            .map(|versions| match &versions.change {
                Change::Inline(value) if value.len() >= small => value.len() as u64,
                _ => 0,
            })
            .sum()
    }

    /// Bytes in packs that nothing refers to once this is a table.
    pub(crate) fn garbage(&self) -> u64 {
        let inner = self.inner.read();
        let covered = |(key, versions): (&Bytes, &Versions)| {
            let deleted = inner.covering(key, u64::MAX);
            deleted
                .filter(|deleted| *deleted > versions.commit)
                .map_or(0, |_| in_pack(&versions.change))
        };
        let deleted: u64 = if inner.ranges.is_empty() {
            0
        } else {
            inner.entries.iter().map(covered).sum()
        };
        inner.replaced + deleted
    }

    pub(crate) fn bytes(&self) -> usize {
        self.inner.read().bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        let inner = self.inner.read();
        inner.entries.is_empty() && inner.ranges.is_empty()
    }
}

impl Inner {
    fn change(&mut self, key: Bytes, change: Change, commit: u64, keep_versions: bool) {
        let cost = |change: &Change| match change {
            Change::Inline(value) => value.len(),
            _ => 0,
        };
        self.bytes += cost(&change);
        if let Some(versions) = self.entries.get_mut(&key) {
            let (then, old) = (
                core::mem::replace(&mut versions.commit, commit),
                core::mem::replace(&mut versions.change, change),
            );
            self.replaced += in_pack(&old);
            if keep_versions && then != commit {
                versions.older.push((then, old));
                self.bytes += OVERHEAD;
            } else {
                self.bytes = self.bytes.saturating_sub(cost(&old));
            }
            return;
        }
        // A long key stands in an index block too.
        self.bytes += key.len() + key.len() * key.len() / LEAF_BYTES + OVERHEAD;
        self.entries.insert(
            key,
            Versions {
                commit,
                change,
                older: Vec::new(),
            },
        );
    }

    fn visible(&self, key: &[u8], versions: &Versions, at: u64) -> Found {
        if versions.commit <= at {
            return self.found(key, Some((versions.commit, &versions.change)), at);
        }
        let older = &versions.older;
        let seen = older.partition_point(|(commit, _)| *commit <= at);
        let newest = seen.checked_sub(1).and_then(|newest| older.get(newest));
        self.found(key, newest.map(|(commit, change)| (*commit, change)), at)
    }

    fn found(&self, key: &[u8], version: Option<(u64, &Change)>, at: u64) -> Found {
        if let Some(deleted) = self.covering(key, at)
            && version.is_none_or(|(commit, _)| deleted > commit)
        {
            return Found::Deleted;
        }
        match version.map(|(_, change)| change) {
            Some(Change::Inline(value)) => Found::Value(Value::Inline(value.clone())),
            Some(Change::External(at)) => Found::Value(Value::External(*at)),
            Some(Change::Delete) => Found::Deleted,
            None => Found::Nothing,
        }
    }

    /// The last commit up to `at` that deleted a range with `key` in it.
    fn covering(&self, key: &[u8], at: u64) -> Option<u64> {
        self.ranges
            .iter()
            .rev()
            .find(|(start, end, commit)| {
                *commit <= at && start.as_ref() <= key && key < end.as_ref()
            })
            .map(|(_, _, commit)| *commit)
    }
}

fn in_pack(change: &Change) -> u64 {
    match change {
        Change::External(at) => u64::from(at.len),
        _ => 0,
    }
}
