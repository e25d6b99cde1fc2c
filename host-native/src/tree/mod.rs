//! Directory trees as blobs: one blob per file, per symbolic link and per directory, so that equal
//! files and equal subtrees are kept once, and one pointer names the whole tree.
//!
//! | file | what it does |
//! |---|---|
//! | `format` | one directory as bytes (`docs/tree.md`) |
//! | `name` | names that cannot lead out of their directory |
//! | `walk` | a directory on disk, in the order in which it is imported |
//! | `import` | disk to store |
//! | `export`, `write` | store to disk: the tree, and one entry of it |
//! | `lanes` | how many large files at once |
//! | `flush` | an export made durable |
//! | `compare` | two directories on disk, byte for byte |

mod compare;
mod export;
mod flush;
mod format;
mod import;
mod lanes;
mod name;
#[cfg(test)]
mod tests;
mod walk;
mod write;

pub use compare::{Compared, Difference, compare};
pub use export::{Existing, ExportOptions, Exported, export};
pub use format::{Directory, Entry, EntryKind};
pub use import::{ImportOptions, Imported, import};
pub use name::{Name, Shown, show_path};
pub use walk::{Measured, Selection, measure};

use littoral_core::Error;
use std::path::PathBuf;

/// Directories deeper than this are neither imported nor exported.
pub const MAX_DEPTH: usize = 512;

/// Files up to this many bytes are handled in one piece, larger ones as a stream.
const WHOLE: u64 = 1 << 20;

/// Something that was left out, and why; the rest went on.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Where, relative to the tree.
    pub path: PathBuf,
    /// Why.
    pub error: Error,
}

/// What has just been done, for whoever shows progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// One more file (or symbolic link) of this many bytes is done.
    File(u64),
    /// One more directory is done.
    Directory,
}
