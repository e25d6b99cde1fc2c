//! Trees, paths and operations at random: few names and small numbers, so that they meet.

use crate::{
    blob::Pointer,
    doc::{Op, Path, Step, Value},
};
use proptest::{collection, prelude::*};
use std::{
    string::{String, ToString},
    vec::Vec,
};

pub fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-d]",
        1 => Just(String::from("/")),
        1 => Just(String::from("id")),
        1 => any::<String>().prop_map(|text| text.chars().take(8).collect()),
    ]
}

pub fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..4i64).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |float| Value::try_from(float).ok()),
        (-3..4i32).prop_map(|float| Value::try_from(f64::from(float)).unwrap()),
        name().prop_map(Value::from),
        collection::vec(any::<u8>(), 0..5).prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<u8>().prop_map(|byte| Value::Link(Pointer::of(&[byte]))),
    ]
}

pub fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            2 => collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            3 => collection::btree_map(name(), inner.clone(), 0..6).prop_map(Value::Object),
            1 => collection::btree_map(0..6u64, inner, 0..4).prop_map(Value::Sparse),
        ]
    })
}

/// A tree as a store has it.
pub fn tree() -> impl Strategy<Value = Value> {
    prop_oneof![
        9 => collection::btree_map(name(), value(), 0..6).prop_map(Value::Object),
        1 => value(),
    ]
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => name().prop_map(Step::Field),
        2 => (0..6u64).prop_map(Step::Index),
        1 => (0..6u64).prop_map(Step::Sparse),
        1 => (proptest::option::of(name()), name()).prop_map(|(field, key)| Step::Key { field, key }),
        1 => any::<u64>().prop_map(Step::Sparse),
    ]
}

pub fn path() -> impl Strategy<Value = Path> {
    collection::vec(step(), 0..5).prop_map(|steps| Path::from_steps(steps).unwrap())
}

/// Paths to every place of a tree, the root first. An element that has a key is asked for by it, too: if one before it has the same key,
/// that path leads there instead, and what is further on in it may be nowhere.
pub fn places(tree: &Value) -> Vec<Path> {
    let mut all = Vec::new();
    let mut todo = std::vec![(Path::ROOT, tree)];
    while let Some((path, value)) = todo.pop() {
        let mut push = |step: Step, value| todo.push((path.child(step).unwrap(), value));
        match value {
            Value::Object(fields) => fields
                .iter()
                .for_each(|(name, value)| push(Step::Field(name.clone()), value)),
            Value::Sparse(values) => values
                .iter()
                .for_each(|(index, value)| push(Step::Sparse(*index), value)),
            Value::List(values) => values.iter().enumerate().for_each(|(index, value)| {
                push(Step::Index(index as u64), value);
                for field in ["id", "a"] {
                    let key = match value.field(field) {
                        Some(Value::String(key)) if key.len() <= 1024 => key.clone(),
                        Some(Value::Int(key)) => key.to_string(),
                        _ => continue,
                    };
                    let field = Some(field.into());
                    push(Step::Key { field, key }, value);
                }
            }),
            _ => {}
        }
        all.push(path);
    }
    all
}

/// An operation for a place that is, or nearly is, in the tree; `choice` picks.
pub fn op_for(
    tree: &Value,
    choice: (
        prop::sample::Index,
        prop::sample::Index,
        u8,
        Step,
        Value,
        u64,
        u64,
    ),
) -> Op {
    let (first, second, what, step, value, at, remove) = choice;
    let places = places(tree);
    let there = first.get(&places).clone();
    let beside = second.get(&places).clone();
    let near = match what % 3 {
        0 => there.child(step.clone()).unwrap_or_else(|_| there.clone()),
        _ => there.clone(),
    };
    match what / 3 % 9 {
        0 | 1 => Op::Set { path: near, value },
        2 => Op::Delete { path: near },
        3 => Op::Splice {
            path: near,
            at,
            remove,
            insert: std::vec![value],
        },
        4 => Op::Append {
            path: near,
            values: std::vec![value, Value::Null],
        },
        5 => Op::Increment {
            path: near,
            by: Value::Int(at as i64 - 2),
        },
        6 => Op::Test {
            expected: tree.at(&near).cloned(),
            path: near,
        },
        _ => {
            let to = match what % 2 {
                0 => beside.child(step).unwrap_or(beside),
                _ => beside,
            };
            Op::Move { from: there, to }
        }
    }
}

pub fn choice() -> impl Strategy<
    Value = (
        prop::sample::Index,
        prop::sample::Index,
        u8,
        Step,
        Value,
        u64,
        u64,
    ),
> {
    (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        any::<u8>(),
        step(),
        value(),
        0..4u64,
        0..3u64,
    )
}
