//! One tree of values per store, changed by patches, with all its history.

mod apply;
mod binary;
mod diff;
mod invert;
mod json;
mod matching;
mod normal;
mod op;
mod patch;
mod path;
mod pattern;
mod pointer;
mod refusal;
mod syntax;
#[cfg(test)]
mod tests;
mod value;

pub use apply::{apply, normalize};
pub use diff::diff;
pub use invert::invert;
pub use matching::{Match, Order};
pub use op::{Op, Touch};
pub use patch::Patch;
pub use path::{Path, Relation, Step, ToPath};
pub use pattern::Pattern;
pub use refusal::Refused;
pub use value::{Float, MAX_DEPTH, MAX_NAME, Value, ValueKind};

use crate::{Error, Kind};

/// What is no document's value, path or patch at all.
fn refuse(what: &str) -> Error {
    Error::new(Kind::InvalidInput, what)
}
