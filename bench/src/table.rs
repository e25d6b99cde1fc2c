//! The tables of a run: for people at a terminal, for the README, for `docs/benchmarks.md`.

use crate::{
    native::{
        FLOOR, LITTORAL, MAPPED, metrics,
        metrics::{Metric, Unit},
        targets,
    },
    report::Report,
};
use anyhow::{Context, Result};
use std::{fmt::Write, fs, path::PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// The run to render.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Puts the tables into README.md and docs/benchmarks.md, between their markers.
    #[arg(long, conflicts_with = "check")]
    write: bool,
    /// Fails if those files do not hold the tables of this run.
    #[arg(long)]
    check: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let from = arguments.from.clone().unwrap_or_else(|| results("native"));
    let report = Report::load(&from)?;
    if !arguments.write && !arguments.check {
        print!("{}", text(&report));
        return Ok(());
    }
    anyhow::ensure!(!report.quick, "{} was a smoke run", from.display());
    let project = manifest().join("..");
    for (file, tables) in [
        ("README.md", readme(&report)),
        ("docs/benchmarks.md", page(&report)),
    ] {
        let path = project.join(file);
        let before = fs::read_to_string(&path).with_context(|| format!("reading {file}"))?;
        let after = between_markers(&before, &tables)
            .with_context(|| format!("{file} wants a line {BEGIN} and a line {END}"))?;
        if arguments.check {
            anyhow::ensure!(
                before == after,
                "{file} is not what the last run says: bench table --write"
            );
        } else {
            fs::write(&path, after).with_context(|| format!("writing {file}"))?;
        }
    }
    Ok(())
}

/// Where the results of `suite` are kept.
pub fn results(suite: &str) -> PathBuf {
    manifest().join("results").join(format!("{suite}.json"))
}

fn manifest() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from)
}

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

fn between_markers(text: &str, tables: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{tables}{END}{after}"))
}

/// For a terminal: the figures, and which targets were reached.
pub fn text(report: &Report) -> String {
    format!(
        "\n{}\n{}",
        aligned(&figures(report)),
        aligned(&judged(report))
    )
}

/// For the README: the figures.
fn readme(report: &Report) -> String {
    format!(
        "{}\n\n{}",
        where_and_when(report),
        markdown(&figures(report))
    )
}

/// For `docs/benchmarks.md`: everything.
fn page(report: &Report) -> String {
    let mut page = format!("{}\n\n", where_and_when(report));
    let versions: Vec<_> = report
        .versions
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let _ = writeln!(page, "Versions: {}.\n", versions.join(", "));
    let _ = writeln!(
        page,
        "### What it must reach\n\n{}",
        markdown(&judged(report))
    );
    let _ = writeln!(
        page,
        "### Medians of {} rounds\n\n{}",
        report.rounds,
        markdown(&figures(report))
    );
    let _ = writeln!(
        page,
        "### Littoral as a multiple of each, round by round\n\n{}",
        markdown(&ratios(report))
    );
    let _ = writeln!(
        page,
        "### Latency: median / 99th percentile, microseconds\n\n{}",
        markdown(&latencies(report))
    );
    if !report.left_out.is_empty() {
        let _ = writeln!(page, "### Left out\n");
        for out in &report.left_out {
            let _ = writeln!(
                page,
                "- {} at `{}`: {}",
                title(&out.contender),
                out.workload,
                out.reason
            );
        }
    }
    page
}

fn where_and_when(report: &Report) -> String {
    let machine = &report.machine;
    format!(
        "{}: {} cores ({}), {} GiB, {} on {}.",
        report.date,
        machine.cores,
        machine.cpu,
        machine.memory_mib.div_ceil(1024),
        machine.filesystem,
        machine.kernel
    )
}

/// Rows of cells, the first row being the head.
type Rows = Vec<Vec<String>>;

fn figures(report: &Report) -> Rows {
    by_metric(report, |metric, contender| {
        let value = report.figure(metric.name, contender)?.median()?;
        let peers = contenders(report).into_iter().filter(|name| *name != FLOOR);
        let best = report.best(metric.name, peers, metric.unit.lower_is_better());
        let text = number(value, metric.unit);
        Some(if best == Some(contender) {
            format!("**{text}**")
        } else {
            text
        })
    })
}

fn ratios(report: &Report) -> Rows {
    let mut rows = by_metric(report, |metric, contender| {
        Some(format!(
            "{:.2}",
            report.ratio(metric.name, LITTORAL, contender)?
        ))
    });
    for row in &mut rows {
        row.remove(1);
    }
    rows
}

fn latencies(report: &Report) -> Rows {
    by_metric(report, |metric, contender| {
        let [median, most] = report.figure(metric.name, contender)?.latency_us?;
        Some(format!("{median:.0} / {most:.0}"))
    })
}

/// A row for each metric of which `cell` has anything to say.
fn by_metric(report: &Report, cell: impl Fn(&Metric, &str) -> Option<String>) -> Rows {
    let contenders = contenders(report);
    let mut head = vec![String::new()];
    head.extend(contenders.iter().map(|name| title(name).to_owned()));
    let mut rows = vec![head];
    for metric in metrics::ALL {
        let cells: Vec<_> = contenders.iter().map(|name| cell(metric, name)).collect();
        if cells.iter().any(Option::is_some) {
            let mut row = vec![format!("{}, {}", metric.title, metric.unit.text())];
            row.extend(
                cells
                    .into_iter()
                    .map(|cell| cell.unwrap_or_else(|| "-".into())),
            );
            rows.push(row);
        }
    }
    rows
}

fn judged(report: &Report) -> Rows {
    let mut rows = vec![
        ["", "asked", "measured", "reached"]
            .map(String::from)
            .to_vec(),
    ];
    for target in targets::ALL {
        let judged = target.judge(report);
        let Some(measured) = judged.measured else {
            continue;
        };
        let reached = if judged.reached == Some(true) {
            "yes"
        } else {
            "**no**"
        };
        rows.push(vec![judged.what, judged.asked, measured, reached.into()]);
    }
    rows
}

/// Those that the report has figures of, in the order of the tables.
fn contenders(report: &Report) -> Vec<&'static str> {
    TITLES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| {
            report
                .figures
                .iter()
                .any(|figure| figure.contender == *name)
        })
        .collect()
}

const TITLES: &[(&str, &str)] = &[
    (LITTORAL, "Littoral"),
    (MAPPED, "Littoral, mapped"),
    ("redb", "redb"),
    ("fjall", "fjall"),
    ("sqlite", "SQLite"),
    ("lmdb", "LMDB"),
    ("rocksdb", "RocksDB"),
    ("directory", "one file each"),
    (FLOOR, "floor"),
];

fn title(contender: &str) -> &str {
    let known = TITLES.iter().find(|(name, _)| *name == contender);
    known.map_or(contender, |(_, title)| title)
}

/// Three digits that count.
fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{value:.2}"),
        Unit::Milliseconds | Unit::Mebibytes => format!("{value:.1}"),
        Unit::PerSecond | Unit::MegabytesPerSecond => match value {
            million if million >= 1e6 => format!("{:.2} M", million / 1e6),
            many if many >= 1e5 => format!("{:.0} k", many / 1e3),
            many if many >= 1e4 => format!("{:.1} k", many / 1e3),
            some if some >= 1e3 => format!("{:.2} k", some / 1e3),
            few => format!("{few:.0}"),
        },
    }
}

fn markdown(rows: &Rows) -> String {
    let mut text = String::new();
    for (nth, row) in rows.iter().enumerate() {
        let _ = writeln!(text, "| {} |", row.join(" | "));
        if nth == 0 {
            let _ = writeln!(text, "|---|{}", "---:|".repeat(row.len() - 1));
        }
    }
    text
}

fn aligned(rows: &Rows) -> String {
    let mut text = String::new();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.len()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let _ = match column {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_replace_only_what_is_between_the_markers() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let expected = format!("a\n{BEGIN}\nnew\n{END}\nb\n");
        assert_eq!(between_markers(&text, "new\n"), Some(expected));
        assert_eq!(between_markers("no markers", "new\n"), None);
    }

    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!(number(168_321.0, Unit::PerSecond), "168 k");
        assert_eq!(number(51_234.0, Unit::PerSecond), "51.2 k");
        assert_eq!(number(4_321.0, Unit::PerSecond), "4.32 k");
        assert_eq!(number(1.0437, Unit::Share), "1.04");
    }
}
