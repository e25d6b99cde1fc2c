//! Measurements that want a process of their own: opening a store, and how much memory that takes.

use super::{
    contender::{Contender, Entry, Table},
    contenders,
    workloads::REOPEN_LEN,
};
use crate::{
    data::{MANY, PUTS, key_of, value},
    machine::own_memory_kib,
};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Instant,
};

#[derive(clap::Args)]
pub struct Arguments {
    job: Job,
    contender: String,
    dir: PathBuf,
    count: usize,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Job {
    /// Opens the store and reads one blob.
    Reopen,
    /// Opens the store, puts some blobs, and is killed.
    Kill,
    /// Streams `count` bytes in and out.
    Stream,
}

/// What opening took.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reopened {
    /// From the call until one blob has been read.
    pub milliseconds: f64,
    /// The most memory that the process had resident until then.
    pub resident_mib: f64,
}

/// Runs `job` in a new process and returns what it measured.
pub fn run_for<T: DeserializeOwned>(
    job: Job,
    contender: &str,
    dir: &Path,
    count: usize,
) -> Result<T> {
    let output = spawn(job, contender, dir, count)?;
    anyhow::ensure!(
        output.status.success(),
        "the child process failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs `job` in a new process, which kills itself.
pub fn run_killed(job: Job, contender: &str, dir: &Path, count: usize) -> Result<()> {
    use std::os::unix::process::ExitStatusExt;
    let output = spawn(job, contender, dir, count)?;
    anyhow::ensure!(
        output.status.signal() == Some(rustix::process::Signal::KILL.as_raw()),
        "the child process was not killed but failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn spawn(job: Job, contender: &str, dir: &Path, count: usize) -> Result<Output> {
    let name = format!("{job:?}").to_lowercase();
    Command::new(std::env::current_exe()?)
        .args(["child", &name, contender])
        .arg(dir)
        .arg(count.to_string())
        .env_remove("RUST_BACKTRACE")
        .output()
        .context("starting a child process")
}

/// The child's side.
pub fn run(arguments: Arguments) -> Result<()> {
    let contender = contenders::all()
        .into_iter()
        .find(|contender| contender.name() == arguments.contender)
        .with_context(|| format!("no contender is called {}", arguments.contender))?;
    match arguments.job {
        Job::Reopen => reopen(contender, &arguments.dir, arguments.count),
        Job::Kill => kill(contender, &arguments.dir, arguments.count),
        Job::Stream => super::workloads::stream_child(&arguments.dir, arguments.count),
    }
}

fn reopen(contender: &dyn Contender, dir: &Path, count: usize) -> Result<()> {
    let nth = count / 2;
    let wanted = value(MANY, nth as u64, REOPEN_LEN);
    let key = key_of(&wanted);
    let began = Instant::now();
    let store = contender.open(dir)?;
    let mut found = false;
    let entry = Entry {
        key: &key,
        nth,
        len: REOPEN_LEN,
    };
    store
        .reader()?
        .get(Table::Blobs, entry, &mut |value| found = *value == *wanted)?;
    let milliseconds = began.elapsed().as_secs_f64() * 1000.0;
    anyhow::ensure!(found, "the store has lost a blob");
    let resident_mib = own_memory_kib("VmHWM")? as f64 / 1024.0;
    println!(
        "{}",
        serde_json::to_string(&Reopened {
            milliseconds,
            resident_mib
        })?
    );
    store.close()
}

/// Blobs that are put before the kill, by one writer.
const PUTS_BEFORE_KILL: u64 = 1000;

fn kill(contender: &dyn Contender, dir: &Path, round: usize) -> Result<()> {
    let store = contender.open(dir)?;
    for nth in 0..PUTS_BEFORE_KILL {
        store.put(value(PUTS, (round as u64) << 40 | nth, REOPEN_LEN))?;
    }
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
    anyhow::bail!("survived its own kill")
}
