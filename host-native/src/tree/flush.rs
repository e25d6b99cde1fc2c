//! Everything that was written beneath a directory, on disk: once at the end, as one sync per file
//! would take longer than writing them.

use cap_std::fs::Dir;
use std::{io, sync::Arc};

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn flush(top: &Arc<Dir>) -> io::Result<()> {
    // The handle itself is only a path (`O_PATH`), which cannot be synced.
    Ok(rustix::fs::syncfs(top.open(".")?)?)
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(super) fn flush(_top: &Arc<Dir>) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

/// Windows flushes a volume only for administrators, so each file is flushed.
#[cfg(windows)]
pub(super) fn flush(top: &Arc<Dir>) -> io::Result<()> {
    use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
    let mut options = cap_std::fs::OpenOptions::new();
    options.write(true).follow(FollowSymlinks::No);
    let mut stack = vec![Arc::clone(top)];
    while let Some(dir) = stack.pop() {
        for entry in dir.entries()? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                stack.push(Arc::new(dir.open_dir_nofollow(entry.file_name())?));
            } else if kind.is_file() {
                dir.open_with(entry.file_name(), &options)?.sync_all()?;
            }
        }
    }
    Ok(())
}
