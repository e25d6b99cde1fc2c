//! The engine's plain values.

use crate::{Damage, Error};
use alloc::vec::Vec;
use bytes::Bytes;

/// An ordered space of keys. Layers own the numbers below 0x80; the rest is for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(pub u8);

/// How far a commit has come, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// Readers see it. Lost with the process.
    Memory,
    /// In the log; survives the process, and power loss once the next group is synced.
    Local,
    /// Synced: survives power loss. The default.
    Strict,
    /// The remote store has it too. Only a pair gives this.
    Remote,
}

/// Keys from `start` (inclusive) to `end` (exclusive; `None` is the end of the space).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// First key that is in.
    pub start: Bytes,
    /// First key that is not in any more.
    pub end: Option<Bytes>,
}

impl KeyRange {
    /// The whole space.
    pub fn all() -> Self {
        KeyRange {
            start: Bytes::new(),
            end: None,
        }
    }

    /// Every key that starts with `prefix`.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let start: Bytes = prefix.into();
        let mut end = start.to_vec();
        while let Some(last) = end.pop() {
            if let Some(next) = last.checked_add(1) {
                end.push(next);
                return KeyRange {
                    start,
                    end: Some(end.into()),
                };
            }
        }
        KeyRange { start, end: None }
    }

    /// From `start` to the end of the space.
    pub fn from(start: impl Into<Bytes>) -> Self {
        KeyRange {
            start: start.into(),
            end: None,
        }
    }

    /// From `start` (in) to `end` (out).
    pub fn between(start: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        KeyRange {
            start: start.into(),
            end: Some(end.into()),
        }
    }

    /// Everything behind `key`, without it.
    pub fn after(key: &[u8]) -> Self {
        let mut start = Vec::with_capacity(key.len() + 1);
        start.extend_from_slice(key);
        start.push(0);
        KeyRange {
            start: start.into(),
            end: None,
        }
    }

    /// Whether `key` is in it.
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= self.start.as_ref() && self.end.as_ref().is_none_or(|end| key < end.as_ref())
    }
}

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest key first.
    Forward,
    /// Largest key first.
    Backward,
}

/// What a scan yields: the key and the size; the value is read when asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Bytes,
    /// Length of the value in bytes.
    pub len: u64,
}

/// How a store uses memory and disk. `Default` suits an application's own process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Bytes that memtables, group buffers and the block cache may take together. At least 1 MiB.
    pub memory_budget: usize,
    /// Bytes of each of the two log areas of a new store. An existing store keeps its own.
    pub log_size: u64,
    /// Commits are padded to this many bytes, a power of two of at least 8: no later write then
    /// touches a sector that holds acknowledged bytes. 4,096 on disks. An existing store keeps its own.
    pub alignment: u32,
    /// What opening does when there is no store in the volume.
    pub no_store: NoStore,
    /// What opening does when acknowledged commits in the log are damaged.
    pub damaged_log: DamagedLog,
    /// Bytes that the volume may grow to; a commit that needs more says `Quota`.
    pub max_size: u64,
    /// A deliberately broken store, for tests that must catch it.
    #[cfg(feature = "sabotage")]
    pub sabotage: Option<Sabotage>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            memory_budget: 32 << 20,
            log_size: 4 << 20,
            alignment: 4096,
            no_store: NoStore::Make,
            damaged_log: DamagedLog::Refuse,
            max_size: u64::MAX,
            #[cfg(feature = "sabotage")]
            sabotage: None,
        }
    }
}

/// What opening does when there is no store in the volume: it is empty, or one was being made when a crash came.
/// Anything else that is no store is refused always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoStore {
    /// Makes one.
    Make,
    /// Says `NotFound`, and changes nothing: for whoever expects one there, for it may have been lost.
    Refuse,
}

/// What opening does when acknowledged commits in the log are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamagedLog {
    /// Says `Corrupt` with the place, and changes nothing.
    Refuse,
    /// Keeps what is before the damage and gives up what is behind it; `Stats::salvaged` tells
    /// what was lost. Copy the file first: this cannot be undone.
    Cut,
}

/// Ways to break a promise on purpose.
#[cfg(feature = "sabotage")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Sabotage {
    NoSync,
    AcknowledgedBeforeSync,
    ChecksumIgnored,
    StaleLogAccepted,
    QueueEntryRemovedBeforeAck,
    FillRacesDelete,
    CommitInTwo,
}

/// What a store is made of at this moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The last commit's number.
    pub last_commit: u64,
    /// The last commit that survives power loss.
    pub durable_commit: u64,
    /// Length of the file in bytes.
    pub size: u64,
    /// Bytes of the file that are in use: everything but free extents.
    pub size_in_use: u64,
    /// Bytes used in the active log area, and the area's size.
    pub log_used: u64,
    /// See `log_used`.
    pub log_size: u64,
    /// Sorted tables and their bytes.
    pub tables: usize,
    /// See `tables`.
    pub table_bytes: u64,
    /// Entries in all tables; a key that was changed since may be counted twice.
    pub table_entries: u64,
    /// Packs and their bytes.
    pub packs: usize,
    /// See `packs`.
    pub pack_bytes: u64,
    /// Views that are open now; each keeps what it sees from being reclaimed.
    pub views: usize,
    /// Bytes of memory in memtables and cache.
    pub memory: usize,
    /// Writes fail since an earlier write or sync failed.
    pub poisoned: bool,
    /// Why the last attempt at background work failed, until one succeeds.
    pub upkeep_error: Option<Error>,
    /// The damage that opening cut from the log, with [`DamagedLog::Cut`].
    pub salvaged: Option<Error>,
}

/// What a run of `reclaim` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reclaimed {
    /// Bytes that were in use before and are free or given back now.
    pub bytes_freed: u64,
    /// Bytes by which the file became shorter.
    pub bytes_shortened: u64,
}

/// What `verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Values that were read and are as they were written.
    pub values: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is damaged, in file order of discovery.
    pub damage: Vec<Damage>,
}
