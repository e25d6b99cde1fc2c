//! Operations on a value in memory. The tree in the store does the same to rows (`work.rs`); tests hold them together.

use super::{
    Op, Patch, Path, Step, Value, ValueKind,
    normal::{self, Tree},
    refusal::Refusal,
    sketch::sketch,
};
use crate::{Error, Kind, Result};
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use futures::FutureExt;

/// What becomes of `tree` by `patch`.
///
/// # Errors
/// `Conflict` where this state cannot take the patch, `InvalidInput` where none could; [`Refused`](super::Refused) says where and why.
pub fn apply(tree: &Value, patch: &Patch) -> Result<Value> {
    let mut memory = Memory(tree.clone());
    run(&mut memory, patch)?;
    Ok(memory.0)
}

/// The normal form of `patch` for `tree`: the same change, in operations alone.
///
/// # Errors
/// Those of [`apply`].
pub fn normalize(tree: &Value, patch: &Patch) -> Result<Vec<Op>> {
    run(&mut Memory(tree.clone()), patch)
}

fn run(memory: &mut Memory, patch: &Patch) -> Result<Vec<Op>> {
    normal::normalize(memory, &Path::ROOT, patch)
        .now_or_never()
        .unwrap_or_else(|| Err(Error::new(Kind::Transient, "a value in memory was awaited")))
}

/// A tree that is a value: it never waits.
pub(crate) struct Memory(pub Value);

impl Tree for Memory {
    async fn kind_at(&mut self, path: &Path) -> Result<Option<ValueKind>> {
        Ok(self.0.at(path).map(Value::kind))
    }

    async fn value_at(&mut self, path: &Path) -> Result<Option<Value>> {
        Ok(self.0.at(path).cloned())
    }

    async fn apply(&mut self, op: &Op) -> Result<()> {
        apply_op(&mut self.0, op)
    }
}

impl Value {
    /// What is at `path` below it; `None` for nothing, also where the path takes a container for one of another kind.
    ///
    /// ```
    /// use littoral_core::doc::Value;
    /// let value = Value::from_json(r#"{"crew": [{"id": 7, "name": "Ann"}]}"#)?;
    /// assert_eq!(value.at(&"crew[0].name".parse()?), Some(&"Ann".into()));
    /// assert_eq!(value.at(&"crew(id=7).name".parse()?), Some(&"Ann".into()));
    /// assert_eq!(value.at(&"crew.name".parse()?), None);
    /// # Ok::<(), littoral_core::Error>(())
    /// ```
    pub fn at(&self, path: &Path) -> Option<&Value> {
        path.steps().iter().try_fold(self, Value::child)
    }

    pub(crate) fn child(&self, step: &Step) -> Option<&Value> {
        match (self, step) {
            (Value::Object(fields), Step::Field(name)) => fields.get(name),
            (Value::List(values), Step::Index(index)) => values.get(usize::try_from(*index).ok()?),
            (Value::Sparse(values), Step::Sparse(index)) => values.get(index),
            (
                Value::List(values),
                Step::Key {
                    field: Some(field),
                    key,
                },
            ) => values.get(position(values, field, key)?),
            _ => None,
        }
    }

    fn child_mut(&mut self, step: &Step) -> Option<&mut Value> {
        match (self, step) {
            (Value::Object(fields), Step::Field(name)) => fields.get_mut(name),
            (Value::List(values), Step::Index(index)) => {
                values.get_mut(usize::try_from(*index).ok()?)
            }
            (Value::Sparse(values), Step::Sparse(index)) => values.get_mut(index),
            (
                Value::List(values),
                Step::Key {
                    field: Some(field),
                    key,
                },
            ) => {
                let position = position(values, field, key)?;
                values.get_mut(position)
            }
            _ => None,
        }
    }
}

/// Where the first element of a list is whose key field has this value.
pub(crate) fn position(values: &[Value], field: &str, key: &str) -> Option<usize> {
    values
        .iter()
        .position(|value| value.field(field).is_some_and(|found| is_key(found, key)))
}

/// Whether a key field's value is what a path calls `key`.
pub(crate) fn is_key(value: &Value, key: &str) -> bool {
    match value {
        Value::String(text) => text == key,
        Value::Int(int) => int.to_string() == key,
        _ => false,
    }
}

/// An empty container of the kind that `step` is applied to. An index is never one of an empty list.
pub(crate) fn container_for(step: &Step) -> Option<Value> {
    match step {
        Step::Field(_) => Some(Value::Object(BTreeMap::new())),
        Step::Sparse(_) => Some(Value::Sparse(BTreeMap::new())),
        Step::Key { field: Some(_), .. } => Some(Value::List(Vec::new())),
        Step::Key { field: None, .. } | Step::Index(_) => None,
    }
}

/// Why `step` cannot be applied to something of this kind; `None` if it can.
pub(crate) fn misfit(kind: ValueKind, step: &Step) -> Option<Refusal> {
    let wanted = match step {
        Step::Key { field: None, .. } if kind == ValueKind::List => {
            return Some(undeclared());
        }
        Step::Field(_) => ValueKind::Object,
        Step::Index(_) | Step::Key { .. } => ValueKind::List,
        Step::Sparse(_) => ValueKind::Sparse,
    };
    (kind != wanted).then(|| Refusal::state(format!("{kind} is there, not {wanted}")))
}

pub(crate) fn undeclared() -> Refusal {
    Refusal::invalid(
        "no key field was declared for the elements of this list: write it out, as in (id=KEY)",
    )
}

pub(crate) fn nothing_there() -> Refusal {
    Refusal::state("nothing is there")
}

pub(crate) fn out_of_list(len: u64) -> Refusal {
    Refusal::state(format!("the list has {len} values"))
}

pub(super) fn apply_op(tree: &mut Value, op: &Op) -> Result<()> {
    match op {
        Op::Test { path, expected } => test(tree.at(path), expected.as_ref(), path),
        Op::Set { path, value } => set(tree, path, value),
        Op::Delete { path } => remove(tree, path).map(drop),
        Op::Splice {
            path,
            at,
            remove,
            insert,
        } => {
            let values = list(tree, path)?;
            let len = values.len() as u64;
            check_all(insert, path)?;
            let end = at.checked_add(*remove).filter(|end| *end <= len);
            let Some(end) = end else {
                return Err(out_of_list(len).at(path));
            };
            values.splice(*at as usize..end as usize, insert.iter().cloned());
            Ok(())
        }
        Op::Append { path, values } => {
            check_all(values, path)?;
            list(tree, path)?.extend_from_slice(values);
            Ok(())
        }
        Op::Increment { path, by } => {
            let there = or_new(tree, path, Value::Int(0))?;
            *there = add(there, by).map_err(|refusal| refusal.at(path))?;
            Ok(())
        }
        Op::Move { from, to } => shift(tree, from, to),
    }
}

pub(crate) fn test(found: Option<&Value>, expected: Option<&Value>, path: &Path) -> Result<()> {
    let equal = match (found, expected) {
        (None, None) => true,
        (Some(found), Some(expected)) => found.equals(expected),
        _ => false,
    };
    if equal {
        return Ok(());
    }
    let show = |value: Option<&Value>| match value {
        None => String::from("nothing"),
        Some(value) => sketch(value),
    };
    let reason = format!("{} is there, not {}", show(found), show(expected));
    Err(Refusal::state(reason).at(path))
}

/// Values that become elements of the list at `path`.
pub(crate) fn check_all(values: &[Value], path: &Path) -> Result<()> {
    values
        .iter()
        .try_for_each(|value| value.check(path.steps().len() + 1))
        .map_err(|refusal| refusal.at(path))
}

/// What `step` is applied to at `path`; makes what is missing on the way.
fn open<'a>(tree: &'a mut Value, path: &Path) -> Result<&'a mut Value> {
    let steps = path.steps();
    let mut here = tree;
    for (position, (step, next)) in steps.iter().zip(steps.iter().skip(1)).enumerate() {
        if let Some(refusal) = misfit(here.kind(), step) {
            return Err(refusal.at(&path.prefix(position)));
        }
        if here.child(step).is_none() {
            let place = path.prefix(position + 1);
            let made = container_for(next).ok_or_else(|| nothing_there().at(&place))?;
            put(here, step, made).map_err(|refusal| refusal.at(&place))?;
        }
        here = here
            .child_mut(step)
            .ok_or_else(|| nothing_there().at(&path.prefix(position + 1)))?;
    }
    Ok(here)
}

/// What is at `path`, which is there.
fn existing<'a>(tree: &'a mut Value, path: &Path) -> Result<&'a mut Value> {
    let mut here = tree;
    for (position, step) in path.steps().iter().enumerate() {
        if let Some(refusal) = misfit(here.kind(), step) {
            return Err(refusal.at(&path.prefix(position)));
        }
        here = here
            .child_mut(step)
            .ok_or_else(|| nothing_there().at(&path.prefix(position + 1)))?;
    }
    Ok(here)
}

/// What is at `path`; if nothing is there and its container is, `new` is put there.
fn or_new<'a>(tree: &'a mut Value, path: &Path, new: Value) -> Result<&'a mut Value> {
    if let Some((parent, step)) = path.split()
        && matches!(step, Step::Field(_) | Step::Sparse(_))
    {
        let parent_value = existing(tree, &parent)?;
        if let Some(refusal) = misfit(parent_value.kind(), step) {
            return Err(refusal.at(&parent));
        }
        if parent_value.child(step).is_none() {
            let checked = Value::check(&new, path.steps().len());
            checked
                .and_then(|()| put(parent_value, step, new))
                .map_err(|refusal| refusal.at(path))?;
        }
    }
    existing(tree, path)
}

fn list<'a>(tree: &'a mut Value, path: &Path) -> Result<&'a mut Vec<Value>> {
    match or_new(tree, path, Value::List(Vec::new()))? {
        Value::List(values) => Ok(values),
        other => {
            let kind = other.kind();
            Err(Refusal::state(format!("{kind} is there, not a list")).at(path))
        }
    }
}

fn set(tree: &mut Value, path: &Path, value: &Value) -> Result<()> {
    value
        .check(path.steps().len())
        .map_err(|refusal| refusal.at(path))?;
    let Some((parent, step)) = path.split() else {
        *tree = value.clone();
        return Ok(());
    };
    let container = open(tree, path)?;
    if let Some(refusal) = misfit(container.kind(), step) {
        return Err(refusal.at(&parent));
    }
    put(container, step, value.clone()).map_err(|refusal| refusal.at(path))
}

/// Puts a value into a container of the right kind, in place of what is there.
fn put(container: &mut Value, step: &Step, value: Value) -> Result<(), Refusal> {
    match (container, step) {
        (Value::Object(fields), Step::Field(name)) => {
            fields.insert(name.clone(), value);
        }
        (Value::Sparse(values), Step::Sparse(index)) => {
            values.insert(*index, value);
        }
        (Value::List(values), Step::Index(index)) => {
            let len = values.len() as u64;
            let place = usize::try_from(*index)
                .ok()
                .and_then(|index| values.get_mut(index));
            *place.ok_or_else(|| out_of_list(len))? = value;
        }
        (
            Value::List(values),
            Step::Key {
                field: Some(field),
                key,
            },
        ) => {
            let value = with_key(value, field, key)?;
            match position(values, field, key).and_then(|position| values.get_mut(position)) {
                Some(place) => *place = value,
                None => values.push(value),
            }
        }
        _ => return Err(nothing_there()),
    }
    Ok(())
}

/// An element that can be found under `key`: its key field is put in, unless it is there.
pub(crate) fn with_key(mut value: Value, field: &str, key: &str) -> Result<Value, Refusal> {
    let Value::Object(fields) = &mut value else {
        return Err(Refusal::state("an element of a keyed list is an object"));
    };
    match fields.get(field) {
        None => {
            fields.insert(field.into(), Value::from(key));
        }
        Some(found) if is_key(found, key) => {}
        Some(found) => {
            let found = sketch(found);
            return Err(Refusal::state(format!(
                "its key field {field} is {found}, not {key:?}"
            )));
        }
    }
    Ok(value)
}

fn remove(tree: &mut Value, path: &Path) -> Result<Value> {
    let Some((parent, step)) = path.split() else {
        return Err(Refusal::invalid("the root is always there").at(path));
    };
    let container = existing(tree, &parent)?;
    if let Some(refusal) = misfit(container.kind(), step) {
        return Err(refusal.at(&parent));
    }
    let removed = match (container, step) {
        (Value::Object(fields), Step::Field(name)) => fields.remove(name),
        (Value::Sparse(values), Step::Sparse(index)) => values.remove(index),
        (Value::List(values), Step::Index(index)) => usize::try_from(*index)
            .ok()
            .filter(|index| *index < values.len())
            .map(|index| values.remove(index)),
        (
            Value::List(values),
            Step::Key {
                field: Some(field),
                key,
            },
        ) => position(values, field, key).map(|index| values.remove(index)),
        _ => None,
    };
    removed.ok_or_else(|| nothing_there().at(path))
}

fn shift(tree: &mut Value, from: &Path, to: &Path) -> Result<()> {
    let Some((parent, step)) = check_shift(from, to)? else {
        return existing(tree, from).map(drop);
    };
    let value = remove(tree, from)?;
    value
        .check(to.steps().len())
        .map_err(|refusal| refusal.at(to))?;
    let container = existing(tree, &parent)?;
    if let Some(refusal) = misfit(container.kind(), &step) {
        return Err(refusal.at(&parent));
    }
    match (container, &step) {
        (Value::List(values), Step::Index(index)) => {
            let len = values.len() as u64;
            if *index > len {
                return Err(out_of_list(len).at(to));
            }
            values.insert(*index as usize, value);
            Ok(())
        }
        (container, step) => put(container, step, value).map_err(|refusal| refusal.at(to)),
    }
}

/// Where a move goes, if the paths alone allow it; `None` when it changes nothing.
pub(crate) fn check_shift(from: &Path, to: &Path) -> Result<Option<(Path, Step)>> {
    if from.is_root() {
        return Err(Refusal::invalid("the root cannot be moved").at(from));
    }
    if from == to {
        return Ok(None);
    }
    // Where an element was, another one is then: its path may well lead further.
    if to.strip(from).is_some() && !matches!(from.steps().last(), Some(Step::Index(_))) {
        return Err(Refusal::invalid("something cannot be moved into itself").at(to));
    }
    match to.split() {
        None => Err(Refusal::invalid("nothing can be moved to the root").at(to)),
        Some((_, Step::Key { .. })) => {
            let reason = "an element gets its key from its field: move it to an index";
            Err(Refusal::invalid(reason).at(to))
        }
        Some((parent, step)) => Ok(Some((parent, step.clone()))),
    }
}

/// The sum of two numbers, an integer as long as both are.
pub(crate) fn add(number: &Value, by: &Value) -> Result<Value, Refusal> {
    let float = |value: &Value| match value {
        Value::Int(int) => Some(*int as f64),
        Value::Float(float) => Some(float.value()),
        _ => None,
    };
    match (number, by) {
        (Value::Int(number), Value::Int(by)) => number
            .checked_add(*by)
            .map(Value::Int)
            .ok_or_else(|| Refusal::state("the sum leaves 64 bits")),
        _ => {
            let by = float(by)
                .ok_or_else(|| Refusal::invalid(format!("{} is no number to add", by.kind())))?;
            let number = float(number).ok_or_else(|| {
                Refusal::state(format!("{} is there, not a number", number.kind()))
            })?;
            Value::try_from(number + by).map_err(|_| Refusal::state("the sum is not finite"))
        }
    }
}
