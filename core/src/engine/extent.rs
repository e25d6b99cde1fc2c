//! Who owns which bytes of the file: extents that are taken, used, and given back.

use super::codec::align;
use super::superblock::SLOT;
use crate::sync::Mutex;
use alloc::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    vec::Vec,
};
use core::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

/// Extents begin and end at multiples of this.
pub(crate) const PAGE: u64 = SLOT;

/// What may be lost at the end of a hole: the longest piece that a checkpoint writes.
const WASTE: u64 = 64 << 10;

/// The map of what is free. Ranges that were given back wait until a superblock that does not
/// refer to them is durable: until then a crash would still want them.
///
/// Some of what is free is kept for checkpoints, so that what is in the logs always finds its place in a table.
pub(crate) struct Space {
    map: Mutex<Map>,
}

/// Whose the room is that is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// What is not kept for checkpoints.
    Spare,
    /// A checkpoint's: all there is.
    Kept,
}

#[derive(Default)]
struct Map {
    free: BTreeMap<u64, u64>,
    free_bytes: u64,
    /// Of these, what is left of each hole behind `WASTE`.
    usable: u64,
    waiting: VecDeque<Range<u64>>,
    /// Given back, and never named by a superblock or a log: free once a sync has ended what was being written there.
    unused: Vec<Range<u64>>,
    /// Usable bytes that only a checkpoint takes.
    kept: u64,
    /// What the checkpoint under way has taken of it.
    spent: u64,
    len: u64,
    /// Only the end of the file is given out.
    at_end: bool,
}

impl Space {
    /// The space of a file of `len` bytes (rounded up to pages), of which `used` ranges are taken.
    ///
    /// # Errors
    /// A pair of ranges that overlap.
    pub(crate) fn new(
        len: u64,
        mut used: Vec<Range<u64>>,
    ) -> core::result::Result<Arc<Self>, (Range<u64>, Range<u64>)> {
        used.sort_by_key(|range| (range.start, range.end));
        let mut map = Map {
            len: align(len, PAGE),
            ..Map::default()
        };
        let mut at = 0;
        let mut last = 0..0;
        for range in used {
            if range.start < at {
                return Err((last, range));
            }
            map.give(at..range.start);
            at = range.end;
            last = range;
        }
        map.len = map.len.max(at);
        let end = map.len;
        map.give(at..end);
        Ok(Arc::new(Space {
            map: Mutex::new(map),
        }))
    }

    /// An extent of `len` bytes (rounded up to pages) at the lowest place where it fits, or `None`.
    pub(crate) fn take(self: &Arc<Self>, len: u64, claim: Claim) -> Option<Extent> {
        self.take_between(len, len, claim)
    }

    /// The lowest free extent of `least` bytes or more, of which at most `most` are taken.
    pub(crate) fn take_between(
        self: &Arc<Self>,
        least: u64,
        most: u64,
        claim: Claim,
    ) -> Option<Extent> {
        let (least, most) = (align(least.max(1), PAGE), align(most.max(1), PAGE));
        let mut map = self.map.lock();
        let most = match claim {
            Claim::Kept => most,
            Claim::Spare => most.min(map.spare() & !(PAGE - 1)),
        };
        if most < least {
            return None;
        }
        let (&start, &found) = match map.at_end {
            true => {
                let last = map.free.iter().next_back();
                last.filter(|(start, found)| **start + **found == map.len && **found >= least)?
            }
            false => map.free.iter().find(|(_, found)| **found >= least)?,
        };
        let len = found.min(most);
        map.remove(start, found);
        map.give(start + len..start + found);
        Some(Extent {
            range: start..start + len,
            space: self.clone(),
            named: AtomicBool::new(false),
        })
    }

    /// Makes `extent` longer by `len` bytes (rounded up to pages) if those behind it are free.
    pub(crate) fn extend(&self, extent: &mut Extent, len: u64) -> bool {
        let len = align(len, PAGE);
        let at = extent.range.end;
        let mut map = self.map.lock();
        let Some(found) = map.free.get(&at).copied().filter(|found| *found >= len) else {
            return false;
        };
        if map.spare() < len {
            return false;
        }
        map.remove(at, found);
        map.give(at + len..at + found);
        extent.range.end = at + len;
        true
    }

    /// The extent that recovery found in use. The caller knows that it is not free.
    pub(crate) fn adopt(self: &Arc<Self>, range: Range<u64>) -> Extent {
        Extent {
            range,
            space: self.clone(),
            named: AtomicBool::new(true),
        }
    }

    /// Keeps `active` and `sealed` bytes for the two logs' checkpoints, if there are so many and `above` besides.
    pub(crate) fn keep(&self, active: u64, sealed: u64, above: u64) -> bool {
        let mut map = self.map.lock();
        let kept = active.saturating_add(sealed.saturating_sub(map.spent));
        let there = map.usable >= kept.saturating_add(above);
        if there {
            map.kept = kept;
        }
        there
    }

    /// A checkpoint takes `len` bytes of what is kept for it.
    pub(crate) fn spend(&self, len: u64) {
        self.map.lock().spent += len;
    }

    /// The checkpoint has ended, or was given up: `kept` bytes are for the next one.
    pub(crate) fn checkpoint_ended(&self, kept: u64) {
        let mut map = self.map.lock();
        (map.spent, map.kept) = (0, kept);
    }

    /// Until the guard is dropped, extents are taken at the end of the file alone: holes grow together meanwhile.
    pub(crate) fn at_end(self: &Arc<Self>) -> AtEnd {
        self.map.lock().at_end = true;
        AtEnd(self.clone())
    }

    /// Where `len` bytes would end that fill the lowest holes, if they have room for it.
    pub(crate) fn reach(&self, len: u64) -> Option<u64> {
        let mut left = len;
        for (start, free) in &self.map.lock().free {
            if *free >= left {
                return Some(start + left);
            }
            left -= free;
        }
        None
    }

    /// How long the file must become for an extent of `len` to fit at its end.
    pub(crate) fn needed_len(&self, len: u64, claim: Claim) -> u64 {
        let map = self.map.lock();
        let len = align(len, PAGE);
        match claim {
            Claim::Spare if map.kept > 0 => map.len_for(len, map.kept.saturating_add(len)),
            _ => map.len_for(len, 0),
        }
    }

    /// How long the file must become for a checkpoint to find `room` bytes.
    pub(crate) fn len_with(&self, room: u64) -> u64 {
        self.map.lock().len_for(0, room)
    }

    /// The file has become longer.
    pub(crate) fn grown(&self, len: u64) {
        let mut map = self.map.lock();
        let from = map.len;
        if len > from {
            map.len = len;
            map.give(from..len);
        }
    }

    /// Where the free tail of the file begins; its end if there is none.
    pub(crate) fn used_len(&self) -> u64 {
        let map = self.map.lock();
        map.tail().map_or(map.len, |(start, _)| start)
    }

    /// Takes what is free at the end of the file, behind `least`, out of the map. Returns the
    /// length that the file may be cut to.
    pub(crate) fn cut_tail(&self, least: u64) -> u64 {
        let mut map = self.map.lock();
        if let Some((start, free)) = map.tail() {
            let least = least.max(match map.kept {
                0 => 0,
                kept => map.len_for(0, kept),
            });
            map.remove(start, free);
            let end = map.len.min(least.max(start));
            map.len = end;
            map.give(start..end);
        }
        map.len
    }

    /// What has been given back and is waiting; to be passed to `release` when a superblock
    /// without it is durable.
    pub(crate) fn waiting(&self) -> usize {
        self.map.lock().waiting.len()
    }

    /// The range that has waited longest.
    pub(crate) fn first_waiting(&self) -> Option<Range<u64>> {
        self.map.lock().waiting.front().cloned()
    }

    /// The range that has waited longest is free now.
    pub(crate) fn release(&self) {
        let mut map = self.map.lock();
        if let Some(range) = map.waiting.pop_front() {
            map.give(range);
        }
    }

    /// What has been given back and was never named. Free once a sync has returned that begins now, and it is discarded.
    pub(crate) fn unused(self: &Arc<Self>) -> Unused {
        Unused {
            ranges: core::mem::take(&mut self.map.lock().unused),
            space: self.clone(),
        }
    }

    /// Everything that is free.
    pub(crate) fn free(&self) -> Vec<Range<u64>> {
        let map = self.map.lock();
        let free = map.free.iter();
        free.map(|(start, len)| *start..*start + *len).collect()
    }

    /// Length of the file, and how much of it is free.
    pub(crate) fn usage(&self) -> (u64, u64) {
        let map = self.map.lock();
        (map.len, map.free_bytes)
    }

    fn give_back(&self, range: Range<u64>, named: bool) {
        if range.is_empty() {
            return;
        }
        let mut map = self.map.lock();
        match named {
            true => map.waiting.push_back(range),
            false => map.unused.push(range),
        }
    }
}

impl Map {
    /// What is free at the end of the file: where, and how much.
    fn tail(&self) -> Option<(u64, u64)> {
        let (&start, &free) = self.free.iter().next_back()?;
        (start + free == self.len).then_some((start, free))
    }

    /// Usable bytes that are not kept for checkpoints, or all there is if nothing is.
    fn spare(&self) -> u64 {
        match self.kept {
            0 => self.free_bytes,
            kept => self.usable.saturating_sub(kept),
        }
    }

    /// The length with which a hole of `least` bytes is at the end, and `usable` bytes are usable.
    fn len_for(&self, least: u64, usable: u64) -> u64 {
        let tail = self.tail().map_or(0, |(_, free)| free);
        let before = self.usable - tail.saturating_sub(WASTE);
        let missing = match usable.saturating_sub(before) {
            0 => 0,
            missing => missing.saturating_add(WASTE),
        };
        (self.len - tail).saturating_add(align(least.max(missing), PAGE))
    }

    /// Takes a whole hole out.
    fn remove(&mut self, start: u64, len: u64) {
        self.free.remove(&start);
        self.free_bytes -= len;
        self.usable -= len.saturating_sub(WASTE);
    }

    fn give(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        if let Some((&before, &len)) = self.free.range(..start).next_back()
            && before + len == start
        {
            self.remove(before, len);
            start = before;
        }
        if let Some(&len) = self.free.get(&end) {
            self.remove(end, len);
            end += len;
        }
        let len = end - start;
        self.free.insert(start, len);
        self.free_bytes += len;
        self.usable += len.saturating_sub(WASTE);
    }
}

/// Ranges that nothing refers to, on their way to being free. Dropped before that, they go back.
pub(crate) struct Unused {
    ranges: Vec<Range<u64>>,
    space: Arc<Space>,
}

impl Unused {
    /// The one that is to be discarded next.
    pub(crate) fn next(&self) -> Option<Range<u64>> {
        self.ranges.last().cloned()
    }

    /// A sync has covered it, and it was discarded.
    pub(crate) fn release(&mut self) {
        if let Some(range) = self.ranges.pop() {
            self.space.map.lock().give(range);
        }
    }
}

impl Drop for Unused {
    fn drop(&mut self) {
        if !self.ranges.is_empty() {
            self.space.map.lock().unused.append(&mut self.ranges);
        }
    }
}

/// See [`Space::at_end`].
pub(crate) struct AtEnd(Arc<Space>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0.map.lock().at_end = false;
    }
}

/// A range of the file that belongs to whoever holds this; given back when it is dropped.
pub(crate) struct Extent {
    range: Range<u64>,
    space: Arc<Space>,
    /// A superblock or a log may refer to it.
    named: AtomicBool,
}

impl Extent {
    pub(crate) fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// From here on a superblock or a log may refer to it: given back, it waits for a superblock that does not.
    pub(crate) fn name(&self) {
        self.named.store(true, Ordering::Release);
    }

    /// Keeps the pages up to `end` and gives the rest back, to which nothing refers.
    pub(crate) fn shrink(&mut self, end: u64) {
        let end = align(end, PAGE).clamp(self.range.start, self.range.end);
        self.space.give_back(end..self.range.end, false);
        self.range.end = end;
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        let named = self.named.load(Ordering::Acquire);
        self.space.give_back(self.range.clone(), named);
    }
}
