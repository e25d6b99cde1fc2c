//! Scopes beside a model of each.

use super::{
    strategy::{choice, op_for, places, tree},
    support::{Model, Time, new, open, there, value},
};
use crate::{
    Kind,
    doc::{Match, Op, Patch, Path, Pattern, Refused, Scope, Value},
    engine::Direction,
    port::MemoryVolume,
};
use alloc::{string::ToString, vec::Vec};
use futures::executor::block_on;
use proptest::{collection, prelude::*};

async fn agree(scope: &Scope<MemoryVolume, Time>, model: &Model) {
    assert_eq!(scope.current_commit().unwrap(), model.commit());
    for (commit, state) in model.states.iter().enumerate() {
        let commit = commit as u64;
        assert_eq!(
            &scope.read_at("", commit).await.unwrap(),
            state,
            "at {commit}"
        );
        for path in places(state) {
            let found = there(scope.read_at(&path, commit).await);
            assert_eq!(found.as_ref(), state.at(&path), "{path} at {commit}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_scope_is_the_fold_of_the_document_and_then_its_own(
        first in tree(),
        turns in collection::vec((0..3usize, choice(), 0..20u8), 1..30),
    ) {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        block_on(async {
            let mut doc = open(&volume, &clock).await;
            let mut models = Vec::from([Model::default()]);
            let set = Patch::set(first);
            models[0].patch(&Path::ROOT, &set, None).unwrap();
            doc.patch("", set, None).await.unwrap();
            for (position, (who, choice, what)) in turns.into_iter().enumerate() {
                if position == 2 || position == 7 {
                    doc.create_scope(&models.len().to_string()).await.unwrap();
                    models.push(models[0].clone());
                }
                if what == 0 {
                    doc.close().await.unwrap();
                    doc = open(&volume, &clock).await;
                }
                let who = who % models.len();
                let model = &mut models[who];
                let patch = Patch::ops([op_for(model.now(), choice)]);
                let expected = model.patch(&Path::ROOT, &patch, None);
                let found = match who {
                    0 => doc.patch("", patch.clone(), None).await,
                    _ => doc.scope(&who.to_string()).unwrap().patch("", patch.clone(), None).await,
                };
                match (expected, found) {
                    (Ok(expected), Ok(found)) => assert_eq!(expected, found),
                    (Err(expected), Err(found)) => assert_eq!(Refused::of(&expected), Refused::of(&found)),
                    (expected, found) => panic!("{expected:?}, not {found:?} for {patch:?} of {}", model.now()),
                }
                if who > 0 {
                    let scope = doc.scope(&who.to_string()).unwrap();
                    assert_eq!(&scope.read("").await.unwrap(), model.now(), "{patch:?}");
                }
            }
            for (who, model) in models.iter().enumerate().skip(1) {
                agree(&doc.scope(&who.to_string()).unwrap(), model).await;
            }
            assert_eq!(&doc.read("").await.unwrap(), models[0].now());
        });
    }
}

#[test]
fn scopes_are_made_listed_and_dropped_for_good() {
    block_on(async {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        let doc = open(&volume, &clock).await;
        doc.patch(
            "",
            Patch::set(value(r#"{"l": [1, 2, 3], "o": {"x": 1}}"#)),
            None,
        )
        .await
        .unwrap();
        let a = doc.create_scope("a").await.unwrap();
        let b = doc.create_scope("b").await.unwrap();
        assert_eq!(
            doc.create_scope("a").await.err().unwrap().kind(),
            Kind::AlreadyExists
        );
        a.patch("o.x", Patch::set(2), None).await.unwrap();
        a.patch(
            "",
            Patch::ops([Op::delete("l[1]").unwrap(), Op::shift("o", "l[0]").unwrap()]),
            None,
        )
        .await
        .unwrap();
        assert_eq!(
            a.read("").await.unwrap(),
            value(r#"{"l": [{"x": 2}, 1, 3]}"#)
        );
        assert_eq!(b.read("l").await.unwrap(), value("[1, 2, 3]"));
        assert_eq!((a.base(), a.current_commit().unwrap()), (1, 3));
        assert_eq!(doc.scopes(), ["a", "b"]);
        let mut history = a.history("o.x", 0..=9, Direction::Forward).unwrap();
        assert_eq!(history.next().await.unwrap().unwrap().number, 2);
        let mut watch = a.watch(&"o.x".parse::<Pattern>().unwrap(), None).unwrap();
        watch.next().await.unwrap();
        a.clone().drop().await.unwrap();
        assert_eq!(a.read("").await.unwrap_err().kind(), Kind::NotFound);
        assert_eq!(watch.next().await.unwrap_err().kind(), Kind::NotFound);
        assert_eq!(doc.scope("a").err().unwrap().kind(), Kind::NotFound);
        doc.close().await.unwrap();
        let doc = open(&volume, &clock).await;
        assert_eq!(doc.scopes(), ["b"]);
        // Another one with its name has nothing of it.
        let a = doc.create_scope("a").await.unwrap();
        assert_eq!(a.read("").await.unwrap(), doc.read("").await.unwrap());
    });
}

#[test]
fn promoting_is_one_commit_if_every_match_still_holds() {
    block_on(async {
        let doc = new().await;
        doc.patch("", Patch::set(value(r#"{"n": 1, "m": 1}"#)), None)
            .await
            .unwrap();
        let scope = doc.create_scope("s").await.unwrap();
        let one = Match::from_json("1").unwrap();
        scope.patch("n", Patch::set(2), Some(one)).await.unwrap();
        scope.patch("k", Patch::set(3), None).await.unwrap();
        doc.patch("n", Patch::set(7), None).await.unwrap();
        let error = scope.clone().promote().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert_eq!(Refused::of(&error).unwrap().path().to_string(), "n");
        assert_eq!(
            scope.read("").await.unwrap(),
            value(r#"{"k": 3, "m": 1, "n": 2}"#)
        );
        assert_eq!(doc.current_commit(), 2);
        doc.patch("n", Patch::set(1), None).await.unwrap();
        doc.patch("m", Patch::set(9), None).await.unwrap();
        assert_eq!(scope.clone().promote().await.unwrap(), 5);
        assert_eq!(
            doc.read("").await.unwrap(),
            value(r#"{"k": 3, "m": 9, "n": 2}"#)
        );
        assert_eq!(scope.promote().await.unwrap_err().kind(), Kind::NotFound);
        // Nothing changed, nothing committed.
        let empty = doc.create_scope("s").await.unwrap();
        assert_eq!(empty.promote().await.unwrap(), 5);
        assert!(doc.scopes().is_empty());
        assert_eq!(doc.read("k").await.unwrap(), Value::from(3));
    });
}

#[test]
fn the_document_is_a_scope_that_does_not_end() {
    block_on(async {
        let doc = new().await;
        let whole = doc.as_scope();
        assert_eq!(whole.patch("a", Patch::set(1), None).await.unwrap(), 1);
        assert_eq!(doc.read("a").await.unwrap(), Value::from(1));
        let read = whole.read_with_commit("b").await.unwrap();
        assert_eq!(read, (None, 1));
        assert_eq!(doc.scopes(), Vec::<alloc::string::String>::new());
        for ended in [whole.clone().promote().await.map(drop), whole.drop().await] {
            assert_eq!(ended.unwrap_err().kind(), Kind::InvalidInput);
        }
        assert_eq!(doc.read_at("a", 1).await.unwrap(), Value::from(1));
    });
}
