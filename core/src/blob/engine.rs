//! Blobs in the engine: small ones whole, large ones as chunks under a list.

mod heal;
mod known;
mod lists;
mod loose;
mod references;
mod stage;
mod sweep;
#[cfg(test)]
pub(super) mod tests;

pub use stage::Staged;

use super::{
    BlobStore, Capabilities, Chunk, ChunkList, Listed, Pointer, Stat,
    space::{self, CHUNKS, Header, LISTED, STAGED, WHOLE},
    store::{cut_range, no_chunk, not_found, reserve},
};
use crate::{
    Kind, Result, chunk,
    engine::{Batch, Direction, Durability, KeyRange, Store, View},
    port::{Body, Volume},
};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;
use core::ops::Range;
use known::Known;

/// The blobs of an open [`Store`].
///
/// A blob of up to 1 MiB is kept whole, a larger one as chunks under a list; [`space`] has the layout. Every read takes a view: what it reads is the blob as it was when the call began.
/// Futures may be dropped: a put then either happened or did not, and what it had written is freed by the next [sweep](Self::sweep).
///
/// ```
/// # futures::executor::block_on(async {
/// # use littoral_core::{Result, port::Entropy};
/// # struct Seven; impl Entropy for Seven { fn fill(&self, b: &mut [u8]) -> Result<()> { b.fill(7); Ok(()) } }
/// # let entropy = Seven;
/// use littoral_core::{blob::{BlobStore, EngineBlobs}, engine::{Batch, Durability, Options, Space, Store}, port::MemoryVolume};
/// let blobs = EngineBlobs::new(Store::open(MemoryVolume::new(), &entropy, Options::default()).await?);
/// let pointer = blobs.put("high tide".into()).await?;
/// assert_eq!(&blobs.get(&pointer).await?[..], b"high tide");
///
/// // A blob and a key of one's own in one commit.
/// let mut batch = Batch::new();
/// let staged = blobs.stage(bytes::Bytes::from(vec![7; 5_000_000]), &mut batch).await?;
/// batch.put(Space(0x80), "latest", staged.pointer.as_bytes().to_vec());
/// blobs.store().commit(batch, Durability::Strict).await?;
/// assert_eq!(blobs.stat(&staged.pointer).await?.unwrap().size, 5_000_000);
/// # Ok::<(), littoral_core::Error>(()) }).unwrap();
/// ```
///
/// Clones are the same. Make one for each open store and clone it: a [sweep](Self::sweep) knows only the
/// streams of its own clones, and takes those of others for leftovers (they then fail with `Conflict`).
pub struct EngineBlobs<V> {
    store: Store<V>,
    known: Arc<Known>,
}

impl<V> Clone for EngineBlobs<V> {
    fn clone(&self) -> Self {
        EngineBlobs {
            store: self.store.clone(),
            known: self.known.clone(),
        }
    }
}

impl<V: Volume> EngineBlobs<V> {
    /// The blobs of `store`.
    pub fn new(store: Store<V>) -> Self {
        EngineBlobs {
            store,
            known: Arc::default(),
        }
    }

    /// The store that they are in.
    pub fn store(&self) -> &Store<V> {
        &self.store
    }

    /// Whether each of `pointers` can be read, in the order asked. Unlike [`has`](BlobStore::has) it waits for no disk:
    /// power loss may still take back what was put a moment ago.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn visible(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        let view = self.store.view();
        let mut visible = Vec::with_capacity(pointers.len());
        for pointer in pointers {
            visible.push(self.there(&view, pointer).await?);
        }
        Ok(visible)
    }

    /// Adds what storing a small blob takes. `bytes` must be what `pointer` names, and fit one
    /// value of the engine: from 1 MiB on, [`stage`](Self::stage) it.
    pub fn put_in(&self, batch: &mut Batch, pointer: Pointer, bytes: Bytes) {
        batch.put(WHOLE, space::key(&pointer), bytes);
    }

    /// Adds what deletes the blob; whether it was there in `view`.
    ///
    /// The commit says `Conflict` when the blob was put or removed since `view`: try again with a fresh one. After the
    /// commit, [`release`](Self::release) frees the chunks that no other blob has.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn remove_in(
        &self,
        batch: &mut Batch,
        pointer: &Pointer,
        view: &View<V>,
    ) -> Result<bool> {
        let key = space::key(pointer);
        let mut there = false;
        if view.len(WHOLE, &key).await?.is_some() {
            there = true;
            batch.delete(WHOLE, key.clone());
        }
        if let Some(header) = header(view, pointer).await? {
            there = true;
            batch.delete(LISTED, key.clone());
            batch.put(STAGED, lists::abandoned_key(header.id), &[][..]);
        }
        batch.require_unchanged(WHOLE, key.clone(), view);
        batch.require_unchanged(LISTED, key, view);
        Ok(there)
    }

    /// Commits; `false` for a conflict, after which the caller looks again.
    async fn try_commit(&self, batch: Batch, durability: Durability) -> Result<bool> {
        #[cfg(test)]
        tests::pause().await;
        match self.store.commit(batch, durability).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == Kind::Conflict => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns once everything that is visible now is durable.
    async fn settle(&self) -> Result<()> {
        let commit = self.store.view().commit();
        if self.store.stats().durable_commit >= commit {
            return Ok(());
        }
        self.store
            .commit(Batch::new(), Durability::Strict)
            .await
            .map(drop)
    }

    async fn there(&self, view: &View<V>, pointer: &Pointer) -> Result<bool> {
        for space in [WHOLE, LISTED] {
            if view.len(space, pointer.as_bytes()).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Bytes `from..to` of a listed blob, read chunk by chunk.
    async fn assemble(&self, view: &View<V>, header: &Header, range: Range<u64>) -> Result<Bytes> {
        let len = range.end - range.start;
        let mut all = Vec::new();
        reserve(&mut all, len)?;
        let mut chunks = lists::Chunks::open(view, header, range.start).await?;
        let mut at = range.start;
        while at < range.end {
            let Some((start, chunk)) = chunks.next().await? else {
                return Err(space::unreadable("a list that ends too early"));
            };
            let bytes = self.chunk_bytes(view, &chunk).await?;
            let from = (at - start) as usize;
            let to = (range.end - start).min(u64::from(chunk.len)) as usize;
            all.extend_from_slice(bytes.get(from..to).unwrap_or_default());
            at = start + to as u64;
        }
        Ok(all.into())
    }

    async fn chunk_bytes(&self, view: &View<V>, chunk: &Chunk) -> Result<Bytes> {
        let read = view.get(CHUNKS, chunk.pointer.as_bytes()).await;
        let read = self.known.note(CHUNKS, &chunk.pointer, read)?;
        // A list that is visible names only chunks that are there.
        let bytes = read.ok_or_else(|| no_chunk(&chunk.pointer).with_kind(Kind::Corrupt))?;
        chunk.check_bytes(&bytes)?;
        Ok(bytes)
    }

    async fn whole(&self, view: &View<V>, pointer: &Pointer) -> Result<Option<Bytes>> {
        let read = view.get(WHOLE, pointer.as_bytes()).await;
        self.known.note(WHOLE, pointer, read)
    }
}

impl<V: Volume> BlobStore for EngineBlobs<V> {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            chunks: true,
            ..Capabilities::new()
        }
    }

    async fn put(&self, bytes: Bytes) -> Result<Pointer> {
        if bytes.len() > chunk::MAX {
            return self.put_stream(bytes).await;
        }
        self.put_staged(Staged::whole(Pointer::of(&bytes), bytes))
            .await
    }

    async fn put_stream<B: Body>(&self, body: B) -> Result<Pointer> {
        let staged = self.stage(body, &mut Batch::new()).await?;
        self.put_staged(staged).await
    }

    async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        // Most blobs are whole: one look, which needs no view.
        let read = self.store.get(WHOLE, pointer.as_bytes()).await;
        if let Some(bytes) = self.known.note(WHOLE, pointer, read)? {
            return Ok(bytes);
        }
        let view = self.store.view();
        if let Some(bytes) = self.whole(&view, pointer).await? {
            return Ok(bytes);
        }
        match header(&view, pointer).await? {
            Some(header) => self.assemble(&view, &header, 0..header.size).await,
            None => Err(not_found(pointer)),
        }
    }

    async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        let view = self.store.view();
        if let Some(bytes) = self.whole(&view, pointer).await? {
            let range = cut_range(range, bytes.len() as u64)?;
            return Ok(bytes.slice(range.start as usize..range.end as usize));
        }
        match header(&view, pointer).await? {
            Some(header) => {
                let range = cut_range(range, header.size)?;
                self.assemble(&view, &header, range).await
            }
            None => Err(not_found(pointer)),
        }
    }

    async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
        let view = self.store.view();
        if let Some(size) = view.len(WHOLE, pointer.as_bytes()).await? {
            return Ok(Some(Stat::whole(size)));
        }
        Ok(header(&view, pointer).await?.map(|header| Stat {
            size: header.size,
            chunks: header.chunks,
        }))
    }

    async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        let has = self.visible(pointers).await?;
        // What is visible may be on its way to the disk, or have failed to get there.
        if has.contains(&true) {
            self.settle().await?;
        }
        Ok(has)
    }

    async fn delete(&self, pointer: &Pointer) -> Result<bool> {
        loop {
            let view = self.store.view();
            let mut batch = Batch::new();
            if !self.remove_in(&mut batch, pointer, &view).await? {
                self.settle().await?;
                return Ok(false);
            }
            drop(view);
            if self.try_commit(batch, Durability::Strict).await? {
                // The blob is gone; what cannot be freed now, a later call frees.
                let _ = self.release().await;
                return Ok(true);
            }
        }
    }

    async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
        let view = self.store.view();
        let range = || match &after {
            Some(after) => KeyRange::after(after.as_bytes()),
            None => KeyRange::all(),
        };
        let mut whole = view.scan(WHOLE, range(), Direction::Forward);
        let mut listed = view.scan(LISTED, range(), Direction::Forward);
        let mut next_whole = whole.next().await?;
        let mut next_listed = listed.next().await?;
        let mut page = Vec::new();
        while page.len() < limit.max(1) {
            let order = match (&next_whole, &next_listed) {
                (None, None) => break,
                (Some(_), None) => core::cmp::Ordering::Less,
                (None, Some(_)) => core::cmp::Ordering::Greater,
                (Some(whole), Some(listed)) => whole.key.cmp(&listed.key),
            };
            if order.is_le()
                && let Some(entry) = &next_whole
            {
                page.push(Listed {
                    pointer: space::pointer(&entry.key)?,
                    size: entry.len,
                });
                next_whole = whole.next().await?;
            } else if let Some(entry) = &next_listed {
                page.push(Listed {
                    pointer: space::pointer(&entry.key)?,
                    size: Header::decode(&listed.value().await?)?.size,
                });
            }
            if order.is_ge() {
                next_listed = listed.next().await?;
            }
        }
        Ok(page)
    }

    async fn chunks(&self, pointer: &Pointer) -> Result<Option<ChunkList>> {
        let view = self.store.view();
        if view.len(WHOLE, pointer.as_bytes()).await?.is_some() {
            return Ok(None);
        }
        match header(&view, pointer).await? {
            Some(header) => lists::read(&view, &header).await.map(Some),
            None => Ok(None),
        }
    }

    async fn has_chunks(&self, chunks: &[Pointer]) -> Result<Vec<bool>> {
        let view = self.store.view();
        let mut has = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            // One that is damaged is welcome again.
            let whole = !self.known.is_damaged(CHUNKS, chunk);
            has.push(whole && view.len(CHUNKS, chunk.as_bytes()).await?.is_some());
        }
        Ok(has)
    }

    async fn put_chunk(&self, bytes: Bytes) -> Result<Pointer> {
        let len = chunk::check_len(bytes.len())?;
        let pointer = Pointer::of(&bytes);
        let view = self.store.view();
        if !self.known.is_sound(&view, CHUNKS, &pointer).await? {
            self.heal_chunk(bytes.clone()).await?;
        }
        drop(view);
        self.add_loose((Chunk { pointer, len }, Some(bytes)))
            .await?;
        Ok(pointer)
    }

    async fn get_chunk(&self, chunk: &Pointer) -> Result<Bytes> {
        let read = self.store.get(CHUNKS, chunk.as_bytes()).await;
        self.known
            .note(CHUNKS, chunk, read)?
            .ok_or_else(|| no_chunk(chunk))
    }

    async fn put_list(&self, pointer: &Pointer, list: ChunkList) -> Result<()> {
        list.check()?;
        if self.there(&self.store.view(), pointer).await? {
            return self.settle().await;
        }
        let staged = self.stage_list(pointer, &list).await?;
        self.put_staged(staged).await.map(drop)
    }
}

async fn header<V: Volume>(view: &View<V>, pointer: &Pointer) -> Result<Option<Header>> {
    match view.get(LISTED, pointer.as_bytes()).await? {
        Some(value) => Header::decode(&value).map(Some),
        None => Ok(None),
    }
}
