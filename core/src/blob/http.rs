//! The client of `docs/protocol.md`: a remote's blobs and roots over any [`Http`].

mod answer;
mod counted;
#[cfg(test)]
mod fake;
mod json;
mod requests;
#[cfg(test)]
mod tests;
mod url;

use super::{
    BlobStore, Capabilities, ChunkList, Listed, Pointer, RootStore, Stat,
    split::{self, Read},
    store::{cut_range, no_chunks, not_found},
};
use crate::{
    Error, Kind, Result, chunk,
    port::{Body, Http, Method},
    sync::Mutex,
};
use alloc::{
    collections::VecDeque,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use answer::{Checked, corrupt};
use bytes::Bytes;
use core::{fmt, ops::Range};
use counted::Moved;
use futures::future::join;
use requests::{
    Blobs, JSON_TYPE, LIST_TYPE, MovedTo, Root, Roots, ask_move, blob_path, chunk_path,
    chunks_path, root_path,
};

/// Rows asked for at a time, at most.
const PAGE: usize = 1000;
/// Pointers asked about at a time, at most.
const MANY: usize = 10_000;
/// Blobs whose length is remembered.
const STATS: usize = 16;
/// Bytes of an answer in JSON, at most.
const JSON: usize = 4 << 20;
/// Bytes of a list of chunks, at most: about 450 GiB of blob.
const LIST: usize = 64 << 20;

/// A remote's blobs and roots. Bytes that it sends are hashed before they are returned.
///
/// Clones (of a cloneable [`Http`]) are the same remote. The token is never printed.
///
/// Every read of the whole blob is proved by its pointer. A range of a blob that the remote keeps as
/// chunks is checked chunk by chunk against the remote's list; a range of a larger blob that it
/// keeps whole (over 4 MiB) is only checked for its length: read the whole with
/// [`open`](super::open) where the remote is not trusted.
#[derive(Clone)]
pub struct HttpBlobs<H> {
    http: H,
    base: String,
    authorization: Option<String>,
    limit: usize,
    chunks: bool,
    moved: Moved,
    /// The last blobs whose length it told. A blob's length does not change: whoever reads parts of one need not ask for it each time.
    stats: Arc<Mutex<VecDeque<(Pointer, Stat)>>>,
}

impl<H> fmt::Debug for HttpBlobs<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpBlobs")
            .field("base", &self.base)
            .field("token", &self.authorization.as_ref().map(|_| "..."))
            .finish_non_exhaustive()
    }
}

impl<H: Http> HttpBlobs<H> {
    /// The remote at `base`, such as `https://example.org/store`; the protocol's paths follow it.
    ///
    /// # Errors
    /// `InvalidInput` when `base` is no http or https URL, or has a query, a fragment or credentials in it.
    pub fn new(http: H, base: &str) -> Result<Self> {
        Ok(HttpBlobs {
            http,
            base: url::base(base)?,
            authorization: None,
            limit: 1 << 30,
            chunks: true,
            moved: Moved::default(),
            stats: Arc::default(),
        })
    }

    /// The same remote, asked with a bearer token.
    ///
    /// # Errors
    /// `InvalidInput` for a token that cannot stand in a header: other than visible ASCII. The error does not show it.
    pub fn with_token(mut self, token: &str) -> Result<Self> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::new(
                Kind::InvalidInput,
                "a token has only visible ASCII characters",
            ));
        }
        self.authorization = Some(alloc::format!("Bearer {token}"));
        Ok(self)
    }

    /// The same remote; a [`get`](BlobStore::get) of more than `bytes` (1 GiB without this) says `OutOfRange`.
    pub fn with_get_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// The same remote, which keeps blobs whole: a server over one file per blob, say. Large blobs are then sent in one
    /// request; to such a remote, chunks are `NotImplemented`.
    pub fn without_chunks(mut self) -> Self {
        self.chunks = false;
        self
    }

    /// Where it is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What the remote said of the blob a moment ago.
    fn told(&self, pointer: &Pointer) -> Option<Stat> {
        let stats = self.stats.lock();
        let told = stats.iter().rev().find(|(told, _)| told == pointer);
        told.map(|(_, stat)| *stat)
    }

    fn has_chunks_at_all(&self) -> Result<()> {
        match self.chunks {
            true => Ok(()),
            false => Err(no_chunks()),
        }
    }
}

impl<H: Http> BlobStore for HttpBlobs<H> {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            chunks: self.chunks,
            ..Capabilities::new()
        }
    }

    fn moved(&self) -> u64 {
        self.moved.so_far()
    }

    async fn put(&self, bytes: Bytes) -> Result<Pointer> {
        if bytes.len() > chunk::MAX && self.chunks {
            return self.put_stream(bytes).await;
        }
        self.upload_whole(bytes).await
    }

    /// Sends a large stream as chunks, those that the remote has not; 36 bytes of memory for each.
    ///
    /// # Errors
    /// `Transient` besides the usual ones, when the remote lost a chunk meanwhile: stream it again.
    async fn put_stream<B: Body>(&self, body: B) -> Result<Pointer> {
        if !self.chunks {
            return self.upload_unnamed(body).await;
        }
        let mut split = match split::read(body).await? {
            Read::Small(bytes) => return self.upload_whole(bytes).await,
            Read::Large(split) => split,
        };
        let mut list = ChunkList::default();
        let mut group = split.group().await?;
        while !group.is_empty() {
            list.0.extend(group.iter().map(|(chunk, _)| *chunk));
            // The next is read and cut while this one travels.
            let (sent, next) = join(self.upload_missing(group), split.group()).await;
            sent?;
            group = next?;
        }
        let pointer = split.finish();
        match self.put_list(&pointer, list).await {
            Err(error) if error.kind() == Kind::NotFound => Err(error.with_kind(Kind::Transient)),
            done => done.map(|()| pointer),
        }
    }

    async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        let path = blob_path(pointer);
        let response = self
            .ask(Method::Get, &path, None, &[200])
            .await?
            .ok_or_else(|| not_found(pointer))?;
        // Chunks of a large blob are checked as they arrive, not only at the end.
        let list = match answer::content_length(&response) {
            Some(len) if len > chunk::MAX as u64 => self.chunks(pointer).await?,
            _ => None,
        };
        let checked = Checked::new(&response, list, self.limit);
        let got = checked.read(response.body, pointer).await;
        got.map_err(|error| error.context(self.what(Method::Get, &path)))
    }

    async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        let told = self.told(pointer);
        let stat = match told {
            Some(stat) => stat,
            None => {
                let stat = self.stat(pointer).await?;
                stat.ok_or_else(|| not_found(pointer))?
            }
        };
        let range = cut_range(range, stat.size)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        if range.end - range.start > self.limit as u64 {
            return Err(answer::too_long(self.limit));
        }
        if stat.size <= u64::from(chunk::MAX_CHUNK) {
            let path = blob_path(pointer);
            let whole = self
                .small(&path, pointer, chunk::MAX_CHUNK as usize)
                .await?;
            let whole = whole.ok_or_else(|| not_found(pointer))?;
            let range = cut_range(range, whole.len() as u64)?;
            return Ok(whole.slice(range.start as usize..range.end as usize));
        }
        if stat.chunks > 1
            && let Some(list) = self.chunks(pointer).await?
        {
            if list.size() != stat.size {
                return Err(corrupt("chunks that are not as long as the blob")
                    .context(self.what(Method::Get, &chunks_path(pointer))));
            }
            return self.part_of_chunks(list, range).await;
        }
        self.part(pointer, range, stat.size).await
    }

    async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
        let path = blob_path(pointer);
        let Some(response) = self.ask(Method::Head, &path, None, &[200]).await? else {
            return Ok(None);
        };
        answer::names(&response, pointer)
            .map_err(|error| error.context(self.what(Method::Head, &path)))?;
        let size = answer::content_length(&response)
            .ok_or_else(|| corrupt("no Content-Length").context(self.what(Method::Head, &path)))?;
        let chunks = match response.header("littoral-chunks") {
            None => 1,
            Some(chunks) => chunks.trim().parse().map_err(|_| {
                corrupt("a number of chunks that is none").context(self.what(Method::Head, &path))
            })?,
        };
        let stat = Stat { size, chunks };
        let mut stats = self.stats.lock();
        if stats.len() >= STATS {
            stats.pop_front();
        }
        stats.push_back((*pointer, stat));
        Ok(Some(stat))
    }

    fn has(&self, pointers: &[Pointer]) -> impl Future<Output = Result<Vec<bool>>> {
        self.ask_many("/v1/blobs/has", pointers)
    }

    async fn delete(&self, pointer: &Pointer) -> Result<bool> {
        self.stats.lock().retain(|(told, _)| told != pointer);
        let path = blob_path(pointer);
        let answer = self.ask(Method::Delete, &path, None, &[204]).await?;
        Ok(answer.is_some())
    }

    /// As the trait says; at most 1,000 rows, whatever the limit.
    async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
        let mut path = alloc::format!("/v1/blobs?limit={}", limit.clamp(1, PAGE));
        if let Some(after) = &after {
            path.push_str(&alloc::format!("&after={after}"));
        }
        let page: Blobs = self.get_json(&path).await?.ok_or_else(|| self.no_api())?;
        let mut last = after;
        let mut rows = Vec::with_capacity(page.blobs.len());
        for row in page.blobs {
            if last.is_some_and(|last| last >= row.pointer) {
                return Err(
                    corrupt("a list that is out of order").context(self.what(Method::Get, &path))
                );
            }
            last = Some(row.pointer);
            rows.push(row);
        }
        Ok(rows)
    }

    async fn chunks(&self, pointer: &Pointer) -> Result<Option<ChunkList>> {
        if !self.chunks {
            return Ok(None);
        }
        let path = chunks_path(pointer);
        let Some(response) = self.ask(Method::Get, &path, None, &[200]).await? else {
            return Ok(None);
        };
        let list = answer::list(response, LIST).await;
        let list = list.map_err(|error| error.context(self.what(Method::Get, &path)));
        list.map(Some)
    }

    async fn has_chunks(&self, chunks: &[Pointer]) -> Result<Vec<bool>> {
        self.has_chunks_at_all()?;
        self.ask_many("/v1/chunks/has", chunks).await
    }

    async fn put_chunk(&self, bytes: Bytes) -> Result<Pointer> {
        self.has_chunks_at_all()?;
        chunk::check_len(bytes.len())?;
        let chunk = Pointer::of(&bytes);
        self.upload_chunk(chunk, bytes).await?;
        Ok(chunk)
    }

    async fn get_chunk(&self, chunk: &Pointer) -> Result<Bytes> {
        self.has_chunks_at_all()?;
        self.small(&chunk_path(chunk), chunk, chunk::MAX_CHUNK as usize)
            .await?
            .ok_or_else(|| super::store::no_chunk(chunk))
    }

    async fn put_list(&self, pointer: &Pointer, list: ChunkList) -> Result<()> {
        self.has_chunks_at_all()?;
        list.check()?;
        self.upload(
            &chunks_path(pointer),
            LIST_TYPE,
            list.encode().into(),
            pointer,
        )
        .await
    }
}

impl<H: Http> RootStore for HttpBlobs<H> {
    async fn root(&self, name: &str) -> Result<Option<Pointer>> {
        let root: Option<Root> = self.get_json(&root_path(name)?).await?;
        Ok(root.map(|root| root.pointer))
    }

    async fn move_root(
        &self,
        name: &str,
        from: Option<Pointer>,
        to: Option<Pointer>,
    ) -> Result<()> {
        let path = root_path(name)?;
        let body = ask_move(from, to);
        let header = Some(("content-type", JSON_TYPE.to_string()));
        let response = self.send(Method::Put, &path, header, body).await?;
        if response.status == 409 {
            return Err(answer::conflict(response, name)
                .await
                .context(self.what(Method::Put, &path)));
        }
        let response = self.expect(response, &[200], Method::Put, &path).await?;
        let text = self.text(response, Method::Put, &path).await?;
        let moved: MovedTo = self.parse(&text, Method::Put, &path)?;
        match moved.pointer == to {
            true => Ok(()),
            false => {
                Err(corrupt("that it moved the root elsewhere")
                    .context(self.what(Method::Put, &path)))
            }
        }
    }

    /// As the trait says; at most 1,000 rows, whatever the limit.
    async fn roots(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Pointer)>> {
        let mut path = alloc::format!("/v1/roots?limit={}", limit.clamp(1, PAGE));
        if let Some(after) = after {
            path.push_str(&alloc::format!("&after={}", url::Encoded(after)));
        }
        let page: Roots = self.get_json(&path).await?.ok_or_else(|| self.no_api())?;
        let mut rows: Vec<(String, Pointer)> = Vec::with_capacity(page.roots.len());
        for row in page.roots {
            let last = rows.last().map(|(name, _)| name.as_str()).or(after);
            if last.is_some_and(|last| last >= row.0.as_str()) {
                return Err(
                    corrupt("a list that is out of order").context(self.what(Method::Get, &path))
                );
            }
            rows.push(row);
        }
        Ok(rows)
    }
}
