use super::{
    fetch::not_found,
    handle::{Environment, Pair, Remote},
    rows::{self, Queued, UNSETTLED},
};
use crate::{
    Result,
    blob::{BlobStore, Listed, Pointer, Stat},
    engine::{Direction, KeyRange},
    port::Volume,
};
use alloc::vec::Vec;
use bytes::Bytes;
use core::ops::Range;

/// Read access to the blobs that are not yet remote: those whose put slow has not acknowledged. Slow is never asked.
pub struct Buffer<V, S, E>(Pair<V, S, E>);

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// What is not yet remote.
    pub fn buffer(&self) -> Buffer<V, S, E> {
        Buffer(self.clone())
    }
}

impl<V: Volume, S: Remote, E: Environment> Buffer<V, S, E> {
    /// Whether the blob is not yet remote.
    ///
    /// # Errors
    /// `Closed`, and those of reading the store.
    pub async fn has(&self, pointer: &Pointer) -> Result<bool> {
        self.0.0.account.open_or_closed()?;
        let view = self.0.0.store.view();
        Ok(self.0.queued(&view, pointer).await?.put.is_some())
    }

    /// The blob's bytes.
    ///
    /// # Errors
    /// `NotFound` when it is not in the buffer; those of reading the store.
    pub async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        self.check(pointer).await?;
        self.0.0.fast.get(pointer).await
    }

    /// Bytes `range` of the blob, cut to its end.
    ///
    /// # Errors
    /// `NotFound` when it is not in the buffer; those of reading the store.
    pub async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        self.check(pointer).await?;
        self.0.0.fast.get_range(pointer, range).await
    }

    /// What is known of the blob, or `None` if it is not in the buffer.
    ///
    /// # Errors
    /// `Closed`, and those of reading the store.
    pub async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
        match self.has(pointer).await? {
            true => self.0.0.fast.stat(pointer).await,
            false => Ok(None),
        }
    }

    /// Up to `limit` blobs in pointer order behind `after`. An empty answer is the end.
    /// [`queue`](Pair::queue) lists them in the order of their uploads.
    ///
    /// # Errors
    /// `Closed`, and those of reading the store.
    pub async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
        self.0.0.account.open_or_closed()?;
        let range = match &after {
            Some(after) => KeyRange::after(after.as_bytes()),
            None => KeyRange::all(),
        };
        let view = self.0.0.store.view();
        let mut scan = view.scan(UNSETTLED, range, Direction::Forward);
        let mut page = Vec::new();
        while page.len() < limit
            && let Some(entry) = scan.next().await?
        {
            let queued = Queued::decode(&scan.value().await?)?;
            if queued.put.is_some() {
                page.push(Listed {
                    pointer: rows::blob_of(&entry.key)?,
                    size: queued.size,
                });
            }
        }
        Ok(page)
    }

    async fn check(&self, pointer: &Pointer) -> Result<()> {
        match self.has(pointer).await? {
            true => Ok(()),
            false => Err(not_found(pointer)),
        }
    }
}
