//! Documents: one object of 1,000 keys, many commits, and what reading costs then.
//!
//! Everything is measured in one process after another, on one disk; what counts are the ratios that are printed beside the figures.

mod littoral;
mod sqlite;

use anyhow::Result;
use std::time::{Duration, Instant};

/// Keys of the object.
pub const KEYS: usize = 1000;
/// Bytes of a patch: what a field is set to.
pub const PATCH: usize = 30;
/// Writers at once.
pub const WRITERS: usize = 16;

#[derive(clap::Args)]
pub struct Arguments {
    /// Commits before anything is read
    #[arg(long, default_value_t = 100_000)]
    commits: u64,
    /// Reads of each kind
    #[arg(long, default_value_t = 20_000)]
    reads: u64,
    /// Seconds for which writers write at once
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

/// What one contender did.
pub struct Figures {
    pub name: &'static str,
    /// Commits a second of one writer that are written and synced behind it; with SQLite those of `synchronous=NORMAL`.
    pub relaxed: f64,
    /// The same, each in the log when it returns: a process that dies loses none.
    pub in_log: f64,
    /// Durable commits a second of 16 writers.
    pub strict: f64,
    /// Microseconds for one field now, and at a random commit.
    pub head: f64,
    pub past: Option<f64>,
    /// Leaves a second of the whole object.
    pub leaves: f64,
    /// Bytes on disk for each commit.
    pub bytes: f64,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let (ours, bare, log) = littoral::run(arguments)?;
    let sqlite = sqlite::run(arguments)?;
    println!(
        "object of {KEYS} keys, {} commits of {PATCH} bytes\n",
        arguments.commits
    );
    println!("| | {} | {} |\n|---|---|---|", ours.name, sqlite.name);
    let row = |what: &str, of: fn(&Figures) -> f64, unit: &str| {
        println!(
            "| {what} | {:.1} {unit} | {:.1} {unit} |",
            of(&ours),
            of(&sqlite)
        );
    };
    row("commits/s, one writer, relaxed", |f| f.relaxed, "/s");
    row(
        "commits/s, one writer, in the log on return",
        |f| f.in_log,
        "/s",
    );
    row("commits/s, 16 writers, durable", |f| f.strict, "/s");
    row("one field now", |f| f.head, "us");
    row(
        "one field at a random commit",
        |f| f.past.unwrap_or(f64::NAN),
        "us",
    );
    row("the whole object now", |f| f.leaves, "leaves/s");
    row("bytes on disk for each commit", |f| f.bytes, "B");
    println!("\n| what must be reached | bound | measured |\n|---|---|---|");
    let must = |what: &str, bound: &str, found: f64| println!("| {what} | {bound} | {found:.2} |");
    must(
        "one field now / a bare engine get",
        "< 20",
        ours.head / bare,
    );
    let past = ours.past.unwrap_or(f64::NAN);
    must(
        "one field at a random commit / now",
        "< 10",
        past / ours.head,
    );
    must("leaves/s of the whole object", ">= 100,000", ours.leaves);
    must("commits/s, one writer, relaxed", ">= 50,000", ours.relaxed);
    must(
        "16 writers durable / SQLite",
        ">= 5",
        ours.strict / sqlite.strict,
    );
    must("log bytes of one patch", "< 150", log);
    Ok(())
}

/// Microseconds that each of `count` takes.
pub fn each(count: u64, mut what: impl FnMut(u64) -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    for number in 0..count {
        what(number)?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / count.max(1) as f64)
}

/// How many a second `WRITERS` threads do together.
pub fn together(seconds: f64, write: impl Fn(u64) -> Result<()> + Sync) -> Result<f64> {
    let until = Duration::from_secs_f64(seconds);
    let began = Instant::now();
    let done: Result<Vec<u64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..WRITERS as u64)
            .map(|writer| {
                let write = &write;
                scope.spawn(move || {
                    let mut done = 0;
                    while began.elapsed() < until {
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

/// A number that is as good as random, and the same each time.
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The field that commit `number` sets, and what to.
pub fn field(number: u64) -> String {
    format!("key{:04}", mix(number) as usize % KEYS)
}

pub fn text(number: u64) -> String {
    format!("{:0width$}", mix(number ^ 0xabcd), width = PATCH - 10)
}
