//! Documents that several threads share: only where the store's locks are those of `std`.

use super::support::{new, with};
use crate::{
    Kind,
    doc::{Event, Match, Op, Patch, Remove, Retention, Value},
};
use alloc::vec::Vec;
use core::time::Duration;
use futures::{executor::block_on, future::join_all};
use std::thread;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn of_many_who_ask_for_one_state_exactly_one_finds_it() {
    let doc = block_on(new());
    block_on(doc.patch("n", Patch::set(0), None)).unwrap();
    const ROUNDS: i64 = 40;
    let wins: Vec<i64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let doc = doc.clone();
                scope.spawn(move || {
                    let mut wins = 0;
                    for round in 0..ROUNDS {
                        let seen = Match::Equals(Value::Int(round));
                        match block_on(doc.patch("n", Patch::set(round + 1), seen)) {
                            Ok(_) => wins += 1,
                            Err(error) => assert_eq!(error.kind(), Kind::Conflict),
                        }
                        while block_on(doc.read("n")).unwrap().as_int() <= Some(round) {}
                    }
                    wins
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(wins.iter().sum::<i64>(), ROUNDS);
    assert_eq!(doc.current_commit(), ROUNDS as u64 + 1);
}

#[test]
fn of_many_transactions_on_one_state_exactly_one_commits() {
    let doc = block_on(with(r#"{"n": 0}"#));
    const ROUNDS: i64 = 15;
    let wins: i64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let doc = doc.clone();
                scope.spawn(move || {
                    let mut wins = 0;
                    for round in 0..ROUNDS {
                        let outcome = block_on(async {
                            let transaction = doc.begin(2, Value::Null, LONG).await.unwrap();
                            let own = alloc::format!("t{thread}");
                            let all = [
                                transaction.join(
                                    "n",
                                    Patch::set(round + 1),
                                    Some(Match::Equals(Value::Int(round))),
                                ),
                                transaction.join(own.as_str(), Patch::set(round), None),
                            ];
                            join_all(all).await.remove(0).unwrap()
                        });
                        assert_eq!(outcome.committed, outcome.matched);
                        wins += i64::from(outcome.committed);
                        while block_on(doc.read("n")).unwrap().as_int() <= Some(round) {}
                    }
                    wins
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(wins, ROUNDS);
}

#[test]
fn threads_are_told_everything_once_and_in_order() {
    let doc = block_on(new());
    const COMMITS: u64 = 200;
    thread::scope(|scope| {
        for _ in 0..2 {
            let doc = doc.clone();
            scope.spawn(move || {
                let mut watch = doc.watch(&"n".parse().unwrap(), 0).unwrap();
                let mut last = 0;
                while last < COMMITS {
                    match block_on(watch.next()).unwrap() {
                        Event::State { commit, .. } => assert_eq!(commit, 0),
                        Event::Change { commit, .. } => {
                            assert_eq!(commit.number, last + 1);
                            last = commit.number;
                        }
                    }
                }
            });
        }
        for _ in 0..4 {
            let doc = doc.clone();
            scope.spawn(move || {
                for _ in 0..COMMITS / 4 {
                    let patch = Patch::ops([Op::increment("n", 1).unwrap()]);
                    block_on(doc.patch("", patch, None)).unwrap();
                }
            });
        }
    });
}

#[test]
fn who_reads_while_the_past_is_removed_reads_a_state_that_was() {
    let doc = block_on(new());
    block_on(doc.patch("n", Patch::set(1), None)).unwrap();
    const COMMITS: u64 = 200;
    let last = Retention {
        remove: Remove::KeepLast(1),
        ..Retention::default()
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            let doc = doc.clone();
            scope.spawn(move || {
                loop {
                    let (value, commit) = block_on(doc.read_with_commit("n")).unwrap();
                    assert_eq!(value, Some(Value::Int(commit as i64)));
                    if commit == COMMITS {
                        return;
                    }
                }
            });
        }
        scope.spawn(move || {
            for _ in 1..COMMITS {
                let patch = Patch::ops([Op::increment("n", 1).unwrap()]);
                block_on(doc.patch("", patch, None)).unwrap();
                block_on(doc.snapshot_with(last)).unwrap();
            }
        });
    });
}
