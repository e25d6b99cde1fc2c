//! Watching: the state, then every later commit that touches it.

use super::support::{Doc, Time, new, open, options, value};
use crate::{
    Kind,
    doc::{Documents, Event, Op, Options, Patch, Pattern, Remove, Retention, Value, Watch},
    port::MemoryVolume,
};
use alloc::{boxed::Box, vec::Vec};
use futures::{FutureExt, executor::block_on};

async fn set(doc: &Doc, path: &str, json: &str) -> u64 {
    let op = Op::set(path, value(json)).unwrap();
    doc.patch("", Patch::ops([op]), None).await.unwrap()
}

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap()
}

type Watching = Watch<MemoryVolume, Time>;

/// What is there to tell.
fn told(watch: &mut Watching) -> Vec<(u64, u64)> {
    let mut told = Vec::new();
    while let Some(event) = watch.next().now_or_never() {
        match event.unwrap() {
            Event::Change { commit, behind } => told.push((commit.number, behind)),
            state => panic!("{state:?}"),
        }
    }
    told
}

fn state(watch: &mut Watching) -> (u64, Vec<(alloc::string::String, Value)>, u64) {
    match watch.next().now_or_never().unwrap().unwrap() {
        Event::State {
            commit,
            values,
            missed,
        } => {
            let values = values
                .into_iter()
                .map(|(path, value)| (alloc::format!("{path}"), value));
            (commit, values.collect(), missed)
        }
        change => panic!("{change:?}"),
    }
}

#[test]
fn a_watch_begins_with_the_state_and_goes_on_without_a_gap() {
    block_on(async {
        let doc = new().await;
        set(&doc, "a.x", "1").await;
        set(&doc, "b", "2").await;
        set(&doc, "a.x", "3").await;
        let mut now = doc.watch(&pattern("a.x"), None).unwrap();
        let mut then = doc.watch(&pattern("a"), 1).unwrap();
        assert_eq!(
            state(&mut now),
            (3, Vec::from([("a.x".into(), Value::from(3))]), 0)
        );
        assert_eq!(
            state(&mut then),
            (1, Vec::from([("a".into(), value(r#"{"x": 1}"#))]), 0)
        );
        assert_eq!(told(&mut then), [(3, 0)]);
        assert_eq!(told(&mut now), []);
        set(&doc, "a.y", "4").await;
        set(&doc, "a", "5").await;
        set(&doc, "b", "6").await;
        assert_eq!(told(&mut now), [(5, 1)]);
        assert_eq!(told(&mut then), [(4, 2), (5, 1)]);
        assert_eq!((now.seen(), now.behind().unwrap()), (Some(6), 0));
        let error = doc.watch(&pattern("a"), 7).err().unwrap();
        assert_eq!(error.kind(), Kind::OutOfRange);
    });
}

#[test]
fn a_watch_of_many_places_tells_those_that_there_are() {
    block_on(async {
        let doc = new().await;
        set(
            &doc,
            "boats",
            r#"{"ebb": {"berth": 1}, "flow": {"berth": 2}, "x": 3}"#,
        )
        .await;
        let mut watch = doc.watch(&pattern("boats.*.berth"), None).unwrap();
        let (_, values, _) = state(&mut watch);
        let expected = [
            ("boats.ebb.berth".into(), 1.into()),
            ("boats.flow.berth".into(), 2.into()),
        ];
        assert_eq!(values, expected);
        set(&doc, "boats.flow.name", "1").await;
        set(&doc, "boats.flow.berth", "3").await;
        assert_eq!(told(&mut watch), [(3, 0)]);
    });
}

#[test]
fn one_who_waits_is_woken_and_one_who_is_dropped_misses_nothing() {
    block_on(async {
        let doc = new().await;
        let mut watch = doc.watch(&pattern("a"), None).unwrap();
        state(&mut watch);
        drop(Box::pin(watch.next()).as_mut().now_or_never());
        let (event, _) = futures::join!(watch.next(), set(&doc, "a", "1"));
        assert!(matches!(event.unwrap(), Event::Change { commit, .. } if commit.number == 1));
        let (event, closed) = futures::join!(watch.next(), doc.close());
        closed.unwrap();
        assert_eq!(event.unwrap_err().kind(), Kind::Closed);
    });
}

#[test]
fn a_watch_that_retention_overtakes_is_told_and_begins_anew() {
    block_on(async {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        let doc = open(&volume, &clock).await;
        let keep = Options {
            retention: Retention {
                remove: Remove::KeepLast(2),
                ..Retention::default()
            },
            ..options()
        };
        let doc = Documents::open(doc.store().clone(), clock, keep)
            .await
            .unwrap();
        let mut watch = doc.watch(&pattern("a"), None).unwrap();
        state(&mut watch);
        for number in 1..=9 {
            set(&doc, "a", &alloc::format!("{number}")).await;
        }
        doc.switch_and_snapshot().await.unwrap();
        assert_eq!(
            state(&mut watch),
            (9, Vec::from([("a".into(), Value::from(9))]), 9)
        );
        set(&doc, "a", "0").await;
        assert_eq!(told(&mut watch), [(10, 0)]);
    });
}
