//! The command line.
//!
//! | file | what is in it |
//! |---|---|
//! | `args` | what may stand on it |
//! | `exit` | exit statuses, errors with hints |
//! | `output`, `progress` | results as text or JSON; bars |
//! | `interrupt` | Ctrl-C |
//! | `home`, `remote` | the store and its remote, opened |
//! | `input`, `files` | files and standard input as bodies; names that are on disk |
//! | `blob`, `tree`, `root`, `doc`, `queue`, `maintain` | the commands |
//! | `serve`, `demo`, `generate` | a remote; the whole story; completions and manual |

mod args;
mod blob;
mod demo;
mod doc;
mod exit;
mod files;
mod generate;
mod home;
mod input;
mod interrupt;
mod maintain;
mod output;
mod progress;
mod queue;
mod remote;
mod root;
mod serve;
mod tree;

use args::{Cli, Command};
use clap::Parser;
use exit::{Exit, Failure};
use futures::future::{Either, select};
use interrupt::Interrupt;
use littoral::{block_on, core::Kind};
use output::{Output, Place};
use std::{pin::pin, process::ExitCode};

pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let output = Output {
        json: cli.global.json,
        quiet: cli.global.quiet,
    };
    let place = match cli.command {
        Command::Cat(_) => Place::Aside,
        _ => Place::Result,
    };
    let exit = match run(&cli, output) {
        Ok(exit) => exit,
        Err(failure) => {
            output.failure(&failure, place);
            failure.exit
        }
    };
    ExitCode::from(exit.0)
}

/// `--help`, `--version`, and what is wrong with the arguments.
fn usage(error: &clap::Error) -> ExitCode {
    let is_wrong = error.use_stderr();
    if is_wrong && std::env::args_os().any(|arg| arg == "--json") {
        let output = Output {
            json: true,
            quiet: true,
        };
        let text = error.render().to_string();
        let message = text.trim_start_matches("error: ").trim_end();
        let failure = Failure::new(Kind::InvalidInput, message);
        output.failure(&failure, Place::Result);
    } else {
        // A reader who went away has seen enough.
        let _ = error.print();
    }
    ExitCode::from(if is_wrong { Exit::USAGE.0 } else { 0 })
}

fn run(cli: &Cli, output: Output) -> Result<Exit, Failure> {
    let interrupt = Interrupt::listen()?;
    let asked = async {
        match cli.command {
            // It ends by itself, after the requests that are on their way.
            Command::Serve(_) => std::future::pending().await,
            _ => interrupt.asked().await,
        }
    };
    block_on(async {
        match select(pin!(command(cli, output, &interrupt)), pin!(asked)).await {
            Either::Left((done, _)) => done.map_err(|failure| failure.in_file(&cli.global.store)),
            Either::Right(_) => {
                output.note("interrupted; what was acknowledged is there");
                Ok(Exit::INTERRUPTED)
            }
        }
    })
}

async fn command(cli: &Cli, output: Output, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Put(args) => blob::put(args, global, output).await,
        Command::Cat(args) => blob::cat(args, global, output).await,
        Command::Get(args) => blob::get(args, global, output).await,
        Command::Stat(args) => blob::stat(args, global, output).await,
        Command::Ls(args) => blob::ls(args, global, output).await,
        Command::Rm(args) => blob::rm(args, global, output).await,
        Command::Sync => queue::sync(global, output).await,
        Command::Status => queue::status(global, output).await,
        Command::Verify => maintain::verify(global, output).await,
        Command::Repair => maintain::repair(global, output).await,
        Command::Reclaim => maintain::reclaim(global, output).await,
        Command::Backup(args) => maintain::backup(args, global, output).await,
        Command::Restore(args) => maintain::restore(args, global, output).await,
        Command::Import(args) => tree::import(args, global, output).await,
        Command::Export(args) => tree::export(args, global, output).await,
        Command::Root(args) => root::run(args, global, output).await,
        Command::Doc(args) => doc::run(args, global, output).await,
        Command::Demo(args) => demo::run(args, global, output).await,
        Command::Completions(args) => generate::completions(args, output),
        Command::Man(args) => generate::man(args, output),
        Command::Serve(args) => serve::run(args, global, output, interrupt).await,
    }
}
