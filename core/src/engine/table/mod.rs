//! Sorted tables: immutable trees of checksummed blocks, written once from the bottom up.
//!
//! Leaves hold keys and values, index blocks hold the first key of each child and a reference to
//! it; the blocks one level above the leaves carry a filter over the keys below them. Deleted
//! ranges have a block of their own. A table has each key at most once; its deleted ranges apply to
//! older tables only.

mod block;
mod cursor;
mod filter;
mod merge;
mod range;
mod writer;

pub(crate) use block::Block;
pub(crate) use cursor::{Cursor, check_filled, check_kind, child, value_of};
pub(crate) use merge::{Merge, Merged};
pub(crate) use range::{Ranges, union};
pub(crate) use writer::{ExtentWriter, LEAF_BYTES, TableWriter};

use super::{codec::Ref, extent::Extent};
use crate::sync::OnceLock;
use alloc::{sync::Arc, vec::Vec};

/// A table as the manifest knows it.
pub(crate) struct Table {
    pub root: Ref,
    /// Stays in memory once it was read: every look begins with it.
    pub root_block: OnceLock<Arc<Block>>,
    /// Levels above the leaves; 0 when the root is a leaf.
    pub height: u8,
    pub ranges: Option<Ref>,
    pub entries: u64,
    pub bytes: u64,
    pub extents: Vec<Extent>,
}
