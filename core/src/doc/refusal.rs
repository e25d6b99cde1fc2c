//! Why a patch is refused: where, and what is wrong there.

use super::Path;
use crate::{Error, Kind};
use alloc::string::String;
use core::fmt;

/// Why a patch could not be applied. It is the [`source`](core::error::Error::source) of the error that a refused call returns.
///
/// ```
/// use littoral_core::{Kind, doc::{Op, Patch, Refused, Value, apply}};
/// let error = apply(&Value::object::<&str>([]), &Patch::ops([Op::delete("tide")?])).unwrap_err();
/// assert_eq!(error.kind(), Kind::Conflict);
/// let refused = Refused::of(&error).unwrap();
/// assert_eq!(refused.path().to_string(), "tide");
/// assert_eq!(refused.reason(), "nothing is there");
/// # Ok::<(), littoral_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    path: Path,
    reason: String,
}

impl Refused {
    pub(crate) fn new(path: Path, reason: String) -> Refused {
        Refused { path, reason }
    }

    /// Where it could not be applied.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was wrong there.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The refusal behind an error, if it is one.
    pub fn of(error: &Error) -> Option<&Refused> {
        core::error::Error::source(error)?.downcast_ref()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_root() {
            write!(f, "at the root: {}", self.reason)
        } else {
            write!(f, "at {}: {}", self.path, self.reason)
        }
    }
}

impl core::error::Error for Refused {}

/// A refusal that does not say where yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    kind: Kind,
    reason: String,
}

impl Refusal {
    /// No state could take this.
    pub(crate) fn invalid(reason: impl Into<String>) -> Refusal {
        Refusal {
            kind: Kind::InvalidInput,
            reason: reason.into(),
        }
    }

    /// This state does not take it; another might.
    pub(crate) fn state(reason: impl Into<String>) -> Refusal {
        Refusal {
            kind: Kind::Conflict,
            reason: reason.into(),
        }
    }

    /// The error that says where.
    pub(crate) fn at(self, path: &Path) -> Error {
        let refused = Refused {
            path: path.clone(),
            reason: self.reason,
        };
        Error::new(self.kind, alloc::format!("{refused}")).with_source(refused)
    }
}
