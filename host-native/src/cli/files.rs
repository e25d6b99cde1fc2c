//! Names that are on disk.

use std::{io, path::Path};

/// The folder that a file is in.
pub fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Puts a file's name on disk: that is once its folder is. Windows has no such call, and needs none.
pub fn sync_folder(file: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::fs::File::open(folder(file))?.sync_all()?;
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}
