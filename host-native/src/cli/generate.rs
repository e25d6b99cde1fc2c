//! What is made from the arguments' own declaration: completions and manual pages.

use super::{
    args::{Cli, Completions, Man},
    exit::{Exit, Failure},
    output::Output,
};
use clap::CommandFactory;
use littoral::core::Error;

pub fn completions(args: &Completions, output: Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "littoral", &mut script);
    output.bytes(&script)?;
    Ok(Exit::DONE)
}

pub fn man(args: &Man, output: Output) -> Result<Exit, Failure> {
    match &args.out {
        Some(folder) => {
            let written = std::fs::create_dir_all(folder)
                .and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
            written.map_err(|error| Error::from(error).context(folder.display()))?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .map_err(Error::from)?;
            output.bytes(&page)?;
        }
    }
    Ok(Exit::DONE)
}
