//! Which field the elements of a list are known by.

use super::{Op, Patch, Path, Pattern, Relation, Step, apply::undeclared, patch::Form};
use crate::Result;
use alloc::{string::String, vec::Vec};

/// Declared key fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(pub Vec<(Pattern, String)>);

impl Keys {
    /// The path with key fields written out; `InvalidInput` where none was declared.
    pub(crate) fn resolve(&self, path: &Path) -> Result<Path> {
        let named = |step: &Step| matches!(step, Step::Key { field: None, .. });
        if !path.steps().iter().any(named) {
            return Ok(path.clone());
        }
        let mut steps: Vec<Step> = Vec::with_capacity(path.steps().len());
        for step in path.steps() {
            let step = match step {
                Step::Key { field: None, key } => {
                    let list = Path::of(steps.clone());
                    let field = self.field(&list).ok_or_else(|| undeclared().at(&list))?;
                    Step::Key {
                        field: Some(field),
                        key: key.clone(),
                    }
                }
                other => other.clone(),
            };
            steps.push(step);
        }
        Ok(Path::of(steps))
    }

    /// The key field of the list at this path. What was declared last counts.
    fn field(&self, list: &Path) -> Option<String> {
        let found = self
            .0
            .iter()
            .rev()
            .find(|(pattern, _)| pattern.relation(list) == Relation::Same);
        found.map(|(_, field)| field.clone())
    }

    /// The pattern with key fields written out.
    pub(crate) fn resolve_pattern(&self, pattern: &Pattern) -> Result<Pattern> {
        match pattern.path() {
            Some(path) => self.resolve(&path).map(Pattern::from),
            None => Ok(pattern.clone()),
        }
    }

    /// A patch of path operations with its paths from the root on; any other as it is, with where it is applied.
    pub(crate) fn resolve_patch(&self, base: &Path, patch: &Patch) -> Result<(Path, Patch)> {
        let base = self.resolve(base)?;
        let Form::Ops(ops) = &patch.0 else {
            return Ok((base, patch.clone()));
        };
        let ops = ops
            .iter()
            .cloned()
            .map(|op| op.try_map(|path| self.resolve(&base.join(&path)?)));
        let ops: Vec<Op> = ops.collect::<Result<_>>()?;
        Ok((Path::ROOT, Patch::ops(ops)))
    }
}
