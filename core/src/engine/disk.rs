//! The device, who owns which part of it, and the cache of what was read: what tables and packs are written to.

use super::{
    cache::Cache,
    codec::{Ref, align},
    device::Device,
    extent::{Claim, Extent, PAGE, Space, Unused},
    table::Block,
};
use crate::{Damage, Error, Kind, Result, port::Volume};
use alloc::sync::Arc;

/// The file grows by at least this much at once, and by at most `MAX_GROWTH`.
const MIN_GROWTH: u64 = 1 << 20;
const MAX_GROWTH: u64 = 64 << 20;

pub(crate) struct Disk<V> {
    pub device: Device<V>,
    pub space: Arc<Space>,
    pub cache: Cache,
    /// Held while the file's length changes.
    resizing: async_lock::Mutex<()>,
    max_size: u64,
}

impl<V: Volume> Disk<V> {
    pub(crate) fn new(device: Device<V>, space: Arc<Space>, cache: usize, max_size: u64) -> Self {
        Disk {
            device,
            space,
            cache: Cache::new(cache),
            resizing: async_lock::Mutex::new(()),
            max_size,
        }
    }

    /// An extent of `len` bytes or a little more, making the file longer when it must.
    ///
    /// # Errors
    /// `Quota`; nothing was changed then.
    pub(crate) async fn take(&self, len: u64, claim: Claim) -> Result<Extent> {
        if let Some(extent) = self.space.take(len, claim) {
            return Ok(extent);
        }
        let resizing = self.resizing.lock().await;
        loop {
            if let Some(extent) = self.space.take(len, claim) {
                return Ok(extent);
            }
            let needed = self.space.needed_len(len, claim);
            match self.grow_locked(&resizing, needed).await {
                Err(error) if error.kind() == Kind::Quota && self.use_again().await? => {}
                grown => grown?,
            }
        }
    }

    /// Makes the file longer, so that its end has room for `len` bytes.
    pub(crate) async fn grow(&self, len: u64) -> Result<()> {
        let resizing = self.resizing.lock().await;
        let needed = self.space.needed_len(len, Claim::Spare);
        self.grow_locked(&resizing, needed).await
    }

    /// Makes the file so long that a checkpoint finds `room` bytes.
    ///
    /// # Errors
    /// `Quota`; nothing was changed then.
    pub(crate) async fn make_room(&self, room: u64) -> Result<()> {
        let resizing = self.resizing.lock().await;
        loop {
            let needed = self.space.len_with(room);
            if needed <= self.space.usage().0 {
                return Ok(());
            }
            match self.grow_locked(&resizing, needed).await {
                Err(error) if error.kind() == Kind::Quota && self.use_again().await? => {}
                grown => return grown,
            }
        }
    }

    /// Frees what was taken for something that came to nothing. Whether there was any of it.
    async fn use_again(&self) -> Result<bool> {
        let unused = self.space.unused();
        if unused.next().is_none() {
            return Ok(false);
        }
        self.device.sync().await?;
        self.free(unused).await?;
        Ok(true)
    }

    /// Frees what a sync has covered that began when it was unused. Each range is free once it is discarded: whoever drops this again and
    /// again half-way gets on all the same.
    pub(crate) async fn free(&self, mut unused: Unused) -> Result<()> {
        while let Some(range) = unused.next() {
            self.device.discard(range).await?;
            unused.release();
        }
        Ok(())
    }

    async fn grow_locked(
        &self,
        _resizing: &async_lock::MutexGuard<'_, ()>,
        needed: u64,
    ) -> Result<()> {
        let (now, _) = self.space.usage();
        if needed > self.max_size {
            return Err(Error::new(
                Kind::Quota,
                alloc::format!(
                    "the store would grow to {needed} bytes, its limit is {}",
                    self.max_size
                ),
            ));
        }
        let step = align((now / 64).clamp(MIN_GROWTH, MAX_GROWTH), PAGE);
        let mut target = needed
            .max(now.saturating_add(step))
            .min(self.max_size.max(needed));
        if self.device.set_len(target).await.is_err() {
            // Not so much: then just what is needed.
            target = needed;
            self.device.set_len(needed).await?;
        }
        self.space.grown(target);
        Ok(())
    }

    /// Cuts off what is free at the file's end, behind `least`: the length that the durable superblock
    /// knows. So whatever length the file is given meanwhile or later, none is too short for it.
    pub(crate) async fn cut(&self, least: u64) -> Result<()> {
        let _resizing = self.resizing.lock().await;
        let len = self.space.cut_tail(least);
        self.device.set_len(len).await
    }

    /// A table's block, from the cache or the file.
    pub(crate) async fn block(&self, at: &Ref) -> Result<Arc<Block>> {
        if let Some(block) = self.cache.find(at) {
            return Ok(block);
        }
        let block = parse_block(self.device.read_ref(at, "a table block").await?, at)?;
        self.cache.insert(*at, block.clone());
        Ok(block)
    }
}

pub(crate) fn parse_block(bytes: bytes::Bytes, at: &Ref) -> Result<Arc<Block>> {
    Block::parse(bytes).map_err(|error| {
        Error::corrupt(Damage::new(at.offset..at.end(), "a table block")).with_source(error)
    })
}
