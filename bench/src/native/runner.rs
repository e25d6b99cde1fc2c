//! Takes turns: in every round each contender does the same, in an order that is drawn anew.

use super::{
    contender::{Contender, Store},
    scale::Scale,
};
use crate::{
    data::{ORDER, Random},
    report::{Figure, LeftOut, Report, median},
};
use anyhow::Result;
use std::{fs::File, path::Path};
use tempfile::TempDir;

pub struct Runner<'a> {
    pub scale: Scale,
    pub rounds: usize,
    contenders: Vec<&'static dyn Contender>,
    dir: &'a Path,
    report: &'a mut Report,
    order: Random,
    workload: &'static str,
    latencies: Vec<(String, &'static str, Vec<[f64; 2]>)>,
}

/// A contender's store in a directory that goes with it.
pub struct Opened {
    pub store: Box<dyn Store>,
    pub dir: TempDir,
}

impl<'a> Runner<'a> {
    pub fn new(
        contenders: Vec<&'static dyn Contender>,
        scale: Scale,
        rounds: usize,
        dir: &'a Path,
        report: &'a mut Report,
    ) -> Self {
        Runner {
            scale,
            rounds,
            contenders,
            dir,
            report,
            order: Random::new(ORDER, 0),
            workload: "",
            latencies: Vec::new(),
        }
    }

    pub fn begin(&mut self, workload: &'static str) {
        self.workload = workload;
        for contender in &self.contenders {
            if let Some(reason) = contender.leaves_out(workload) {
                self.report.left_out.push(LeftOut {
                    contender: contender.name().into(),
                    workload: workload.into(),
                    reason: reason.into(),
                });
            }
        }
    }

    /// Runs `turn` for every contender that takes part, in an order of its own. One that fails is
    /// reported and takes no further part in this workload.
    pub fn turns(
        &mut self,
        what: &str,
        mut turn: impl FnMut(&mut Self, &'static dyn Contender) -> Result<()>,
    ) {
        let mut order: Vec<_> = self
            .contenders
            .iter()
            .copied()
            .filter(|contender| !self.is_out(contender.name()))
            .collect();
        self.order.shuffle(&mut order);
        eprintln!("{what}");
        for contender in order {
            if let Err(error) = turn(self, contender) {
                eprintln!("  {} FAILED: {error:#}", contender.name());
                self.report.left_out.push(LeftOut {
                    contender: contender.name().into(),
                    workload: self.workload.into(),
                    reason: format!("{FAILED}{error:#}"),
                });
            }
        }
    }

    fn is_out(&self, contender: &str) -> bool {
        let mut left_out = self.report.left_out.iter();
        left_out.any(|out| out.contender == contender && out.workload == self.workload)
    }

    /// A new empty store.
    pub fn fresh(&self, contender: &dyn Contender) -> Result<Opened> {
        let dir = self.dir(contender)?;
        let store = contender.open(dir.path())?;
        Ok(Opened { store, dir })
    }

    /// A new directory, removed when it is dropped.
    pub fn dir(&self, contender: &dyn Contender) -> Result<TempDir> {
        Ok(tempfile::Builder::new()
            .prefix(contender.name())
            .tempdir_in(self.dir)?)
    }

    /// Waits until the disk has nothing left to write of what was done before.
    pub fn quiet(&self) -> Result<()> {
        Ok(rustix::fs::syncfs(File::open(self.dir)?)?)
    }

    /// Adds a round's result.
    pub fn record(&mut self, metric: &str, contender: &dyn Contender, value: f64) {
        let name = contender.name();
        let known = self
            .report
            .figures
            .iter_mut()
            .find(|figure| figure.metric == metric && figure.contender == name);
        match known {
            Some(figure) => figure.rounds.push(value),
            None => self.report.figures.push(Figure {
                metric: metric.into(),
                contender: name.into(),
                rounds: vec![value],
                latency_us: None,
            }),
        }
        eprintln!("  {metric:<20} {name:<10} {value:>14.1}");
    }

    /// Adds a round's median and 99th percentile of latency.
    pub fn record_latency(
        &mut self,
        metric: &str,
        contender: &dyn Contender,
        latency_us: [f64; 2],
    ) {
        let name = contender.name();
        let mut known = self.latencies.iter_mut();
        let all = match known.find(|(m, n, _)| m == metric && *n == name) {
            Some((_, _, all)) => all,
            None => {
                self.latencies.push((metric.into(), name, Vec::new()));
                let Some((_, _, all)) = self.latencies.last_mut() else {
                    return;
                };
                all
            }
        };
        all.push(latency_us);
        let medians =
            [0, 1].map(|at| median(all.iter().map(|both| both[at]).collect()).unwrap_or(0.0));
        let mut figures = self.report.figures.iter_mut();
        if let Some(figure) = figures.find(|f| f.metric == metric && f.contender == name) {
            figure.latency_us = Some(medians);
        }
    }
}

const FAILED: &str = "failed: ";

/// Who failed at what, as opposed to what was left out on purpose.
pub fn failures(report: &Report) -> Vec<String> {
    report
        .left_out
        .iter()
        .filter(|out| out.reason.starts_with(FAILED))
        .map(|out| format!("{} at {}", out.contender, out.workload))
        .collect()
}
