//! What is measured, one file each.

mod large;
mod load;
mod read;
mod reopen;
mod small;
mod stream;
mod writers;

pub use reopen::LEN as REOPEN_LEN;
pub use stream::child as stream_child;

use super::runner::Runner;
use anyhow::Result;

/// A workload: it may give several metrics.
#[derive(Clone, Copy)]
pub struct Workload {
    pub name: &'static str,
    pub run: fn(&mut Runner) -> Result<()>,
}

pub const ALL: &[Workload] = &[
    Workload {
        name: "commit",
        run: writers::commit,
    },
    Workload {
        name: "put",
        run: writers::put,
    },
    Workload {
        name: "load",
        run: load::run,
    },
    Workload {
        name: "large",
        run: large::run,
    },
    Workload {
        name: "small",
        run: small::run,
    },
    Workload {
        name: "reopen",
        run: reopen::run,
    },
    Workload {
        name: "stream",
        run: stream::run,
    },
];
