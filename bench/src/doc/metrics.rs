//! What is measured, of whom, and what Littoral must reach, as the issue of documents fixed it.

use crate::{
    machine,
    metric::{Metric, Unit, metric},
    target::{Rule, Target},
};
use std::collections::BTreeMap;

pub const LITTORAL: &str = "littoral";
/// The same after ten times as many commits.
pub const MANY: &str = "littoral-many";

pub const TITLES: &[(&str, &str)] = &[
    (LITTORAL, "Littoral"),
    (MANY, "Littoral, 1,000,000 commits"),
    ("sqlite", "SQLite, JSON column"),
    ("revisions", "SQLite, revision rows"),
    ("automerge", "Automerge"),
];

pub const ALL: &[Metric] = &[
    metric("get", "A bare engine get", Unit::Microseconds),
    metric("head", "One field now", Unit::Microseconds),
    metric("past", "One field at a random commit", Unit::Microseconds),
    metric("whole", "Leaves of the whole object", Unit::PerSecond),
    metric("relaxed", "Commits, 1 writer, relaxed", Unit::PerSecond),
    metric(
        "logged",
        "Commits, 1 writer, in the log on return",
        Unit::PerSecond,
    ),
    metric("strict-16", "Commits, 16 writers, durable", Unit::PerSecond),
    metric("log", "Log bytes of a patch of 30 bytes", Unit::Bytes),
    metric(
        "disk",
        "Bytes on disk for each commit, all kept",
        Unit::Bytes,
    ),
];

pub const TARGETS: &[Target] = &[
    target("head", Rule::Times(20.0, "get")),
    target("past", Rule::Times(10.0, "head")),
    target("whole", Rule::AtLeast(100_000.0)),
    target("relaxed", Rule::AtLeast(50_000.0)),
    target("strict-16", Rule::OfOne(5.0, "sqlite")),
    target("log", Rule::AtMost(150.0)),
    many("head", Rule::Within(2.0, LITTORAL)),
    many("past", Rule::Within(2.0, LITTORAL)),
    many("whole", Rule::Within(2.0, LITTORAL)),
    many("relaxed", Rule::Within(2.0, LITTORAL)),
    many("logged", Rule::Within(2.0, LITTORAL)),
    many("strict-16", Rule::Within(2.0, LITTORAL)),
    many("head", Rule::Times(20.0, "get")),
    many("past", Rule::Times(10.0, "head")),
    many("relaxed", Rule::AtLeast(50_000.0)),
    many("strict-16", Rule::OfOne(5.0, "sqlite")),
];

const fn target(metric: &'static str, rule: Rule) -> Target {
    Target {
        who: LITTORAL,
        metric,
        rule,
    }
}

const fn many(metric: &'static str, rule: Rule) -> Target {
    Target {
        who: MANY,
        metric,
        rule,
    }
}

/// Contenders and the versions that this program was built with.
pub fn versions() -> BTreeMap<String, String> {
    let known = [
        ("littoral", machine::version_of("littoral")),
        ("automerge", machine::version_of("automerge")),
        ("sqlite", Some(rusqlite::version().to_owned())),
    ];
    let known = known
        .into_iter()
        .filter_map(|(name, version)| Some((name.to_owned(), version?)));
    known.collect()
}
