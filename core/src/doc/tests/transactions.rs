//! Several participants, one commit.

use super::support::{Time, new, open, value, with};
use crate::{
    Kind,
    doc::{Match, Op, Outcome, Patch, Value},
    port::MemoryVolume,
};
use alloc::boxed::Box;
use core::time::Duration;
use futures::{FutureExt, executor::block_on, join};

const LONG: Duration = Duration::from_secs(60);

fn by(number: i64) -> Patch {
    Patch::ops([Op::increment("", number).unwrap()])
}

fn pattern(json: &str) -> Option<Match> {
    Some(Match::from_json(json).unwrap())
}

#[test]
fn all_who_joined_get_the_same_commit_and_their_own_value() {
    block_on(async {
        let doc = with(r#"{"a": 1, "b": 2, "c": 3}"#).await;
        let transaction = doc.begin(3, Value::from("hello"), LONG).await.unwrap();
        let same = doc.transaction(transaction.id()).unwrap();
        assert_eq!(same.meta().unwrap(), Value::from("hello"));
        assert_eq!(doc.transactions(), [transaction.id()]);
        let (a, b, c) = join!(
            transaction.join("a", by(10), pattern("1")),
            same.join("b", by(10), None),
            same.join("c", by(10), pattern(r#"{"$gt": 2}"#)),
        );
        for (outcome, value) in [(a, 11), (b, 12), (c, 13)] {
            let outcome = outcome.unwrap();
            assert!(outcome.committed && outcome.matched);
            assert_eq!(
                (outcome.commit, outcome.value),
                (2, Some(Value::from(value)))
            );
        }
        assert_eq!(doc.current_commit(), 2);
        assert_eq!(same.joined().unwrap(), (3, 3));
        assert!(doc.transactions().is_empty());
        let late = same.join("d", by(1), None).await.unwrap_err();
        assert_eq!(late.kind(), Kind::Conflict);
    });
}

#[test]
fn nothing_is_applied_unless_all_match_and_all_can_be() {
    block_on(async {
        let doc = with(r#"{"a": 1, "b": 2, "s": "x"}"#).await;
        let run = async |meta: Value, matching, patch: Patch| -> Outcome {
            let transaction = doc.begin(2, meta, LONG).await.unwrap();
            let (a, b) = join!(
                transaction.join("a", by(1), None),
                transaction.join("s", patch, matching),
            );
            let (a, b) = (a.unwrap(), b.unwrap());
            assert_eq!(a.value, Some(Value::from(1)));
            assert_eq!(
                (a.committed, a.matched, a.commit),
                (b.committed, b.matched, b.commit)
            );
            assert!(!a.committed);
            a
        };
        let outcome = run(Value::Null, pattern("\"y\""), Patch::set(1)).await;
        assert!(!outcome.matched);
        let meta = value(r#"{"match": {"b": 3}}"#);
        assert!(!run(meta, None, Patch::set(1)).await.matched);
        let outcome = run(Value::Null, None, by(1)).await;
        assert!(outcome.matched);
        assert_eq!(
            outcome.refused.unwrap().reason(),
            "a string is there, not a number"
        );
        assert_eq!(doc.current_commit(), 1);
        let bad = doc.begin(1, value(r#"{"match": {"$no": 1}}"#), LONG).await;
        assert_eq!(bad.err().unwrap().kind(), Kind::InvalidInput);
    });
}

#[test]
fn who_deletes_an_element_does_not_move_what_another_has_named() {
    block_on(async {
        let doc = with(r#"{"l": ["a", "b", "c"]}"#).await;
        let transaction = doc.begin(3, Value::Null, LONG).await.unwrap();
        let delete = || Patch::ops([Op::delete("").unwrap()]);
        let (a, b, c) = join!(
            transaction.join("l[0]", delete(), pattern("\"a\"")),
            transaction.join("l[1]", Patch::set("B"), pattern("\"b\"")),
            transaction.join("l[2]", delete(), pattern("\"c\"")),
        );
        assert!(a.unwrap().committed && b.unwrap().committed && c.unwrap().committed);
        assert_eq!(doc.read("l").await.unwrap(), value(r#"["B"]"#));
    });
}

#[test]
fn overlapping_and_mixed_paths_are_refused_and_the_others_wait_on() {
    block_on(async {
        let doc = with(r#"{"a": {"x": 1}, "l": [{"id": 1}]}"#).await;
        let transaction = doc.begin(3, Value::Null, LONG).await.unwrap();
        let mut first = Box::pin(transaction.join("a.x", by(1), None));
        assert!((&mut first).now_or_never().is_none());
        for path in ["a.x", "a", "", "a.x.y", "a[0]", "a{1}"] {
            let error = transaction.join(path, by(1), None).await.unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidInput, "{path}");
        }
        let mut second = Box::pin(transaction.join("l[0]", Patch::set(2), None));
        assert!((&mut second).now_or_never().is_none());
        let error = transaction
            .join("l(id=1)", Patch::set(3), None)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput);
        assert_eq!(transaction.joined().unwrap(), (2, 3));
        let third = transaction.join("b", Patch::set(1), None).await.unwrap();
        assert!(
            third.committed && first.await.unwrap().committed && second.await.unwrap().committed
        );
        assert_eq!(
            doc.read("").await.unwrap(),
            value(r#"{"a": {"x": 2}, "b": 1, "l": [2]}"#)
        );
    });
}

#[test]
fn a_dropped_future_stays_joined_and_can_ask_again() {
    block_on(async {
        let doc = with(r#"{"a": 1, "b": 2}"#).await;
        let transaction = doc.begin(2, Value::Null, LONG).await.unwrap();
        assert!(transaction.join("a", by(1), None).now_or_never().is_none());
        assert_eq!(transaction.joined().unwrap(), (1, 2));
        assert!(transaction.join("b", by(1), None).await.unwrap().committed);
        let outcome = transaction.outcome("a").await.unwrap();
        assert_eq!((outcome.commit, outcome.value), (2, Some(Value::from(2))));
    });
}

#[test]
fn one_that_was_never_polled_has_not_joined() {
    block_on(async {
        let doc = with(r#"{"a": 1}"#).await;
        let transaction = doc.begin(2, Value::Null, LONG).await.unwrap();
        drop(transaction.join("a", by(1), None));
        assert_eq!(transaction.joined().unwrap(), (0, 2));
    });
}

#[test]
fn an_unfinished_transaction_survives_a_restart() {
    block_on(async {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        let doc = open(&volume, &clock).await;
        let transaction = doc.begin(3, Value::from("m"), LONG).await.unwrap();
        let id = transaction.id();
        let merge = Patch::merge(value(r#"{"x": {"y": null}}"#));
        assert!(
            transaction
                .join("a", merge, pattern(r#"{"$absent": true}"#))
                .now_or_never()
                .is_none()
        );
        let json = Patch::json(r#"[{"op": "add", "path": "", "value": 7}]"#).unwrap();
        assert!(transaction.join("b", json, None).now_or_never().is_none());
        doc.store().close().await.unwrap();
        drop((transaction, doc));
        let doc = open(&volume, &clock).await;
        let transaction = doc.transaction(id).unwrap();
        assert_eq!(transaction.joined().unwrap(), (2, 3));
        assert_eq!(transaction.meta().unwrap(), Value::from("m"));
        let outcome = transaction.join("c", Patch::set(1), None).await.unwrap();
        assert!(outcome.committed);
        assert_eq!(
            doc.read("").await.unwrap(),
            value(r#"{"a": {"x": {}}, "b": 7, "c": 1}"#)
        );
        // So does what became of it, and the next number is another one.
        doc.store().close().await.unwrap();
        let doc = open(&volume, &clock).await;
        let outcome = doc.transaction(id).unwrap().outcome("b").await.unwrap();
        assert_eq!((outcome.commit, outcome.value), (1, Some(Value::from(7))));
        assert_ne!(doc.begin(1, Value::Null, LONG).await.unwrap().id(), id);
    });
}

#[test]
fn nobody_waits_beyond_the_deadline() {
    block_on(async {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        let doc = open(&volume, &clock).await;
        let transaction = doc.begin(2, Value::Null, LONG).await.unwrap();
        let waits = transaction.join("a", by(1), None);
        let (waited, ()) = join!(waits, async { clock.pass(LONG) });
        assert_eq!(waited.unwrap_err().kind(), Kind::Timeout);
        let late = transaction.join("b", by(1), None).await.unwrap_err();
        assert_eq!(late.kind(), Kind::Timeout);
        // Without anybody who waits, too, and after a restart.
        let other = doc.begin(2, Value::Null, LONG).await.unwrap();
        assert!(other.join("a", by(1), None).now_or_never().is_none());
        let id = other.id();
        doc.store().close().await.unwrap();
        clock.pass(LONG);
        let doc = open(&volume, &clock).await;
        let late = doc.transaction(id).unwrap().join("b", by(1), None).await;
        assert_eq!(late.unwrap_err().kind(), Kind::Timeout);
        assert_eq!(doc.current_commit(), 0);
        // And it is forgotten in the end.
        clock.pass(LONG * 2);
        doc.begin(2, Value::Null, LONG).await.unwrap();
        assert_eq!(doc.transaction(id).err().unwrap().kind(), Kind::NotFound);
    });
}

#[test]
fn an_aborted_transaction_changes_nothing() {
    block_on(async {
        let doc = new().await;
        assert_eq!(doc.transaction(77).err().unwrap().kind(), Kind::NotFound);
        let transaction = doc.begin(2, Value::Null, LONG).await.unwrap();
        let (waited, aborted) = join!(transaction.join("a", by(1), None), transaction.abort());
        aborted.unwrap();
        assert_eq!(waited.unwrap_err().kind(), Kind::Conflict);
        assert_eq!(
            transaction.abort().await.unwrap_err().kind(),
            Kind::Conflict
        );
        assert_eq!(doc.current_commit(), 0);
        assert_eq!(
            doc.begin(0, Value::Null, LONG).await.err().unwrap().kind(),
            Kind::InvalidInput
        );
    });
}
