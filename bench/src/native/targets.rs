//! What Littoral must reach, as the issue of its foundations fixed it.

use super::{
    contenders::{FLOOR, LITTORAL, MAPPED},
    metrics,
};
use crate::report::Report;

pub struct Target {
    /// Who must reach it.
    pub who: &'static str,
    pub metric: &'static str,
    pub rule: Rule,
}

pub enum Rule {
    /// At least this share of what the floor does.
    OfFloor(f64),
    /// At least this many times the best of these.
    OfBest(f64, &'static [&'static str]),
    /// At most this, in the metric's unit.
    AtMost(f64),
}

/// Peers without write groups.
const UNGROUPED: &[&str] = &["redb", "fjall", "lmdb", "sqlite"];
const PEERS: &[&str] = &["redb", "fjall", "lmdb", "sqlite", "rocksdb"];
const EVERYBODY: &[&str] = &["redb", "fjall", "lmdb", "sqlite", "rocksdb", "directory"];
const NOT_MAPPED: &[&str] = &["redb", "fjall", "sqlite", "rocksdb", "directory"];

pub const ALL: &[Target] = &[
    target("commit-1", Rule::OfFloor(0.8)),
    target("commit-16", Rule::OfFloor(0.5)),
    target("commit-64", Rule::OfFloor(0.4)),
    target("commit-64", Rule::OfBest(8.0, UNGROUPED)),
    target("commit-64", Rule::OfBest(1.0, &["rocksdb"])),
    target("put-4k-1", Rule::OfBest(1.0, PEERS)),
    target("put-4k-16", Rule::OfBest(5.0, UNGROUPED)),
    target("load-4k", Rule::OfBest(1.2, EVERYBODY)),
    target("load-4k", Rule::OfFloor(0.6)),
    target("get-4k-1", Rule::OfBest(1.0, NOT_MAPPED)),
    target("get-4k-4", Rule::OfBest(1.0, NOT_MAPPED)),
    target("get-4k-1", Rule::OfBest(0.7, &["lmdb"])),
    target("get-4k-4", Rule::OfBest(0.7, &["lmdb"])),
    mapped("get-4k-1", Rule::OfBest(0.7, &["lmdb"])),
    mapped("get-4k-4", Rule::OfBest(0.7, &["lmdb"])),
    target("disk", Rule::AtMost(1.05)),
    target("reopen-time", Rule::AtMost(100.0)),
    target("reopen-memory", Rule::AtMost(64.0)),
    target("reopen-killed-time", Rule::AtMost(100.0)),
    target("reopen-killed-memory", Rule::AtMost(64.0)),
    target("stream-memory", Rule::AtMost(64.0)),
];

const fn target(metric: &'static str, rule: Rule) -> Target {
    Target {
        who: LITTORAL,
        metric,
        rule,
    }
}

const fn mapped(metric: &'static str, rule: Rule) -> Target {
    Target {
        who: MAPPED,
        metric,
        rule,
    }
}

/// A target beside what was measured.
pub struct Judged {
    /// The metric in words.
    pub what: String,
    /// What was asked for.
    pub asked: String,
    /// What was measured, the same way; `None` where the run does not tell.
    pub measured: Option<String>,
    pub reached: Option<bool>,
}

impl Target {
    pub fn judge(&self, report: &Report) -> Judged {
        let known = metrics::ALL
            .iter()
            .find(|metric| metric.name == self.metric);
        let title = known.map_or(self.metric, |metric| metric.title);
        let what = match self.who {
            MAPPED => format!("{title}, mapped"),
            _ => title.to_owned(),
        };
        let of = |share: f64, whom: Option<&str>, asked: String| {
            let ratio = whom.and_then(|whom| report.ratio(self.metric, self.who, whom));
            Judged {
                what: what.clone(),
                asked,
                measured: ratio.map(|ratio| format!("{ratio:.2} x {}", whom.unwrap_or(""))),
                reached: ratio.map(|ratio| ratio >= share),
            }
        };
        match &self.rule {
            Rule::OfFloor(share) => of(*share, Some(FLOOR), format!("at least {share} x floor")),
            Rule::OfBest(share, whom) => {
                let best = report.best(self.metric, whom.iter().copied(), false);
                let names = match whom {
                    [one] => (*one).to_owned(),
                    many => format!("the best of {}", many.join(", ")),
                };
                of(*share, best, format!("at least {share} x {names}"))
            }
            Rule::AtMost(most) => {
                let unit = known.map_or("", |metric| metric.unit.text());
                let figure = report.figure(self.metric, self.who);
                let measured = figure.and_then(|figure| figure.median());
                Judged {
                    what,
                    asked: format!("at most {most} {unit}"),
                    measured: measured.map(|value| format!("{value:.2} {unit}")),
                    reached: measured.map(|value| value <= *most),
                }
            }
        }
    }
}
