//! A point in time, and walking through it.

use super::{
    batch::{Wanted, internal_range},
    memtable::{Found, Memtable, Value},
    store::{Store, closed},
    table::{Cursor, Ranges, value_of},
    types::{Direction, Entry, KeyRange, Space},
    version::Current,
};
use crate::{Error, Kind, Result, port::Volume};
use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use bytes::Bytes;
use core::{ops::Bound, sync::atomic::Ordering};

/// A point in time. It blocks nobody and nobody blocks it.
///
/// What it sees is kept from being reclaimed while it lives, one memtable and the tables and packs
/// of its time; `Stats::views` counts the open ones.
pub struct View<V> {
    pub(crate) store: Store<V>,
    pub(crate) commit: u64,
    pub(crate) current: Arc<Current>,
}

impl<V: Volume> View<V> {
    /// The last commit that it sees.
    pub fn commit(&self) -> u64 {
        self.commit
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// `Corrupt` with the place when the value's bytes are damaged; `Closed`.
    pub async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        let key = Wanted::new(space, key);
        match self.find(&key).await? {
            Some(value) => self.store.0.load(&key, value).await.map(Some),
            None => Ok(None),
        }
    }

    /// The length of `key`'s value, without reading it.
    ///
    /// # Errors
    /// `Corrupt` when a table's block is damaged; `Closed`.
    pub async fn len(&self, space: Space, key: &[u8]) -> Result<Option<u64>> {
        Ok(self
            .find(&Wanted::new(space, key))
            .await?
            .map(|value| value.len()))
    }

    /// The values of many keys, in the order asked.
    ///
    /// # Errors
    /// Those of [`get`](View::get), for the first key that has one.
    pub async fn get_many<K: AsRef<[u8]>>(
        &self,
        space: Space,
        keys: &[K],
    ) -> Result<Vec<Option<Bytes>>> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.get(space, key.as_ref()).await?);
        }
        Ok(values)
    }

    /// The keys in `range`, in order, one at a time.
    pub fn scan(&self, space: Space, range: KeyRange, direction: Direction) -> Scan<V> {
        let (start, end) = internal_range(space, &range);
        Scan::new(self.clone(), start, end, direction)
    }

    /// The value of the first key in `range`, where of two keys that are in it the greater was always written later. So it lies in the
    /// oldest table that has any of them, and the others need not be looked into.
    pub(crate) async fn first_of_rising(
        &self,
        space: Space,
        range: &KeyRange,
    ) -> Result<Option<Bytes>> {
        self.check_open()?;
        let (start, end) = internal_range(space, range);
        let disk = &self.store.0.disk;
        let mut first = None;
        for table in self.current.version.tables.iter().rev() {
            let mut cursor = Cursor::seek(disk, table.clone(), &start, false, 0).await?;
            first = cursor.next(disk).await?.map(|item| item.key);
            first = first.filter(|key| *key < end);
            if first.is_some() {
                break;
            }
        }
        let memtables = [self.current.sealed.as_ref(), Some(&self.current.active)];
        for memtable in memtables.into_iter().flatten() {
            if first.is_none() {
                let page = memtable.page(Bound::Included(&start), false, self.commit, 1);
                first = page.into_iter().next().map(|(key, _)| key);
                first = first.filter(|key| *key < end);
            }
        }
        let Some(first) = first else {
            return Ok(None);
        };
        if let Some(value) = self.find(&first).await? {
            return self.store.0.load(&first, value).await.map(Some);
        }
        // It was deleted since: the next one may be anywhere.
        let mut scan = Scan::new(self.clone(), start, end, Direction::Forward).nearby();
        match scan.next().await? {
            Some(_) => scan.value().await.map(Some),
            None => Ok(None),
        }
    }

    async fn find(&self, key: &[u8]) -> Result<Option<Value>> {
        self.check_open()?;
        self.store.0.find(&self.current, key, self.commit).await
    }

    fn check_open(&self) -> Result<()> {
        if self.store.0.closed.load(Ordering::Acquire) {
            Err(closed())
        } else {
            Ok(())
        }
    }
}

impl<V> Clone for View<V> {
    fn clone(&self) -> Self {
        // There is one already, so that the number never falls to zero in between.
        self.store.0.views.fetch_add(1, Ordering::Relaxed);
        View {
            store: self.store.clone(),
            commit: self.commit,
            current: self.current.clone(),
        }
    }
}

impl<V> Drop for View<V> {
    fn drop(&mut self) {
        self.store.0.views.fetch_sub(1, Ordering::Release);
    }
}

/// Entries of a memtable that are fetched at once, at most.
const PAGE: usize = 64;
/// The same at first, where few are wanted; then twice as many each time.
const FIRST_PAGE: usize = 2;
/// A scan reads this much of a table at once.
const AHEAD: u64 = 64 << 10;

/// A scan in progress. It reads a block of each table at a time, never the whole range.
pub struct Scan<V> {
    view: View<V>,
    /// What is left: from `start` (in) to `end` (out).
    start: Bytes,
    end: Bytes,
    backward: bool,
    /// Bytes of a table that are read at once; 0 for a block at a time through the cache.
    ahead: u64,
    /// Newest first. `None` until the first `next`.
    sources: Option<Vec<Source>>,
    opening: Vec<Source>,
    last: Option<(Bytes, Value)>,
}

struct Source {
    from: From,
    ranges: Option<Ranges>,
    /// The next key, and the value or that it was deleted.
    head: Option<(Bytes, Option<Value>)>,
    ended: bool,
}

enum From {
    Memtable {
        memtable: Arc<Memtable>,
        page: VecDeque<(Bytes, Found)>,
        /// Entries of the next page.
        count: usize,
        behind: Option<Bytes>,
    },
    Table(Cursor),
}

impl<V: Volume> Scan<V> {
    pub(crate) fn new(view: View<V>, start: Bytes, end: Bytes, direction: Direction) -> Self {
        let backward = direction == Direction::Backward;
        Scan {
            view,
            start,
            end,
            backward,
            ahead: AHEAD,
            sources: None,
            opening: Vec::new(),
            last: None,
        }
    }

    /// The same scan for a range of few keys: it reads a block at a time, through the cache, not many at once past it.
    pub fn nearby(mut self) -> Self {
        self.ahead = 0;
        self
    }

    /// The next entry, or `None` at the end of the range. A future that is dropped has skipped nothing.
    ///
    /// # Errors
    /// `Corrupt` when a table's block is damaged: what is behind it cannot be told; `Closed`.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        Ok(self.next_value().await?.map(|(key, value)| Entry {
            len: value.len(),
            key: key.slice(1..),
        }))
    }

    /// The value of the entry that `next` returned last.
    ///
    /// # Errors
    /// `Corrupt` with the place when its bytes are damaged; `OutOfRange` before the first entry and behind the last.
    pub async fn value(&self) -> Result<Bytes> {
        match &self.last {
            Some((key, value)) => self.view.store.0.load(key, value.clone()).await,
            None => Err(Error::new(Kind::OutOfRange, "the scan is not at an entry")),
        }
    }

    /// The next key with its space, and where its value is.
    pub(crate) async fn next_value(&mut self) -> Result<Option<(Bytes, Value)>> {
        self.view.check_open()?;
        self.last = None;
        if self.start >= self.end {
            return Ok(None);
        }
        if self.sources.is_none() {
            self.open().await?;
        }
        let view = &self.view;
        let disk = &view.store.0.disk;
        let Some(sources) = &mut self.sources else {
            return Ok(None);
        };
        loop {
            for source in sources.iter_mut() {
                while source.head.is_none() && !source.ended {
                    source
                        .fill(view, disk, &self.start, &self.end, self.backward)
                        .await?;
                }
            }
            let mut best: Option<(usize, &Bytes)> = None;
            for (index, source) in sources.iter().enumerate() {
                if let Some((key, _)) = &source.head
                    && best.is_none_or(|(_, other)| {
                        if self.backward {
                            key > other
                        } else {
                            key < other
                        }
                    })
                {
                    best = Some((index, key));
                }
            }
            let Some((winner, key)) = best else {
                self.start = self.end.clone();
                return Ok(None);
            };
            let key = key.clone();
            let mut value = None;
            for (index, source) in sources.iter_mut().enumerate() {
                if source.head.as_ref().is_some_and(|(other, _)| *other == key) {
                    let found = source.head.take().and_then(|(_, value)| value);
                    if index == winner {
                        value = found;
                    }
                }
            }
            let Some(value) = value else { continue };
            if covered(sources.get(..winner).unwrap_or_default(), &key, view.commit)? {
                continue;
            }
            self.last = Some((key.clone(), value.clone()));
            return Ok(Some((key, value)));
        }
    }

    async fn open(&mut self) -> Result<()> {
        let current = self.view.current.clone();
        let memtables = [Some(&current.active), current.sealed.as_ref()];
        if self.opening.is_empty() {
            for memtable in memtables.into_iter().flatten() {
                let from = From::Memtable {
                    memtable: memtable.clone(),
                    page: VecDeque::new(),
                    count: match self.ahead {
                        0 => FIRST_PAGE,
                        _ => PAGE,
                    },
                    behind: None,
                };
                self.opening.push(Source {
                    from,
                    ranges: None,
                    head: None,
                    ended: false,
                });
            }
        }
        let memtables = memtables.into_iter().flatten().count();
        let disk = &self.view.store.0.disk;
        let first = if self.backward {
            &self.end
        } else {
            &self.start
        };
        while let Some(table) = current.version.tables.get(self.opening.len() - memtables) {
            let ranges = match &table.ranges {
                Some(at) => Some(Ranges(disk.block(at).await?)),
                None => None,
            };
            let cursor =
                Cursor::seek(disk, table.clone(), first, self.backward, self.ahead).await?;
            self.opening.push(Source {
                from: From::Table(cursor),
                ranges,
                head: None,
                ended: false,
            });
        }
        self.sources = Some(core::mem::take(&mut self.opening));
        Ok(())
    }
}

impl Source {
    async fn fill<V: Volume>(
        &mut self,
        view: &View<V>,
        disk: &super::disk::Disk<V>,
        start: &Bytes,
        end: &Bytes,
        backward: bool,
    ) -> Result<()> {
        let next = match &mut self.from {
            From::Table(cursor) => match cursor.next(disk).await? {
                Some(item) => {
                    let value = value_of(&item)?;
                    Some((item.key, value))
                }
                None => None,
            },
            From::Memtable {
                memtable,
                page,
                count,
                behind,
            } => {
                if page.is_empty() {
                    let bound = match (behind.as_ref(), backward) {
                        (Some(key), _) => Bound::Excluded(key.as_ref()),
                        (None, false) => Bound::Included(start.as_ref()),
                        (None, true) => Bound::Excluded(end.as_ref()),
                    };
                    *page = memtable.page(bound, backward, view.commit, *count).into();
                    *count = (*count * 2).min(PAGE);
                }
                let next = page.pop_front();
                *behind = next.as_ref().map(|(key, _)| key.clone()).or(behind.take());
                match next {
                    Some((key, Found::Value(value))) => Some((key, Some(value))),
                    Some((key, _)) => Some((key, None)),
                    None => None,
                }
            }
        };
        match next.filter(|(key, _)| key >= start && key < end) {
            Some(head) => self.head = Some(head),
            None => self.ended = true,
        }
        Ok(())
    }
}

/// Whether something newer deleted a range with `key` in it.
fn covered(newer: &[Source], key: &Bytes, at: u64) -> Result<bool> {
    for source in newer {
        let covers = match &source.from {
            From::Memtable { memtable, .. } => memtable.covers(key, at),
            From::Table(_) => match &source.ranges {
                Some(ranges) => ranges.cover(key)?,
                None => false,
            },
        };
        if covers {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{Batch, Durability, Options},
        port::{Entropy, MemoryVolume},
    };
    use futures::executor::block_on;

    struct Seven;

    impl Entropy for Seven {
        fn fill(&self, bytes: &mut [u8]) -> Result<()> {
            bytes.fill(7);
            Ok(())
        }
    }

    const SPACE: Space = Space(0x80);

    fn key(number: u8) -> Vec<u8> {
        alloc::vec![b'k', number]
    }

    /// Keys that rise with time, in tables and memtables, some deleted: alone, and as a range.
    #[test]
    fn the_first_of_rising_keys_is_what_a_scan_finds_first() {
        block_on(async {
            let store = Store::open(MemoryVolume::new(), &Seven, Options::default())
                .await
                .unwrap();
            let (mut found, mut nothing) = (0, 0);
            for number in 0..100u8 {
                let mut batch = Batch::new();
                batch.put(SPACE, key(number), key(number));
                batch.put(SPACE, alloc::vec![b'm', number], "another");
                match number % 20 {
                    7 => batch.delete(SPACE, key(number / 2)),
                    13 => batch.delete_range(SPACE, KeyRange::between(key(20), key(number / 2))),
                    _ => {}
                }
                store.commit(batch, Durability::Memory).await.unwrap();
                if number % 9 == 4 {
                    store.checkpoint().await.unwrap();
                }
                let view = store.view();
                for from in 0..=number + 1 {
                    let range = KeyRange::between(key(from), key(u8::MAX));
                    let mut scan = view.scan(SPACE, range.clone(), Direction::Forward);
                    let expected = match scan.next().await.unwrap() {
                        Some(_) => Some(scan.value().await.unwrap()),
                        None => None,
                    };
                    let first = view.first_of_rising(SPACE, &range).await.unwrap();
                    assert_eq!(first, expected, "from {from} after {number}");
                    match first {
                        Some(_) => found += 1,
                        None => nothing += 1,
                    }
                }
            }
            assert!(found > 1000 && nothing >= 100, "{found}, {nothing}");
        });
    }
}
