//! What can be done with any store: listing all of it, streaming a blob of any size, copying between stores.

use super::{BlobStore, Chunk, ChunkList, Hasher, Listed, Pointer, store::not_found};
use crate::{Error, Kind, Result, chunk, port::Body};
use alloc::{collections::VecDeque, vec::Vec};
use bytes::Bytes;

/// Rows asked for at a time.
const PAGE: usize = 1000;
/// Chunks asked for at a time: at most 8 MiB of our own.
const WINDOW: usize = 8;
/// Bytes asked for at a time where a store keeps a large blob whole.
const PIECE: u64 = chunk::MAX as u64;

/// All blobs of `store` in pointer order, page by page.
///
/// ```
/// # futures::executor::block_on(async {
/// use littoral_core::blob::{BlobStore, MemoryBlobs, list_all};
/// let store = MemoryBlobs::new();
/// store.put("high tide".into()).await?;
/// let mut blobs = list_all(&store);
/// while let Some(blob) = blobs.next().await? {
///     assert_eq!(blob.size, 9);
/// }
/// # Ok::<(), littoral_core::Error>(()) }).unwrap();
/// ```
pub fn list_all<S: BlobStore>(store: S) -> Lister<S> {
    Lister {
        store,
        page: VecDeque::new(),
        after: None,
        ended: false,
    }
}

/// A listing in progress. What is put or deleted meanwhile may be in it or not.
#[derive(Debug)]
pub struct Lister<S> {
    store: S,
    page: VecDeque<Listed>,
    after: Option<Pointer>,
    ended: bool,
}

impl<S: BlobStore> Lister<S> {
    /// The next blob, or `None` at the end.
    ///
    /// # Errors
    /// Those of [`BlobStore::list`]; a later call tries again from where it stopped.
    pub async fn next(&mut self) -> Result<Option<Listed>> {
        if self.page.is_empty() && !self.ended {
            self.page = self.store.list(self.after, PAGE).await?.into();
            self.ended = self.page.is_empty();
        }
        let next = self.page.pop_front();
        if let Some(listed) = &next {
            self.after = Some(listed.pointer);
        }
        Ok(next)
    }
}

/// A blob as a stream, in bounded memory whatever its size; `store` may be a reference or a clone.
///
/// A blob that is kept as chunks comes chunk by chunk, each checked by the store. The whole is checked at the end: only after the stream's `None` was it the blob.
///
/// ```
/// # futures::executor::block_on(async {
/// use littoral_core::{blob::{BlobStore, MemoryBlobs, open}, port::Body};
/// let store = MemoryBlobs::new();
/// let pointer = store.put(vec![7; 5_000_000].into()).await?;
/// let mut body = open(&store, pointer).await?;
/// let mut size = 0;
/// while let Some(piece) = body.next().await? {
///     size += piece.len();
/// }
/// assert_eq!(size, 5_000_000);
/// # Ok::<(), littoral_core::Error>(()) }).unwrap();
/// ```
///
/// # Errors
/// `NotFound`, and those of the store. The stream gives `Corrupt` when the bytes are not the blob,
/// `NotFound` when it is deleted meanwhile.
pub async fn open<S: BlobStore>(store: S, pointer: Pointer) -> Result<Reader<S>> {
    let stat = store
        .stat(&pointer)
        .await?
        .ok_or_else(|| not_found(&pointer))?;
    let list = match stat.chunks > 1 && store.capabilities().chunks {
        true => store.chunks(&pointer).await?,
        false => None,
    };
    if let Some(list) = &list
        && list.size() != stat.size
    {
        return Err(Error::new(
            Kind::Corrupt,
            alloc::format!(
                "blob {pointer} has {} bytes, its chunks have {}",
                stat.size,
                list.size()
            ),
        ));
    }
    Ok(Reader {
        store,
        pointer,
        size: stat.size,
        at: 0,
        list: list.map(|list| list.0.into()),
        window: VecDeque::new(),
        whole: Hasher::new(),
        ended: false,
    })
}

/// A blob that is being read; made by [`open`]. A future of [`next`](Body::next) that is dropped loses nothing.
#[derive(Debug)]
pub struct Reader<S> {
    store: S,
    pointer: Pointer,
    size: u64,
    at: u64,
    list: Option<VecDeque<Chunk>>,
    window: VecDeque<Bytes>,
    /// What was handed out.
    whole: Hasher,
    ended: bool,
}

impl<S: BlobStore> Reader<S> {
    /// Length of the whole blob in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    async fn piece(&mut self) -> Result<Bytes> {
        if self.window.is_empty() {
            let Some(list) = &self.list else {
                return self.small_or_range().await;
            };
            let mut fetches = Vec::with_capacity(WINDOW);
            for chunk in list.iter().take(WINDOW) {
                fetches.push(fetch(&self.store, *chunk));
            }
            for bytes in futures::future::join_all(fetches).await {
                self.window.push_back(bytes?);
            }
        }
        if let Some(list) = &mut self.list {
            list.pop_front();
        }
        Ok(self.window.pop_front().unwrap_or_default())
    }

    async fn small_or_range(&self) -> Result<Bytes> {
        if self.size <= PIECE {
            return self.store.get(&self.pointer).await;
        }
        let end = self.size.min(self.at.saturating_add(PIECE));
        self.store.get_range(&self.pointer, self.at..end).await
    }

    async fn checked(&mut self) -> Result<Option<Bytes>> {
        if self.at < self.size {
            let piece = self.piece().await?;
            self.at = self.at.saturating_add(piece.len() as u64);
            if !piece.is_empty() && self.at <= self.size {
                self.whole.update(&piece);
                return Ok(Some(piece));
            }
        } else if self.whole.clone().finish() == self.pointer {
            return Ok(None);
        }
        Err(Error::new(
            Kind::Corrupt,
            alloc::format!("what the store gave is not blob {}", self.pointer),
        ))
    }
}

async fn fetch<S: BlobStore>(store: &S, chunk: Chunk) -> Result<Bytes> {
    let bytes = store.get_chunk(&chunk.pointer).await?;
    chunk.check_bytes(&bytes)?;
    Ok(bytes)
}

impl<S: BlobStore> Body for Reader<S> {
    fn len(&self) -> Option<u64> {
        Some(self.size.saturating_sub(self.at))
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        let next = self.checked().await;
        self.ended = !matches!(next, Ok(Some(_)));
        next
    }
}

/// Copies a blob from one store to another, in bounded memory (and 36 bytes for each chunk); the bytes that were sent.
///
/// Where both take chunks, only those that the target lacks are sent, and what arrived stays there
/// for the next try when the copy is interrupted. The target checks that it got the blob.
///
/// # Errors
/// `NotFound` when the source has no such blob, and those of both stores; `Conflict` when the
/// target lost chunks again and again while others were sent.
pub async fn copy<F: BlobStore, T: BlobStore>(from: &F, to: &T, pointer: &Pointer) -> Result<u64> {
    if from.capabilities().chunks
        && to.capabilities().chunks
        && let Some(list) = from.chunks(pointer).await?
    {
        return copy_chunks(from, to, pointer, list).await;
    }
    let body = open(from, *pointer).await?;
    let size = body.size();
    let arrived = match size <= PIECE {
        true => to.put(body.collect(PIECE as usize).await?).await?,
        false => to.put_stream(body).await?,
    };
    match arrived == *pointer {
        true => Ok(size),
        false => Err(super::store::not_the_blob(pointer)),
    }
}

async fn copy_chunks<F: BlobStore, T: BlobStore>(
    from: &F,
    to: &T,
    pointer: &Pointer,
    list: ChunkList,
) -> Result<u64> {
    let mut sent = 0_u64;
    // A chunk that the target had may be deleted there before the list names it.
    for _ in 0..4 {
        for part in list.0.chunks(PAGE) {
            let chunks: Vec<Pointer> = part.iter().map(|chunk| chunk.pointer).collect();
            let has = to.has_chunks(&chunks).await?;
            let mut missing: Vec<Pointer> = Vec::new();
            for (chunk, has) in chunks.into_iter().zip(has) {
                if !has && !missing.contains(&chunk) {
                    missing.push(chunk);
                }
            }
            for window in missing.chunks(WINDOW) {
                let mut sends = Vec::with_capacity(WINDOW);
                for chunk in window {
                    sends.push(send(from, to, *chunk));
                }
                for bytes in futures::future::join_all(sends).await {
                    sent += bytes?;
                }
            }
        }
        match to.put_list(pointer, list.clone()).await {
            Ok(()) => return Ok(sent),
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(
        Kind::Conflict,
        alloc::format!("chunks of blob {pointer} are deleted as fast as they are sent"),
    ))
}

async fn send<F: BlobStore, T: BlobStore>(from: &F, to: &T, chunk: Pointer) -> Result<u64> {
    let bytes = from.get_chunk(&chunk).await?;
    let len = bytes.len() as u64;
    match to.put_chunk(bytes).await? == chunk {
        true => Ok(len),
        false => Err(Error::new(
            Kind::Corrupt,
            alloc::format!("chunk {chunk} has other bytes"),
        )),
    }
}
