//! A store without blobs.

use super::{BlobStore, Capabilities, Listed, Pointer, RootStore, Stat, store::not_found};
use super::{check_root_name, read_only::refused};
use crate::{Result, port::Body};
use alloc::{string::String, vec, vec::Vec};
use bytes::Bytes;
use core::ops::Range;

/// Has nothing and takes nothing: puts and deletes say `ReadOnly`. Stands where a remote could be and none is.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullBlobs;

impl BlobStore for NullBlobs {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            writable: false,
            ..Capabilities::new()
        }
    }

    async fn put(&self, _bytes: Bytes) -> Result<Pointer> {
        Err(refused())
    }

    async fn put_stream<B: Body>(&self, _body: B) -> Result<Pointer> {
        Err(refused())
    }

    async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        Err(not_found(pointer))
    }

    async fn get_range(&self, pointer: &Pointer, _range: Range<u64>) -> Result<Bytes> {
        Err(not_found(pointer))
    }

    async fn stat(&self, _pointer: &Pointer) -> Result<Option<Stat>> {
        Ok(None)
    }

    async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        Ok(vec![false; pointers.len()])
    }

    async fn delete(&self, _pointer: &Pointer) -> Result<bool> {
        Err(refused())
    }

    async fn list(&self, _after: Option<Pointer>, _limit: usize) -> Result<Vec<Listed>> {
        Ok(Vec::new())
    }
}

impl RootStore for NullBlobs {
    async fn root(&self, name: &str) -> Result<Option<Pointer>> {
        check_root_name(name)?;
        Ok(None)
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

    async fn roots(&self, _after: Option<&str>, _limit: usize) -> Result<Vec<(String, Pointer)>> {
        Ok(Vec::new())
    }
}
