//! What a store must be: a plain map, a list of commits with what was promised of each, and
//! everything that readers were told. [`Model::settle`] is the oracle.

mod history;
mod observed;
mod replay;
mod settle;

pub use history::{Called, Change, Commit, Fate, Model, Requirement};
pub use observed::{Observed, Seen, difference};
pub use settle::{Damaged, End, Recovered};

use bytes::Bytes;
use std::collections::BTreeMap;

/// Space and key.
pub type Key = (u8, Bytes);

/// Every key and its value.
pub type State = BTreeMap<Key, Bytes>;

/// The space in which every commit of the simulation leaves its own mark, so that it is known afterwards
/// which of those in flight happened.
pub const LEDGER: u8 = 0x9f;

/// The mark of this commit.
pub fn mark_of(id: u64) -> Key {
    (LEDGER, Bytes::copy_from_slice(&id.to_be_bytes()))
}
