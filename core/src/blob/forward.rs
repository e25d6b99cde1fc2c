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

            fn put(&self, bytes: Bytes) -> impl Future<Output = Result<Pointer>> {
                T::put(self, bytes)
            }

            fn put_stream<B: Body>(&self, body: B) -> impl Future<Output = Result<Pointer>> {
                T::put_stream(self, body)
            }

            fn get(&self, pointer: &Pointer) -> impl Future<Output = Result<Bytes>> {
                T::get(self, pointer)
            }

            fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> impl Future<Output = Result<Bytes>> {
                T::get_range(self, pointer, range)
            }

            fn stat(&self, pointer: &Pointer) -> impl Future<Output = Result<Option<Stat>>> {
                T::stat(self, pointer)
            }

            fn has(&self, pointers: &[Pointer]) -> impl Future<Output = Result<Vec<bool>>> {
                T::has(self, pointers)
            }

            fn delete(&self, pointer: &Pointer) -> impl Future<Output = Result<bool>> {
                T::delete(self, pointer)
            }

            fn list(&self, after: Option<Pointer>, limit: usize) -> impl Future<Output = Result<Vec<Listed>>> {
                T::list(self, after, limit)
            }

            fn chunks(&self, pointer: &Pointer) -> impl Future<Output = Result<Option<ChunkList>>> {
                T::chunks(self, pointer)
            }

            fn has_chunks(&self, chunks: &[Pointer]) -> impl Future<Output = Result<Vec<bool>>> {
                T::has_chunks(self, chunks)
            }

            fn put_chunk(&self, bytes: Bytes) -> impl Future<Output = Result<Pointer>> {
                T::put_chunk(self, bytes)
            }

            fn get_chunk(&self, chunk: &Pointer) -> impl Future<Output = Result<Bytes>> {
                T::get_chunk(self, chunk)
            }

            fn put_list(&self, pointer: &Pointer, list: ChunkList) -> impl Future<Output = Result<()>> {
                T::put_list(self, pointer, list)
            }
        }

        impl<T: RootStore> RootStore for $outer {
            fn root(&self, name: &str) -> impl Future<Output = Result<Option<Pointer>>> {
                T::root(self, name)
            }

            fn move_root(
                &self,
                name: &str,
                from: Option<Pointer>,
                to: Option<Pointer>,
            ) -> impl Future<Output = Result<()>> {
                T::move_root(self, name, from, to)
            }

            fn roots(
                &self,
                after: Option<&str>,
                limit: usize,
            ) -> impl Future<Output = Result<Vec<(String, Pointer)>>> {
                T::roots(self, after, limit)
            }
        }
    )*};
}

forward!(&T, Arc<T>);
