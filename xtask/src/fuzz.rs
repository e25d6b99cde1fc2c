//! The fuzz targets of `fuzz/`: every parser of bytes from outside.
//!
//! `RUSTC_BOOTSTRAP` lets the stable compiler take the flags for coverage and for the address
//! sanitizer, so that no other toolchain is needed.

use crate::{setup, shell::Cmd};
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path};

/// An input that takes longer than this many seconds hangs.
const HANG: u64 = 10;
/// An allocation of more than this many MiB was not checked.
const ALLOCATION: u64 = 256;

#[derive(clap::Args)]
pub struct Arguments {
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only this target; `cargo xtask fuzz --list` names them
    #[arg(long)]
    target: Option<String>,
    /// Only names the targets
    #[arg(long)]
    list: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    setup::cargo_fuzz()?;
    let all = targets()?;
    if arguments.list {
        all.iter().for_each(|target| println!("{target}"));
        return Ok(());
    }
    match &arguments.target {
        None => run_targets(&all, arguments.seconds),
        Some(target) => {
            let names = all.join(", ");
            ensure!(
                all.contains(target),
                "no fuzz target {target}: there are {names}"
            );
            run_targets(std::slice::from_ref(target), arguments.seconds)
        }
    }
}

/// Runs every target for a moment: its seeds, then what it makes of them.
pub fn briefly() -> Result<()> {
    setup::cargo_fuzz()?;
    run_targets(&targets()?, 10)
}

fn targets() -> Result<Vec<String>> {
    let list = cargo_fuzz("list").read()?;
    let names: Vec<_> = list.lines().map(str::to_owned).collect();
    ensure!(!names.is_empty(), "fuzz/ has no targets");
    Ok(names)
}

fn run_targets(targets: &[String], seconds: u64) -> Result<()> {
    match targets {
        [one] => cargo_fuzz("build").arg(one).run()?,
        _ => cargo_fuzz("build").run()?,
    }
    for target in targets {
        let corpus = Path::new("fuzz/corpus").join(target);
        fs::create_dir_all(&corpus)?;
        let mut cmd = cargo_fuzz("run").arg(target).arg(&corpus);
        let seeds = Path::new("fuzz/seeds").join(target);
        if seeds.is_dir() {
            cmd = cmd.arg(&seeds);
        }
        cmd.words("-- -verbosity=0 -print_funcs=0 -print_final_stats=1")
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={HANG}"))
            .arg(format!("-malloc_limit_mb={ALLOCATION}"))
            .run()
            .with_context(|| {
                format!(
                    "target {target} found an input (see above, kept in fuzz/artifacts/{target}); \
                     to run one input again: RUSTC_BOOTSTRAP=1 cargo fuzz run {target} FILE"
                )
            })?;
    }
    Ok(())
}

fn cargo_fuzz(command: &str) -> Cmd {
    Cmd::cargo("fuzz")
        .arg(command)
        .words("--fuzz-dir fuzz")
        .env("RUSTC_BOOTSTRAP", "1")
}
