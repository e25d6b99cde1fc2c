//! Small ordered entries: 16-byte keys, 100-byte values.

use super::{load::Taken, read};
use crate::{
    data::DataSet,
    native::{contender::Table, runner::Runner},
};
use anyhow::Result;
use std::time::Instant;

pub fn run(runner: &mut Runner) -> Result<()> {
    let data = DataSet::pairs(runner.scale.pairs);
    let count = data.len() as f64;
    for round in 1..=runner.rounds {
        runner.turns(&format!("small, round {round}"), |runner, contender| {
            let mut opened = runner.fresh(contender)?;
            let pairs = data.entries.clone();
            runner.quiet()?;
            let began = Instant::now();
            opened.store.load_pairs(pairs)?;
            runner.record(
                "small-load",
                contender,
                count / began.elapsed().as_secs_f64(),
            );

            opened.store.settle()?;
            runner.quiet()?;
            if contender.leaves_out("disk").is_none() {
                let stored = data.value_bytes() as f64 + 16.0 * count;
                let on_disk = Taken::by(opened.dir.path())?.on_disk as f64;
                runner.record("small-disk", contender, on_disk / stored);
            }

            read::scan(&*opened.store, Table::Pairs, &data)?;
            let load = read::Load {
                readers: 1,
                seed: round as u64,
                window: runner.scale.window,
            };
            let rate = read::random(&*opened.store, Table::Pairs, &data, load)?;
            runner.record("small-get", contender, rate);
            let seconds = read::scan(&*opened.store, Table::Pairs, &data)?;
            runner.record("small-scan", contender, count / seconds);
            opened.store.close()
        });
    }
    Ok(())
}
