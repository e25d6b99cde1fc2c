//! A store that can only be read.

use super::{
    BlobStore, Capabilities, ChunkList, Listed, Pointer, RootStore, Stat, check_root_name,
};
use crate::{Error, Kind, Result, port::Body};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::ops::Range;

/// Reads of another store; every write says `ReadOnly` and does not reach it.
#[derive(Clone, Debug)]
pub struct ReadOnlyBlobs<S>(S);

impl<S> ReadOnlyBlobs<S> {
    /// Reads of `store`.
    pub fn new(store: S) -> Self {
        ReadOnlyBlobs(store)
    }

    /// The store itself.
    pub fn into_inner(self) -> S {
        self.0
    }
}

pub(super) fn refused() -> Error {
    Error::new(Kind::ReadOnly, "this store takes no writes")
}

impl<S: BlobStore> BlobStore for ReadOnlyBlobs<S> {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            writable: false,
            ..self.0.capabilities()
        }
    }

    fn moved(&self) -> u64 {
        self.0.moved()
    }

    async fn put(&self, _bytes: Bytes) -> Result<Pointer> {
        Err(refused())
    }

    async fn put_stream<B: Body>(&self, _body: B) -> Result<Pointer> {
        Err(refused())
    }

    async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        self.0.get(pointer).await
    }

    async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        self.0.get_range(pointer, range).await
    }

    async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
        self.0.stat(pointer).await
    }

    async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        self.0.has(pointers).await
    }

    async fn delete(&self, _pointer: &Pointer) -> Result<bool> {
        Err(refused())
    }

    async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
        self.0.list(after, limit).await
    }

    async fn chunks(&self, pointer: &Pointer) -> Result<Option<ChunkList>> {
        self.0.chunks(pointer).await
    }

    async fn has_chunks(&self, chunks: &[Pointer]) -> Result<Vec<bool>> {
        self.0.has_chunks(chunks).await
    }

    async fn put_chunk(&self, _bytes: Bytes) -> Result<Pointer> {
        Err(refused())
    }

    async fn get_chunk(&self, chunk: &Pointer) -> Result<Bytes> {
        self.0.get_chunk(chunk).await
    }

    async fn put_list(&self, _pointer: &Pointer, _list: ChunkList) -> Result<()> {
        Err(refused())
    }
}

impl<S: RootStore> RootStore for ReadOnlyBlobs<S> {
    async fn root(&self, name: &str) -> Result<Option<Pointer>> {
        self.0.root(name).await
    }

    async fn move_root(
        &self,
        name: &str,
        _from: Option<Pointer>,
        _to: Option<Pointer>,
    ) -> Result<()> {
        check_root_name(name)?;
        Err(refused())
    }

    async fn roots(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Pointer)>> {
        self.0.roots(after, limit).await
    }
}
