//! The normal form of patches.

use super::{Path, Pattern, Relation, Step, ToPath, Value, refuse};
use crate::Result;
use alloc::{vec, vec::Vec};

/// One operation on a tree. Every patch becomes a list of these, applied in order: all of them or none.
///
/// A `Set`, and an element that is found by its key, makes the objects, sparse lists and keyed elements on its way that are not there
/// yet: the path says what they are. Nothing else does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Goes on only if this is what is there. Numbers are compared as numbers.
    Test {
        /// Where.
        path: Path,
        /// What has to be there; `None` for nothing.
        expected: Option<Value>,
    },
    /// Puts a value there, whatever was there before. An index must be one of the list's.
    Set {
        /// Where.
        path: Path,
        /// What is there then.
        value: Value,
    },
    /// Removes what is there. In a list, those behind it move up.
    Delete {
        /// Where something is; not the root.
        path: Path,
    },
    /// Removes values of a list and puts others in their place. Where nothing is, there is an empty list.
    Splice {
        /// The list.
        path: Path,
        /// Index of the first value that is removed, and of the first that is inserted.
        at: u64,
        /// Values to remove.
        remove: u64,
        /// Values to insert.
        insert: Vec<Value>,
    },
    /// Puts values behind the last one of a list. Where nothing is, there is an empty list.
    Append {
        /// The list.
        path: Path,
        /// Values to append.
        values: Vec<Value>,
    },
    /// Adds to a number. Where nothing is, there is zero. Integers that leave 64 bits are refused.
    Increment {
        /// Where the number is.
        path: Path,
        /// An integer or a float.
        by: Value,
    },
    /// Takes what is at one place and puts it at another, as `Delete` and then an insertion (in a list) or `Set`.
    Move {
        /// Where it is; not the root.
        from: Path,
        /// Where it goes, in the tree without it: a field, a number of a sparse list, or an index of a list up to its length. The container must be there.
        to: Path,
    },
}

impl Op {
    /// [`Op::Test`] for this value.
    ///
    /// # Errors
    /// `InvalidInput` for a text that is no path; so for all of these.
    pub fn test(path: impl ToPath, expected: impl Into<Value>) -> Result<Op> {
        Ok(Op::Test {
            path: path.to_path()?,
            expected: Some(expected.into()),
        })
    }

    /// [`Op::Test`] that nothing is there.
    ///
    /// # Errors
    /// See [`test`](Op::test).
    pub fn test_absent(path: impl ToPath) -> Result<Op> {
        Ok(Op::Test {
            path: path.to_path()?,
            expected: None,
        })
    }

    /// [`Op::Set`].
    ///
    /// # Errors
    /// See [`test`](Op::test).
    pub fn set(path: impl ToPath, value: impl Into<Value>) -> Result<Op> {
        Ok(Op::Set {
            path: path.to_path()?,
            value: value.into(),
        })
    }

    /// [`Op::Delete`].
    ///
    /// # Errors
    /// See [`test`](Op::test).
    pub fn delete(path: impl ToPath) -> Result<Op> {
        Ok(Op::Delete {
            path: path.to_path()?,
        })
    }

    /// A [`Splice`](Op::Splice) that inserts one value: `a[3]` is where it is then.
    ///
    /// # Errors
    /// See [`test`](Op::test); `InvalidInput` for a path that does not end with an index.
    pub fn insert(path: impl ToPath, value: impl Into<Value>) -> Result<Op> {
        match path.to_path()?.split() {
            Some((path, Step::Index(at))) => Ok(Op::Splice {
                path,
                at: *at,
                remove: 0,
                insert: vec![value.into()],
            }),
            _ => Err(refuse("inserting takes a path that ends with an index")),
        }
    }

    /// [`Op::Splice`] of the list at `path`.
    ///
    /// # Errors
    /// See [`test`](Op::test).
    pub fn splice(path: impl ToPath, at: u64, remove: u64, insert: Vec<Value>) -> Result<Op> {
        Ok(Op::Splice {
            path: path.to_path()?,
            at,
            remove,
            insert,
        })
    }

    /// [`Op::Append`] of one value.
    ///
    /// # Errors
    /// See [`test`](Op::test).
    pub fn append(path: impl ToPath, value: impl Into<Value>) -> Result<Op> {
        Ok(Op::Append {
            path: path.to_path()?,
            values: vec![value.into()],
        })
    }

    /// [`Op::Increment`].
    ///
    /// # Errors
    /// See [`test`](Op::test).
    pub fn increment(path: impl ToPath, by: impl Into<Value>) -> Result<Op> {
        Ok(Op::Increment {
            path: path.to_path()?,
            by: by.into(),
        })
    }

    /// A `Test` and a `Set`: puts a value there if `expected` is what is there.
    ///
    /// # Errors
    /// See [`test`](Op::test).
    pub fn replace_if_equal(
        path: impl ToPath,
        expected: impl Into<Value>,
        value: impl Into<Value>,
    ) -> Result<[Op; 2]> {
        let path = path.to_path()?;
        Ok([Op::test(&path, expected)?, Op::set(path, value)?])
    }

    /// [`Op::Move`].
    ///
    /// # Errors
    /// See [`test`](Op::test).
    pub fn shift(from: impl ToPath, to: impl ToPath) -> Result<Op> {
        Ok(Op::Move {
            from: from.to_path()?,
            to: to.to_path()?,
        })
    }

    /// Where it is applied; of a move, where it takes from.
    pub fn path(&self) -> &Path {
        match self {
            Op::Test { path, .. }
            | Op::Set { path, .. }
            | Op::Delete { path }
            | Op::Splice { path, .. }
            | Op::Append { path, .. }
            | Op::Increment { path, .. }
            | Op::Move { from: path, .. } => path,
        }
    }

    /// The same operation below `base`, with every path changed by `map`.
    pub(crate) fn try_map(self, mut map: impl FnMut(Path) -> Result<Path>) -> Result<Op> {
        Ok(match self {
            Op::Test { path, expected } => Op::Test {
                path: map(path)?,
                expected,
            },
            Op::Set { path, value } => Op::Set {
                path: map(path)?,
                value,
            },
            Op::Delete { path } => Op::Delete { path: map(path)? },
            Op::Splice {
                path,
                at,
                remove,
                insert,
            } => Op::Splice {
                path: map(path)?,
                at,
                remove,
                insert,
            },
            Op::Append { path, values } => Op::Append {
                path: map(path)?,
                values,
            },
            Op::Increment { path, by } => Op::Increment {
                path: map(path)?,
                by,
            },
            Op::Move { from, to } => Op::Move {
                from: map(from)?,
                to: map(to)?,
            },
        })
    }

    /// Whether it changes what `pattern` stands for, or puts the same there again.
    ///
    /// ```
    /// use littoral_core::doc::{Op, Touch};
    /// let op = Op::delete("crew[1]")?;
    /// assert_eq!(op.touches(&"crew[0]".parse()?), Touch::No);
    /// assert_eq!(op.touches(&"crew[2].name".parse()?), Touch::Yes);
    /// assert_eq!(op.touches(&"crew(id=7)".parse()?), Touch::Unclear);
    /// # Ok::<(), littoral_core::Error>(())
    /// ```
    pub fn touches(&self, pattern: &Pattern) -> Touch {
        let touch = self.reaches(pattern);
        let to = match self {
            Op::Test { .. } => return Touch::No,
            Op::Move { to, .. } => Some(to),
            _ => None,
        };
        // Another element may have the key then.
        match rekeys(self.path(), pattern) || to.is_some_and(|to| rekeys(to, pattern)) {
            true => touch.max(Touch::Unclear),
            false => touch,
        }
    }

    fn reaches(&self, pattern: &Pattern) -> Touch {
        match self {
            Op::Test { .. } => Touch::No,
            Op::Set { path, .. } | Op::Increment { path, .. } => at(path, pattern),
            Op::Delete { path } => at_place(path, pattern),
            Op::Move { from, to } => at_place(from, pattern).max(at_place(to, pattern)),
            Op::Append { path, .. } => match at(path, pattern) {
                Touch::Yes if pattern.len() > path.steps().len() => Touch::Unclear,
                touch => touch,
            },
            Op::Splice {
                path,
                at: index,
                remove,
                insert,
            } => {
                let same_length = *remove == insert.len() as u64;
                let end = if same_length {
                    index.saturating_add(*remove)
                } else {
                    u64::MAX
                };
                elements(path, *index, end, pattern)
            }
        }
    }
}

/// Whether an operation changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// It does not.
    No,
    /// Only the states before and after tell.
    Unclear,
    /// It does.
    Yes,
}

/// Whether something at `path` may be the key field of an element that `pattern` finds by its key.
fn rekeys(path: &Path, pattern: &Pattern) -> bool {
    (0..pattern.len()).any(|position| {
        let Some(Some(Step::Key { field, .. })) = pattern.step(position) else {
            return false;
        };
        let Some(Step::Field(name)) = path.steps().get(position + 1) else {
            return false;
        };
        field.as_ref().is_none_or(|field| field == name)
            && pattern.relation(&path.prefix(position)) == Relation::Below
    })
}

fn at(path: &Path, pattern: &Pattern) -> Touch {
    match pattern.relation(path) {
        Relation::Apart | Relation::Mixed => Touch::No,
        Relation::Unclear => Touch::Unclear,
        _ => Touch::Yes,
    }
}

/// Something comes or goes at `path`: in a list, those behind it move.
fn at_place(path: &Path, pattern: &Pattern) -> Touch {
    match path.split() {
        Some((list, Step::Index(index))) => elements(&list, *index, u64::MAX, pattern),
        // Which index it has is not known here.
        Some((list, Step::Key { .. })) if pattern.len() > list.steps().len() => {
            at(path, pattern).max(at(&list, pattern).min(Touch::Unclear))
        }
        _ => at(path, pattern),
    }
}

/// The elements of a list from `start` to before `end` are others now.
fn elements(list: &Path, start: u64, end: u64, pattern: &Pattern) -> Touch {
    if pattern.relation(list) != Relation::Below {
        return at(list, pattern);
    }
    let position = list.steps().len();
    match pattern.step(position) {
        Some(Some(Step::Index(index))) if *index < start || *index >= end => Touch::No,
        Some(Some(Step::Index(_))) => Touch::Yes,
        Some(Some(Step::Key { .. })) => Touch::Unclear,
        Some(None) if pattern.takes(position, &Step::Index(start)) => Touch::Yes,
        _ => Touch::No,
    }
}
