//! What retention keeps stays the fold; what it does not keep says so.

use super::{
    strategy::{choice, op_for, places},
    support::{Doc, Model, Time, new, open, options, there, value},
};
use crate::{
    Kind,
    doc::{Documents, Op, Options, Patch, Path, Remove, Retention, Value, rows},
    engine::{Direction, KeyRange},
    port::MemoryVolume,
};
use alloc::vec::Vec;
use core::time::Duration;
use futures::executor::block_on;
use proptest::{collection, prelude::*};

async fn with(volume: &MemoryVolume, clock: &Time, remove: Remove) -> Doc {
    let doc = open(volume, clock).await;
    let options = Options {
        retention: Retention { divisor: 2, remove },
        ..options()
    };
    Documents::open(doc.store().clone(), clock.clone(), options)
        .await
        .unwrap()
}

/// Rows that the document has in a space.
async fn count(doc: &Doc, space: crate::engine::Space) -> usize {
    let mut scan = doc
        .store()
        .view()
        .scan(space, KeyRange::all(), Direction::Forward);
    let mut count = 0;
    while scan.next().await.unwrap().is_some() {
        count += 1;
    }
    count
}

async fn agree(doc: &Doc, model: &Model, kept: impl Fn(u64) -> bool) {
    for (commit, state) in model.states.iter().enumerate() {
        let commit = commit as u64;
        let found = doc.read_at("", commit).await;
        if !kept(commit) {
            assert_eq!(found.unwrap_err().kind(), Kind::OutOfRange, "{commit}");
            continue;
        }
        assert_eq!(&found.unwrap(), state, "at {commit}");
        for path in places(state) {
            let found = there(doc.read_at(&path, commit).await);
            assert_eq!(found.as_ref(), state.at(&path), "{path} at {commit}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_stays_the_fold(
        turns in collection::vec((choice(), 0..12u8), 1..60),
        count in 1..6u64,
    ) {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        block_on(async {
            let mut doc = with(&volume, &clock, Remove::KeepLast(count)).await;
            let mut model = Model::default();
            let mut horizon = 0;
            let mut scope = None;
            for (choice, what) in turns {
                let patch = Patch::ops([op_for(model.now(), choice)]);
                let expected = model.patch(&Path::ROOT, &patch, None).ok();
                assert_eq!(doc.patch("", patch, None).await.ok(), expected);
                match what {
                    0 => {
                        doc.close().await.unwrap();
                        doc = with(&volume, &clock, Remove::KeepLast(count)).await;
                    }
                    1 | 2 => {
                        let snapshot = doc.switch_and_snapshot().await.unwrap();
                        horizon = horizon.max((model.commit() + 1).saturating_sub(count));
                        assert_eq!((snapshot.commit, snapshot.horizon), (model.commit(), horizon));
                        agree(&doc, &model, |commit| commit >= horizon).await;
                    }
                    3 if scope.is_none() => {
                        doc.create_scope("s").await.unwrap();
                        scope = Some(model.now().clone());
                    }
                    _ => {}
                }
                if let Some(state) = &scope {
                    assert_eq!(&doc.scope("s").unwrap().read("").await.unwrap(), state);
                }
            }
        });
    }

    #[test]
    fn nothing_is_left_of_what_is_not_kept(turns in collection::vec(choice(), 1..40)) {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        block_on(async {
            let doc = with(&volume, &clock, Remove::KeepLast(1)).await;
            let mut model = Model::default();
            for choice in turns {
                let patch = Patch::ops([op_for(model.now(), choice)]);
                let _ = model.patch(&Path::ROOT, &patch, None);
                let _ = doc.patch("", patch, None).await;
            }
            doc.switch_and_snapshot().await.unwrap();
            assert_eq!(count(&doc, rows::PAST).await, 0);
            let leaves = places(model.now()).len();
            // Each place has a row; the same place is listed once more for each key.
            assert!(count(&doc, rows::HEAD).await <= leaves, "{}", model.now());
            agree(&doc, &model, |commit| commit == model.commit()).await;
        });
    }

    #[test]
    fn what_is_thinned_out_says_so(turns in collection::vec(choice(), 100..220), every in 20..90usize) {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        block_on(async {
            let doc = with(&volume, &clock, Remove::Thin).await;
            let mut model = Model::default();
            let mut removed = crate::doc::retention::Removed::default();
            for (position, choice) in turns.into_iter().enumerate() {
                let patch = Patch::ops([op_for(model.now(), choice)]);
                let expected = model.patch(&Path::ROOT, &patch, None).ok();
                assert_eq!(doc.patch("", patch, None).await.ok(), expected);
                if position % every == 0 {
                    doc.switch_and_snapshot().await.unwrap();
                    removed.thin(model.commit(), 2).unwrap();
                }
            }
            agree(&doc, &model, |commit| removed.keeps(commit)).await;
        });
    }
}

#[test]
fn a_commit_before_the_horizon_is_out_of_range_with_the_horizon() {
    block_on(async {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        let doc = with(&volume, &clock, Remove::KeepFor(Duration::from_secs(10))).await;
        for number in 0..10 {
            doc.patch("n", Patch::set(number), None).await.unwrap();
            clock.pass(Duration::from_secs(3));
        }
        // It is second 30: what was the state at second 20 was committed at second 18.
        assert_eq!(doc.switch_and_snapshot().await.unwrap().horizon, 7);
        let error = doc.read_at("n", 6).await.unwrap_err();
        assert_eq!(error.kind(), Kind::OutOfRange);
        assert!(
            alloc::format!("{error}").contains("the first one that is kept is 7"),
            "{error}"
        );
        assert_eq!(doc.read_at("n", 7).await.unwrap(), Value::from(6));
        let mut history = doc.history("n", 0..=99, Direction::Forward).unwrap();
        assert_eq!(history.next().await.unwrap().unwrap().number, 7);
        doc.close().await.unwrap();
        let doc = open(&volume, &clock).await;
        assert_eq!(doc.horizon(), 7);
        assert_eq!(
            doc.read_at("n", 6).await.unwrap_err().kind(),
            Kind::OutOfRange
        );
    });
}

#[test]
fn snapshots_are_made_by_themselves_after_so_many_commits_or_bytes() {
    let never = Options {
        retention: Retention {
            remove: Remove::KeepLast(3),
            ..Retention::default()
        },
        snapshot_commits: u64::MAX,
        snapshot_bytes: u64::MAX,
        ..options()
    };
    let by_commits = Options {
        snapshot_commits: 10,
        ..never.clone()
    };
    let by_bytes = Options {
        snapshot_bytes: 300,
        ..never.clone()
    };
    assert_eq!(horizon_after_25_commits(never), 0);
    for options in [by_commits, by_bytes] {
        let horizon = horizon_after_25_commits(options);
        assert!(horizon >= 8, "{horizon}");
    }
}

fn horizon_after_25_commits(options: Options) -> u64 {
    block_on(async {
        let doc = new().await;
        let doc = Documents::open(doc.store().clone(), Time::default(), options)
            .await
            .unwrap();
        let work = async {
            for number in 0..25 {
                doc.patch("n", Patch::set(number), None).await.unwrap();
                // Lets the other future run.
                let mut first = true;
                core::future::poll_fn(|context| {
                    context.waker().wake_by_ref();
                    match core::mem::take(&mut first) {
                        true => core::task::Poll::Pending,
                        false => core::task::Poll::Ready(()),
                    }
                })
                .await;
            }
            doc.close().await.unwrap();
        };
        futures::join!(work, doc.drive());
        doc.horizon()
    })
}

#[test]
fn many_commits_leave_room_when_they_are_thinned() {
    block_on(async {
        let (volume, clock) = (MemoryVolume::new(), Time::default());
        let doc = with(&volume, &clock, Remove::Thin).await;
        let mut states = Vec::from([value("{}")]);
        for number in 0..1500 {
            let op = Op::set(alloc::format!("k{}", number % 7), number).unwrap();
            let patch = Patch::ops([op]);
            states.push(crate::doc::apply(states.last().unwrap(), &patch).unwrap());
            doc.patch("", patch, None).await.unwrap();
        }
        let removed = doc.switch_and_snapshot().await.unwrap().removed_rows;
        assert!(removed > 1500, "{removed}");
        let mut kept = 0;
        for (commit, state) in states.iter().enumerate() {
            if let Ok(found) = doc.read_at("", commit as u64).await {
                assert_eq!(found, *state);
                kept += 1;
            }
        }
        assert!((200..500).contains(&kept), "{kept}");
    });
}
