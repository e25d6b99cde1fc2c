//! Reading through a map of the file: no call of the system, and one copy of what it has cached.

use bytes::Bytes;
use memmap2::{MmapOptions, MmapRaw};
use std::{
    fs::File,
    io,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// The file is mapped in pieces, each when it is first read, also where the file does not reach yet:
/// nothing has to be mapped anew when it grows.
const SEGMENT: u64 = 1 << 30;
/// What lies behind the last piece is read as without a map.
const SEGMENTS: usize = 1024;
/// A longer read is mostly copying, and its pages would only swell the process.
const LONGEST: usize = 64 << 10;

pub(super) struct Map {
    /// Bytes of the file that are certainly there.
    len: AtomicU64,
    segments: Box<[OnceLock<Option<MmapRaw>>]>,
}

impl Map {
    pub(super) fn new(file: &File) -> io::Result<Self> {
        Ok(Map {
            len: AtomicU64::new(file.metadata()?.len()),
            segments: (0..SEGMENTS).map(|_| OnceLock::new()).collect(),
        })
    }

    /// The bytes, if they can be had this way.
    pub(super) fn read(&self, file: &File, offset: u64, len: usize) -> Option<Bytes> {
        let end = offset.checked_add(len as u64)?;
        if len > LONGEST || end > self.len.load(Ordering::Acquire) {
            return None;
        }
        let index = offset / SEGMENT;
        let within = offset % SEGMENT;
        if within + len as u64 > SEGMENT {
            return None;
        }
        let segment = self
            .segments
            .get(index as usize)?
            .get_or_init(|| map(file, index))
            .as_ref()?;
        let mut bytes = Vec::with_capacity(len);
        // SAFETY: the range lies in the segment, as was just checked, and in the file: `len` is lowered before
        // the file is cut, and nobody but the holder of the file's lock cuts it. The store cuts only what nobody
        // reads any more, and writes only to ranges that nobody reads. The vector has room for `len` bytes.
        unsafe {
            let from = segment.as_ptr().add(within as usize);
            std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), len);
            bytes.set_len(len);
        }
        Some(bytes.into())
    }

    /// The file is going to be `len` bytes long.
    pub(super) fn will_be(&self, len: u64) {
        self.len.fetch_min(len, Ordering::AcqRel);
    }

    /// The file is `len` bytes long.
    pub(super) fn is(&self, len: u64) {
        self.len.store(len, Ordering::Release);
    }
}

/// A piece of the file; `None` where the system does not give one.
fn map(file: &File, index: u64) -> Option<MmapRaw> {
    MmapOptions::new()
        .offset(index * SEGMENT)
        .len(SEGMENT as usize)
        .map_raw_read_only(file)
        .ok()
}

#[cfg(test)]
mod tests {
    use crate::{FileOptions, block_on, core::port::Volume};
    use bytes::Bytes;

    #[test]
    fn a_mapped_read_sees_every_write_growth_and_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let volume = FileOptions::new().map_reads().open(path).unwrap();
        block_on(async {
            assert!(volume.read_at(0, 1).await.is_err());
            volume.set_len(3 << 20).await.unwrap();
            assert_eq!(volume.read_at(1 << 20, 4).await.unwrap(), &[0; 4][..]);
            for round in 0..3u8 {
                let bytes = Bytes::from(vec![round; 5000]);
                volume.write_at(1 << 20, bytes.clone()).await.unwrap();
                assert_eq!(volume.read_at(1 << 20, 5000).await.unwrap(), bytes);
            }
            volume.set_len(1 << 20).await.unwrap();
            let error = volume.read_at(1 << 20, 4).await.unwrap_err();
            assert_eq!(error.kind(), crate::core::Kind::OutOfRange);
            let error = volume.read_at((1 << 20) - 2, 4).await.unwrap_err();
            assert_eq!(error.kind(), crate::core::Kind::OutOfRange);
            assert_eq!(volume.read_at((1 << 20) - 4, 4).await.unwrap().len(), 4);
            volume.set_len(2 << 20).await.unwrap();
            assert_eq!(volume.read_at(1 << 20, 4).await.unwrap(), &[0; 4][..]);
        });
    }

    #[test]
    fn what_crosses_two_pieces_of_the_map_is_read_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let volume = FileOptions::new().map_reads().open(&path).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        // Sparse, and behind what the volume knows of: it asks the system.
        file.set_len(super::SEGMENT + 100).unwrap();
        let far = block_on(volume.read_at(super::SEGMENT - 50, 100)).unwrap();
        assert_eq!(far, &[0; 100][..]);
        block_on(volume.set_len(super::SEGMENT + 200)).unwrap();
        let near = Bytes::from_static(b"across");
        block_on(volume.write_at(super::SEGMENT - 3, near.clone())).unwrap();
        let read = block_on(volume.read_at(super::SEGMENT - 3, 6)).unwrap();
        assert_eq!(read, near);
    }
}
