//! The short commands.

use crate::{house, npm, page, setup, shell::Cmd};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

const BENCH: &str = "--manifest-path bench/Cargo.toml";

#[derive(clap::Args)]
pub struct Fmt {
    /// Changes nothing, fails where something would be changed
    #[arg(long)]
    check: bool,
}

impl Fmt {
    pub fn run(&self) -> Result<()> {
        fmt(if self.check { "--check" } else { "" })
    }
}

/// Says where a file is not formatted.
pub fn fmt_check() -> Result<()> {
    fmt("--check")
}

fn fmt(flag: &str) -> Result<()> {
    setup::rustfmt()?;
    for manifest in house::workspaces()? {
        Cmd::cargo("fmt --all --manifest-path")
            .arg(manifest)
            .words(flag)
            .run()?;
    }
    Ok(())
}

/// Clippy on every crate, and the house rules.
pub fn lint() -> Result<()> {
    house::check()?;
    clippy()
}

/// Clippy with everything on; a warning is an error.
pub fn clippy() -> Result<()> {
    setup::clippy()?;
    Cmd::cargo("clippy --workspace --all-targets --all-features -- -D warnings").run()?;
    // Workspaces of their own; that of the benchmarks has a step of its own, too.
    for (manifest, target) in [
        ("fuzz/Cargo.toml", "fuzz/target"),
        ("wasm/bindgen/Cargo.toml", "target/bindgen"),
    ] {
        Cmd::cargo("clippy --all-targets --manifest-path")
            .arg(manifest)
            .args(["--target-dir", target])
            .words("-- -D warnings")
            .run()?;
    }
    Ok(())
}

/// The tests of every crate, with their documentation's examples.
pub fn cargo_test() -> Result<()> {
    Cmd::cargo("test --workspace --exclude littoral-tests --all-features").run()
}

/// What crosses crates. The simulator runs thousands of stores: worth an optimised build, which the demo shares.
pub fn proof() -> Result<()> {
    Cmd::cargo("test --release -p littoral-tests").run()
}

/// Licences, bans and sources of everything that we depend on.
pub fn deny() -> Result<()> {
    setup::cargo_deny()?;
    Cmd::cargo("deny --all-features check --hide-inclusion-graph licenses bans sources").run()
}

#[derive(clap::Args)]
pub struct Simulate {
    /// How many seeds
    #[arg(long, default_value_t = 10_000, conflicts_with = "seed")]
    seeds: u64,
    /// Only this one, with its whole trace
    #[arg(long)]
    seed: Option<u64>,
    /// Only this: `store`, `pair`, `bad-disk` (a pair whose disk fails in every life), or `document`; without it, all of them
    #[arg(long)]
    of: Option<String>,
    /// More for the simulator itself: `cargo xtask simulate -- --help`
    #[arg(last = true)]
    rest: Vec<String>,
}

impl Simulate {
    pub fn run(&self) -> Result<()> {
        let which = match self.seed {
            Some(seed) => format!("--seed {seed}"),
            None => format!("--seeds {}", self.seeds),
        };
        let of = self.of.iter().flat_map(|of| ["--of", of]);
        simulator().words(&which).args(of).args(&self.rest).run()
    }
}

/// As many seeds as a test run can afford.
pub fn simulate_briefly() -> Result<()> {
    simulator().words("--seeds 1000").run()
}

fn simulator() -> Cmd {
    Cmd::cargo("run --release -p littoral-tests --bin simulate --")
}

#[derive(clap::Args)]
pub struct Kill {
    /// How many rounds, each under a second
    #[arg(long, default_value_t = 500)]
    rounds: u64,
    /// Which commands run; when they die is up to the machine
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Kill {
    pub fn run(&self) -> Result<()> {
        Cmd::cargo("test -p littoral --test sigkill -- --nocapture")
            .env("LITTORAL_KILL_ROUNDS", self.rounds.to_string())
            .env("LITTORAL_KILL_SEED", self.seed.to_string())
            .run()
    }
}

#[derive(clap::Args)]
pub struct Bench {
    /// `native`, `browser`, or what the bench takes: `cargo xtask bench -- --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

impl Bench {
    pub fn run(&self) -> Result<()> {
        if self.rest.first().is_some_and(|first| first == "browser") {
            return npm::bench();
        }
        Cmd::cargo("run --release")
            .words(BENCH)
            .arg("--")
            .args(&self.rest)
            .run()
    }
}

/// The benchmarks compile, without the peer that takes half an hour.
pub fn bench_check() -> Result<()> {
    Cmd::cargo("clippy --all-targets")
        .words(BENCH)
        .words("-- -D warnings")
        .run()
}

#[derive(clap::Args)]
pub struct Demo {
    /// The directory to take; the sources of our own dependencies when left out. `web` serves the
    /// page instead, a shelf for files in the browser
    dir: Option<PathBuf>,
}

impl Demo {
    pub fn run(&self, came_from: &Path) -> Result<()> {
        if self.dir.as_deref() == Some(Path::new("web")) {
            return page::serve();
        }
        let dir = self.dir.as_ref().map(|dir| came_from.join(dir));
        demo().args(dir).run()
    }
}

/// The demo on a directory of ours.
pub fn demo_briefly() -> Result<()> {
    demo().arg("core").run()
}

fn demo() -> Cmd {
    Cmd::cargo("run --release -- demo")
}

/// Runs every example of every crate.
pub fn examples() -> Result<()> {
    let json = Cmd::cargo("metadata --no-deps --format-version 1").read()?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    let packages = json["packages"].as_array().into_iter().flatten();
    let mut count = 0;
    for package in packages {
        for target in package["targets"].as_array().into_iter().flatten() {
            if target["kind"][0] == "example" {
                let name = |value: &serde_json::Value| value.as_str().map(str::to_owned);
                let package = name(&package["name"]).context("a package without a name")?;
                let example = name(&target["name"]).context("an example without a name")?;
                Cmd::cargo("run")
                    .args(["-p", &package, "--example", &example])
                    .run()?;
                count += 1;
            }
        }
    }
    anyhow::ensure!(count > 0, "no crate has an example");
    Ok(())
}

#[derive(clap::Args)]
pub struct Doc {
    /// Opens it in a browser
    #[arg(long)]
    open: bool,
}

impl Doc {
    pub fn run(&self) -> Result<()> {
        build_doc(if self.open { "--open" } else { "" })
    }
}

/// Documentation without a warning.
pub fn doc() -> Result<()> {
    build_doc("")
}

fn build_doc(flag: &str) -> Result<()> {
    Cmd::cargo("doc --workspace --no-deps --all-features")
        .words(flag)
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()
}

/// What the release binary weighs, as it is built and without its debug information.
pub fn size() -> Result<()> {
    Cmd::cargo("build --release -p littoral").run()?;
    let built = Path::new("target/release/littoral");
    let stripped = Path::new("target/release/littoral.stripped");
    Cmd::new("strip").arg("-o").arg(stripped).arg(built).run()?;
    for (file, what) in [(built, "as built"), (stripped, "stripped")] {
        println!("{:>12} bytes  littoral, {what}", fs::metadata(file)?.len());
    }
    Ok(())
}
