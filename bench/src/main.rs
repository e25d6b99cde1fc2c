//! Littoral beside its peers: every contender in one run, taking turns, so that the ratios hold
//! on a noisy machine. `docs/benchmarks.md` says what is measured and how.

mod data;
mod doc;
mod machine;
mod metric;
mod native;
mod report;
mod suite;
mod table;
mod target;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures Littoral beside its peers", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Native stores: commits, blobs, reads, scans, opening, space.
    Native(native::Arguments),
    /// Documents: commits, reads now and then.
    Doc(doc::Arguments),
    /// Documents: what each policy of retention leaves on the disk.
    Retention(doc::retention::Arguments),
    /// Renders the tables of a run.
    Table(table::Arguments),
    /// One measurement in a process of its own.
    #[command(hide = true)]
    Child(native::child::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Native(arguments) => native::run(&arguments),
        Command::Doc(arguments) => doc::run(&arguments),
        Command::Retention(arguments) => doc::retention::run(&arguments),
        Command::Table(arguments) => table::run(&arguments),
        Command::Child(arguments) => native::child::run(arguments),
    }
}
