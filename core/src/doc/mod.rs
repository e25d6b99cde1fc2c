//! One tree of values per store, changed by patches, with all its history.

mod apply;
mod binary;
mod compact;
mod diff;
mod documents;
mod entry;
mod history;
mod invert;
mod json;
mod keys;
mod load;
mod matching;
mod meta;
mod normal;
mod op;
mod op_json;
mod partial;
mod patch;
mod path;
mod pattern;
mod pointer;
mod read;
mod reader;
mod refusal;
mod retention;
mod rows;
mod scope;
mod slot;
mod syntax;
#[cfg(test)]
mod tests;
mod transaction;
mod transaction_rows;
mod value;
mod watch;
mod work;
mod work_ops;
mod write;

pub use apply::{apply, normalize};
pub use compact::Snapshot;
pub use diff::diff;
pub use documents::{Documents, Options};
pub use history::{Commit, History};
pub use invert::invert;
pub use matching::{Match, Order};
pub use op::{Op, Touch};
pub use patch::Patch;
pub use path::{Path, Relation, Step, ToPath};
pub use pattern::Pattern;
pub use refusal::Refused;
pub use retention::{Remove, Retention};
pub use scope::Scope;
pub use transaction::{Outcome, Transaction};
pub use value::{Float, MAX_DEPTH, MAX_NAME, Value, ValueKind};
pub use watch::{Event, Watch};

#[doc(hidden)]
pub use rows::fuzz;

use crate::{Error, Kind};

/// What is no document's value, path or patch at all.
fn refuse(what: &str) -> Error {
    Error::new(Kind::InvalidInput, what)
}
