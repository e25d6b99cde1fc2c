//! A batch, and how it stands in a log record.
//!
//! Operations, one after another; a batch begins with `BATCH`:
//!
//! | tag | name | fields |
//! |---|---|---|
//! | 0 | BATCH | |
//! | 1 | PUT | key, value (each: short length, bytes) |
//! | 2 | PUT_EXTERNAL | key, reference (offset u64, length u32, checksum u64) to the value in a pack |
//! | 3 | DELETE | key |
//! | 4 | DELETE_RANGE | first key, key behind the last |
//!
//! A key is the space's byte and the user's key. Within a batch ranges come before points.

use super::{
    MAX_KEY, MAX_VALUE,
    codec::{Put, Ref, Take, behind, checksum},
    memtable::OVERHEAD,
    types::{KeyRange, Space},
    view::View,
};
use crate::{Error, Kind, Result, port::Volume};
use alloc::{collections::BTreeMap, vec::Vec};
use bytes::Bytes;

/// A batch whose values together are at least this long writes them straight into a pack; shorter
/// ones ride in the log, where a commit costs one write.
const DIRECT: u64 = 64 << 10;
/// Values shorter than this always ride in the log.
pub(crate) const SMALL: usize = 1024;

pub(crate) const TAG_BATCH: u8 = 0;
const TAG_PUT: u8 = 1;
const TAG_PUT_EXTERNAL: u8 = 2;
const TAG_DELETE: u8 = 3;
const TAG_DELETE_RANGE: u8 = 4;

/// Changes that are committed together: all of them or none.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    points: BTreeMap<Bytes, Option<Bytes>>,
    ranges: Vec<(Bytes, Bytes)>,
    conditions: Vec<(Bytes, u64)>,
}

impl Batch {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`. A later change of the same key in the batch wins.
    pub fn put(&mut self, space: Space, key: impl AsRef<[u8]>, value: impl Into<Bytes>) {
        self.points
            .insert(internal(space, key.as_ref()), Some(value.into()));
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, space: Space, key: impl AsRef<[u8]>) {
        self.points.insert(internal(space, key.as_ref()), None);
    }

    /// Removes every key in `range`, those that the batch itself put before included.
    pub fn delete_range(&mut self, space: Space, range: KeyRange) {
        let (start, end) = internal_range(space, &range);
        if start < end {
            self.points.retain(|key, _| *key < start || *key >= end);
            self.ranges.push((start, end));
        }
    }

    /// Makes the commit fail with `Conflict` if `key` was changed (put, deleted or range-deleted) since `view`.
    ///
    /// A conflict may also be reported when nothing changed, if the view is old: read again from a fresh view.
    pub fn require_unchanged<V: Volume>(
        &mut self,
        space: Space,
        key: impl AsRef<[u8]>,
        view: &View<V>,
    ) {
        self.conditions
            .push((internal(space, key.as_ref()), view.commit()));
    }

    /// Nothing to change.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.ranges.is_empty()
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.points.len() + self.ranges.len()
    }

    /// Bytes of keys and values in it.
    pub fn bytes(&self) -> u64 {
        let points = self
            .points
            .iter()
            .map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len));
        let ranges = self
            .ranges
            .iter()
            .map(|(start, end)| start.len() + end.len());
        points.chain(ranges).map(|bytes| bytes as u64).sum()
    }

    /// Checks sizes, computes checksums and encodes: all the work that needs no lock.
    pub(crate) fn prepare(self, log_size: u64) -> Result<Prepared> {
        let mut long = 0u64;
        for (key, value) in &self.points {
            let len = value.as_ref().map_or(0, Bytes::len);
            if key.len() > MAX_KEY + 1 {
                return Err(too_long("a key", key.len() - 1, MAX_KEY));
            }
            if len > MAX_VALUE {
                return Err(too_long("a value", len, MAX_VALUE));
            }
            if len >= SMALL {
                long = long.saturating_add(len as u64);
            }
        }
        for (start, end) in &self.ranges {
            if start.len().max(end.len()) > MAX_KEY + 2 {
                return Err(too_long("a key", start.len().max(end.len()) - 1, MAX_KEY));
            }
        }
        let direct = long >= DIRECT.min(log_size / 8);
        let mut changes = Vec::with_capacity(self.points.len());
        let mut run = Vec::new();
        let mut run_len = 0u64;
        for (key, value) in self.points {
            let change = match value {
                None => Change::Delete,
                Some(value) if direct && value.len() >= SMALL => {
                    let relative = Ref {
                        offset: run_len,
                        len: value.len() as u32,
                        checksum: checksum(0, &value),
                    };
                    run_len += value.len() as u64;
                    run.push(value);
                    Change::External(relative)
                }
                Some(value) => Change::Inline(value),
            };
            changes.push((key, change));
        }
        Ok(Prepared {
            changes,
            ranges: self.ranges,
            conditions: self.conditions,
            run,
            run_len,
        })
    }
}

/// A batch that is ready to be handed over.
pub(crate) struct Prepared {
    pub changes: Vec<(Bytes, Change)>,
    pub ranges: Vec<(Bytes, Bytes)>,
    pub conditions: Vec<(Bytes, u64)>,
    /// Values that go straight into a pack, and how long they are together.
    pub run: Vec<Bytes>,
    pub run_len: u64,
}

impl Prepared {
    /// The batch as it stands in a record, its run beginning at `base`.
    pub(crate) fn encode(&self, base: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.payload_bound());
        out.push(TAG_BATCH);
        for (start, end) in &self.ranges {
            out.push(TAG_DELETE_RANGE);
            out.put_bytes(start);
            out.put_bytes(end);
        }
        for (key, change) in &self.changes {
            match change {
                Change::Inline(value) => {
                    out.push(TAG_PUT);
                    out.put_bytes(key);
                    out.put_bytes(value);
                }
                Change::External(relative) => {
                    out.push(TAG_PUT_EXTERNAL);
                    out.put_bytes(key);
                    out.put_ref(&Ref {
                        offset: base + relative.offset,
                        ..*relative
                    });
                }
                Change::Delete => {
                    out.push(TAG_DELETE);
                    out.put_bytes(key);
                }
            }
        }
        out
    }

    /// Nothing is changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.ranges.is_empty()
    }

    /// Whether anything is deleted, so that there may be more room than before some time.
    pub(crate) fn deletes(&self) -> bool {
        let deletes = |(_, change): &(Bytes, Change)| matches!(change, Change::Delete);
        !self.ranges.is_empty() || self.changes.iter().any(deletes)
    }

    /// No fewer bytes than a memtable counts for it.
    pub(crate) fn memory_bound(&self) -> u64 {
        let entries = self.changes.len() + self.ranges.len();
        (2 * self.payload_bound() + entries * OVERHEAD) as u64
    }

    /// No fewer bytes than `encode` makes.
    pub(crate) fn payload_bound(&self) -> usize {
        let points: usize = self
            .changes
            .iter()
            .map(|(key, change)| {
                key.len()
                    + 12
                    + match change {
                        Change::Inline(value) => value.len(),
                        Change::External(_) => Ref::SIZE,
                        Change::Delete => 0,
                    }
            })
            .sum();
        let ranges: usize = self
            .ranges
            .iter()
            .map(|(start, end)| start.len() + end.len() + 12)
            .sum();
        points + ranges + 1
    }
}

/// What becomes of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Inline(Bytes),
    External(Ref),
    Delete,
}

/// One operation as it is read back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Batch,
    Change(Bytes, Change),
    DeleteRange(Bytes, Bytes),
}

/// Calls `each` with every operation of a record's payload, in order.
pub(crate) fn decode(payload: &Bytes, mut each: impl FnMut(Operation) -> Result<()>) -> Result<()> {
    let mut take = Take::new(payload);
    while !take.is_empty() {
        let operation = match take.u8()? {
            TAG_BATCH => Operation::Batch,
            TAG_PUT => {
                let key = owned(payload, &mut take)?;
                Operation::Change(key, Change::Inline(owned(payload, &mut take)?))
            }
            TAG_PUT_EXTERNAL => {
                let key = owned(payload, &mut take)?;
                Operation::Change(key, Change::External(take.reference()?))
            }
            TAG_DELETE => Operation::Change(owned(payload, &mut take)?, Change::Delete),
            TAG_DELETE_RANGE => {
                let start = owned(payload, &mut take)?;
                Operation::DeleteRange(start, owned(payload, &mut take)?)
            }
            tag => {
                return Err(Error::new(
                    Kind::Corrupt,
                    alloc::format!("a log record has an unknown operation {tag}"),
                ));
            }
        };
        each(operation)?;
    }
    Ok(())
}

fn owned(payload: &Bytes, take: &mut Take<'_>) -> Result<Bytes> {
    let len = take.bytes()?.len();
    behind(payload, take, len)
}

/// The key as the engine orders it: the space, then the user's key.
pub(crate) fn internal(space: Space, key: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(key.len() + 1);
    out.push(space.0);
    out.extend_from_slice(key);
    out.into()
}

/// A key to look for: built without an allocation when it is short, as most are.
pub(crate) enum Wanted {
    Short([u8; 64], usize),
    Long(Bytes),
}

impl Wanted {
    pub(crate) fn new(space: Space, key: &[u8]) -> Self {
        let mut short = [0; 64];
        match short
            .get_mut(..=key.len())
            .and_then(<[u8]>::split_first_mut)
        {
            Some((first, rest)) => {
                *first = space.0;
                rest.copy_from_slice(key);
                Wanted::Short(short, key.len() + 1)
            }
            None => Wanted::Long(internal(space, key)),
        }
    }
}

impl core::ops::Deref for Wanted {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Wanted::Short(bytes, len) => bytes.get(..*len).unwrap_or_default(),
            Wanted::Long(bytes) => bytes,
        }
    }
}

/// First key, and key behind the last, of a range in a space.
pub(crate) fn internal_range(space: Space, range: &KeyRange) -> (Bytes, Bytes) {
    let end = match &range.end {
        Some(end) => internal(space, end),
        // Behind every key of the space; two bytes for the last one, longer than its only other bound.
        None => match space.0.checked_add(1) {
            Some(next) => Bytes::copy_from_slice(&[next]),
            None => Bytes::from_static(&[0xff; MAX_KEY + 2]),
        },
    };
    (internal(space, &range.start), end)
}

fn too_long(what: &str, len: usize, most: usize) -> Error {
    Error::new(
        Kind::InvalidInput,
        alloc::format!("{what} of {len} bytes is longer than {most}"),
    )
}
