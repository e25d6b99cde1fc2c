//! Durable writes by threads that each wait for theirs before the next.

use crate::{
    data::{PUTS, RECORD_KEYS, RECORDS, Random, value},
    native::{contender::Store, runner::Runner},
};
use anyhow::{Context, Result};
use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// Records of 232 bytes: a random key of 32 and a value of 200.
pub fn commit(runner: &mut Runner) -> Result<()> {
    rounds(runner, "commit", &[1, 16, 64], |store, nth| {
        let mut key = [0; 32];
        Random::new(RECORD_KEYS, nth).fill(&mut key);
        store.commit(&key, value(RECORDS, nth, 200))
    })
}

/// Blobs of 4 KiB.
pub fn put(runner: &mut Runner) -> Result<()> {
    rounds(runner, "put-4k", &[1, 16], |store, nth| {
        store.put(value(PUTS, nth, 4096))?;
        Ok(())
    })
}

/// Writes number `nth` of all threads.
type Write = fn(&dyn Store, u64) -> Result<()>;

fn rounds(runner: &mut Runner, name: &str, writers: &[usize], write: Write) -> Result<()> {
    for round in 1..=runner.rounds {
        for &writers in writers {
            let metric = format!("{name}-{writers}");
            runner.turns(&format!("{metric}, round {round}"), |runner, contender| {
                let opened = runner.fresh(contender)?;
                runner.quiet()?;
                let measured = measure(&*opened.store, writers, runner.scale.window, write)?;
                opened.store.close()?;
                runner.record(&metric, contender, measured.rate);
                runner.record_latency(&metric, contender, measured.latency_us);
                Ok(())
            });
        }
    }
    Ok(())
}

struct Measured {
    /// Writes per second.
    rate: f64,
    /// Median and 99th percentile.
    latency_us: [f64; 2],
}

fn measure(store: &dyn Store, writers: usize, window: Duration, write: Write) -> Result<Measured> {
    let start = Barrier::new(writers + 1);
    let (elapsed, mut nanoseconds) = thread::scope(|scope| {
        let threads: Vec<_> = (0..writers as u64)
            .map(|thread| {
                let start = &start;
                scope.spawn(move || write_for(store, thread, window, write, start))
            })
            .collect();
        start.wait();
        let began = Instant::now();
        let taken = threads
            .into_iter()
            .map(|thread| thread.join().ok().context("a writer panicked")?)
            .collect::<Result<Vec<_>>>()?;
        Ok::<_, anyhow::Error>((began.elapsed(), taken.concat()))
    })?;
    let count = nanoseconds.len();
    let mut at = |share: f64| {
        let rank = ((count - 1) as f64 * share) as usize;
        f64::from(*nanoseconds.select_nth_unstable(rank).1) / 1000.0
    };
    Ok(Measured {
        rate: count as f64 / elapsed.as_secs_f64(),
        latency_us: [at(0.5), at(0.99)],
    })
}

/// One thread's writes, and how long each took. There is always at least one.
fn write_for(
    store: &dyn Store,
    thread: u64,
    window: Duration,
    write: Write,
    start: &Barrier,
) -> Result<Vec<u32>> {
    let mut nanoseconds = Vec::with_capacity(1 << 16);
    start.wait();
    let began = Instant::now();
    let mut before = Duration::ZERO;
    while before < window {
        write(store, thread << 40 | nanoseconds.len() as u64)?;
        let now = began.elapsed();
        nanoseconds.push(u32::try_from((now - before).as_nanos()).unwrap_or(u32::MAX));
        before = now;
    }
    Ok(nanoseconds)
}
