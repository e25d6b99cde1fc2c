//! Linux, and other systems where `fdatasync` reaches the medium.

use bytes::Bytes;
use rustix::io::Errno;
use std::{
    fs::File,
    io::{self, IoSlice},
    path::Path,
};

pub(crate) use super::unix::{is_still_at, read_exact_at};

/// Parts that one call takes: `IOV_MAX`.
const MOST_PARTS: usize = 1024;

/// Writes of at least this many bytes are on their way to the medium at once, not only when they are synced.
#[cfg(target_os = "linux")]
const LONG: usize = 256 << 10;

pub(crate) fn write_all_at(file: &File, offset: u64, parts: &[Bytes]) -> io::Result<()> {
    let mut at = offset;
    for parts in parts.chunks(MOST_PARTS) {
        let mut slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut rest = slices.as_mut_slice();
        // Empty ones are not written: that would come back as "nothing could be".
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match rustix::io::pwritev(file, rest, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    at += count as u64;
                    IoSlice::advance_slices(&mut rest, count);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    #[cfg(target_os = "linux")]
    if at - offset >= LONG as u64 {
        start_writeback(file, offset, at - offset);
    }
    Ok(())
}

/// Lets the medium work while the next bytes are being made. A hint: what fails here is told by the sync.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn start_writeback(file: &File, offset: u64, len: u64) {
    use std::os::fd::AsRawFd;
    let (Ok(offset), Ok(len)) = (offset.try_into(), len.try_into()) else {
        return;
    };
    // SAFETY: the call takes numbers alone, and the descriptor is open for as long as `file` is borrowed.
    unsafe { libc::sync_file_range(file.as_raw_fd(), offset, len, libc::SYNC_FILE_RANGE_WRITE) };
}

/// `fdatasync`: the bytes, and the length if it changed, but not the time of the last write.
pub(crate) fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()
}

pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes the file longer with blocks that are taken now: a full disk is told here, where nothing
/// is lost by it, and not by a later write. Or makes it shorter.
pub(crate) fn set_len(file: &File, len: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Some(more) = len
        .checked_sub(file.metadata()?.len())
        .filter(|more| *more > 0)
    {
        use rustix::fs::{FallocateFlags, fallocate};
        match fallocate(file, FallocateFlags::empty(), len - more, more) {
            Ok(()) => return Ok(()),
            // A file system that cannot: the file is made longer without blocks.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => {}
            Err(error) => {
                file.set_len(len - more)?;
                return Err(error.into());
            }
        }
    }
    file.set_len(len)
}
