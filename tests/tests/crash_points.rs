//! Every place where a small scenario can crash.

use bytes::Bytes;
use littoral_core::{
    Error,
    engine::{Durability, KeyRange, Options},
};
use littoral_tests::{
    crash_points::{Explored, explore},
    model::Change,
};

fn options() -> Options {
    let mut options = Options::default();
    options.memory_budget = 1 << 20;
    options.log_size = 64 << 10;
    options.alignment = 512;
    options.max_size = 512 << 10;
    options
}

/// With room for a pack of large values.
fn roomy() -> Options {
    let mut options = options();
    options.max_size = 1500 << 10;
    options
}

fn put(key: u64, fill: u8, len: usize) -> Change {
    let key = (0x80, Bytes::copy_from_slice(&key.to_be_bytes()));
    Change::Put(key, vec![fill; len].into())
}

fn delete(key: u64) -> Change {
    Change::Delete((0x80, Bytes::copy_from_slice(&key.to_be_bytes())))
}

#[track_caller]
fn report(name: &str, explored: Result<Explored, String>) {
    let explored = explored.unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
    println!(
        "{name}: {} prefixes ({} of them complete), {} images judged, {} different ones opened, {} crashes while opening",
        explored.prefixes,
        explored.complete,
        explored.images,
        explored.opened,
        explored.during_recovery
    );
    assert!(explored.complete > 0 && explored.opened > 0);
}

#[test]
fn commits_one_by_one_survive_every_crash() {
    let explored = explore(1, &options(), |scribe, _| async move {
        for round in 0..6 {
            scribe
                .commit(vec![put(round % 3, round as u8, 40)], Durability::Strict)
                .await?;
        }
        scribe
            .commit(vec![delete(1), put(9, 9, 700)], Durability::Local)
            .await?;
        scribe.store.close().await
    });
    report("one by one", explored);
}

#[test]
fn groups_of_commits_survive_every_crash() {
    let explored = explore(2, &options(), |scribe, executor| async move {
        let mut writers = Vec::new();
        for writer in 0..3 {
            let scribe = scribe.clone();
            writers.push(executor.spawn("writer", async move {
                for round in 0..4 {
                    let change = put(writer * 10 + round, round as u8, 100);
                    scribe.commit(vec![change], Durability::Strict).await?;
                }
                Ok::<_, Error>(())
            }));
        }
        for writer in writers {
            writer.join().await?;
        }
        Ok(())
    });
    report("groups", explored);
}

#[test]
fn a_checkpoint_and_what_follows_survive_every_crash() {
    let explored = explore(3, &options(), |scribe, _| async move {
        for round in 0..4 {
            scribe
                .commit(vec![put(round, 1, 60)], Durability::Strict)
                .await?;
        }
        scribe.store.checkpoint().await?;
        scribe
            .commit(vec![put(1, 2, 60), delete(2)], Durability::Strict)
            .await?;
        scribe.store.checkpoint().await?;
        scribe.commit(vec![put(7, 3, 60)], Durability::Strict).await
    });
    report("checkpoints", explored);
}

#[test]
fn logs_that_take_turns_survive_every_crash() {
    let explored = explore(4, &options(), |scribe, _| async move {
        for round in 0..90 {
            scribe
                .commit(vec![put(round % 7, round as u8, 900)], Durability::Strict)
                .await?;
        }
        Ok(())
    });
    report("logs in turn", explored);
}

#[test]
fn large_values_survive_every_crash_with_their_commit() {
    let explored = explore(5, &roomy(), |scribe, _| async move {
        for round in 0..3 {
            let changes = vec![put(round, round as u8, 9_000), put(100 + round, 7, 30)];
            scribe.commit(changes, Durability::Strict).await?;
        }
        scribe.commit(vec![delete(0)], Durability::Strict).await
    });
    report("large values", explored);
}

#[test]
fn reclaim_survives_every_crash() {
    let explored = explore(6, &roomy(), |scribe, _| async move {
        for round in 0..4 {
            scribe
                .commit(vec![put(round, round as u8, 9_000)], Durability::Strict)
                .await?;
        }
        scribe.store.checkpoint().await?;
        let all = Change::DeleteRange(0x80, KeyRange::all());
        scribe
            .commit(vec![all, put(50, 5, 40)], Durability::Strict)
            .await?;
        scribe.store.reclaim().await?;
        scribe
            .commit(vec![put(51, 6, 9_000)], Durability::Strict)
            .await?;
        scribe.store.close().await
    });
    report("reclaim", explored);
}
