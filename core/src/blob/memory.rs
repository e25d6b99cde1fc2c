//! Blobs in memory.

use super::{
    BlobStore, Capabilities, Chunk, ChunkList, Hasher, Listed, Pointer, RootStore, Stat,
    check_root_name, roots,
    split::{self, Read},
    store::{cut_range, no_chunk, not_found, reserve},
};
use crate::{Result, chunk, port::Body, sync::Mutex};
use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};
use bytes::Bytes;
use core::ops::{Bound, Range};

/// Blobs and roots in memory: for tests, and for what is meant to be forgotten. Clones share what is in it.
///
/// Keeps large blobs as chunks, as the engine does. A chunk that no list names goes once 64 MiB of such came after it.
///
/// ```
/// # futures::executor::block_on(async {
/// use littoral_core::blob::{BlobStore, MemoryBlobs};
/// let store = MemoryBlobs::new();
/// let pointer = store.put("high tide".into()).await?;
/// assert_eq!(&store.get(&pointer).await?[..], b"high tide");
/// # Ok::<(), littoral_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryBlobs(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    blobs: BTreeMap<Pointer, Form>,
    /// Chunks, and how many rows of lists (and of `loose`) name each.
    chunks: BTreeMap<Pointer, (Bytes, usize)>,
    loose: VecDeque<Chunk>,
    loose_bytes: u64,
    roots: BTreeMap<String, Pointer>,
}

#[derive(Clone, Debug)]
enum Form {
    Whole(Bytes),
    Listed(ChunkList),
}

const LOOSE_BYTES: u64 = 64 << 20;

impl MemoryBlobs {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn form(&self, pointer: &Pointer) -> Option<Form> {
        self.0.lock().blobs.get(pointer).cloned()
    }
}

impl Form {
    fn size(&self) -> u64 {
        match self {
            Form::Whole(bytes) => bytes.len() as u64,
            Form::Listed(list) => list.size(),
        }
    }
}

impl State {
    fn name_chunk(&mut self, chunk: Pointer, bytes: Bytes) {
        self.chunks.entry(chunk).or_insert((bytes, 0)).1 += 1;
    }

    fn let_chunk_go(&mut self, chunk: &Pointer) {
        if let Some((_, names)) = self.chunks.get_mut(chunk) {
            *names -= 1;
            if *names == 0 {
                self.chunks.remove(chunk);
            }
        }
    }

    fn put_listed(&mut self, pointer: Pointer, rows: Vec<(Chunk, Bytes)>) {
        if self.blobs.contains_key(&pointer) {
            return;
        }
        let mut list = ChunkList::default();
        for (chunk, bytes) in rows {
            self.name_chunk(chunk.pointer, bytes);
            list.0.push(chunk);
        }
        self.blobs.insert(pointer, Form::Listed(list));
    }

    fn range(&self, form: &Form, range: Range<u64>) -> Result<Bytes> {
        let range = cut_range(range, form.size())?;
        let list = match form {
            Form::Whole(bytes) => return Ok(bytes.slice(range.start as usize..range.end as usize)),
            Form::Listed(list) => list,
        };
        let mut all = Vec::new();
        reserve(&mut all, range.end - range.start)?;
        let mut start = 0;
        for chunk in &list.0 {
            let end = start + u64::from(chunk.len);
            let from = range.start.clamp(start, end) - start;
            let to = range.end.clamp(start, end) - start;
            if from < to {
                let (bytes, _) = self
                    .chunks
                    .get(&chunk.pointer)
                    .ok_or_else(|| no_chunk(&chunk.pointer))?;
                all.extend_from_slice(bytes.get(from as usize..to as usize).unwrap_or_default());
            }
            start = end;
        }
        Ok(all.into())
    }
}

impl BlobStore for MemoryBlobs {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            chunks: true,
            durable: false,
            ..Capabilities::new()
        }
    }

    async fn put(&self, bytes: Bytes) -> Result<Pointer> {
        self.put_stream(bytes).await
    }

    async fn put_stream<B: Body>(&self, body: B) -> Result<Pointer> {
        let mut split = match split::read(body).await? {
            Read::Small(bytes) => {
                let pointer = Pointer::of(&bytes);
                let mut state = self.0.lock();
                state.blobs.entry(pointer).or_insert(Form::Whole(bytes));
                return Ok(pointer);
            }
            Read::Large(split) => split,
        };
        let mut rows = Vec::new();
        loop {
            let group = split.group().await?;
            if group.is_empty() {
                break;
            }
            rows.extend(group);
        }
        let pointer = split.finish();
        self.0.lock().put_listed(pointer, rows);
        Ok(pointer)
    }

    async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        self.get_range(pointer, 0..u64::MAX).await
    }

    async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        let state = self.0.lock();
        match state.blobs.get(pointer) {
            Some(form) => state.range(form, range),
            None => Err(not_found(pointer)),
        }
    }

    async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
        Ok(self.form(pointer).map(|form| Stat {
            size: form.size(),
            chunks: match form {
                Form::Whole(_) => 1,
                Form::Listed(list) => list.0.len() as u32,
            },
        }))
    }

    async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        let state = self.0.lock();
        Ok(pointers
            .iter()
            .map(|pointer| state.blobs.contains_key(pointer))
            .collect())
    }

    async fn delete(&self, pointer: &Pointer) -> Result<bool> {
        let mut state = self.0.lock();
        match state.blobs.remove(pointer) {
            None => return Ok(false),
            Some(Form::Whole(_)) => {}
            Some(Form::Listed(list)) => {
                for chunk in list.0 {
                    state.let_chunk_go(&chunk.pointer);
                }
            }
        }
        Ok(true)
    }

    async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.0.lock();
        Ok(state
            .blobs
            .range((after, Bound::Unbounded))
            .take(limit.max(1))
            .map(|(pointer, form)| Listed {
                pointer: *pointer,
                size: form.size(),
            })
            .collect())
    }

    async fn chunks(&self, pointer: &Pointer) -> Result<Option<ChunkList>> {
        Ok(match self.form(pointer) {
            Some(Form::Listed(list)) => Some(list),
            _ => None,
        })
    }

    async fn has_chunks(&self, chunks: &[Pointer]) -> Result<Vec<bool>> {
        let state = self.0.lock();
        Ok(chunks
            .iter()
            .map(|chunk| state.chunks.contains_key(chunk))
            .collect())
    }

    async fn put_chunk(&self, bytes: Bytes) -> Result<Pointer> {
        let len = chunk::check_len(bytes.len())?;
        let pointer = Pointer::of(&bytes);
        let mut state = self.0.lock();
        state.name_chunk(pointer, bytes);
        state.loose.push_back(Chunk { pointer, len });
        state.loose_bytes += u64::from(len);
        while state.loose_bytes > LOOSE_BYTES
            && let Some(oldest) = state.loose.pop_front()
        {
            state.loose_bytes -= u64::from(oldest.len);
            state.let_chunk_go(&oldest.pointer);
        }
        Ok(pointer)
    }

    async fn get_chunk(&self, chunk: &Pointer) -> Result<Bytes> {
        match self.0.lock().chunks.get(chunk) {
            Some((bytes, _)) => Ok(bytes.clone()),
            None => Err(no_chunk(chunk)),
        }
    }

    async fn put_list(&self, pointer: &Pointer, list: ChunkList) -> Result<()> {
        list.check()?;
        let mut whole = Hasher::new();
        let mut rows = Vec::with_capacity(list.0.len());
        for chunk in list.0 {
            let bytes = self.get_chunk(&chunk.pointer).await?;
            chunk.check_bytes(&bytes)?;
            whole.update(&bytes);
            rows.push((chunk, bytes));
        }
        if whole.finish() != *pointer {
            return Err(super::store::not_the_blob(pointer));
        }
        self.0.lock().put_listed(*pointer, rows);
        Ok(())
    }
}

impl RootStore for MemoryBlobs {
    async fn root(&self, name: &str) -> Result<Option<Pointer>> {
        check_root_name(name)?;
        Ok(self.0.lock().roots.get(name).copied())
    }

    async fn move_root(
        &self,
        name: &str,
        from: Option<Pointer>,
        to: Option<Pointer>,
    ) -> Result<()> {
        check_root_name(name)?;
        let mut state = self.0.lock();
        let current = state.roots.get(name).copied();
        if current != from && current != to {
            return Err(roots::moved(name, current));
        }
        match to {
            Some(to) => state.roots.insert(name.into(), to),
            None => state.roots.remove(name),
        };
        Ok(())
    }

    async fn roots(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Pointer)>> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.0.lock();
        Ok(state
            .roots
            .range::<str, _>((after, Bound::Unbounded))
            .take(limit.max(1))
            .map(|(name, pointer)| (name.clone(), *pointer))
            .collect())
    }
}
