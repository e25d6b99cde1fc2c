//! The tables of a run: for people at a terminal, for the README, for `docs/benchmarks.md`.

use crate::{
    metric::Metric,
    report::Report,
    suite::{self, Suite},
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
    let chosen: Vec<_> = match &arguments.from {
        Some(from) => vec![from.clone()],
        None => suite::ALL.iter().map(|suite| results(suite.name)).collect(),
    };
    for from in chosen {
        let report = Report::load(&from)?;
        let suite = Suite::called(&report.suite)?;
        if !arguments.write && !arguments.check {
            print!("{}", text(suite, &report));
            continue;
        }
        anyhow::ensure!(!report.quick, "{} was a smoke run", from.display());
        put(
            suite,
            "docs/benchmarks.md",
            &page(suite, &report),
            arguments,
        )?;
        if let Some(file) = suite.figures_in {
            put(suite, file, &figures_alone(suite, &report), arguments)?;
        }
    }
    Ok(())
}

/// Puts tables between the markers of a file, or compares them with what is there.
fn put(suite: &Suite, file: &str, tables: &str, arguments: &Arguments) -> Result<()> {
    let path = project().join(file);
    let before = fs::read_to_string(&path).with_context(|| format!("reading {file}"))?;
    let after = between_markers(&before, suite.marker, tables)
        .with_context(|| format!("{file} wants {:?}", markers(suite.marker)))?;
    if arguments.check {
        anyhow::ensure!(
            before == after,
            "{file} is not what the last run says: bench table --write"
        );
        return Ok(());
    }
    fs::write(&path, after).with_context(|| format!("writing {file}"))
}

/// Where the results of `suite` are kept.
pub fn results(suite: &str) -> PathBuf {
    manifest().join("results").join(format!("{suite}.json"))
}

/// The directory of the project.
pub fn project() -> PathBuf {
    manifest().join("..")
}

fn manifest() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from)
}

fn markers(name: &str) -> [String; 2] {
    [
        format!("<!-- {name}:begin -->"),
        format!("<!-- {name}:end -->"),
    ]
}

pub fn between_markers(text: &str, name: &str, tables: &str) -> Option<String> {
    let [begin, end] = markers(name);
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{tables}{end}{after}"))
}

/// For a terminal: the figures, and which targets were reached.
pub fn text(suite: &Suite, report: &Report) -> String {
    format!(
        "\n{}\n{}",
        aligned(&figures(suite, report)),
        aligned(&judged(suite, report))
    )
}

/// For a page that shows the figures alone.
fn figures_alone(suite: &Suite, report: &Report) -> String {
    format!(
        "{}\n\n{}",
        where_and_when(report),
        markdown(&figures(suite, report))
    )
}

/// For `docs/benchmarks.md`: everything.
fn page(suite: &Suite, report: &Report) -> String {
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
        markdown(&judged(suite, report))
    );
    let _ = writeln!(
        page,
        "### Medians of {} rounds\n\n{}",
        report.rounds,
        markdown(&figures(suite, report))
    );
    let _ = writeln!(
        page,
        "### Littoral as a multiple of each, round by round\n\n{}",
        markdown(&ratios(suite, report))
    );
    let latencies = latencies(suite, report);
    if latencies.len() > 1 {
        let _ = writeln!(
            page,
            "### Latency: median / 99th percentile, microseconds\n\n{}",
            markdown(&latencies)
        );
    }
    if !report.left_out.is_empty() {
        let _ = writeln!(page, "### Left out\n");
        for out in &report.left_out {
            let _ = writeln!(
                page,
                "- {} at `{}`: {}",
                suite.title(&out.contender),
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

fn figures(suite: &Suite, report: &Report) -> Rows {
    by_metric(suite, report, |metric, contender| {
        let value = report.figure(metric.name, contender)?.median()?;
        let peers = contenders(suite, report)
            .into_iter()
            .filter(|name| !suite.apart.contains(name));
        let best = report.best(metric.name, peers, metric.unit.lower_is_better());
        let text = metric.unit.number(value);
        Some(if best == Some(contender) {
            format!("**{text}**")
        } else {
            text
        })
    })
}

fn ratios(suite: &Suite, report: &Report) -> Rows {
    let mut rows = by_metric(suite, report, |metric, contender| {
        Some(format!(
            "{:.2}",
            report.ratio(metric.name, suite.ours, contender)?
        ))
    });
    for row in &mut rows {
        row.remove(1);
    }
    rows
}

fn latencies(suite: &Suite, report: &Report) -> Rows {
    by_metric(suite, report, |metric, contender| {
        let [median, most] = report.figure(metric.name, contender)?.latency_us?;
        Some(format!("{median:.0} / {most:.0}"))
    })
}

/// A row for each metric of which `cell` has anything to say.
fn by_metric(
    suite: &Suite,
    report: &Report,
    cell: impl Fn(&Metric, &str) -> Option<String>,
) -> Rows {
    let contenders = contenders(suite, report);
    let mut head = vec![String::new()];
    head.extend(contenders.iter().map(|name| suite.title(name).to_owned()));
    let mut rows = vec![head];
    for metric in suite.metrics {
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

fn judged(suite: &Suite, report: &Report) -> Rows {
    let mut rows = vec![
        ["", "asked", "measured", "reached"]
            .map(String::from)
            .to_vec(),
    ];
    for target in suite.targets {
        let judged = target.judge(suite, report);
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
fn contenders(suite: &Suite, report: &Report) -> Vec<&'static str> {
    suite
        .titles
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
        let [begin, end] = markers("bench");
        let text = format!("a\n{begin}\nold\n{end}\nb\n");
        let expected = format!("a\n{begin}\nnew\n{end}\nb\n");
        assert_eq!(between_markers(&text, "bench", "new\n"), Some(expected));
        assert_eq!(between_markers("no markers", "bench", "new\n"), None);
    }
}
