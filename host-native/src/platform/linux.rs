//! Linux, and other systems where `fdatasync` reaches the medium.

use std::{fs::File, io, path::Path};

pub(crate) use super::unix::{is_still_at, read_exact_at, write_all_at};

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
        use rustix::{
            fs::{FallocateFlags, fallocate},
            io::Errno,
        };
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
