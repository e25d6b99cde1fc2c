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
