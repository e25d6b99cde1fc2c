//! Windows.

use bytes::Bytes;
use std::{fs::File, io, os::windows::fs::FileExt, path::Path};

pub(crate) fn read_exact_at(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len)?;
    bytes.resize(len, 0);
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = offset
            .checked_add(done as u64)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        match file.seek_read(rest, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

pub(crate) fn write_all_at(file: &File, mut offset: u64, parts: &[Bytes]) -> io::Result<()> {
    for part in parts {
        let mut rest = part.as_ref();
        while !rest.is_empty() {
            match file.seek_write(rest, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// `FlushFileBuffers`.
pub(crate) fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// NTFS journals names itself, and a directory cannot be flushed without administrator's rights.
pub(crate) fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// A locked file cannot be replaced or removed here while it is open.
pub(crate) fn is_still_at(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

pub(crate) fn set_len(file: &File, len: u64) -> io::Result<()> {
    file.set_len(len)
}
