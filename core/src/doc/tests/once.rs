//! Asking again without changing twice.

use super::support::{Doc, Time, new, open, options, value};
use crate::{
    Kind,
    doc::{Documents, Match, Once, Op, Options, Patch, Remove, Retention, Value},
    port::MemoryVolume,
};
use core::time::Duration;
use futures::{FutureExt, executor::block_on};

const LONG: Duration = Duration::from_secs(60);

fn one_more() -> Patch {
    Patch::ops([Op::increment("n", 1).unwrap()])
}

async fn count(doc: &Doc) -> Value {
    doc.read("n").await.unwrap()
}

#[test]
fn a_patch_that_is_asked_again_is_made_once() {
    block_on(async {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        let doc = open(&volume, &clock).await;
        doc.patch_once("", one_more(), None, Once::new(1))
            .await
            .unwrap();
        let made = doc
            .patch_once("", one_more(), None, Once::new(2))
            .await
            .unwrap();
        doc.patch_once("", one_more(), None, Once::new(3))
            .await
            .unwrap();
        for after in [0, 1] {
            let again = doc.patch_once("", one_more(), None, Once::again(2, after));
            assert_eq!(again.await.unwrap(), made);
        }
        assert_eq!(count(&doc).await, Value::from(3));
        // It holds in the next process, whatever the match says by now.
        doc.close().await.unwrap();
        let doc = open(&volume, &clock).await;
        let first = Some(Match::from_json(r#"{"n": 1}"#).unwrap());
        let again = doc
            .patch_once("", one_more(), first, Once::again(2, 0))
            .await;
        assert_eq!(again.unwrap(), made);
        assert_eq!(doc.made(Once::again(3, 0)).await.unwrap(), Some(3));
        // What was never made is made now; what was made before it was asked is another one's.
        assert_eq!(doc.made(Once::again(4, 0)).await.unwrap(), None);
        doc.patch_once("", one_more(), None, Once::again(4, 3))
            .await
            .unwrap();
        doc.patch_once("", one_more(), None, Once::again(1, 1))
            .await
            .unwrap();
        assert_eq!(count(&doc).await, Value::from(5));
    });
}

#[test]
fn a_scope_is_patched_once_and_promoted_once() {
    block_on(async {
        let doc = new().await;
        let scope = doc.create_scope("draft").await.unwrap();
        for once in [Once::new(1), Once::again(1, 0)] {
            let made = scope.patch_once("", one_more(), None, once).await;
            assert_eq!(made.unwrap(), 1);
        }
        let promoted = scope.promote_once(Once::new(2)).await.unwrap();
        assert_eq!(doc.made(Once::again(2, 0)).await.unwrap(), Some(promoted));
        assert_eq!(count(&doc).await, Value::from(1));
    });
}

#[test]
fn a_participant_who_asks_again_has_joined_once() {
    block_on(async {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        let doc = open(&volume, &clock).await;
        doc.patch("", Patch::set(value(r#"{"a": 0, "b": 0}"#)), None)
            .await
            .unwrap();
        let by = || Patch::ops([Op::increment("", 1).unwrap()]);
        let id = doc.begin(2, Value::Null, LONG).await.unwrap().id();
        let enter = async |doc: &Doc, path: &str, once| {
            let transaction = doc.transaction(id).unwrap();
            transaction.enter(path, by(), None, once).await
        };
        enter(&doc, "a", Once::new(1)).await.unwrap();
        enter(&doc, "a", Once::again(1, 0)).await.unwrap();
        // Another one may not have the same path.
        let other = enter(&doc, "a", Once::again(9, 0)).await.unwrap_err();
        assert_eq!(other.kind(), Kind::InvalidInput);
        doc.close().await.unwrap();
        let doc = open(&volume, &clock).await;
        enter(&doc, "a", Once::again(1, 0)).await.unwrap();
        assert_eq!(doc.transaction(id).unwrap().joined().unwrap(), (1, 2));
        enter(&doc, "b", Once::new(2)).await.unwrap();
        doc.close().await.unwrap();
        let doc = open(&volume, &clock).await;
        // It has ended: those who were in it are told apart from those who come too late.
        for once in [Once::again(1, 0), Once::again(2, 0)] {
            enter(&doc, "b", once).await.unwrap();
        }
        let late = enter(&doc, "c", Once::again(3, 0)).await.unwrap_err();
        assert_eq!(late.kind(), Kind::Conflict);
        let outcome = doc.transaction(id).unwrap().outcome("a").await.unwrap();
        assert!(outcome.committed);
        assert_eq!(doc.read("").await.unwrap(), value(r#"{"a": 1, "b": 1}"#));
    });
}

#[test]
fn what_retention_has_removed_is_not_guessed() {
    block_on(async {
        let doc = new().await;
        let retention = Retention {
            remove: Remove::KeepLast(1),
            ..Retention::default()
        };
        let store = doc.store().clone();
        let doc = Documents::open(
            store,
            Time::default(),
            Options {
                retention,
                ..options()
            },
        );
        let doc = doc.await.unwrap();
        for id in 0..3 {
            doc.patch_once("", one_more(), None, Once::new(id))
                .await
                .unwrap();
        }
        doc.switch_and_snapshot().await.unwrap();
        let again = doc
            .patch_once("", one_more(), None, Once::again(1, 0))
            .await;
        assert_eq!(again.unwrap_err().kind(), Kind::OutOfRange);
        assert_eq!(count(&doc).await, Value::from(3));
    });
}

#[test]
fn a_watch_goes_on_where_another_one_was() {
    block_on(async {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        let doc = open(&volume, &clock).await;
        for _ in 0..3 {
            doc.patch("", one_more(), None).await.unwrap();
        }
        doc.close().await.unwrap();
        let doc = open(&volume, &clock).await;
        let mut watch = doc.watch_behind(&"n".parse().unwrap(), 1).unwrap();
        doc.patch("", one_more(), None).await.unwrap();
        for commit in 2..=4 {
            let event = watch.next().now_or_never().unwrap().unwrap();
            assert_eq!(event.to_value().field("commit"), Some(&Value::from(commit)));
        }
        assert!(watch.next_now().await.unwrap().is_none());
        let error = doc.watch_behind(&"n".parse().unwrap(), 5).err().unwrap();
        assert_eq!(error.kind(), Kind::OutOfRange);
    });
}
