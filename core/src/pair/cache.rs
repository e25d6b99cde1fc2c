//! The bound of fast: least recently used blobs leave it, never one that slow has not acknowledged, never a pinned one.
//!
//! Each blob in fast has a stamp, a number that grows with every use. Uses by reads are gathered in memory and
//! written down now and then; what a crash loses of them only makes the order a little older. A row in the recency
//! index counts only if the blob's own row has the same stamp, so rows that a race leaves behind are harmless.

use super::{
    handle::{Environment, Pair, Remote},
    options::Options,
    rows::{self, CACHED, META, META_CACHE, PINS, RECENCY, REMOTE, UNSETTLED, Used},
};
use crate::{
    Kind, Result,
    blob::{BlobStore, Listed, Pointer},
    engine::{Batch, Direction, Durability, KeyRange, Store, View},
    port::Volume,
    sorted::SortedMap,
    sync::Mutex,
};
use alloc::vec::Vec;
use core::{pin::pin, time::Duration};
use event_listener::Event;
use futures::future::{Either, select};

/// What is known of uses and sizes in memory.
pub(super) struct Recency {
    books: Mutex<Books>,
    /// Rings when there may be something to write down or to let go.
    event: Event,
}

struct Books {
    next_stamp: u64,
    /// In order, so that the same uses give the same stamps.
    touched: SortedMap<Pointer, ()>,
    /// Bytes that came since the last count.
    grown: i64,
    /// Something may have become evictable.
    news: bool,
}

/// Uses that are gathered before they are written down.
const TOUCHED: usize = 1024;

/// Rows that are written or read together.
const SLICE: usize = 256;

/// After a run that could not get below the bound, the next one waits this long.
const PAUSE: Duration = Duration::from_secs(1);

/// Leftovers are swept this often.
const SWEEP: Duration = Duration::from_secs(24 * 60 * 60);

impl Recency {
    pub async fn open<V: Volume>(
        store: &Store<V>,
        view: &View<V>,
        options: &Options,
    ) -> Result<Self> {
        let mut scan = view.scan(RECENCY, KeyRange::all(), Direction::Backward);
        let last = match scan.next().await? {
            Some(entry) => rows::recency_of(&entry.key)?.0,
            None => 0,
        };
        // Without a bound no rows are written: the next pair with one must look for blobs without.
        if options.cache.is_none() && view.len(META, META_CACHE).await?.is_some() {
            let mut batch = Batch::new();
            batch.delete(META, META_CACHE);
            store.commit(batch, Durability::Local).await?;
        }
        Ok(Recency {
            books: Mutex::new(Books {
                next_stamp: last.saturating_add(1),
                touched: SortedMap::new(),
                grown: 0,
                news: true,
            }),
            event: Event::new(),
        })
    }

    fn stamp(&self) -> u64 {
        let mut books = self.books.lock();
        let stamp = books.next_stamp;
        books.next_stamp = stamp.saturating_add(1);
        stamp
    }
}

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// Keeps the blob in fast whatever the bound, once it is there. Remembered until [`unpin`](Pair::unpin) or deletion.
    ///
    /// # Errors
    /// `Quota`, `Closed`, `Poisoned`.
    pub async fn pin(&self, pointer: &Pointer) -> Result<()> {
        let mut batch = Batch::new();
        batch.put(PINS, rows::blob_key(pointer), rows::encode_mark());
        self.commit_local(batch).await
    }

    /// Lets the bound have it again.
    ///
    /// # Errors
    /// `Quota`, `Closed`, `Poisoned`.
    pub async fn unpin(&self, pointer: &Pointer) -> Result<()> {
        let mut batch = Batch::new();
        batch.delete(PINS, rows::blob_key(pointer));
        self.commit_local(batch).await?;
        self.cache_grew(0);
        Ok(())
    }

    /// Up to `limit` pinned blobs in pointer order behind `after`. An empty answer is the end.
    ///
    /// # Errors
    /// `Closed`, and those of reading the store.
    pub async fn pinned(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Pointer>> {
        self.0.account.open_or_closed()?;
        let range = match &after {
            Some(after) => KeyRange::after(after.as_bytes()),
            None => KeyRange::all(),
        };
        let view = self.0.store.view();
        let mut scan = view.scan(PINS, range, Direction::Forward);
        let mut pinned = Vec::new();
        while pinned.len() < limit
            && let Some(entry) = scan.next().await?
        {
            pinned.push(rows::blob_of(&entry.key)?);
        }
        Ok(pinned)
    }

    async fn commit_local(&self, batch: Batch) -> Result<()> {
        self.0.account.open_or_closed()?;
        let durability = super::put::local(self.0.options.durability);
        self.0.store.commit(batch, durability).await.map(drop)
    }

    /// Adds to `batch` that the blob is used now; by how many bytes fast grows.
    pub(super) async fn mark_used(
        &self,
        view: &View<V>,
        batch: &mut Batch,
        pointer: &Pointer,
        size: u64,
    ) -> Result<i64> {
        if self.0.options.cache.is_none() {
            return Ok(0);
        }
        let mut grown = i64::try_from(size).unwrap_or(i64::MAX);
        if let Some(used) = used(view, pointer).await? {
            batch.delete(RECENCY, rows::recency_key(used.stamp, pointer));
            grown = 0;
        }
        let stamp = self.0.recency.stamp();
        batch.put(
            CACHED,
            rows::blob_key(pointer),
            Used { stamp, size }.encode(),
        );
        batch.put(RECENCY, rows::recency_key(stamp, pointer), &[][..]);
        Ok(grown)
    }

    /// A commit made fast larger by `bytes`, or something evictable.
    pub(super) fn cache_grew(&self, bytes: i64) {
        if self.0.options.cache.is_none() {
            return;
        }
        let mut books = self.0.recency.books.lock();
        books.grown = books.grown.saturating_add(bytes);
        books.news = true;
        drop(books);
        self.0.recency.event.notify(usize::MAX);
    }

    /// Lets the cache's loop look whether the pair is closed.
    pub(super) fn cache_woken(&self) {
        self.0.recency.event.notify(usize::MAX);
    }

    /// A read used the blob.
    pub(super) fn touch(&self, pointer: &Pointer) {
        if self.0.options.cache.is_none() {
            return;
        }
        let mut books = self.0.recency.books.lock();
        if books.touched.len() < 4 * TOUCHED {
            books.touched.insert(*pointer, ());
        }
        let many = books.touched.len() >= TOUCHED;
        drop(books);
        if many {
            self.0.recency.event.notify(usize::MAX);
        }
    }

    /// Frees, now and then, what interrupted streams left behind.
    pub(super) async fn sweep_loop(self) {
        loop {
            if let Err(error) = self.0.fast.sweep().await {
                if error.kind() == Kind::Closed {
                    return;
                }
                self.0.board.tell(|status| status.last_error = Some(error));
            }
            let closed = pin!(self.0.account.closed());
            let day = pin!(self.0.env.sleep(SWEEP));
            if let Either::Left(_) = select(closed, day).await {
                return;
            }
        }
    }

    /// Keeps fast below its bound until the pair is closed.
    pub(super) async fn cache_loop(self) {
        let Some(bound) = self.0.options.cache else {
            return;
        };
        let mut size = None;
        loop {
            let listener = self.0.recency.event.listen();
            if self.0.account.is_closed() {
                return;
            }
            let pause;
            match self.keep_below(bound, &mut size).await {
                Ok(below) => pause = !below,
                Err(error) if error.kind() == Kind::Closed => return,
                Err(error) => {
                    pause = true;
                    self.0.board.tell(|status| status.last_error = Some(error));
                }
            }
            let closed = pin!(self.0.account.closed());
            if let Either::Left(_) = select(closed, listener).await {
                return;
            }
            if pause {
                let closed = pin!(self.0.account.closed());
                let pause = pin!(self.0.env.sleep(PAUSE));
                if let Either::Left(_) = select(closed, pause).await {
                    return;
                }
            }
        }
    }

    /// One round of the cache's work; whether fast is below the bound then. `size` is what fast was counted at.
    async fn keep_below(&self, bound: u64, size: &mut Option<u64>) -> Result<bool> {
        self.write_touched().await?;
        let (grown, news) = {
            let mut books = self.0.recency.books.lock();
            let news = core::mem::take(&mut books.news);
            (core::mem::take(&mut books.grown), news)
        };
        let now = match *size {
            Some(size) => size.saturating_add_signed(grown),
            None => {
                self.adopt().await?;
                self.count().await?
            }
        };
        *size = Some(now);
        if now <= bound {
            return Ok(true);
        }
        if !news {
            return Ok(false);
        }
        // The count may have drifted a little: exact now, before anything leaves.
        let now = self.count().await?;
        let left = match now <= bound {
            true => now,
            false => self.evict(now, bound - bound / 10).await?,
        };
        *size = Some(left);
        Ok(left <= bound)
    }

    /// Writes down what reads used.
    pub(super) async fn write_touched(&self) -> Result<()> {
        loop {
            let touched: Vec<Pointer> = {
                let mut books = self.0.recency.books.lock();
                let touched = books.touched.keys().take(SLICE).copied().collect();
                for pointer in &touched {
                    books.touched.remove(pointer);
                }
                touched
            };
            if touched.is_empty() {
                return Ok(());
            }
            let view = self.0.store.view();
            let mut batch = Batch::new();
            for pointer in &touched {
                let Some(used) = used(&view, pointer).await? else {
                    continue;
                };
                batch.require_unchanged(CACHED, rows::blob_key(pointer), &view);
                self.mark_used(&view, &mut batch, pointer, used.size)
                    .await?;
            }
            match self.0.store.commit(batch, Durability::Memory).await {
                // A blob that was put or deleted meanwhile says itself when it was used.
                Err(error) if error.kind() != Kind::Conflict => return Err(error),
                _ => {}
            }
        }
    }

    /// Gives every blob that has no stamp yet the oldest one, once.
    async fn adopt(&self) -> Result<()> {
        let view = self.0.store.view();
        if view.len(META, META_CACHE).await?.is_some() {
            return Ok(());
        }
        let mut after = None;
        loop {
            let page: Vec<Listed> = self.0.fast.list(after, SLICE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.pointer);
            loop {
                let view = self.0.store.view();
                let mut batch = Batch::new();
                for listed in &page {
                    let pointer = &listed.pointer;
                    batch.require_unchanged(CACHED, rows::blob_key(pointer), &view);
                    if used(&view, pointer).await?.is_none() {
                        let size = listed.size;
                        let oldest = Used { stamp: 0, size };
                        batch.put(CACHED, rows::blob_key(pointer), oldest.encode());
                        batch.put(RECENCY, rows::recency_key(0, pointer), &[][..]);
                    }
                }
                match self.0.store.commit(batch, Durability::Memory).await {
                    Err(error) if error.kind() == Kind::Conflict => {}
                    Err(error) => return Err(error),
                    Ok(_) => break,
                }
            }
        }
        let mut batch = Batch::new();
        batch.put(META, META_CACHE, rows::encode_mark());
        self.0
            .store
            .commit(batch, Durability::Local)
            .await
            .map(drop)
    }

    /// Bytes of all blobs in fast.
    async fn count(&self) -> Result<u64> {
        self.0.recency.books.lock().grown = 0;
        let view = self.0.store.view();
        let mut scan = view.scan(CACHED, KeyRange::all(), Direction::Forward);
        let mut size: u64 = 0;
        while scan.next().await?.is_some() {
            size = size.saturating_add(Used::decode(&scan.value().await?)?.size);
        }
        Ok(size)
    }

    /// Lets blobs go, least recently used first, until `size` is `target` or nothing more may leave; what is left.
    async fn evict(&self, mut size: u64, target: u64) -> Result<u64> {
        let view = self.0.store.view();
        let mut oldest = view.scan(RECENCY, KeyRange::all(), Direction::Forward);
        while size > target
            && let Some(entry) = oldest.next().await?
        {
            let (stamp, pointer) = rows::recency_of(&entry.key)?;
            let freed = self.evict_one(stamp, &pointer).await?;
            if let Some(freed) = freed {
                size = size.saturating_sub(freed);
                self.0.board.tell(|status| {
                    status.evicted += 1;
                    status.evicted_bytes += freed;
                });
            }
        }
        self.0.fast.release().await?;
        Ok(size)
    }

    /// Lets one blob go if it still may; its size if it did.
    async fn evict_one(&self, stamp: u64, pointer: &Pointer) -> Result<Option<u64>> {
        let view = self.0.store.view();
        let mut batch = Batch::new();
        let key = rows::blob_key(pointer);
        batch.delete(RECENCY, rows::recency_key(stamp, pointer));
        batch.require_unchanged(CACHED, key.clone(), &view);
        let mut freed = None;
        if let Some(used) = used(&view, pointer).await?
            && used.stamp == stamp
        {
            let acknowledged = view.len(REMOTE, &key).await?.is_some();
            let settled = self.queued(&view, pointer).await?.is_settled();
            let pinned = view.len(PINS, &key).await?.is_some();
            if !acknowledged || !settled || pinned {
                return Ok(None);
            }
            for space in [REMOTE, UNSETTLED, PINS] {
                batch.require_unchanged(space, key.clone(), &view);
            }
            batch.delete(CACHED, key);
            self.0.fast.remove_in(&mut batch, pointer, &view).await?;
            freed = Some(used.size);
        }
        match self.0.store.commit(batch, Durability::Local).await {
            Ok(_) => Ok(freed),
            // Somebody just used, pinned, put or deleted it.
            Err(error) if error.kind() == Kind::Conflict => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn used<V: Volume>(view: &View<V>, pointer: &Pointer) -> Result<Option<Used>> {
    match view.get(CACHED, pointer.as_bytes()).await? {
        Some(value) => Used::decode(&value).map(Some),
        None => Ok(None),
    }
}
