use super::Volume;
use crate::{Error, Kind, Result, sync::Mutex};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;
use core::ops::Range;

/// A volume in memory: for tests, examples and stores that are meant to be forgotten.
///
/// Clones share the bytes, so that a test can reopen "the same file".
#[derive(Clone, Debug, Default)]
pub struct MemoryVolume(Arc<Mutex<Vec<u8>>>);

impl MemoryVolume {
    /// An empty volume.
    pub fn new() -> Self {
        Self::default()
    }

    /// A volume that holds `bytes`, such as a store file that was read whole.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        MemoryVolume(Arc::new(Mutex::new(bytes)))
    }

    /// A copy of what is in it.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.lock().clone()
    }
}

impl Volume for MemoryVolume {
    async fn len(&self) -> Result<u64> {
        Ok(self.0.lock().len() as u64)
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        let len = usize::try_from(len).map_err(|_| no_room(len))?;
        let mut bytes = self.0.lock();
        if let Some(more) = len.checked_sub(bytes.len()) {
            bytes.try_reserve(more).map_err(|_| no_room(len as u64))?;
        }
        bytes.resize(len, 0);
        Ok(())
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        let bytes = self.0.lock();
        usize::try_from(offset)
            .ok()
            .and_then(|start| bytes.get(start..start.checked_add(len)?))
            .map(Bytes::copy_from_slice)
            .ok_or_else(|| {
                Error::new(
                    Kind::OutOfRange,
                    alloc::format!(
                        "read of {len} bytes at {offset} of a volume of {}",
                        bytes.len()
                    ),
                )
            })
    }

    async fn write_at(&self, offset: u64, data: Bytes) -> Result<()> {
        let end = offset
            .checked_add(data.len() as u64)
            .ok_or_else(|| no_room(u64::MAX))?;
        if end > self.len().await? {
            self.set_len(end).await?;
        }
        let mut bytes = self.0.lock();
        let start = usize::try_from(offset).map_err(|_| no_room(end))?;
        match bytes.get_mut(start..start + data.len()) {
            Some(target) => {
                target.copy_from_slice(&data);
                Ok(())
            }
            None => Err(no_room(end)),
        }
    }

    async fn discard(&self, _range: Range<u64>) -> Result<()> {
        Ok(())
    }

    async fn sync(&self) -> Result<()> {
        Ok(())
    }
}

fn no_room(len: u64) -> Error {
    Error::new(
        Kind::Quota,
        alloc::format!("no memory for a volume of {len} bytes"),
    )
}
