//! What every contender does: commits, then reads, then commits of many at once.

use super::{KEYS, field, key, mix, place, text};
use anyhow::Result;
use std::time::{Duration, Instant};

/// Writers at once.
const WRITERS: usize = 16;

/// What a commit waits for.
#[derive(Clone, Copy, PartialEq)]
pub enum How {
    /// Readers see it; it is written and synced behind it.
    Relaxed,
    /// It is in the log: a process that dies does not lose it.
    Logged,
    /// It survives power loss.
    Durable,
}

/// A document that keeps its past.
pub trait Document: Sync {
    /// Sets what commit `number` sets. Commits are made in the order of their numbers, from 1 on.
    fn set(&self, number: u64, how: How) -> Result<()>;

    /// Waits until nothing is left to do in the background, and tells how many bytes there are on the disk.
    fn settle(&self) -> Result<u64>;

    /// A field now.
    fn head(&self, field: &str) -> Result<String>;

    /// A field after commit `number`.
    fn past(&self, field: &str, number: u64) -> Result<String>;

    /// All of it, every value in hand; how many there are.
    fn whole(&self) -> Result<usize>;

    /// Figures that nobody else has.
    fn more(&self, _: Scale) -> Result<Vec<(&'static str, f64)>> {
        Ok(Vec::new())
    }
}

#[derive(Clone, Copy)]
pub struct Scale {
    pub commits: u64,
    /// Commits that are each waited for, after the others.
    logged: u64,
    /// The most that one kind of reads takes.
    pub reading: Duration,
    writing: Duration,
}

impl Scale {
    pub fn new(commits: u64, is_quick: bool) -> Self {
        let millis = match is_quick {
            true => 100,
            false => 1500,
        };
        Scale {
            commits,
            logged: (commits / 5).min(50_000),
            reading: Duration::from_millis(millis),
            writing: Duration::from_millis(2 * millis),
        }
    }
}

pub fn run(document: &impl Document, scale: Scale) -> Result<Vec<(&'static str, f64)>> {
    let per_second = |count: u64, began: Instant| count as f64 / began.elapsed().as_secs_f64();
    let mut figures = Vec::new();
    let began = Instant::now();
    for number in 1..=scale.commits {
        document.set(number, How::Relaxed)?;
    }
    figures.push(("relaxed", per_second(scale.commits, began)));
    figures.push(("disk", document.settle()? as f64 / scale.commits as f64));

    check(document, scale.commits)?;
    let fields: Vec<String> = (0..KEYS).map(key).collect();
    let of = |number: u64| &fields[mix(number) as usize % KEYS];
    let head = each(scale.reading, |number| document.head(of(number)).map(drop))?;
    figures.push(("head", head));
    let past = each(scale.reading, |number| {
        let commit = 1 + mix(number ^ 0x77) % scale.commits;
        document.past(of(number), commit).map(drop)
    })?;
    figures.push(("past", past));
    let whole = each(scale.reading, |_| {
        let leaves = document.whole()?;
        anyhow::ensure!(leaves == KEYS, "{leaves} leaves");
        Ok(())
    })?;
    figures.push(("whole", KEYS as f64 * 1e6 / whole));
    figures.extend(document.more(scale)?);

    let began = Instant::now();
    let behind = scale.commits + scale.logged;
    for number in scale.commits + 1..=behind {
        document.set(number, How::Logged)?;
    }
    figures.push(("logged", per_second(scale.logged, began)));
    let strict = together(scale.writing, |number| {
        document.set(behind + 1 + number, How::Durable)
    })?;
    figures.push(("strict-16", strict));
    Ok(figures)
}

/// A contender that reads something else is no contender.
fn check(document: &impl Document, commits: u64) -> Result<()> {
    let mut values = vec![text(0); KEYS];
    let from = commits.saturating_sub(2_000);
    for number in 1..=from {
        values[place(number)] = text(number);
    }
    for number in from + 1..=commits {
        values[place(number)] = text(number);
        if mix(number).is_multiple_of(97) {
            let at = mix(number ^ 0x55) as usize % KEYS;
            let read = document.past(&key(at), number)?;
            anyhow::ensure!(read == values[at], "{} at {number} was {read}", key(at));
        }
    }
    for number in 0..100 {
        let at = place(number);
        anyhow::ensure!(document.head(&field(number))? == values[at]);
    }
    Ok(())
}

/// Microseconds that each takes, of as many as there are in `time`.
pub fn each(time: Duration, mut what: impl FnMut(u64) -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    let mut number = 0;
    while began.elapsed() < time {
        // The clock is not asked for each of what is done in a microsecond.
        for _ in 0..16 {
            what(number)?;
            number += 1;
        }
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / number as f64)
}

/// How many a second `WRITERS` threads do together.
fn together(time: Duration, write: impl Fn(u64) -> Result<()> + Sync) -> Result<f64> {
    let began = Instant::now();
    let done: Result<Vec<u64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..WRITERS as u64)
            .map(|writer| {
                let write = &write;
                scope.spawn(move || {
                    let mut done = 0;
                    while began.elapsed() < time {
                        write(writer * 1_000_003 + done)?;
                        done += 1;
                    }
                    Ok(done)
                })
            })
            .collect();
        let ended = threads.into_iter().map(|thread| {
            let ended = thread.join();
            ended.unwrap_or_else(|_| anyhow::bail!("a writer panicked"))
        });
        ended.collect()
    });
    Ok(done?.iter().sum::<u64>() as f64 / began.elapsed().as_secs_f64())
}
