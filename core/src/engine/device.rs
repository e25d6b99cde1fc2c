//! The volume as the engine uses it: reads always, writes until the first one that fails.

use super::{
    codec::{Ref, verifies},
    superblock::{LOGS, SLOT},
};
use crate::{Damage, Error, Kind, Result, port::Volume, sync::Mutex};
use alloc::vec::Vec;
use bytes::Bytes;
use core::ops::Range;

/// What stands where a superblock belongs as long as a backup is not whole.
pub(crate) const UNFINISHED: &[u8] = b"Littoral backup, unfinished\n";

/// After a write or sync has failed nothing is known of what was written, and a later sync may
/// succeed without it (Rebello et al., ATC'20). So the first failure is latched: the volume is not
/// written or synced again until the store is opened anew.
pub(crate) struct Device<V> {
    volume: V,
    failed: Mutex<Option<Error>>,
    /// The superblocks of a backup that is not whole: they are written last.
    held: Option<Mutex<Vec<u8>>>,
    #[cfg(feature = "sabotage")]
    pub(crate) sabotage: Option<super::Sabotage>,
}

impl<V: Volume> Device<V> {
    pub(crate) fn new(volume: V) -> Self {
        Device {
            volume,
            failed: Mutex::new(None),
            held: None,
            #[cfg(feature = "sabotage")]
            sabotage: None,
        }
    }

    /// One whose superblocks come last: whatever ends a backup early, what it leaves is no store.
    pub(crate) fn unfinished(volume: V) -> Self {
        Device {
            held: Some(Mutex::new(alloc::vec![0; LOGS as usize])),
            ..Device::new(volume)
        }
    }

    /// Writes the superblocks that were held back.
    pub(crate) async fn finish(&self) -> Result<()> {
        let Some(held) = &self.held else {
            return Ok(());
        };
        self.volume.sync().await?;
        let slots = Bytes::from(core::mem::take(&mut *held.lock()));
        for slot in [0, SLOT] {
            self.volume.discard(slot..slot + SLOT).await?;
            let bytes = slots.slice(slot as usize..(slot + SLOT) as usize);
            self.volume.write_at(slot, bytes).await?;
            self.volume.sync().await?;
        }
        Ok(())
    }

    /// Why writes fail, if they do.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.failed.lock().clone()
    }

    pub(crate) fn len(&self) -> impl Future<Output = Result<u64>> {
        self.volume.len()
    }

    pub(crate) async fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        let bytes = self.volume.read_at(offset, len).await?;
        if bytes.len() != len {
            return Err(Error::new(
                Kind::OutOfRange,
                alloc::format!("the volume returned {} of {len} bytes", bytes.len()),
            ));
        }
        Ok(bytes)
    }

    /// The bytes behind a reference, checked.
    pub(crate) async fn read_ref(&self, at: &Ref, what: &str) -> Result<Bytes> {
        let bytes = match self.read(at.offset, at.len as usize).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == Kind::OutOfRange => {
                return Err(
                    Error::corrupt(Damage::new(at.offset..at.end(), what)).with_source(error)
                );
            }
            Err(error) => return Err(error),
        };
        if !verifies(0, &bytes, at.checksum) && !self.ignores_checksums() {
            return Err(Error::corrupt(Damage::new(at.offset..at.end(), what)));
        }
        Ok(bytes)
    }

    pub(crate) async fn write(&self, offset: u64, bytes: Bytes) -> Result<()> {
        self.alive()?;
        if let Some(slots) = self.held(offset) {
            return hold(&mut slots.lock(), offset, &bytes);
        }
        self.latch(self.volume.write_at(offset, bytes).await)
    }

    /// Several, one behind the other.
    pub(crate) async fn write_parts(&self, offset: u64, parts: Vec<Bytes>) -> Result<()> {
        self.alive()?;
        self.latch(self.volume.write_parts_at(offset, parts).await)
    }

    /// A write to bytes that nothing refers to yet. A full disk is an error here, and no more.
    pub(crate) async fn write_fresh(&self, offset: u64, bytes: Bytes) -> Result<()> {
        self.alive()?;
        if let Some(slots) = self.held(offset) {
            return hold(&mut slots.lock(), offset, &bytes);
        }
        match self.volume.write_at(offset, bytes).await {
            Err(error) if error.kind() == Kind::Quota => Err(error),
            result => self.latch(result),
        }
    }

    pub(crate) async fn sync(&self) -> Result<()> {
        self.alive()?;
        #[cfg(feature = "sabotage")]
        if self.sabotage == Some(super::Sabotage::NoSync) {
            return Ok(());
        }
        self.latch(self.volume.sync().await)?;
        // One of two syncs at a time may be told of a failure that took the data of both.
        self.alive()
    }

    /// Lets commits that are about to come join the group.
    pub(crate) async fn gather(&self) {
        self.volume.gather().await;
    }

    pub(crate) async fn set_len(&self, len: u64) -> Result<()> {
        self.alive()?;
        if self.held.is_none() || len == 0 {
            return self.volume.set_len(len).await;
        }
        if self.volume.len().await? == 0 {
            let mark = Bytes::from_static(UNFINISHED);
            self.volume.write_at(0, mark).await?;
        }
        // The mark stays whole.
        self.volume.set_len(len.max(UNFINISHED.len() as u64)).await
    }

    pub(crate) async fn discard(&self, range: Range<u64>) -> Result<()> {
        self.alive()?;
        if self.held(range.start).is_some() {
            return Ok(());
        }
        self.latch(self.volume.discard(range).await)
    }

    fn held(&self, offset: u64) -> Option<&Mutex<Vec<u8>>> {
        self.held.as_ref().filter(|_| offset < LOGS)
    }

    fn alive(&self) -> Result<()> {
        match &*self.failed.lock() {
            Some(cause) => Err(poisoned(cause)),
            None => Ok(()),
        }
    }

    fn latch(&self, result: Result<()>) -> Result<()> {
        result.map_err(|error| {
            let mut failed = self.failed.lock();
            poisoned(failed.get_or_insert(error))
        })
    }

    #[cfg(feature = "sabotage")]
    fn ignores_checksums(&self) -> bool {
        self.sabotage == Some(super::Sabotage::ChecksumIgnored)
    }

    /// Broken on purpose: every round of the log has the same salt.
    #[cfg(feature = "sabotage")]
    pub(crate) fn takes_stale_logs(&self) -> bool {
        self.sabotage == Some(super::Sabotage::StaleLogAccepted)
    }

    #[cfg(not(feature = "sabotage"))]
    pub(crate) fn takes_stale_logs(&self) -> bool {
        false
    }

    #[cfg(not(feature = "sabotage"))]
    fn ignores_checksums(&self) -> bool {
        false
    }
}

fn hold(slots: &mut [u8], offset: u64, bytes: &[u8]) -> Result<()> {
    let place = slots.get_mut(offset as usize..).unwrap_or_default();
    match place.get_mut(..bytes.len()) {
        Some(place) => {
            place.copy_from_slice(bytes);
            Ok(())
        }
        None => Err(Error::new(
            Kind::OutOfRange,
            "a write across the superblocks' end",
        )),
    }
}

pub(crate) fn poisoned(cause: &Error) -> Error {
    Error::new(
        Kind::Poisoned,
        alloc::format!(
            "an earlier write or sync failed ({cause}); reads go on, open the store again to write"
        ),
    )
    .with_source(cause.clone())
}
