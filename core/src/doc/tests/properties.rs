//! What holds for all trees.

use super::strategy::{choice, op_for, path, tree, value};
use crate::doc::{
    Match, Op, Patch, Path, Pattern, Relation, Touch, Value, apply, apply::apply_op, diff, invert,
    normalize,
};
use proptest::{collection, prelude::*};
use std::{string::ToString, vec::Vec};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_diff_makes_one_tree_of_the_other(from in tree(), to in tree()) {
        let patch = Patch::ops(diff(&from, &to));
        prop_assert_eq!(apply(&from, &patch).unwrap(), to);
    }

    #[test]
    fn a_diff_follows_what_was_changed(tree in tree(), choices in collection::vec(choice(), 0..6)) {
        let mut changed = tree.clone();
        for choice in choices {
            let op = op_for(&changed, choice);
            if let Ok(next) = apply(&changed, &Patch::ops([op])) {
                changed = next;
            }
        }
        prop_assert_eq!(&apply(&tree, &Patch::ops(diff(&tree, &changed))).unwrap(), &changed);
        prop_assert_eq!(&apply(&changed, &Patch::ops(diff(&changed, &tree))).unwrap(), &tree);
    }

    #[test]
    fn what_is_undone_was_never_done(tree in tree(), choices in collection::vec(choice(), 0..6)) {
        let mut changed = tree.clone();
        let mut ops = Vec::new();
        for choice in choices {
            let op = op_for(&changed, choice);
            if let Ok(next) = apply(&changed, &Patch::ops([op.clone()])) {
                changed = next;
                ops.push(op);
            }
        }
        let undo = invert(&tree, &ops).unwrap();
        prop_assert_eq!(apply(&changed, &Patch::ops(undo)).unwrap(), tree);
    }

    #[test]
    fn a_normal_form_does_what_the_patch_does(tree in tree(), patch in tree()) {
        let patch = Patch::merge(patch);
        match apply(&tree, &patch) {
            Ok(changed) => {
                let ops = normalize(&tree, &patch).unwrap();
                prop_assert_eq!(apply(&tree, &Patch::ops(ops.clone())).unwrap(), changed);
                prop_assert_eq!(Op::decode_all(&Op::encode_all(&ops)).unwrap(), ops);
            }
            Err(error) => prop_assert_eq!(normalize(&tree, &patch).unwrap_err().to_string(), error.to_string()),
        }
    }

    #[test]
    fn an_operation_changes_only_what_it_touches(tree in tree(), choice in choice(), path in path()) {
        let op = op_for(&tree, choice);
        let mut changed = tree.clone();
        if apply_op(&mut changed, &op).is_ok() {
            for path in super::strategy::places(&tree).into_iter().chain([path]) {
                if op.touches(&Pattern::from(path.clone())) == Touch::No {
                    prop_assert_eq!(tree.at(&path), changed.at(&path), "{} by {:?}", path, op);
                }
            }
        }
    }

    #[test]
    fn values_go_to_bytes_and_back(value in value()) {
        let bytes = value.encode();
        prop_assert_eq!(Value::decode(&bytes).unwrap(), value);
    }

    #[test]
    fn bytes_are_the_only_ones_for_their_value(bytes in collection::vec(any::<u8>(), 0..40)) {
        if let Ok(value) = Value::decode(&bytes) {
            prop_assert_eq!(value.encode(), &bytes[..]);
        }
        if let Ok(ops) = Op::decode_all(&bytes) {
            prop_assert_eq!(Op::encode_all(&ops), &bytes[..]);
        }
    }

    #[test]
    fn values_go_to_json_and_back(value in value()) {
        let json = value.to_json();
        prop_assert_eq!(Value::from_json(&json).unwrap(), without_sparse(&value), "{}", json);
    }

    #[test]
    fn paths_go_to_text_and_bytes_and_back(path in path()) {
        let text = path.to_string();
        prop_assert_eq!(text.parse::<Path>().unwrap(), path.clone(), "{}", text);
        prop_assert_eq!(&Path::decode(&path.encode()).unwrap(), &path);
        let pattern: Pattern = text.parse().unwrap();
        prop_assert_eq!(pattern.path(), Some(path.clone()));
        prop_assert!(pattern.matches(&path));
    }

    #[test]
    fn any_text_is_a_path_or_an_error(text in "[a'.\\[\\](){}0-2*= ]{0,12}") {
        if let Ok(path) = text.parse::<Path>() {
            prop_assert_eq!(path.to_string().parse::<Path>().unwrap(), path);
        }
        if let Ok(pattern) = text.parse::<Pattern>() {
            prop_assert_eq!(pattern.to_string().parse::<Pattern>().unwrap(), pattern);
        }
    }

    #[test]
    fn paths_are_taken_apart_and_put_together(a in path(), b in path()) {
        let joined = a.join(&b).unwrap();
        prop_assert_eq!(joined.strip(&a), Some(b.clone()));
        prop_assert_eq!(joined.prefix(a.steps().len()), a.clone());
        if let Some((parent, step)) = joined.split() {
            prop_assert_eq!(parent.child(step.clone()).unwrap(), joined.clone());
        }
        let turned = match a.relation(&b) {
            Relation::Above => Relation::Below,
            Relation::Below => Relation::Above,
            other => other,
        };
        prop_assert_eq!(b.relation(&a), turned);
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
    }

    #[test]
    fn a_value_matches_itself_and_its_pattern_is_a_value(value in value()) {
        prop_assert!(Match::Equals(value.clone()).matches(Some(&value)));
        if let Ok(pattern) = Match::from_value(value) {
            prop_assert_eq!(Match::from_value(pattern.to_value()).unwrap(), pattern);
        }
    }
}

/// What JSON keeps of a value.
fn without_sparse(value: &Value) -> Value {
    match value {
        Value::List(values) => Value::List(values.iter().map(without_sparse).collect()),
        Value::Object(fields) => Value::object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), without_sparse(value))),
        ),
        Value::Sparse(values) => Value::object(
            values
                .iter()
                .map(|(index, value)| (index.to_string(), without_sparse(value))),
        ),
        other => other.clone(),
    }
}

#[test]
fn moves_that_shift_their_own_target_are_undone() {
    let tree = Value::from_json(
        r#"{"a": [{"id": "p", "x": 0}, {"id": "q", "x": 1, "b": {"c": 2}}], "o": {"a": {"b": 1}}}"#,
    )
    .unwrap();
    for (from, to) in [
        ("a[0]", "a[0].x"),
        ("a[0]", "a(id=q).x"),
        ("a(id=q).b.c", "a(id=q).b"),
        ("a(id=q).b.c", "a[1].b"),
        ("a(id=q).b.c", "a[1]"),
        ("a[1]", "a"),
        ("o.a.b", "o"),
        ("a(id=p)", "a[1]"),
    ] {
        let ops = [Op::shift(from, to).unwrap()];
        let undo = invert(&tree, &ops).unwrap();
        let changed = apply(&tree, &Patch::ops(ops)).unwrap();
        assert_ne!(changed, tree);
        let undone = apply(&changed, &Patch::ops(undo)).unwrap();
        assert_eq!(undone, tree, "{from} to {to}");
    }
}

#[test]
fn moves_that_change_the_key_of_their_target_are_undone() {
    let tree = Value::from_json(
        r#"{"l": [{"id": "p", "x": 1, "y": {"id": 2}}, {"id": "p"}, {"id": "q"}]}"#,
    )
    .unwrap();
    for (from, to) in [
        ("l(id=p).x", "l(id=p).id"),
        ("l(id=p).x", "l(id=q).id"),
        ("l(id=p).id", "l(id=p).x"),
        ("l(id=p).id", "l(id=q).id"),
        ("l[0]", "l(id=p).y"),
        ("l(id=p).y.id", "l(id=p).id"),
    ] {
        let ops = [Op::shift(from, to).unwrap()];
        let undo = invert(&tree, &ops).unwrap();
        let changed = apply(&tree, &Patch::ops(ops)).unwrap();
        assert_ne!(changed, tree);
        let undone = apply(&changed, &Patch::ops(undo)).unwrap();
        assert_eq!(undone, tree, "{from} to {to}");
    }
}
