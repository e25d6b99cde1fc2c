//! A suite: what is measured, of whom, and what must be reached.

use crate::{doc, metric::Metric, native, target::Target};
use anyhow::{Context, Result};

pub struct Suite {
    /// As in `results/NAME.json`.
    pub name: &'static str,
    /// What the markers around its tables are called.
    pub marker: &'static str,
    /// Where its figures go, beside `docs/benchmarks.md`.
    pub figures_in: Option<&'static str>,
    /// Whom the others are compared with.
    pub ours: &'static str,
    /// Who is no peer, and so never the best.
    pub apart: &'static [&'static str],
    /// Contenders in the order of the tables, and what tables call them.
    pub titles: &'static [(&'static str, &'static str)],
    pub metrics: &'static [Metric],
    pub targets: &'static [Target],
}

pub const ALL: &[&Suite] = &[&native::SUITE, &doc::SUITE];

impl Suite {
    pub fn called(name: &str) -> Result<&'static Suite> {
        let found = ALL.iter().find(|suite| suite.name == name);
        found
            .copied()
            .with_context(|| format!("no suite is called {name}"))
    }

    pub fn metric(&self, name: &str) -> Option<&'static Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    pub fn title<'a>(&self, contender: &'a str) -> &'a str {
        let known = self.titles.iter().find(|(name, _)| *name == contender);
        known.map_or(contender, |(_, title)| title)
    }
}
