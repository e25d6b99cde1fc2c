//! A bulk load of 4 KiB blobs, what it takes on the disk, and reading them back.

use super::read;
use crate::{
    data::DataSet,
    native::{
        contender::{Contender, Table},
        runner::{Opened, Runner},
    },
};
use anyhow::{Context, Result};
use std::{collections::HashMap, fs, os::unix::fs::MetadataExt, path::Path, time::Instant};

pub fn run(runner: &mut Runner) -> Result<()> {
    let data = DataSet::blobs(runner.scale.blobs, 4096);
    let mut loaded = Loaded::default();
    for round in 1..=runner.rounds {
        runner.turns(&format!("load-4k, round {round}"), |runner, contender| {
            loaded.0.remove(contender.name());
            let opened = runner.fresh(contender)?;
            let values = data.values();
            runner.quiet()?;
            let began = Instant::now();
            opened.store.load_blobs(values)?;
            let seconds = began.elapsed().as_secs_f64();
            runner.record(
                "load-4k",
                contender,
                data.value_bytes() as f64 / 1e6 / seconds,
            );
            loaded.0.insert(contender.name(), opened);
            Ok(())
        });
    }
    runner.turns("disk", |runner, contender| {
        let opened = loaded.of(contender)?;
        opened.store.settle()?;
        runner.quiet()?;
        if contender.leaves_out("disk").is_none() {
            let taken = Taken::by(opened.dir.path())?;
            let stored = data.value_bytes() as f64;
            runner.record("disk", contender, taken.on_disk as f64 / stored);
            runner.record("length", contender, taken.length as f64 / stored);
        }
        // Once through everything: what may be kept in memory is there before the clock runs.
        read::scan(&*opened.store, Table::Blobs, &data)?;
        Ok(())
    });
    for round in 1..=runner.rounds {
        for readers in [1, 4] {
            let metric = format!("get-4k-{readers}");
            runner.turns(&format!("{metric}, round {round}"), |runner, contender| {
                let store = &*loaded.of(contender)?.store;
                let load = read::Load {
                    readers,
                    seed: (round * 100 + readers) as u64,
                    window: runner.scale.window,
                };
                let rate = read::random(store, Table::Blobs, &data, load)?;
                runner.record(&metric, contender, rate);
                Ok(())
            });
        }
        runner.turns(&format!("scan-4k, round {round}"), |runner, contender| {
            let seconds = read::scan(&*loaded.of(contender)?.store, Table::Blobs, &data)?;
            runner.record(
                "scan-4k",
                contender,
                data.value_bytes() as f64 / 1e6 / seconds,
            );
            Ok(())
        });
    }
    for opened in loaded.0.into_values() {
        opened.store.close()?;
    }
    Ok(())
}

/// The stores of the last round, by their contenders' names.
#[derive(Default)]
struct Loaded(HashMap<&'static str, Opened>);

impl Loaded {
    fn of(&mut self, contender: &dyn Contender) -> Result<&mut Opened> {
        self.0
            .get_mut(contender.name())
            .context("it was not loaded")
    }
}

/// What everything in a directory takes.
#[derive(Default)]
pub struct Taken {
    /// Bytes that the file system gave to it.
    pub on_disk: u64,
    /// Bytes that a copy would have: holes in files count.
    pub length: u64,
}

impl Taken {
    pub fn by(dir: &Path) -> Result<Self> {
        let mut taken = Taken::default();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let metadata = fs::symlink_metadata(&path)?;
            taken.on_disk += metadata.blocks() * 512;
            if metadata.is_dir() {
                let below = Taken::by(&path)?;
                taken.on_disk += below.on_disk;
                taken.length += below.length;
            } else {
                taken.length += metadata.len();
            }
        }
        Ok(taken)
    }
}
