//! Documents: one object of 1,000 keys, many commits, and what reading costs then.
//!
//! Every contender does the same, in turns, in an order that is drawn anew in each round.

mod automerge;
mod littoral;
mod log_bytes;
mod metrics;
pub mod retention;
mod revisions;
mod script;
mod sqlite;

use crate::{
    data::{ORDER, Random},
    machine::{self, Machine},
    report::{Figure, Report},
    suite::Suite,
    table,
};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Keys of the object.
pub const KEYS: usize = 1000;
/// Bytes of a patch: the name of a field, and what it is set to.
pub const PATCH: usize = 30;

pub const SUITE: Suite = Suite {
    name: "doc",
    marker: "bench-doc",
    figures_in: None,
    ours: metrics::LITTORAL,
    apart: &[metrics::MANY],
    titles: metrics::TITLES,
    metrics: metrics::ALL,
    targets: metrics::TARGETS,
};

#[derive(clap::Args)]
pub struct Arguments {
    /// A smoke run of a few seconds, whose figures mean little.
    #[arg(long)]
    quick: bool,
    /// How often everything is measured; results are medians.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only these contenders (may be given several times).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Commits before anything is read. `littoral-many` makes ten times as many.
    #[arg(long, default_value_t = 100_000)]
    commits: u64,
    /// Directory for temporary stores, on a disk. They are removed afterwards.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where the results go; a full run writes `results/doc.json` without being asked.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Opens a contender in a directory, and runs the script.
type Run = fn(&Path, script::Scale) -> Result<Vec<(&'static str, f64)>>;

const CONTENDERS: &[(&str, Run)] = &[
    (metrics::LITTORAL, littoral::run),
    (metrics::MANY, littoral::run),
    ("sqlite", sqlite::run),
    ("revisions", revisions::run),
    ("automerge", automerge::run),
];

/// Those that write the whole object for each commit make so much fewer of them.
const FEWER: u64 = 10;

fn scale(contender: &str, arguments: &Arguments) -> script::Scale {
    let commits = match arguments.quick {
        true => 2_000,
        false => arguments.commits,
    };
    let commits = match contender {
        metrics::MANY => commits * 10,
        "sqlite" | "revisions" => commits / FEWER,
        _ => commits,
    };
    script::Scale::new(commits, arguments.quick)
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let scratch = machine::scratch(arguments.dir.as_deref(), 8 << 30)?;
    let wanted = |name: &str| {
        arguments.only.is_empty() || arguments.only.iter().any(|wanted| wanted == name)
    };
    let mut order: Vec<_> = CONTENDERS.iter().filter(|(name, _)| wanted(name)).collect();
    let mut random = Random::new(ORDER, 0);
    let mut report = Report {
        date: jiff::Timestamp::now()
            .strftime("%Y-%m-%d %H:%M UTC")
            .to_string(),
        suite: SUITE.name.into(),
        machine: Machine::here(scratch.path())?,
        rounds: arguments.rounds.max(1),
        quick: arguments.quick,
        versions: metrics::versions(),
        figures: Vec::new(),
        left_out: Vec::new(),
    };
    for round in 1..=report.rounds {
        random.shuffle(&mut order);
        eprintln!("round {round} of {}", report.rounds);
        for (name, run) in &order {
            let dir = tempfile::tempdir_in(scratch.path())?;
            let figures =
                run(dir.path(), scale(name, arguments)).with_context(|| (*name).to_owned())?;
            for (metric, value) in figures {
                eprintln!("  {metric:<14} {name:<14} {value:>14.1}");
                record(&mut report, metric, name, value);
            }
        }
    }
    let bytes = log_bytes::of_a_patch()?;
    for (name, _) in &order {
        if *name == metrics::LITTORAL {
            (0..report.rounds).for_each(|_| record(&mut report, "log", name, bytes));
        }
    }
    let is_whole = !arguments.quick && arguments.only.is_empty() && arguments.commits == 100_000;
    let kept = is_whole.then(|| table::results(SUITE.name));
    if let Some(path) = arguments.json.clone().or(kept) {
        report.save(&path)?;
        eprintln!("written: {}", path.display());
    }
    print!("{}", table::text(&SUITE, &report));
    Ok(())
}

fn record(report: &mut Report, metric: &str, contender: &str, value: f64) {
    let mut known = report.figures.iter_mut();
    match known.find(|figure| figure.metric == metric && figure.contender == contender) {
        Some(figure) => figure.rounds.push(value),
        None => report.figures.push(Figure {
            metric: metric.into(),
            contender: contender.into(),
            rounds: vec![value],
            latency_us: None,
        }),
    }
}

/// A number that is as good as random, and the same each time.
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

pub fn key(number: usize) -> String {
    format!("key{number:04}")
}

/// The field that commit `number` sets, as a number.
pub fn place(number: u64) -> usize {
    mix(number) as usize % KEYS
}

/// The field that commit `number` sets.
pub fn field(number: u64) -> String {
    key(place(number))
}

/// What commit `number` sets it to.
pub fn text(number: u64) -> String {
    format!("{:0width$}", mix(number ^ 0xabcd), width = PATCH - 10)
}

/// The object before the first commit, as JSON.
pub fn first_json() -> String {
    let fields: Vec<String> = (0..KEYS)
        .map(|at| format!("\"{}\":\"{}\"", key(at), text(0)))
        .collect();
    format!("{{{}}}", fields.join(","))
}
