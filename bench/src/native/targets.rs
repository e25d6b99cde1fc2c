//! What Littoral must reach, as the issue of its foundations fixed it.

use super::contenders::{FLOOR, LITTORAL, MAPPED};
use crate::target::{Rule, Target};

/// Peers without write groups.
const UNGROUPED: &[&str] = &["redb", "fjall", "lmdb", "sqlite"];
const PEERS: &[&str] = &["redb", "fjall", "lmdb", "sqlite", "rocksdb"];
const EVERYBODY: &[&str] = &["redb", "fjall", "lmdb", "sqlite", "rocksdb", "directory"];
const NOT_MAPPED: &[&str] = &["redb", "fjall", "sqlite", "rocksdb", "directory"];

pub const ALL: &[Target] = &[
    target("commit-1", Rule::OfOne(0.8, FLOOR)),
    target("commit-16", Rule::OfOne(0.5, FLOOR)),
    target("commit-64", Rule::OfOne(0.4, FLOOR)),
    target("commit-64", Rule::OfBest(8.0, UNGROUPED)),
    target("commit-64", Rule::OfBest(1.0, &["rocksdb"])),
    target("put-4k-1", Rule::OfBest(1.0, PEERS)),
    target("put-4k-16", Rule::OfBest(5.0, UNGROUPED)),
    target("load-4k", Rule::OfBest(1.2, EVERYBODY)),
    target("load-4k", Rule::OfOne(0.6, FLOOR)),
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
