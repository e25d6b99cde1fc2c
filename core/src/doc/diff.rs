//! What has to be done to one value to make it another.

use super::{Op, Path, Step, Value};
use alloc::{collections::BTreeMap, vec, vec::Vec};

/// Lists whose changed parts have together more pairs than this are not aligned, but replaced.
const MAX_PAIRS: usize = 1 << 16;

/// Operations that make `to` of `from`: `apply(from, diff(from, to)) == to`, for all trees.
///
/// What is equal stays where it is; in lists, the longest row of equal values that is left does (up to a bound, above which
/// values in the middle are replaced).
///
/// ```
/// use littoral_core::doc::{Patch, Value, apply, diff};
/// let from = Value::from_json(r#"{"crew": ["Ann", "Bo", "Cy"], "berth": 7}"#)?;
/// let to = Value::from_json(r#"{"crew": ["Ann", "Cy"], "berth": 8}"#)?;
/// let patch = Patch::ops(diff(&from, &to));
/// assert_eq!(apply(&from, &patch)?, to);
/// # Ok::<(), littoral_core::Error>(())
/// ```
pub fn diff(from: &Value, to: &Value) -> Vec<Op> {
    let mut diff = Diff {
        steps: Vec::new(),
        ops: Vec::new(),
    };
    diff.value(from, to);
    diff.ops
}

struct Diff {
    steps: Vec<Step>,
    ops: Vec<Op>,
}

impl Diff {
    fn path(&self) -> Path {
        Path::of(self.steps.clone())
    }

    fn value(&mut self, from: &Value, to: &Value) {
        match (from, to) {
            _ if from == to => {}
            (Value::Object(from), Value::Object(to)) => {
                self.map(from, to, |name| Step::Field(name.clone()))
            }
            (Value::Sparse(from), Value::Sparse(to)) => {
                self.map(from, to, |index| Step::Sparse(*index))
            }
            (Value::List(from), Value::List(to)) => self.list(from, to),
            _ => self.ops.push(Op::Set {
                path: self.path(),
                value: to.clone(),
            }),
        }
    }

    fn below(&mut self, step: Step, what: impl FnOnce(&mut Self)) {
        self.steps.push(step);
        what(self);
        self.steps.pop();
    }

    fn map<K: Ord>(
        &mut self,
        from: &BTreeMap<K, Value>,
        to: &BTreeMap<K, Value>,
        step: impl Fn(&K) -> Step,
    ) {
        for key in from.keys().filter(|key| !to.contains_key(key)) {
            self.below(step(key), |this| {
                let path = this.path();
                this.ops.push(Op::Delete { path });
            });
        }
        for (key, to) in to {
            self.below(step(key), |this| match from.get(key) {
                Some(from) => this.value(from, to),
                None => {
                    let path = this.path();
                    let value = to.clone();
                    this.ops.push(Op::Set { path, value });
                }
            });
        }
    }

    fn list(&mut self, from: &[Value], to: &[Value]) {
        let same = |(a, b): &(&Value, &Value)| a == b;
        let front = from.iter().zip(to).take_while(same).count();
        let from_rest = from.get(front..).unwrap_or_default();
        let to_rest = to.get(front..).unwrap_or_default();
        let back = from_rest
            .iter()
            .rev()
            .zip(to_rest.iter().rev())
            .take_while(same)
            .count();
        let from_rest = from_rest.get(..from_rest.len() - back).unwrap_or_default();
        let to_rest = to_rest.get(..to_rest.len() - back).unwrap_or_default();
        // From the back, so that what was done does not move what is still to be done.
        for run in runs(from_rest, to_rest).into_iter().rev() {
            let old = from_rest
                .get(run.from..run.from + run.removed)
                .unwrap_or_default();
            let new = to_rest
                .get(run.to..run.to + run.inserted)
                .unwrap_or_default();
            self.run(front + run.from, old, new);
        }
    }

    /// Replaces a run of values at `at` by others.
    fn run(&mut self, at: usize, old: &[Value], new: &[Value]) {
        let alike = old
            .iter()
            .zip(new)
            .take_while(|(old, new)| old.kind() == new.kind() && old.kind().is_container())
            .count();
        let splice = (
            old.len() - alike,
            new.get(alike..).unwrap_or_default().to_vec(),
        );
        if splice.0 > 0 || !splice.1.is_empty() {
            let path = self.path();
            self.ops.push(Op::Splice {
                path,
                at: (at + alike) as u64,
                remove: splice.0 as u64,
                insert: splice.1,
            });
        }
        for (position, (old, new)) in old.iter().zip(new).take(alike).enumerate() {
            self.below(Step::Index((at + position) as u64), |this| {
                this.value(old, new);
            });
        }
    }
}

/// Values of one list that others of another list stand for.
struct Replaced {
    from: usize,
    removed: usize,
    to: usize,
    inserted: usize,
}

/// What lies between the values of a longest common subsequence.
fn runs(from: &[Value], to: &[Value]) -> Vec<Replaced> {
    if from.is_empty() && to.is_empty() {
        return Vec::new();
    }
    let all = Replaced {
        from: 0,
        removed: from.len(),
        to: 0,
        inserted: to.len(),
    };
    let pairs = from.len().saturating_mul(to.len());
    if pairs == 0 || pairs > MAX_PAIRS {
        return vec![all];
    }
    // longest[i][j]: the length for what is behind i and j.
    let width = to.len() + 1;
    let mut longest = vec![0u16; (from.len() + 1) * width];
    let at = |longest: &[u16], i: usize, j: usize| longest.get(i * width + j).copied().unwrap_or(0);
    for (i, a) in from.iter().enumerate().rev() {
        for (j, b) in to.iter().enumerate().rev() {
            let best = if a == b {
                at(&longest, i + 1, j + 1).saturating_add(1)
            } else {
                at(&longest, i + 1, j).max(at(&longest, i, j + 1))
            };
            if let Some(cell) = longest.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let mut runs = Vec::new();
    let (mut i, mut j) = (0, 0);
    let (mut run_i, mut run_j) = (0, 0);
    let mut close = |run_i: usize, run_j: usize, i: usize, j: usize| {
        if run_i < i || run_j < j {
            runs.push(Replaced {
                from: run_i,
                removed: i - run_i,
                to: run_j,
                inserted: j - run_j,
            });
        }
    };
    while let (Some(a), Some(b)) = (from.get(i), to.get(j)) {
        if a == b {
            close(run_i, run_j, i, j);
            i += 1;
            j += 1;
            (run_i, run_j) = (i, j);
        } else if at(&longest, i + 1, j) >= at(&longest, i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    close(run_i, run_j, from.len(), to.len());
    runs
}
