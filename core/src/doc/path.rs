//! Where something is in the tree.

use super::{MAX_DEPTH, MAX_NAME, refuse, syntax};
use crate::{Error, Result};
use alloc::{string::String, vec::Vec};
use core::{fmt, str::FromStr};

/// Where something is: from the root, one step into a container after another.
///
/// Each step says what kind of container it is applied to, so that a path means the same whatever the state is:
///
/// | text | what it names |
/// |---|---|
/// | | the root |
/// | `a.b` | the field `b` of the object that is the field `a` |
/// | `a[3]` | the fourth value of the list `a` |
/// | `a{7}` | the value with number 7 of the sparse list `a` |
/// | `users(jane)` | the object in the list `users` whose key field is `jane`; which field that is has been declared |
/// | `users(id=jane)` | the same, the field being said here |
/// | `'a.b'.'it''s'` | any name can be quoted; names with one of `.[]{}()'"=*` or white space must be |
///
/// ```
/// use littoral_core::doc::{Path, Step};
/// let path: Path = "users(jane).'e-mail'[0]".parse()?;
/// assert_eq!(path.to_string(), "users(jane).e-mail[0]");
/// assert_eq!(path.steps().last(), Some(&Step::Index(0)));
/// assert_eq!(path.parent().unwrap().to_string(), "users(jane).e-mail");
/// # Ok::<(), littoral_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

/// One step into a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A field of an object.
    Field(String),
    /// A value of a list, by its index.
    Index(u64),
    /// A value of a sparse list, by its number.
    Sparse(u64),
    /// An object in a list, by the value of its key field: the first one whose field is this string, or the integer with these digits.
    Key {
        /// The key field; `None` for the one that was declared.
        field: Option<String>,
        /// Its value.
        key: String,
    },
}

/// How two paths stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// They are the same path.
    Same,
    /// The first is above the second.
    Above,
    /// The first is below the second.
    Below,
    /// They part at some container, and neither can change what the other names.
    Apart,
    /// They take one container for two kinds: at most one of them names something.
    Mixed,
    /// They reach into one list by index and by key, or by two key fields: only the state tells.
    Unclear,
}

impl Path {
    /// The root.
    pub const ROOT: Path = Path(Vec::new());

    /// The path with these steps.
    ///
    /// # Errors
    /// `InvalidInput` for more than [`MAX_DEPTH`] steps, and for names longer than [`MAX_NAME`] bytes.
    pub fn from_steps(steps: Vec<Step>) -> Result<Path> {
        if steps.len() > MAX_DEPTH {
            return Err(refuse(&alloc::format!(
                "a path has at most {MAX_DEPTH} steps, not {}",
                steps.len()
            )));
        }
        steps.iter().try_for_each(Step::check)?;
        Ok(Path(steps))
    }

    /// The path with these steps, which are those of a tree, or were checked before.
    pub(crate) fn of(steps: Vec<Step>) -> Path {
        Path(steps)
    }

    /// Its steps, from the root on.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path without its last step; `None` for the root.
    pub fn parent(&self) -> Option<Path> {
        self.split().map(|(parent, _)| parent)
    }

    /// The path without its last step, and that step; `None` for the root.
    pub fn split(&self) -> Option<(Path, &Step)> {
        let (last, rest) = self.0.split_last()?;
        Some((Path(rest.to_vec()), last))
    }

    /// The first `count` steps, or all of them.
    pub fn prefix(&self, count: usize) -> Path {
        Path(self.0.iter().take(count).cloned().collect())
    }

    /// One step further.
    ///
    /// # Errors
    /// As [`from_steps`](Path::from_steps).
    pub fn child(&self, step: Step) -> Result<Path> {
        let mut steps = self.0.clone();
        steps.push(step);
        Path::from_steps(steps)
    }

    /// The steps of this path, and then those of `below`.
    ///
    /// # Errors
    /// `InvalidInput` for more than [`MAX_DEPTH`] steps.
    pub fn join(&self, below: &Path) -> Result<Path> {
        let mut steps = self.0.clone();
        steps.extend_from_slice(&below.0);
        Path::from_steps(steps)
    }

    /// What is left of this path below `above`, if it is below it, or the same.
    pub fn strip(&self, above: &Path) -> Option<Path> {
        self.0
            .strip_prefix(above.0.as_slice())
            .map(|rest| Path(rest.to_vec()))
    }

    /// How it stands to another path.
    pub fn relation(&self, other: &Path) -> Relation {
        for (mine, theirs) in self.0.iter().zip(&other.0) {
            match mine.relation(theirs) {
                Relation::Same => {}
                relation => return relation,
            }
        }
        match self.0.len().cmp(&other.0.len()) {
            core::cmp::Ordering::Equal => Relation::Same,
            core::cmp::Ordering::Less => Relation::Above,
            core::cmp::Ordering::Greater => Relation::Below,
        }
    }
}

impl Step {
    fn check(&self) -> Result<()> {
        let long = match self {
            Step::Field(name) => name.len() > MAX_NAME,
            Step::Key { field, key } => {
                key.len() > MAX_NAME || field.as_ref().is_some_and(|field| field.len() > MAX_NAME)
            }
            _ => false,
        };
        if long {
            return Err(refuse(&alloc::format!(
                "a name in a path has at most {MAX_NAME} bytes"
            )));
        }
        Ok(())
    }

    /// Neither `Above` nor `Below`.
    pub(crate) fn relation(&self, other: &Step) -> Relation {
        match (self, other) {
            (Step::Field(a), Step::Field(b)) if a == b => Relation::Same,
            (Step::Field(_), Step::Field(_)) => Relation::Apart,
            (Step::Index(a), Step::Index(b)) | (Step::Sparse(a), Step::Sparse(b)) if a == b => {
                Relation::Same
            }
            (Step::Index(_), Step::Index(_)) | (Step::Sparse(_), Step::Sparse(_)) => {
                Relation::Apart
            }
            (
                Step::Key { field, key },
                Step::Key {
                    field: other_field,
                    key: other_key,
                },
            ) => {
                let same_field = field.is_none() || other_field.is_none() || field == other_field;
                match (same_field, key == other_key) {
                    (true, true) => Relation::Same,
                    (true, false) => Relation::Apart,
                    (false, _) => Relation::Unclear,
                }
            }
            (Step::Index(_), Step::Key { .. }) | (Step::Key { .. }, Step::Index(_)) => {
                Relation::Unclear
            }
            _ => Relation::Mixed,
        }
    }
}

/// The text, as [`Path`] tells; names are quoted only where they must be.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            syntax::write_step(f, step, position == 0)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

impl FromStr for Path {
    type Err = Error;

    /// `InvalidInput` with the place for what is no path.
    fn from_str(text: &str) -> Result<Path> {
        let steps = syntax::parse(text, syntax::Wildcards::Refused)?
            .into_iter()
            .map(|step| match step {
                syntax::Parsed::Step(step) => Ok(step),
                syntax::Parsed::Any(_) => Err(refuse("a wildcard names no single place")),
            })
            .collect::<Result<_>>()?;
        Path::from_steps(steps)
    }
}

/// What can be given for a path: a [`Path`], or its text.
pub trait ToPath {
    /// The path.
    ///
    /// # Errors
    /// `InvalidInput` for a text that is no path.
    fn to_path(&self) -> Result<Path>;
}

impl ToPath for Path {
    fn to_path(&self) -> Result<Path> {
        Ok(self.clone())
    }
}

impl ToPath for str {
    fn to_path(&self) -> Result<Path> {
        self.parse()
    }
}

impl ToPath for String {
    fn to_path(&self) -> Result<Path> {
        self.parse()
    }
}

impl<T: ToPath + ?Sized> ToPath for &T {
    fn to_path(&self) -> Result<Path> {
        T::to_path(self)
    }
}
