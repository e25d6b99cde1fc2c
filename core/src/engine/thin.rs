//! The thin path: the engine's API over a map in memory, until the log is under it.

use super::{Direction, Durability, Entry, KeyRange, Options, Reclaimed, Space, Stats, Verified};
use crate::{
    Error, Kind, Result,
    port::{Entropy, Volume},
    sync::Mutex,
};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use bytes::Bytes;

type Key = (Space, Bytes);

/// Changes that are committed together: all of them or none.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    operations: Vec<Operation>,
    conditions: Vec<(Space, Bytes, u64)>,
}

#[derive(Clone, Debug)]
enum Operation {
    Put(Space, Bytes, Bytes),
    Delete(Space, Bytes),
    DeleteRange(Space, KeyRange),
}

impl Batch {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`. A later change of the same key in the batch wins.
    pub fn put(&mut self, space: Space, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.operations
            .push(Operation::Put(space, key.into(), value.into()));
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, space: Space, key: impl Into<Bytes>) {
        self.operations.push(Operation::Delete(space, key.into()));
    }

    /// Removes every key in `range`.
    pub fn delete_range(&mut self, space: Space, range: KeyRange) {
        self.operations.push(Operation::DeleteRange(space, range));
    }

    /// Makes the commit fail with `Conflict` if `key` was changed (put, deleted or range-deleted) since `view`.
    ///
    /// A conflict may also be reported when nothing changed, if the view is old: read again from a fresh view.
    pub fn require_unchanged<V: Volume>(
        &mut self,
        space: Space,
        key: impl Into<Bytes>,
        view: &View<V>,
    ) {
        self.conditions.push((space, key.into(), view.commit()));
    }

    /// Nothing to change.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

/// An open store. Clones are the same store.
pub struct Store<V>(Arc<Inner<V>>);

struct Inner<V> {
    _volume: V,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    commit: u64,
    closed: bool,
    map: Arc<BTreeMap<Key, Bytes>>,
    changed: BTreeMap<Key, u64>,
}

impl<V> Clone for Store<V> {
    fn clone(&self) -> Self {
        Store(self.0.clone())
    }
}

impl<V: Volume> Store<V> {
    /// Opens the store in `volume`, or makes one if the volume is empty.
    pub async fn open(volume: V, _entropy: &impl Entropy, _options: Options) -> Result<Self> {
        Ok(Store(Arc::new(Inner {
            _volume: volume,
            state: Mutex::default(),
        })))
    }

    /// Background work: checkpoints, merges, flushes of relaxed commits. A host polls one such
    /// future per store for as long as it is open; it returns when the store is closed.
    ///
    /// Without it, commits wait once both logs are full.
    pub async fn drive(&self) {}

    /// Commits `batch`, returning once it has reached `durability`.
    ///
    /// The batch is handed over before the first await unless the log is full: a future that is
    /// dropped later was only waiting. Commit numbers grow by one.
    ///
    /// # Errors
    /// `Conflict` for a requirement that does not hold, `InvalidInput` for keys over 4 KiB or values over
    /// 16 MiB, `Quota`, `Closed`, `Poisoned`. After an error of the kinds before, nothing was changed;
    /// after `Poisoned` the outcome is known when the store is opened again.
    pub async fn commit(&self, batch: Batch, _durability: Durability) -> Result<Receipt<V>> {
        let mut state = self.0.state.lock();
        if state.closed {
            return Err(Error::new(Kind::Closed, "the store was closed"));
        }
        for (space, key, since) in &batch.conditions {
            if state
                .changed
                .get(&(*space, key.clone()))
                .is_some_and(|at| at > since)
            {
                return Err(Error::new(Kind::Conflict, "the key was changed since"));
            }
        }
        state.commit += 1;
        let commit = state.commit;
        let mut map = BTreeMap::clone(&state.map);
        for operation in batch.operations {
            match operation {
                Operation::Put(space, key, value) => {
                    state.changed.insert((space, key.clone()), commit);
                    map.insert((space, key), value);
                }
                Operation::Delete(space, key) => {
                    state.changed.insert((space, key.clone()), commit);
                    map.remove(&(space, key));
                }
                Operation::DeleteRange(space, range) => map.retain(|(s, k), _| {
                    let gone = *s == space && range.contains(k);
                    if gone {
                        state.changed.insert((space, k.clone()), commit);
                    }
                    !gone
                }),
            }
        }
        state.map = Arc::new(map);
        Ok(Receipt {
            store: self.clone(),
            commit,
        })
    }

    /// The store as it is now, for as long as the view is kept.
    pub fn view(&self) -> View<V> {
        let state = self.0.state.lock();
        View {
            _store: self.clone(),
            commit: state.commit,
            map: state.map.clone(),
        }
    }

    /// The value of `key` now.
    pub async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        self.view().get(space, key).await
    }

    /// Turns what is in the log into tables and packs.
    pub async fn checkpoint(&self) -> Result<()> {
        Ok(())
    }

    /// Gives back the space of what was deleted or replaced, and shortens the file.
    pub async fn reclaim(&self) -> Result<Reclaimed> {
        Ok(Reclaimed::default())
    }

    /// Reads everything and checks every checksum. Damage is in the answer, not an error.
    pub async fn verify(&self) -> Result<Verified> {
        Ok(Verified::default())
    }

    /// Writes a consistent, compact copy of the store as it is now into the empty `target`, while
    /// reads and writes go on. Opening the copy is the restore.
    pub async fn backup<T: Volume>(&self, _target: T, _entropy: &impl Entropy) -> Result<()> {
        Ok(())
    }

    /// What the store is made of.
    pub fn stats(&self) -> Stats {
        Stats {
            last_commit: self.0.state.lock().commit,
            ..Stats::default()
        }
    }

    /// Finishes what was handed over, writes a checkpoint and ends `drive`. Any later call says `Closed`.
    pub async fn close(&self) -> Result<()> {
        self.0.state.lock().closed = true;
        Ok(())
    }
}

/// A point in time. It blocks nobody and nobody blocks it; the space of what it sees is kept while it lives.
pub struct View<V> {
    _store: Store<V>,
    commit: u64,
    map: Arc<BTreeMap<Key, Bytes>>,
}

impl<V: Volume> View<V> {
    /// The last commit that it sees.
    pub fn commit(&self) -> u64 {
        self.commit
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// `Corrupt` with the place when the value's bytes are damaged.
    pub async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.map.get(&(space, Bytes::copy_from_slice(key))).cloned())
    }

    /// The length of `key`'s value, without reading it.
    pub async fn len(&self, space: Space, key: &[u8]) -> Result<Option<u64>> {
        Ok(self.get(space, key).await?.map(|value| value.len() as u64))
    }

    /// The values of many keys, in the order asked.
    pub async fn get_many<K: AsRef<[u8]>>(
        &self,
        space: Space,
        keys: &[K],
    ) -> Result<Vec<Option<Bytes>>> {
        let mut values = Vec::new();
        for key in keys {
            values.push(self.get(space, key.as_ref()).await?);
        }
        Ok(values)
    }

    /// The keys in `range`, in order, one at a time.
    pub fn scan(&self, space: Space, range: KeyRange, direction: Direction) -> Scan<V> {
        let mut found: Vec<(Bytes, Bytes)> = self
            .map
            .iter()
            .filter(|((s, k), _)| *s == space && range.contains(k))
            .map(|((_, k), v)| (k.clone(), v.clone()))
            .collect();
        if direction == Direction::Forward {
            found.reverse();
        }
        Scan {
            _store: self._store.clone(),
            left: found,
            value: Bytes::new(),
        }
    }
}

/// A scan in progress.
pub struct Scan<V> {
    _store: Store<V>,
    left: Vec<(Bytes, Bytes)>,
    value: Bytes,
}

impl<V: Volume> Scan<V> {
    /// The next entry, or `None` at the end of the range.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        Ok(self.left.pop().map(|(key, value)| {
            let len = value.len() as u64;
            self.value = value;
            Entry { key, len }
        }))
    }

    /// The value of the entry that `next` returned last.
    pub async fn value(&self) -> Result<Bytes> {
        Ok(self.value.clone())
    }
}

/// Tells how far a commit has come. Dropping it changes nothing.
pub struct Receipt<V> {
    store: Store<V>,
    commit: u64,
}

impl<V: Volume> Receipt<V> {
    /// The commit's number.
    pub fn commit(&self) -> u64 {
        self.commit
    }

    /// What the commit has reached so far.
    pub fn reached(&self) -> Durability {
        let _ = &self.store;
        Durability::Strict
    }

    /// Returns once the commit has reached `durability`.
    ///
    /// # Errors
    /// `Poisoned` if it never will in this process; `NotImplemented` for `Remote`, which only a pair gives.
    pub async fn wait(&self, _durability: Durability) -> Result<()> {
        Ok(())
    }
}
