//! Many paths at once: what a watch looks at, and what a declared key holds for.

use super::{
    MAX_DEPTH, Path, Relation, Step, refuse,
    syntax::{self, Container, Parsed, Wildcards},
};
use crate::{Error, Result};
use alloc::vec::Vec;
use core::{fmt, str::FromStr};

/// A path in which steps can be left open: `*` any field, `[*]` any index, `{*}` any number of a sparse list, `(*)` any
/// element of a keyed list. A name that is a star is quoted: `'*'`.
///
/// ```
/// use littoral_core::doc::Pattern;
/// let pattern: Pattern = "boats.*.berth".parse()?;
/// assert!(pattern.matches(&"boats.ebb.berth".parse()?));
/// assert!(!pattern.matches(&"boats.ebb".parse()?));
/// # Ok::<(), littoral_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pattern(Vec<Parsed>);

impl Pattern {
    /// Whether `path` is one of those it stands for.
    pub fn matches(&self, path: &Path) -> bool {
        self.0.len() == path.steps().len()
            && self
                .0
                .iter()
                .zip(path.steps())
                .all(|(mine, step)| match mine {
                    Parsed::Step(mine) => mine == step,
                    Parsed::Any(container) => *container == container_of(step),
                })
    }

    /// The path that it is, if no step is open.
    pub fn path(&self) -> Option<Path> {
        let steps = self.0.iter().map(|step| match step {
            Parsed::Step(step) => Some(step.clone()),
            Parsed::Any(_) => None,
        });
        Path::from_steps(steps.collect::<Option<_>>()?).ok()
    }

    /// Steps that it has.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The step at `position`: `Some(None)` where any will do.
    pub(crate) fn step(&self, position: usize) -> Option<Option<&Step>> {
        self.0.get(position).map(|step| match step {
            Parsed::Step(step) => Some(step),
            Parsed::Any(_) => None,
        })
    }

    /// Whether the open step at `position` takes this one.
    pub(crate) fn takes(&self, position: usize, step: &Step) -> bool {
        match self.0.get(position) {
            Some(Parsed::Step(mine)) => mine.relation(step) == Relation::Same,
            Some(Parsed::Any(container)) => container.takes(step),
            None => false,
        }
    }

    /// How what it stands for stands to `path`, as [`Path::relation`] tells of two paths.
    pub fn relation(&self, path: &Path) -> Relation {
        for (mine, step) in self.0.iter().zip(path.steps()) {
            let relation = match mine {
                Parsed::Step(mine) => mine.relation(step),
                Parsed::Any(container) if container.takes(step) => Relation::Same,
                Parsed::Any(_) => Relation::Mixed,
            };
            if relation != Relation::Same {
                return relation;
            }
        }
        match self.0.len().cmp(&path.steps().len()) {
            core::cmp::Ordering::Equal => Relation::Same,
            core::cmp::Ordering::Less => Relation::Above,
            core::cmp::Ordering::Greater => Relation::Below,
        }
    }
}

impl Container {
    /// Elements of a list can be meant by index or by key.
    fn takes(self, step: &Step) -> bool {
        let other = container_of(step);
        self == other
            || matches!(
                (self, other),
                (Container::List, Container::Keyed) | (Container::Keyed, Container::List)
            )
    }
}

pub(super) fn container_of(step: &Step) -> Container {
    match step {
        Step::Field(_) => Container::Object,
        Step::Index(_) => Container::List,
        Step::Sparse(_) => Container::Sparse,
        Step::Key { .. } => Container::Keyed,
    }
}

impl From<Path> for Pattern {
    fn from(path: Path) -> Pattern {
        Pattern(path.steps().iter().cloned().map(Parsed::Step).collect())
    }
}

impl FromStr for Pattern {
    type Err = Error;

    /// `InvalidInput` with the place for what is no pattern.
    fn from_str(text: &str) -> Result<Pattern> {
        let steps = syntax::parse(text, Wildcards::Allowed)?;
        if steps.len() > MAX_DEPTH {
            return Err(refuse("a pattern has too many steps"));
        }
        Ok(Pattern(steps))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Parsed::Step(step) => syntax::write_step(f, step, position == 0)?,
                Parsed::Any(container) => syntax::write_any(f, *container, position == 0)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({self})")
    }
}
