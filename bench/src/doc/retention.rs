//! `bench retention`: what each policy leaves on the disk of the same history. Counted, not timed: it is the same in every run.

use super::littoral::{first, patch};
use crate::table;
use anyhow::{Context, Result};
use littoral::{OsEntropy, block_on, spawn_driver};
use littoral_core::{
    doc::{Documents, Options, Patch, Remove, Retention},
    engine::{self, Direction, Durability, KeyRange, Space, Store},
    port::{Clock, MemoryVolume},
};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

const PAST: Space = Space(0x31);
const LOG: Space = Space(0x32);
/// Between two commits, by the clock.
const TICK: Duration = Duration::from_millis(100);
/// Commits between two snapshots, as with a document whose options are the defaults.
const SNAPSHOT: u64 = 100_000;

#[derive(clap::Args)]
pub struct Arguments {
    /// Commits of one field each.
    #[arg(long, default_value_t = 200_000)]
    commits: u64,
    /// Puts the table into docs/documents.md, between its markers.
    #[arg(long)]
    write: bool,
}

/// Goes on by a tick with each commit.
#[derive(Clone, Default)]
struct Ticks(Arc<AtomicU64>);

impl Clock for Ticks {
    fn now(&self) -> Duration {
        TICK * u32::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(u32::MAX)
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending().await
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let policies = [
        ("`NeverRemove`", Remove::NeverRemove, 2),
        ("`KeepLast(10,000)`", Remove::KeepLast(10_000), 2),
        ("`KeepLast(100)`", Remove::KeepLast(100), 2),
        (
            "`KeepFor` an hour: 36,000 commits",
            Remove::KeepFor(Duration::from_secs(3600)),
            2,
        ),
        ("`Thin`, divisor 2", Remove::Thin, 2),
        ("`Thin`, divisor 4", Remove::Thin, 4),
    ];
    let mut text = String::from(
        "| policy | states that can be read | rows of past | rows of log | KiB in use |\n|---|---:|---:|---:|---:|\n",
    );
    for (name, remove, divisor) in policies {
        let left = left(arguments.commits, Retention { divisor, remove })
            .with_context(|| name.to_owned())?;
        text += &format!(
            "| {name} | {} | {} | {} | {} |\n",
            left.states,
            left.past,
            left.log,
            left.bytes >> 10
        );
    }
    print!("{text}");
    if arguments.write {
        let file = table::project().join("docs/documents.md");
        let page = fs::read_to_string(&file)?;
        let page = table::between_markers(&page, "retention", &text)
            .context("docs/documents.md wants its markers")?;
        fs::write(file, page)?;
    }
    Ok(())
}

struct Left {
    states: u64,
    past: u64,
    log: u64,
    bytes: u64,
}

fn left(commits: u64, retention: Retention) -> Result<Left> {
    let options = engine::Options::default();
    let store = block_on(Store::open(MemoryVolume::new(), &OsEntropy, options))?;
    let driver = spawn_driver(store.clone())?;
    let clock = Ticks::default();
    let options = Options::default();
    let doc = block_on(Documents::open(store.clone(), clock.clone(), options))?;
    block_on(doc.patch("", Patch::set(first()), None))?;
    for number in 1..=commits {
        clock.0.fetch_add(1, Ordering::Relaxed);
        block_on(doc.patch_with("", patch(number), None, Durability::Memory))?;
        if number % SNAPSHOT == 0 {
            block_on(doc.snapshot_with(retention))?;
        }
    }
    block_on(doc.snapshot_with(retention))?;
    settle(&store)?;
    let states = block_on(async {
        let mut states = 0;
        for commit in 0..=doc.current_commit() {
            states += u64::from(doc.read_at("key0000", commit).await.is_ok());
        }
        anyhow::Ok(states)
    })?;
    let left = Left {
        states,
        past: rows(&store, PAST)?,
        log: rows(&store, LOG)?,
        bytes: store.size_in_use(),
    };
    block_on(doc.close())?;
    driver.stop()?;
    Ok(left)
}

/// Waits until upkeep has nothing left to do.
fn settle(store: &Store<MemoryVolume>) -> Result<()> {
    block_on(store.checkpoint())?;
    let now = || {
        let stats = store.stats();
        (
            stats.tables,
            stats.table_bytes,
            stats.packs,
            stats.size_in_use,
        )
    };
    loop {
        block_on(store.reclaim())?;
        let before = now();
        thread::sleep(Duration::from_millis(500));
        if now() == before {
            return Ok(());
        }
    }
}

fn rows(store: &Store<MemoryVolume>, space: Space) -> Result<u64> {
    block_on(async {
        let mut scan = store
            .view()
            .scan(space, KeyRange::all(), Direction::Forward);
        let mut rows = 0;
        while scan.next().await?.is_some() {
            rows += 1;
        }
        Ok(rows)
    })
}
