//! macOS, where `fsync` only reaches the drive's cache.

use bytes::Bytes;
use rustix::io::Errno;
use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

pub(crate) use super::unix::{is_still_at, read_exact_at};

pub(crate) fn write_all_at(file: &File, mut offset: u64, parts: &[Bytes]) -> io::Result<()> {
    for part in parts {
        file.write_all_at(part, offset)?;
        offset += part.len() as u64;
    }
    Ok(())
}

/// `F_FULLFSYNC`: through the drive's cache. Network file systems do not know it; they get `fsync`.
pub(crate) fn sync_data(file: &File) -> io::Result<()> {
    match rustix::fs::fcntl_fullfsync(file) {
        Err(Errno::NOTSUP | Errno::NOTTY | Errno::INVAL) => Ok(rustix::fs::fsync(file)?),
        result => Ok(result?),
    }
}

pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    sync_data(&File::open(path)?)
}

pub(crate) fn set_len(file: &File, len: u64) -> io::Result<()> {
    file.set_len(len)
}
