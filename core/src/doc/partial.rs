//! Matches against a tree in the store: only what a pattern asks for is read.

use super::{Match, Path, Step, Value, ValueKind, normal::Tree, syntax::decimal};
use crate::{Result, sorted::SortedMap};
use alloc::{collections::BTreeMap, string::String, vec, vec::Vec};

/// Whether what is at `path` satisfies `pattern`.
pub(crate) async fn satisfied<T: Tree>(tree: &mut T, path: &Path, pattern: &Match) -> Result<bool> {
    let mut need = Need::default();
    need.add(pattern);
    // Parents before children; each with where its value goes.
    let mut todo = vec![(path.clone(), Vec::<String>::new(), need)];
    let mut known: Option<Value> = None;
    while let Some((path, names, need)) = todo.pop() {
        let value = match tree.kind_at(&path).await? {
            None => continue,
            Some(kind) if kind.is_container() && !need.whole => empty(kind),
            Some(_) => match tree.value_at(&path).await? {
                Some(value) => value,
                None => continue,
            },
        };
        if !need.whole {
            for (name, need) in need.fields {
                let step = match value.kind() {
                    ValueKind::Object => Step::Field(name.clone()),
                    ValueKind::Sparse => match decimal(&name) {
                        Some(index) => Step::Sparse(index),
                        None => continue,
                    },
                    _ => continue,
                };
                let mut names = names.clone();
                names.push(name);
                todo.push((path.child(step)?, names, need));
            }
        }
        put(&mut known, &names, value);
    }
    Ok(pattern.matches(known.as_ref()))
}

/// What a pattern looks at.
#[derive(Default)]
struct Need {
    whole: bool,
    fields: SortedMap<String, Need>,
}

impl Need {
    fn add(&mut self, pattern: &Match) {
        match pattern {
            Match::Exists | Match::Absent | Match::Glob(_) | Match::Range(..) => {}
            Match::Equals(value) => self.whole |= value.kind().is_container(),
            Match::List(_) => self.whole = true,
            Match::Object(fields) => {
                for (name, pattern) in fields {
                    if !self.fields.contains_key(name) {
                        self.fields.insert(name.clone(), Need::default());
                    }
                    if let Some(need) = self.fields.get_mut(name) {
                        need.add(pattern);
                    }
                }
            }
            Match::Not(pattern) => self.add(pattern),
            Match::Any(patterns) | Match::All(patterns) => {
                patterns.iter().for_each(|pattern| self.add(pattern));
            }
        }
    }
}

fn empty(kind: ValueKind) -> Value {
    match kind {
        ValueKind::List => Value::List(Vec::new()),
        ValueKind::Sparse => Value::Sparse(BTreeMap::new()),
        _ => Value::Object(BTreeMap::new()),
    }
}

fn put(known: &mut Option<Value>, names: &[String], value: Value) {
    let Some((last, above)) = names.split_last() else {
        *known = Some(value);
        return;
    };
    let mut here = known.as_mut();
    for name in above {
        here = match here {
            Some(Value::Object(fields)) => fields.get_mut(name),
            Some(Value::Sparse(values)) => decimal(name).and_then(|index| values.get_mut(&index)),
            _ => None,
        };
    }
    match here {
        Some(Value::Object(fields)) => {
            fields.insert(last.clone(), value);
        }
        Some(Value::Sparse(values)) => {
            if let Some(index) = decimal(last) {
                values.insert(index, value);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::{apply::Memory, tests::strategy};
    use super::*;
    use futures::FutureExt;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_part_of_a_tree_matches_as_the_whole_does(tree in strategy::tree(), other in strategy::tree(), path in strategy::path()) {
            let patterns = [Match::from_value(tree.clone()), Match::from_value(other.clone())];
            for pattern in patterns.into_iter().flatten() {
                for pattern in [Match::Not(alloc::boxed::Box::new(pattern.clone())), pattern] {
                    for path in [Path::ROOT, path.clone()] {
                        let found = satisfied(&mut Memory(tree.clone()), &path, &pattern).now_or_never().unwrap().unwrap();
                        prop_assert_eq!(found, pattern.matches(tree.at(&path)), "{:?} at {}", pattern, path);
                    }
                }
            }
        }
    }
}
