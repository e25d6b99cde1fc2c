//! Blobs of 1 MiB and 64 MiB, one after the other: put, each durable on return, and get.

use crate::{
    data::{LARGE, key_of, sum, value},
    native::{
        contender::{Entry, Store, Table},
        runner::Runner,
    },
};
use anyhow::Result;
use bytes::Bytes;
use std::time::Instant;

pub fn run(runner: &mut Runner) -> Result<()> {
    for (len, count) in runner.scale.large {
        let mib = len >> 20;
        let values: Vec<Bytes> = (0..count as u64)
            .map(|nth| value(LARGE, (mib as u64) << 32 | nth, len))
            .collect();
        let megabytes = (len * count) as f64 / 1e6;
        for round in 1..=runner.rounds {
            runner.turns(&format!("{mib} MiB, round {round}"), |runner, contender| {
                let opened = runner.fresh(contender)?;
                runner.quiet()?;
                let began = Instant::now();
                for value in &values {
                    opened.store.put(value.clone())?;
                }
                let seconds = began.elapsed().as_secs_f64();
                runner.record(&format!("put-{mib}m"), contender, megabytes / seconds);
                runner.quiet()?;
                let seconds = get_all(&*opened.store, &values)?;
                runner.record(&format!("get-{mib}m"), contender, megabytes / seconds);
                opened.store.close()
            });
        }
    }
    Ok(())
}

/// Seconds for all of them.
fn get_all(store: &dyn Store, values: &[Bytes]) -> Result<f64> {
    let expected: Vec<_> = values
        .iter()
        .map(|value| (key_of(value), sum(value)))
        .collect();
    let mut reader = store.reader()?;
    let began = Instant::now();
    for (nth, (key, expected)) in expected.iter().enumerate() {
        let mut found = 0;
        let entry = Entry {
            key,
            nth,
            len: values[nth].len(),
        };
        reader.get(Table::Blobs, entry, &mut |value| found = sum(value))?;
        anyhow::ensure!(found == *expected, "blob {nth} is not what was put");
    }
    Ok(began.elapsed().as_secs_f64())
}
