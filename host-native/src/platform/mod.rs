//! What differs between operating systems, behind one API.
//!
//! | function | what it does |
//! |---|---|
//! | `read_exact_at` | reads a range into memory that was never written, without moving a cursor |
//! | `write_all_at` | writes parts one behind the other without moving a cursor |
//! | `set_len` | makes a file longer, taking the blocks at once where the system can, or shorter |
//! | `sync_data` | returns once the file's bytes and length survive power loss |
//! | `sync_directory` | returns once the names in a directory survive power loss |
//! | `is_still_at` | whether an open file is the one that a path names now |

#[cfg(unix)]
mod unix;

#[cfg(all(unix, not(target_vendor = "apple")))]
mod linux;
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(crate) use linux::*;

#[cfg(target_vendor = "apple")]
mod macos;
#[cfg(target_vendor = "apple")]
pub(crate) use macos::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;
