//! The document in the store beside the naive model.

use super::{
    strategy::{choice, op_for, places, tree},
    support::{Doc, Model, Time, new, open, there, value},
};
use crate::{
    Kind,
    doc::{Match, Op, Patch, Path, Refused, Value},
    engine::Direction,
    port::MemoryVolume,
};
use alloc::{string::ToString, vec::Vec};
use futures::executor::block_on;
use proptest::{collection, prelude::*};

#[derive(Clone, Debug)]
enum Action {
    Ops(
        Vec<(
            prop::sample::Index,
            prop::sample::Index,
            u8,
            crate::doc::Step,
            Value,
            u64,
            u64,
        )>,
    ),
    Merge(Value),
    Reopen,
    Checkpoint,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => collection::vec(choice(), 1..4).prop_map(Action::Ops),
        2 => tree().prop_map(Action::Merge),
        1 => Just(Action::Reopen),
        1 => Just(Action::Checkpoint),
    ]
}

/// Operations that can be applied one after another, most of them.
fn ops_for(
    tree: &Value,
    choices: Vec<(
        prop::sample::Index,
        prop::sample::Index,
        u8,
        crate::doc::Step,
        Value,
        u64,
        u64,
    )>,
) -> Vec<Op> {
    let mut tree = tree.clone();
    let mut ops = Vec::new();
    for choice in choices {
        let op = op_for(&tree, choice);
        let _ = crate::doc::apply::apply_op(&mut tree, &op);
        ops.push(op);
    }
    ops
}

async fn agree(doc: &Doc, model: &Model) {
    assert_eq!(doc.current_commit(), model.commit());
    assert_eq!(&doc.read("").await.unwrap(), model.now());
    for (commit, state) in model.states.iter().enumerate() {
        let commit = commit as u64;
        assert_eq!(
            &doc.read_at("", commit).await.unwrap(),
            state,
            "at {commit}"
        );
        for path in places(state) {
            let found = there(doc.read_at(&path, commit).await);
            assert_eq!(found.as_ref(), state.at(&path), "{path} at {commit}");
        }
    }
    for path in places(model.now()) {
        let found = there(doc.read(&path).await);
        assert_eq!(found.as_ref(), model.now().at(&path), "{path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_state_is_the_fold_of_its_patches(actions in collection::vec(action(), 1..25)) {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        let mut doc = block_on(open(&volume, &clock));
        let mut model = Model::default();
        block_on(async {
            for action in actions {
                let patch = match action {
                    Action::Ops(choices) => Patch::ops(ops_for(model.now(), choices)),
                    Action::Merge(value) => Patch::merge(value),
                    Action::Reopen => {
                        doc.store().close().await.unwrap();
                        doc = open(&volume, &clock).await;
                        continue;
                    }
                    Action::Checkpoint => {
                        doc.store().checkpoint().await.unwrap();
                        continue;
                    }
                };
                let expected = model.patch(&Path::ROOT, &patch, None);
                let found = doc.patch("", patch.clone(), None).await;
                match (expected, found) {
                    (Ok(expected), Ok(found)) => assert_eq!(expected, found),
                    (Err(expected), Err(found)) => {
                        assert_eq!(expected.to_string(), found.to_string());
                        assert_eq!(expected.kind(), found.kind());
                        assert_eq!(Refused::of(&expected), Refused::of(&found));
                    }
                    (expected, found) => panic!("{expected:?}, not {found:?} for {patch:?} of {}", model.now()),
                }
                assert_eq!(&doc.read("").await.unwrap(), model.now(), "{patch:?}");
            }
            agree(&doc, &model).await;
        });
    }
}

#[test]
fn a_path_without_anything_is_not_found() {
    block_on(async {
        let doc = new().await;
        assert_eq!(doc.read("").await.unwrap(), value("{}"));
        for path in ["a", "a.b", "[0]", "{1}", "(id=x)"] {
            assert_eq!(doc.read(path).await.unwrap_err().kind(), Kind::NotFound);
        }
        doc.patch("", Patch::set(value(r#"{"a": 1}"#)), None)
            .await
            .unwrap();
        let error = doc.read_at("a", 0).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(doc.read_at("a", 1).await.unwrap(), Value::from(1));
        let error = doc.read_at("a", 2).await.unwrap_err();
        assert_eq!(error.kind(), Kind::OutOfRange);
    });
}

#[test]
fn a_refused_patch_takes_no_number() {
    block_on(async {
        let doc = new().await;
        doc.patch("a", Patch::set(1), None).await.unwrap();
        let ops = [Op::set("x", 1).unwrap(), Op::delete("y").unwrap()];
        let error = doc.patch("a", Patch::ops(ops), None).await.unwrap_err();
        let refused = Refused::of(&error).unwrap();
        assert_eq!(refused.path().to_string(), "a");
        let pattern = Match::from_json("2").unwrap();
        let error = doc.patch("a", Patch::set(3), pattern).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert_eq!(doc.current_commit(), 1);
        let pattern = Match::from_json("1").unwrap();
        assert_eq!(doc.patch("a", Patch::set(3), pattern).await.unwrap(), 2);
        // A test that holds is no commit.
        let test = Patch::json(r#"[{"op": "test", "path": "/a", "value": 3}]"#).unwrap();
        assert_eq!(doc.patch("", test, None).await.unwrap(), 2);
    });
}

#[test]
fn a_durability_that_cannot_be_had_is_refused_before_anything_is_changed() {
    block_on(async {
        let doc = new().await;
        let asked = doc.patch_with("a", Patch::set(1), None, crate::engine::Durability::Remote);
        assert_eq!(asked.await.unwrap_err().kind(), Kind::NotImplemented);
        assert_eq!(doc.current_commit(), 0);
    });
}

#[test]
fn declared_keys_are_used_and_kept() {
    block_on(async {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        let doc = open(&volume, &clock).await;
        let error = doc.patch("users(jane).age", Patch::set(3), None).await;
        assert_eq!(error.unwrap_err().kind(), Kind::InvalidInput);
        doc.declare_key("users", "id").await.unwrap();
        doc.declare_key("teams(*).members", "name").await.unwrap();
        doc.declare_key("teams", "id").await.unwrap();
        doc.patch("users(jane).age", Patch::set(3), None)
            .await
            .unwrap();
        let add = Op::set("teams(red).members(bo).role", "cook").unwrap();
        doc.patch("", Patch::ops([add]), None).await.unwrap();
        doc.store().close().await.unwrap();
        let doc = open(&volume, &clock).await;
        assert_eq!(
            doc.read("users(jane)").await.unwrap(),
            value(r#"{"id": "jane", "age": 3}"#)
        );
        assert_eq!(
            doc.read("teams(red).members(bo).role").await.unwrap(),
            Value::from("cook")
        );
        assert_eq!(doc.read("users[0].age").await.unwrap(), Value::from(3));
    });
}

#[test]
fn a_key_that_two_elements_have_means_the_first() {
    block_on(async {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        let doc = open(&volume, &clock).await;
        let list = value(r#"{"l": [{"id": 7}, {"id": "7", "b": 1}, {"id": "x"}]}"#);
        let first = doc.patch("", Patch::set(list), None).await.unwrap();
        let error = doc.read("l(id='7').b").await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        let absent = Match::from_json(r#"{"b": {"$absent": true}}"#).unwrap();
        doc.patch("l(id='7').b", Patch::set(2), None).await.unwrap();
        let error = doc.patch("l(id='7')", Patch::set(0), absent).await;
        assert_eq!(error.unwrap_err().kind(), Kind::Conflict);
        // Without the first, it means the second; and with another key, the element is another one's.
        let gone = Op::delete("l(id='7')").unwrap();
        let second = doc.patch("", Patch::ops([gone]), None).await.unwrap();
        let key = Patch::set("x");
        let third = doc.patch("l(id='7').id", key, None).await.unwrap();
        doc.close().await.unwrap();
        let doc = open(&volume, &clock).await;
        doc.store().checkpoint().await.unwrap();
        for (commit, seven, x) in [
            (first, Some(r#"{"id": 7}"#), r#"{"id": "x"}"#),
            (first + 1, Some(r#"{"id": 7, "b": 2}"#), r#"{"id": "x"}"#),
            (second, Some(r#"{"id": "7", "b": 1}"#), r#"{"id": "x"}"#),
            (third, None, r#"{"id": "x", "b": 1}"#),
        ] {
            let found = there(doc.read_at("l(id='7')", commit).await);
            assert_eq!(found, seven.map(value), "at {commit}");
            assert_eq!(doc.read_at("l(id=x)", commit).await.unwrap(), value(x));
        }
        let mut history = doc.history("l(id=x)", 2..=9, Direction::Forward).unwrap();
        assert_eq!(history.next().await.unwrap().unwrap().number, third);
        assert_eq!(history.next().await.unwrap(), None);
    });
}

#[test]
fn history_has_the_commits_that_touched_a_path() {
    block_on(async {
        let doc = new().await;
        let ops = [
            ("a", r#"{"x": 1}"#),
            ("b", "2"),
            ("a.x", "2"),
            ("l", r#"[{"id": 1}, {"id": 2}]"#),
            ("l[0].n", "7"),
            ("l[1].n", "8"),
            ("a", "0"),
        ];
        for (path, json) in ops {
            let set = Op::set(path, value(json)).unwrap();
            doc.patch("", Patch::ops([set]), None).await.unwrap();
        }
        let history = async |path: &str, range, direction| {
            let mut history = doc.history(path, range, direction).unwrap();
            let mut found = Vec::new();
            while let Some(commit) = history.next().await.unwrap() {
                found.push(commit.number);
            }
            found
        };
        use Direction::{Backward, Forward};
        assert_eq!(history("a", 0..=100, Forward).await, [1, 3, 7]);
        assert_eq!(history("a.x", 2..=100, Backward).await, [7, 3]);
        assert_eq!(history("b", 0..=100, Forward).await, [2]);
        assert_eq!(history("l(id=2)", 0..=100, Forward).await, [4, 6]);
        assert_eq!(history("l[0]", 0..=100, Forward).await, [4, 5]);
        assert_eq!(history("", 3..=4, Forward).await, [3, 4]);
    });
}
