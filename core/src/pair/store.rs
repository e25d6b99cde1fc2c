//! A pair is itself a store of blobs and of roots.

use super::handle::{Environment, Pair, Remote};
use crate::{
    Result,
    blob::{BlobStore, Capabilities, Listed, Pointer, RootStore, Stat},
    engine::Durability,
    port::{Body, Volume},
};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::ops::Range;

/// Fast and slow as one. A put returns once it is durable here.
impl<V: Volume, S: Remote, E: Environment> BlobStore for Pair<V, S, E> {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            writable: self.0.options.queue.is_some(),
            ..Capabilities::new()
        }
    }

    async fn put(&self, bytes: Bytes) -> Result<Pointer> {
        Ok(self.put(bytes).await?.pointer())
    }

    async fn put_stream<B: Body>(&self, body: B) -> Result<Pointer> {
        Ok(self.put_stream(body).await?.pointer())
    }

    fn get(&self, pointer: &Pointer) -> impl Future<Output = Result<Bytes>> {
        self.get(pointer)
    }

    fn get_range(
        &self,
        pointer: &Pointer,
        range: Range<u64>,
    ) -> impl Future<Output = Result<Bytes>> {
        self.get_range(pointer, range)
    }

    fn stat(&self, pointer: &Pointer) -> impl Future<Output = Result<Option<Stat>>> {
        self.stat(pointer)
    }

    async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        let has = self.has(pointers).await?;
        // A yes is worth what the answer to a put is.
        if has.contains(&true) && self.options().durability >= Durability::Strict {
            self.make_durable().await?;
        }
        Ok(has)
    }

    fn delete(&self, pointer: &Pointer) -> impl Future<Output = Result<bool>> {
        self.delete(pointer)
    }

    fn list(
        &self,
        after: Option<Pointer>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Listed>>> {
        self.list(after, limit)
    }
}

/// Roots as they are here.
impl<V: Volume, S: Remote, E: Environment> RootStore for Pair<V, S, E> {
    fn root(&self, name: &str) -> impl Future<Output = Result<Option<Pointer>>> {
        self.root(name)
    }

    async fn move_root(
        &self,
        name: &str,
        from: Option<Pointer>,
        to: Option<Pointer>,
    ) -> Result<()> {
        self.move_root(name, from, to).await.map(drop)
    }

    fn roots(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(String, Pointer)>>> {
        self.roots(after, limit)
    }
}
