//! The results of a run, as they are kept in `results/`.

use crate::machine::Machine;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};

/// A whole run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// When it began, UTC.
    pub date: String,
    /// What was measured, such as `native`.
    pub suite: String,
    pub machine: Machine,
    pub rounds: usize,
    /// Whether it was only a smoke run, whose figures mean little.
    pub quick: bool,
    /// Contender and version.
    pub versions: BTreeMap<String, String>,
    pub figures: Vec<Figure>,
    /// Contender, workload and reason, where one was left out or failed.
    pub left_out: Vec<LeftOut>,
}

/// One contender's results for one measurement.
#[derive(Debug, Serialize, Deserialize)]
pub struct Figure {
    /// Which measurement, such as `commit-64`.
    pub metric: String,
    pub contender: String,
    /// One value of each round, in the metric's unit. Round `n` of all contenders belongs together.
    pub rounds: Vec<f64>,
    /// Median latency and the 99th percentile in microseconds, medians over the rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<[f64; 2]>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    pub contender: String,
    pub workload: String,
    pub reason: String,
}

impl Report {
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no report", path.display()))
    }

    pub fn save(&self, path: &Path) -> Result<()> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }

    pub fn figure(&self, metric: &str, contender: &str) -> Option<&Figure> {
        self.figures
            .iter()
            .find(|figure| figure.metric == metric && figure.contender == contender)
    }

    /// Median over the rounds of `a` divided by `b`, round by round: what disturbed a whole round cancels out.
    pub fn ratio(&self, metric: &str, a: &str, b: &str) -> Option<f64> {
        self.ratio_of((metric, a), (metric, b))
    }

    /// The same of two figures, each a metric and a contender.
    pub fn ratio_of(&self, a: (&str, &str), b: (&str, &str)) -> Option<f64> {
        let (a, b) = (self.figure(a.0, a.1)?, self.figure(b.0, b.1)?);
        median(a.rounds.iter().zip(&b.rounds).map(|(a, b)| a / b).collect())
    }

    /// Who of `contenders` did best by its median.
    pub fn best<'a>(
        &self,
        metric: &str,
        contenders: impl IntoIterator<Item = &'a str>,
        lower_is_better: bool,
    ) -> Option<&'a str> {
        contenders
            .into_iter()
            .filter_map(|name| Some((name, self.figure(metric, name)?.median()?)))
            .min_by(|(_, a), (_, b)| {
                if lower_is_better {
                    a.total_cmp(b)
                } else {
                    b.total_cmp(a)
                }
            })
            .map(|(name, _)| name)
    }
}

impl Figure {
    pub fn median(&self) -> Option<f64> {
        median(self.rounds.clone())
    }
}

pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        even if even % 2 == 0 => Some((values[middle - 1] + values[middle]) / 2.0),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let figure = |contender: &str, rounds: &[f64]| Figure {
            metric: "commit-1".into(),
            contender: contender.into(),
            rounds: rounds.to_vec(),
            latency_us: None,
        };
        Report {
            date: String::new(),
            suite: "native".into(),
            machine: Machine {
                kernel: String::new(),
                cpu: String::new(),
                cores: 1,
                memory_mib: 1,
                filesystem: String::new(),
                load_before: 0.0,
            },
            rounds: 3,
            quick: false,
            versions: BTreeMap::new(),
            figures: vec![
                figure("littoral", &[80.0, 8.0, 90.0]),
                figure("floor", &[100.0, 10.0, 100.0]),
                figure("redb", &[20.0, 2.0, 30.0]),
            ],
            left_out: Vec::new(),
        }
    }

    #[test]
    fn a_ratio_is_taken_within_rounds_so_that_a_slow_one_does_not_count() {
        let ratio = report().ratio("commit-1", "littoral", "floor");
        assert!(ratio.is_some_and(|ratio| (ratio - 0.8).abs() < 1e-9));
    }

    #[test]
    fn the_best_is_the_one_with_the_best_median() {
        let report = report();
        assert_eq!(
            report.best("commit-1", ["redb", "floor"], false),
            Some("floor")
        );
        assert_eq!(
            report.best("commit-1", ["redb", "floor"], true),
            Some("redb")
        );
        assert_eq!(report.best("commit-1", ["nobody"], true), None);
    }
}
