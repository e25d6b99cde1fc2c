//! What is measured, and the versions of whom.

use super::contenders;
use crate::{
    machine,
    metric::{Metric, Unit, metric},
};
use std::collections::BTreeMap;

/// In the order of the tables.
pub const ALL: &[Metric] = &[
    metric(
        "commit-1",
        "Durable commits of 232 B, 1 writer",
        Unit::PerSecond,
    ),
    metric(
        "commit-16",
        "Durable commits of 232 B, 16 writers",
        Unit::PerSecond,
    ),
    metric(
        "commit-64",
        "Durable commits of 232 B, 64 writers",
        Unit::PerSecond,
    ),
    metric(
        "put-4k-1",
        "Durable puts of 4 KiB blobs, 1 writer",
        Unit::PerSecond,
    ),
    metric(
        "put-4k-16",
        "Durable puts of 4 KiB blobs, 16 writers",
        Unit::PerSecond,
    ),
    metric(
        "load-4k",
        "Bulk load of 100,000 blobs of 4 KiB",
        Unit::MegabytesPerSecond,
    ),
    metric("disk", "Bytes on disk per byte of those blobs", Unit::Share),
    metric(
        "length",
        "Length of its files per byte of those blobs",
        Unit::Share,
    ),
    metric("get-4k-1", "Random get of 4 KiB, 1 reader", Unit::PerSecond),
    metric(
        "get-4k-4",
        "Random get of 4 KiB, 4 readers",
        Unit::PerSecond,
    ),
    metric(
        "scan-4k",
        "Ordered scan of 4 KiB blobs",
        Unit::MegabytesPerSecond,
    ),
    metric(
        "put-1m",
        "Durable put of 1 MiB blobs",
        Unit::MegabytesPerSecond,
    ),
    metric("get-1m", "Get of 1 MiB blobs", Unit::MegabytesPerSecond),
    metric(
        "put-64m",
        "Durable put of 64 MiB blobs",
        Unit::MegabytesPerSecond,
    ),
    metric("get-64m", "Get of 64 MiB blobs", Unit::MegabytesPerSecond),
    metric(
        "small-load",
        "Bulk load of pairs, 16 B to 100 B",
        Unit::PerSecond,
    ),
    metric("small-get", "Random get of a pair", Unit::PerSecond),
    metric("small-scan", "Ordered scan of pairs", Unit::PerSecond),
    metric("small-disk", "Bytes on disk per byte of pairs", Unit::Share),
    metric(
        "reopen-time",
        "Reopening 1,000,000 blobs: time to the first read",
        Unit::Milliseconds,
    ),
    metric(
        "reopen-memory",
        "Reopening 1,000,000 blobs: resident memory",
        Unit::Mebibytes,
    ),
    metric(
        "reopen-killed-time",
        "The same after a kill: time",
        Unit::Milliseconds,
    ),
    metric(
        "reopen-killed-memory",
        "The same after a kill: resident memory",
        Unit::Mebibytes,
    ),
    metric(
        "stream-put",
        "A stream of 2 GiB into a blob",
        Unit::MegabytesPerSecond,
    ),
    metric("stream-get", "The same out again", Unit::MegabytesPerSecond),
    metric(
        "stream-memory",
        "The same: resident memory",
        Unit::Mebibytes,
    ),
];

/// Contenders and the versions that this program was built with.
pub fn versions() -> BTreeMap<String, String> {
    contenders::all()
        .into_iter()
        .filter_map(|contender| {
            let version = match contender.name() {
                "sqlite" => Some(rusqlite::version().to_owned()),
                "lmdb" => Some(format!(
                    "{} (heed {})",
                    lmdb_version(),
                    machine::version_of("heed")?
                )),
                other => machine::version_of(other),
            };
            Some((contender.name().to_owned(), version?))
        })
        .collect()
}

fn lmdb_version() -> String {
    let version = heed::lmdb_version();
    format!("{}.{}.{}", version.major, version.minor, version.patch)
}
