//! Reading: every value is looked at to its last byte and compared with what was put.

use crate::{
    data::{DataSet, ORDER, Random, sum},
    native::contender::{Entry, Store, Table},
};
use anyhow::{Context, Result};
use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// How random gets are made.
#[derive(Clone, Copy)]
pub struct Load {
    pub readers: usize,
    /// Decides the order of the keys.
    pub seed: u64,
    pub window: Duration,
}

/// Gets per second of random keys.
pub fn random(store: &dyn Store, table: Table, data: &DataSet, load: Load) -> Result<f64> {
    let start = Barrier::new(load.readers + 1);
    let (count, elapsed) = thread::scope(|scope| {
        let threads: Vec<_> = (0..load.readers as u64)
            .map(|thread| {
                let start = &start;
                let order = Random::new(ORDER + load.seed, thread);
                scope.spawn(move || gets(store, table, data, order, load.window, start))
            })
            .collect();
        start.wait();
        let began = Instant::now();
        let mut count = 0;
        for thread in threads {
            count += thread.join().ok().context("a reader panicked")??;
        }
        Ok::<_, anyhow::Error>((count, began.elapsed()))
    })?;
    Ok(count as f64 / elapsed.as_secs_f64())
}

/// One thread's gets.
fn gets(
    store: &dyn Store,
    table: Table,
    data: &DataSet,
    mut order: Random,
    window: Duration,
    start: &Barrier,
) -> Result<usize> {
    let reader = store.reader();
    start.wait();
    let mut reader = reader?;
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < window {
        for _ in 0..BETWEEN_CLOCKS {
            let nth = order.below(data.len());
            let (key, value) = &data.entries[nth];
            let entry = Entry {
                key,
                nth,
                len: value.len(),
            };
            let mut is_right = false;
            reader.get(table, entry, &mut |found| {
                is_right = data.is_value(nth, found)
            })?;
            anyhow::ensure!(is_right, "value {nth} is not what was put");
            count += 1;
        }
    }
    Ok(count)
}

/// Gets between two looks at the clock.
const BETWEEN_CLOCKS: usize = 16;

/// Seconds for all values in key order.
pub fn scan(store: &dyn Store, table: Table, data: &DataSet) -> Result<f64> {
    let len = data.entries.first().context("nothing was loaded")?.1.len();
    let mut reader = store.reader()?;
    let (mut count, mut total, mut in_order) = (0, 0u64, true);
    let mut last = Vec::new();
    let began = Instant::now();
    reader.scan(table, len, &mut |key, value| {
        in_order &= key.is_empty() || last.as_slice() < key;
        last.clear();
        last.extend_from_slice(key);
        count += 1;
        total = total.wrapping_add(sum(value));
    })?;
    let seconds = began.elapsed().as_secs_f64();
    anyhow::ensure!(in_order, "the scan was out of order");
    anyhow::ensure!(
        count == data.len() && total == data.total(),
        "the scan gave {count} of {} values, or wrong ones",
        data.len()
    );
    Ok(seconds)
}
