//! What undoes a patch.

use super::{Op, Path, Step, Value, apply::apply_op};
use crate::Result;
use alloc::vec::Vec;

/// Operations that undo `ops` where they are applied to `tree`: what they make of it becomes `tree` again.
///
/// Elements that are named by their key are named by their index in the result, so that it holds whatever happens to the key.
///
/// ```
/// use littoral_core::doc::{Op, Patch, Value, apply, invert};
/// let tree = Value::from_json(r#"{"crew": ["Ann", "Bo"]}"#)?;
/// let ops = [Op::delete("crew[0]")?, Op::set("berth.number", 7)?];
/// let undo = invert(&tree, &ops)?;
/// let changed = apply(&tree, &Patch::ops(ops))?;
/// assert_eq!(apply(&changed, &Patch::ops(undo))?, tree);
/// # Ok::<(), littoral_core::Error>(())
/// ```
///
/// # Errors
/// Those of [`apply`](super::apply()), if `ops` cannot be applied to `tree`.
pub fn invert(tree: &Value, ops: &[Op]) -> Result<Vec<Op>> {
    let mut tree = tree.clone();
    let mut undo = Vec::new();
    for op in ops {
        let before = Before::of(&tree, op);
        apply_op(&mut tree, op)?;
        let start = undo.len();
        before.undo(op, &mut undo);
        // All of them are read from the end.
        if let Some(own) = undo.get_mut(start..) {
            own.reverse();
        }
    }
    undo.reverse();
    Ok(undo)
}

/// What has to be known of the tree before an operation.
struct Before {
    /// Where it is applied, by indices.
    path: Path,
    /// What was there.
    old: Option<Value>,
    /// Above it, the first place where nothing was.
    made: Path,
    /// Of a move: where to, by indices, in the tree without what is moved.
    to: Path,
    /// What a move replaces.
    covered: Option<Value>,
    /// It takes the place of something that it is in.
    up: bool,
}

impl Before {
    fn of(tree: &Value, op: &Op) -> Before {
        let (path, there) = by_index(tree, op.path());
        let (mut to, mut up, mut covered) = (Path::ROOT, false, None);
        if let Op::Move { to: named, .. } = op {
            let mut without = tree.clone();
            let _ = apply_op(&mut without, &Op::Delete { path: path.clone() });
            to = by_index(&without, named).0;
            // What leads there leads there with it as well.
            up = path.strip(&to).is_some();
            // Into a list it is inserted.
            if !matches!(to.steps().last(), Some(Step::Index(_))) {
                covered = if up { tree } else { &without }.at(&to).cloned();
            }
        }
        Before {
            made: path.prefix(there + 1),
            old: tree.at(&path).cloned(),
            path,
            to,
            covered,
            up,
        }
    }

    fn undo(self, op: &Op, undo: &mut Vec<Op>) {
        let Before {
            path,
            old,
            made,
            to,
            covered,
            up,
        } = self;
        match (op, old) {
            (Op::Test { .. }, _) => {}
            (Op::Move { from, to }, _) if from == to => {}
            (Op::Move { .. }, old) => match covered {
                None => undo.push(Op::Move { from: to, to: path }),
                Some(value) => {
                    undo.push(Op::Set { path: to, value });
                    if !up {
                        undo.extend(old.map(|value| put_back(path, value)));
                    }
                }
            },
            (_, None) => undo.push(Op::Delete { path: made }),
            (Op::Set { .. } | Op::Increment { .. }, Some(value)) => {
                undo.push(Op::Set { path, value });
            }
            (Op::Delete { .. }, Some(value)) => undo.push(put_back(path, value)),
            (
                Op::Splice {
                    at, remove, insert, ..
                },
                Some(Value::List(values)),
            ) => undo.push(Op::Splice {
                path,
                at: *at,
                remove: insert.len() as u64,
                insert: values
                    .into_iter()
                    .skip(*at as usize)
                    .take(*remove as usize)
                    .collect(),
            }),
            (Op::Append { values: added, .. }, Some(Value::List(values))) => {
                undo.push(Op::Splice {
                    path,
                    at: values.len() as u64,
                    remove: added.len() as u64,
                    insert: Vec::new(),
                });
            }
            // Not applied to a list: it was refused.
            (Op::Splice { .. } | Op::Append { .. }, Some(_)) => {}
        }
    }
}

/// Puts back what was taken out.
fn put_back(path: Path, value: Value) -> Op {
    match path.split() {
        Some((path, Step::Index(at))) => Op::Splice {
            path,
            at: *at,
            remove: 0,
            insert: [value].into(),
        },
        _ => Op::Set { path, value },
    }
}

/// The path with indices in place of keys, and how many of its steps lead to something. A key that is not there gets the index
/// that its element will have.
fn by_index(tree: &Value, path: &Path) -> (Path, usize) {
    let mut steps = Vec::new();
    let mut here = Some(tree);
    let mut there = 0;
    for step in path.steps() {
        let step = match (here, step) {
            (
                Some(Value::List(values)),
                Step::Key {
                    field: Some(field),
                    key,
                },
            ) => {
                let position = super::apply::position(values, field, key);
                Step::Index(position.unwrap_or(values.len()) as u64)
            }
            _ => step.clone(),
        };
        here = here.and_then(|here| here.child(&step));
        there += usize::from(here.is_some());
        steps.push(step);
    }
    (Path::of(steps), there)
}
