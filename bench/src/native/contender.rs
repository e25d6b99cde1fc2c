//! What every contender can do: the few calls that the workloads are made of.

use crate::data::Key;
use anyhow::Result;
use bytes::Bytes;
use std::path::Path;

/// The three kinds of data, each of which a contender may keep its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// 200 bytes under a random key of 32 bytes.
    Records,
    /// Immutable bytes under their SHA-256.
    Blobs,
    /// 100 bytes under an ordered key of 16 bytes.
    Pairs,
}

/// An entry to read: its key, and for the floor, which has no index, its length (that of all
/// values in the table) and how many were put before it.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub key: &'a [u8],
    pub nth: usize,
    pub len: usize,
}

/// A store as its own users would set it up.
pub trait Contender: Sync {
    /// One word, as in `--only` and in the results.
    fn name(&self) -> &'static str;

    /// The workloads that it is not made for, and why.
    fn leaves_out(&self, _workload: &str) -> Option<&'static str> {
        None
    }

    /// Opens or makes the store in the directory `dir`.
    fn open(&self, dir: &Path) -> Result<Box<dyn Store>>;
}

/// An open store, shared by threads.
pub trait Store: Send + Sync {
    /// One record, durable (synced to the disk) on return.
    fn commit(&self, key: &[u8], value: Bytes) -> Result<()>;

    /// One blob, hashed here, durable on return.
    fn put(&self, value: Bytes) -> Result<Key>;

    /// Many blobs the fastest way there is, hashed here; all durable on return.
    fn load_blobs(&self, values: Vec<Bytes>) -> Result<()>;

    /// Many pairs the fastest way there is; all durable on return.
    fn load_pairs(&self, pairs: Vec<(Bytes, Bytes)>) -> Result<()>;

    /// Reads as of now, for one thread.
    fn reader(&self) -> Result<Box<dyn Reader + '_>>;

    /// Finishes background work and gives back what is not needed, as after a quiet hour.
    fn settle(&mut self) -> Result<()>;

    /// Ends it in good order.
    fn close(self: Box<Self>) -> Result<()>;
}

/// One thread's view.
pub trait Reader {
    /// Shows the value to `see`; whether it is there.
    fn get(&mut self, table: Table, entry: Entry, see: &mut dyn FnMut(&[u8])) -> Result<bool>;

    /// Shows every key and value in key order. The floor has no keys and shows empty ones.
    /// All values are `len` bytes long.
    fn scan(&mut self, table: Table, len: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()>;
}
