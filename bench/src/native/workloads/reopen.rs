//! Opening a store of a million blobs in a new process: after a good end, and after a kill.

use crate::{
    data::{MANY, value},
    native::{
        child::{self, Job, Reopened},
        contender::Contender,
        runner::Runner,
    },
};
use anyhow::{Context, Result};
use std::collections::HashMap;
use tempfile::TempDir;

/// Bytes of each blob.
pub const LEN: usize = 1024;
/// Blobs that are loaded in one go.
const STEP: usize = 50_000;

pub fn run(runner: &mut Runner) -> Result<()> {
    let mut built: HashMap<&str, TempDir> = HashMap::new();
    runner.turns("reopen, building", |runner, contender| {
        let opened = runner.fresh(contender)?;
        let many = runner.scale.many;
        for start in (0..many).step_by(STEP) {
            let values = (start..many.min(start + STEP)).map(|nth| value(MANY, nth as u64, LEN));
            opened.store.load_blobs(values.collect())?;
        }
        opened.store.close()?;
        built.insert(contender.name(), opened.dir);
        Ok(())
    });
    for round in 1..=runner.rounds {
        runner.turns(&format!("reopen, round {round}"), |runner, contender| {
            let opened = reopen(runner, contender, &built)?;
            runner.record("reopen-time", contender, opened.milliseconds);
            runner.record("reopen-memory", contender, opened.resident_mib);
            Ok(())
        });
        runner.turns(
            &format!("reopen after a kill, round {round}"),
            |runner, contender| {
                let dir = built.get(contender.name()).context("it was not built")?;
                child::run_killed(Job::Kill, contender.name(), dir.path(), round)?;
                let opened = reopen(runner, contender, &built)?;
                runner.record("reopen-killed-time", contender, opened.milliseconds);
                runner.record("reopen-killed-memory", contender, opened.resident_mib);
                Ok(())
            },
        );
    }
    Ok(())
}

fn reopen(
    runner: &Runner,
    contender: &dyn Contender,
    built: &HashMap<&str, TempDir>,
) -> Result<Reopened> {
    let dir = built.get(contender.name()).context("it was not built")?;
    runner.quiet()?;
    child::run_for(Job::Reopen, contender.name(), dir.path(), runner.scale.many)
}
