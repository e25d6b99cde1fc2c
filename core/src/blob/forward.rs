//! A reference to a store, or a shared one, is a store.

use super::{BlobStore, Capabilities, ChunkList, Listed, Pointer, RootStore, Stat};
use crate::{Result, port::Body};
use alloc::{string::String, sync::Arc, vec::Vec};
use bytes::Bytes;
use core::ops::Range;

macro_rules! forward {
    ($($outer:ty),*) => {$(
        impl<T: BlobStore> BlobStore for $outer {
            fn capabilities(&self) -> Capabilities {
                T::capabilities(self)
            }

            fn moved(&self) -> u64 {
                T::moved(self)
            }

            async fn put(&self, bytes: Bytes) -> Result<Pointer> {
                T::put(self, bytes).await
            }

            async fn put_stream<B: Body>(&self, body: B) -> Result<Pointer> {
                T::put_stream(self, body).await
            }

            async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
                T::get(self, pointer).await
            }

            async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
                T::get_range(self, pointer, range).await
            }

            async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
                T::stat(self, pointer).await
            }

            async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
                T::has(self, pointers).await
            }

            async fn delete(&self, pointer: &Pointer) -> Result<bool> {
                T::delete(self, pointer).await
            }

            async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
                T::list(self, after, limit).await
            }

            async fn chunks(&self, pointer: &Pointer) -> Result<Option<ChunkList>> {
                T::chunks(self, pointer).await
            }

            async fn has_chunks(&self, chunks: &[Pointer]) -> Result<Vec<bool>> {
                T::has_chunks(self, chunks).await
            }

            async fn put_chunk(&self, bytes: Bytes) -> Result<Pointer> {
                T::put_chunk(self, bytes).await
            }

            async fn get_chunk(&self, chunk: &Pointer) -> Result<Bytes> {
                T::get_chunk(self, chunk).await
            }

            async fn put_list(&self, pointer: &Pointer, list: ChunkList) -> Result<()> {
                T::put_list(self, pointer, list).await
            }
        }

        impl<T: RootStore> RootStore for $outer {
            async fn root(&self, name: &str) -> Result<Option<Pointer>> {
                T::root(self, name).await
            }

            async fn move_root(
                &self,
                name: &str,
                from: Option<Pointer>,
                to: Option<Pointer>,
            ) -> Result<()> {
                T::move_root(self, name, from, to).await
            }

            async fn roots(
                &self,
                after: Option<&str>,
                limit: usize,
            ) -> Result<Vec<(String, Pointer)>> {
                T::roots(self, after, limit).await
            }
        }
    )*};
}

forward!(&T, Arc<T>);
