//! What the demo tells: a line for each thing done, and the sum of it.

use crate::cli::{
    exit::Failure,
    output::{Output, count, size},
};
use console::{Emoji, style};
use serde::Serialize;
use std::{fmt, time::Duration};

/// The story as it unfolds, on standard output; nothing of it with `--json`, or when it shall be quiet.
pub struct Story {
    output: Output,
}

static TICK: Emoji<'_, '_> = Emoji("✔", "ok");
static CROSS: Emoji<'_, '_> = Emoji("✘", "NO");

impl Story {
    pub fn begin(output: Output) -> Self {
        Story { output }
    }

    /// One thing that was done.
    pub fn line(&mut self, what: &str, told: impl fmt::Display) -> Result<(), Failure> {
        if self.output.json || self.output.quiet {
            return Ok(());
        }
        let line = format!("{} {told}\n", style(format!("{what:>12}")).cyan().bold());
        self.output.bytes(line.as_bytes())
    }

    /// The end: one document, or the verdict.
    pub fn end(&mut self, report: &Report) -> Result<(), Failure> {
        if self.output.json {
            return self.output.result(report);
        }
        let verdict = match report.matched {
            true => style(format!("{TICK} {report}")).green(),
            false => style(format!("{CROSS} {report}")).red(),
        };
        self.output.bytes(format!("\n{verdict}\n").as_bytes())
    }
}

/// What the demo did.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub source: String,
    pub files: u64,
    pub directories: u64,
    pub bytes: u64,
    /// Files with different bytes, and theirs.
    pub distinct_files: u64,
    pub distinct_bytes: u64,
    /// What waited for the remote while it was down.
    pub queued: u64,
    pub queued_bytes: u64,
    pub import_seconds: f64,
    pub upload_seconds: f64,
    pub restore_seconds: f64,
    pub import_mb_per_s: f64,
    pub upload_mb_per_s: f64,
    pub restore_mb_per_s: f64,
    /// The stores' files: here, and on the remote.
    pub store_bytes: u64,
    pub remote_bytes: u64,
    pub verified_files: u64,
    pub verified_bytes: u64,
    pub differences: Vec<String>,
    pub matched: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.matched {
            true => write!(
                f,
                "All {} files came back, every byte of {} as it was.",
                count(self.verified_files),
                size(self.verified_bytes)
            ),
            false => write!(
                f,
                "{} of {} files came back as they were.",
                count(self.verified_files),
                count(self.files)
            ),
        }
    }
}

/// Bytes in a time, as people say it.
pub struct Rate {
    pub bytes: u64,
    pub time: Duration,
}

impl Rate {
    /// Millions of bytes a second.
    pub fn mb_per_s(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.time.as_secs_f64().max(1e-9)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.time.as_secs_f64();
        write!(f, "in {seconds:.1} s ({:.0} MB/s)", self.mb_per_s())
    }
}
