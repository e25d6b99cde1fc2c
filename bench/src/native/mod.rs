//! `bench native`: stores on a disk.

pub mod child;
mod contender;
mod contenders;
mod metrics;
mod runner;
mod scale;
mod targets;
mod workloads;

use crate::{
    machine::{self, Machine},
    report::Report,
    suite::Suite,
    table,
};
use anyhow::{Context, Result};
use contenders::{FLOOR, LITTORAL, MAPPED};
use runner::Runner;
use scale::Scale;
use std::path::PathBuf;

pub const SUITE: Suite = Suite {
    name: "native",
    marker: "bench",
    figures_in: Some("README.md"),
    ours: LITTORAL,
    apart: &[FLOOR],
    titles: &[
        (LITTORAL, "Littoral"),
        (MAPPED, "Littoral, mapped"),
        ("redb", "redb"),
        ("fjall", "fjall"),
        ("sqlite", "SQLite"),
        ("lmdb", "LMDB"),
        ("rocksdb", "RocksDB"),
        ("directory", "one file each"),
        (FLOOR, "floor"),
    ],
    metrics: metrics::ALL,
    targets: targets::ALL,
};

/// Bytes of disk that are written once before anything is measured: what the stores of one workload take together.
const PROVISIONED: u64 = 4 << 30;

#[derive(clap::Args)]
pub struct Arguments {
    /// A smoke run of about a minute, whose figures mean little.
    #[arg(long)]
    quick: bool,
    /// How often everything is measured; results are medians.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only these contenders (may be given several times).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only these workloads (may be given several times).
    #[arg(long, value_name = "NAME")]
    workload: Vec<String>,
    /// Directory for temporary stores, on a disk. They are removed afterwards.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where the results go; a full run writes `results/native.json` without being asked.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let scale = if arguments.quick {
        Scale::quick()
    } else {
        Scale::full()
    };
    let contenders = chosen(
        &contenders::all(),
        &arguments.only,
        |one| one.name(),
        "contender",
    )?;
    let workloads = chosen(
        workloads::ALL,
        &arguments.workload,
        |one| one.name,
        "workload",
    )?;
    let rounds = arguments.rounds.unwrap_or(scale.rounds).max(1);
    let scratch = machine::scratch(arguments.dir.as_deref(), scale.disk)?;

    if !arguments.quick {
        machine::provision(scratch.path(), PROVISIONED)?;
    }

    let mut report = Report {
        date: jiff::Timestamp::now()
            .strftime("%Y-%m-%d %H:%M UTC")
            .to_string(),
        suite: "native".into(),
        machine: Machine::here(scratch.path())?,
        rounds,
        quick: arguments.quick,
        versions: metrics::versions(),
        figures: Vec::new(),
        left_out: Vec::new(),
    };
    let mut runner = Runner::new(contenders, scale, rounds, scratch.path(), &mut report);
    for workload in workloads {
        runner.begin(workload.name);
        (workload.run)(&mut runner).with_context(|| format!("workload {}", workload.name))?;
    }

    let is_whole = !arguments.quick && arguments.only.is_empty() && arguments.workload.is_empty();
    let kept = is_whole.then(|| table::results("native"));
    if let Some(path) = arguments.json.clone().or(kept) {
        report.save(&path)?;
        eprintln!("written: {}", path.display());
    }
    print!("{}", table::text(&SUITE, &report));
    let failed = runner::failures(&report);
    anyhow::ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn chosen<T: Copy>(
    all: &[T],
    wanted: &[String],
    name: impl Fn(&T) -> &'static str,
    what: &str,
) -> Result<Vec<T>> {
    for wanted in wanted {
        anyhow::ensure!(
            all.iter().any(|one| name(one) == wanted),
            "no {what} is called {wanted}; there are {}",
            all.iter().map(&name).collect::<Vec<_>>().join(", ")
        );
    }
    let is_wanted = |one: &&T| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name(one));
    Ok(all.iter().filter(is_wanted).copied().collect())
}
