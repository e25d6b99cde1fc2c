//! Patches of every form become operations. What they mean depends on the state (whether a token is an index, whether null removes
//! something), so each operation is applied before the next is made. The tree may be a value in memory or rows in the store.

use super::{
    Op, Patch, Path, Step, Value, ValueKind,
    apply::nothing_there,
    patch::{Form, JsonOp},
    refusal::Refusal,
    syntax::decimal,
};
use crate::Result;
use alloc::{collections::BTreeMap, format, string::String, vec, vec::Vec};

/// A tree that is changed in place.
pub(crate) trait Tree {
    /// What is there.
    async fn kind_at(&mut self, path: &Path) -> Result<Option<ValueKind>>;
    /// All of what is there.
    async fn value_at(&mut self, path: &Path) -> Result<Option<Value>>;
    /// Changes the tree. After an error it is not used any more.
    async fn apply(&mut self, op: &Op) -> Result<()>;
}

/// Applies `patch` at `base` and returns what was done.
pub(crate) async fn normalize<T: Tree>(
    tree: &mut T,
    base: &Path,
    patch: &Patch,
) -> Result<Vec<Op>> {
    let mut run = Run {
        tree,
        base,
        done: Vec::new(),
    };
    match &patch.0 {
        Form::Ops(ops) => {
            for op in ops {
                run.apply(op.clone().try_map(|path| base.join(&path))?)
                    .await?;
            }
        }
        Form::Merge(value) => run.merge(value).await?,
        Form::Json(ops) => {
            for op in ops {
                run.json(op).await?;
            }
        }
    }
    Ok(run.done)
}

struct Run<'a, T> {
    tree: &'a mut T,
    base: &'a Path,
    done: Vec<Op>,
}

impl<T: Tree> Run<'_, T> {
    async fn apply(&mut self, op: Op) -> Result<()> {
        self.tree.apply(&op).await?;
        self.done.push(op);
        Ok(())
    }

    async fn merge(&mut self, patch: &Value) -> Result<()> {
        let mut todo = vec![(self.base.clone(), patch.clone())];
        while let Some((path, patch)) = todo.pop() {
            let kind = match &patch {
                Value::Object(_) | Value::Sparse(_) => self.tree.kind_at(&path).await?,
                _ => None,
            };
            let mut below = Vec::new();
            match (patch, kind) {
                (Value::Object(fields), Some(ValueKind::Object)) => {
                    for (name, value) in fields {
                        below.push((path.child(Step::Field(name))?, value));
                    }
                }
                (Value::Object(fields), Some(ValueKind::Sparse)) => {
                    for (name, value) in fields {
                        let index = decimal(&name).ok_or_else(|| not_sparse(&name).at(&path))?;
                        below.push((path.child(Step::Sparse(index))?, value));
                    }
                }
                (Value::Sparse(values), Some(ValueKind::Sparse)) => {
                    for (index, value) in values {
                        below.push((path.child(Step::Sparse(index))?, value));
                    }
                }
                (patch, _) => {
                    let value = without_nulls(patch);
                    self.apply(Op::Set { path, value }).await?;
                    continue;
                }
            }
            // Those of one object in their order, before what is left.
            for (path, value) in below.into_iter().rev() {
                if value != Value::Null {
                    todo.push((path, value));
                } else if self.tree.kind_at(&path).await?.is_some() {
                    self.apply(Op::Delete { path }).await?;
                }
            }
        }
        Ok(())
    }

    async fn json(&mut self, op: &JsonOp) -> Result<()> {
        match op {
            JsonOp::Add { path, value } => self.add(path, value.clone()).await,
            JsonOp::Remove { path } => {
                let path = self.existing(path).await?;
                self.apply(Op::Delete { path }).await
            }
            JsonOp::Replace { path, value } => {
                let path = self.existing(path).await?;
                let value = value.clone();
                self.apply(Op::Set { path, value }).await
            }
            JsonOp::Test { path, value } => {
                let path = self.existing(path).await?;
                let expected = Some(value.clone());
                self.apply(Op::Test { path, expected }).await
            }
            JsonOp::Copy { from, path } => {
                let from = self.existing(from).await?;
                let value = self.tree.value_at(&from).await?;
                let value = value.ok_or_else(|| nothing_there().at(&from))?;
                self.add(path, value).await
            }
            JsonOp::Move { from, path } => self.shift(from, path).await,
        }
    }

    async fn add(&mut self, tokens: &[String], value: Value) -> Result<()> {
        let op = match self.place(tokens, None).await? {
            Place::Root => Op::Set {
                path: self.base.clone(),
                value,
            },
            Place::Child(parent, Step::Index(at)) => Op::Splice {
                path: parent,
                at,
                remove: 0,
                insert: vec![value],
            },
            Place::Child(parent, step) => Op::Set {
                path: parent.child(step)?,
                value,
            },
            Place::End(path) => Op::Append {
                path,
                values: vec![value],
            },
        };
        self.apply(op).await
    }

    async fn shift(&mut self, from: &[String], to: &[String]) -> Result<()> {
        let path = self.existing(from).await?;
        if from == to {
            return Ok(());
        }
        if to.starts_with(from) {
            return Err(Refusal::invalid("something cannot be moved into itself").at(&path));
        }
        match self.place(to, Some(&path)).await? {
            Place::Child(parent, step) => {
                let to = parent.child(step)?;
                self.apply(Op::Move { from: path, to }).await
            }
            place => {
                let value = self.tree.value_at(&path).await?;
                let value = value.ok_or_else(|| nothing_there().at(&path))?;
                self.apply(Op::Delete { path }).await?;
                match place {
                    Place::End(path) => {
                        let values = vec![value];
                        self.apply(Op::Append { path, values }).await
                    }
                    _ => {
                        let path = self.base.clone();
                        self.apply(Op::Set { path, value }).await
                    }
                }
            }
        }
    }

    /// The path of tokens that name something.
    async fn existing(&mut self, tokens: &[String]) -> Result<Path> {
        let path = match self.place(tokens, None).await? {
            Place::Root => self.base.clone(),
            Place::Child(parent, step) => parent.child(step)?,
            Place::End(path) => return Err(behind_the_end().at(&path)),
        };
        match self.tree.kind_at(&path).await? {
            Some(_) => Ok(path),
            None => Err(nothing_there().at(&path)),
        }
    }

    /// What tokens name, in the tree without what is at `without`.
    async fn place(&mut self, tokens: &[String], without: Option<&Path>) -> Result<Place> {
        let Some((last, above)) = tokens.split_last() else {
            return Ok(Place::Root);
        };
        // Where it is called so, and where it is now.
        let mut named = self.base.clone();
        let mut now = named.clone();
        for token in above {
            match self.step(&named, &now, token).await? {
                Some(step) => {
                    now = now.child(moved_up(&now, &step, without))?;
                    named = named.child(step)?;
                }
                None => return Err(behind_the_end().at(&named)),
            }
        }
        Ok(match self.step(&named, &now, last).await? {
            Some(step) => Place::Child(named, step),
            None => Place::End(named),
        })
    }

    /// What a token is in the container at `now`; `None` for `-`, the end of a list.
    async fn step(&mut self, named: &Path, now: &Path, token: &str) -> Result<Option<Step>> {
        let refusal = match self.tree.kind_at(now).await? {
            Some(ValueKind::Object) => return Ok(Some(Step::Field(token.into()))),
            Some(ValueKind::List) if token == "-" => return Ok(None),
            Some(ValueKind::List) => match decimal(token) {
                Some(index) => return Ok(Some(Step::Index(index))),
                None => Refusal::state(format!("{token:?} is no index of a list")),
            },
            Some(ValueKind::Sparse) => match decimal(token) {
                Some(index) => return Ok(Some(Step::Sparse(index))),
                None => not_sparse(token),
            },
            Some(kind) => Refusal::state(format!("{kind} is there, which has no {token:?}")),
            None => nothing_there(),
        };
        Err(refusal.at(named))
    }
}

enum Place {
    Root,
    Child(Path, Step),
    /// Behind the last value of this list.
    End(Path),
}

/// Elements behind one that is taken out are found one further, as long as it is there.
fn moved_up(list: &Path, step: &Step, without: Option<&Path>) -> Step {
    if let Step::Index(index) = step
        && let Some((parent, Step::Index(gone))) = without.and_then(Path::split)
        && parent == *list
        && index >= gone
    {
        return Step::Index(index.saturating_add(1));
    }
    step.clone()
}

fn not_sparse(name: &str) -> Refusal {
    Refusal::state(format!("{name:?} is no number of a sparse list"))
}

fn behind_the_end() -> Refusal {
    Refusal::state("nothing is behind the end of a list")
}

/// What merging a value into nothing gives. One that is too deep stays as it is, and is refused when it is set.
fn without_nulls(value: Value) -> Value {
    fn strip(value: Value) -> Value {
        match value {
            Value::Object(fields) => Value::Object(strip_all(fields)),
            Value::Sparse(values) => Value::Sparse(strip_all(values)),
            other => other,
        }
    }
    fn strip_all<K: Ord>(values: BTreeMap<K, Value>) -> BTreeMap<K, Value> {
        let mut kept = BTreeMap::new();
        for (key, value) in values {
            if value != Value::Null {
                kept.insert(key, strip(value));
            }
        }
        kept
    }
    match value.depth() {
        Some(_) => strip(value),
        None => value,
    }
}
