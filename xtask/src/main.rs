//! Every developer command: `cargo xtask help`.
//!
//! | module | what it is |
//! |---|---|
//! | [`mod@test`] | the steps of `cargo xtask test`, which is also what CI runs |
//! | [`step`] | runs steps, times them, says which one failed and how to repeat it |
//! | [`setup`] | finds the tools that a step needs and installs what is missing |
//! | [`bare`] | core without std, natively and for `wasm32-unknown-unknown` |
//! | [`fuzz`] | the fuzz targets |
//! | [`npm`] | the npm package, and its tests in real browsers |
//! | [`page`] | the demo's page: built, served, tested |
//! | [`house`] | house rules that no compiler checks |
//! | [`tasks`] | the short ones: fmt, lint, simulate, kill, bench, demo, doc, size |
//! | [`shell`] | prints a command and runs it |

mod bare;
mod fuzz;
mod house;
mod npm;
mod page;
mod setup;
mod shell;
mod step;
mod tasks;
mod test;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Littoral's developer commands. Each one installs what it needs and says what it runs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs whatever a command here needs and this machine does not have
    Setup,
    /// Runs everything that CI runs
    #[command(visible_alias = "ci")]
    Test(test::Arguments),
    /// Formats every crate
    Fmt(tasks::Fmt),
    /// Clippy on every crate, and the house rules
    Lint,
    /// Runs the simulator: many seeds, or one again
    Simulate(tasks::Simulate),
    /// Kills real processes in the midst of random commands, and looks what is left
    Kill(tasks::Kill),
    /// Runs the benchmarks against their peers
    Bench(tasks::Bench),
    /// Runs the fuzz targets
    Fuzz(fuzz::Arguments),
    /// Builds core without std, natively and for bare wasm32
    Wasm,
    /// Builds the npm package
    Npm(npm::Npm),
    /// Builds the release binary and says what it weighs
    Size,
    /// Runs the demo: a real directory to a remote and back; `web`: the page
    Demo(tasks::Demo),
    /// Builds the documentation; a warning is an error
    Doc(tasks::Doc),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match enter_checkout().and_then(|came_from| run(arguments.command, came_from)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, came_from: PathBuf) -> Result<()> {
    match command {
        Command::Setup => setup::everything(),
        Command::Test(arguments) => test::run(&arguments),
        Command::Fmt(arguments) => arguments.run(),
        Command::Lint => tasks::lint(),
        Command::Simulate(arguments) => arguments.run(),
        Command::Kill(arguments) => arguments.run(),
        Command::Bench(arguments) => arguments.run(),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Wasm => bare::build(),
        Command::Npm(arguments) => arguments.run(),
        Command::Size => tasks::size(),
        Command::Demo(arguments) => arguments.run(&came_from),
        Command::Doc(arguments) => arguments.run(),
    }
}

/// Goes to the root of the checkout, so that every path here is relative to it, and returns the
/// folder that the developer is in.
fn enter_checkout() -> Result<PathBuf> {
    let came_from = std::env::current_dir()?;
    let own = std::env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    let root = PathBuf::from(own).join("..").canonicalize()?;
    std::env::set_current_dir(&root).with_context(|| format!("cannot enter {}", root.display()))?;
    Ok(came_from)
}
