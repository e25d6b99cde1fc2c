//! The steps of `cargo xtask test`, quick ones first. CI runs exactly this.

use crate::{
    bare, fuzz, house, npm, page, setup,
    step::{self, AfterFailure, Step},
    tasks,
};
use anyhow::{Context, Result};

const STEPS: [Step; 17] = [
    step("setup", "every tool is there", setup::everything),
    step("fmt", "every file is formatted", tasks::fmt_check),
    step("house", "the house rules are kept", house::check),
    step("clippy", "clippy has nothing to say", tasks::clippy),
    step("test", "the tests of every crate", tasks::cargo_test),
    step("no-std", "core without std, natively", bare::native),
    step("wasm", "core for bare wasm32", bare::wasm),
    step("doc", "documentation without a warning", tasks::doc),
    step("deny", "licences, bans, sources", tasks::deny),
    step("proof", "simulator, crashes, every bit", tasks::proof),
    step("simulate", "simulator seeds", tasks::simulate_briefly),
    step("examples", "every example runs", tasks::examples),
    step("demo", "a directory there and back", tasks::demo_briefly),
    step("fuzz", "each fuzz target, briefly", fuzz::briefly),
    step("web", "the npm package in real browsers", npm::test),
    step("page", "the demo's page, in Chromium", page::test),
    step("bench", "the benchmarks compile", tasks::bench_check),
];

const fn step(name: &'static str, about: &'static str, run: fn() -> Result<()>) -> Step {
    Step { name, about, run }
}

#[derive(clap::Args)]
pub struct Arguments {
    /// Only these steps, as in `--only clippy,test`
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Runs the other steps too after one has failed; so it is where CI is set
    #[arg(long, env = "CI", value_parser = clap::builder::FalseyValueParser::new())]
    keep_going: bool,
    /// Only names the steps
    #[arg(long)]
    list: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        for step in &STEPS {
            println!("{:<12}{}", step.name, step.about);
        }
        return Ok(());
    }
    let steps = chosen(&arguments.only)?;
    let left_out = STEPS.len() - steps.len();
    let after_failure = if arguments.keep_going {
        AfterFailure::GoOn
    } else {
        AfterFailure::Stop
    };
    let result = step::run_all(&steps, after_failure);
    if left_out > 0 {
        eprintln!("{left_out} other steps were not asked for (--only)");
    }
    result
}

fn chosen(only: &[String]) -> Result<Vec<&'static Step>> {
    if only.is_empty() {
        return Ok(STEPS.iter().collect());
    }
    only.iter()
        .map(|name| {
            STEPS
                .iter()
                .find(|step| step.name == name)
                .with_context(|| format!("no step {name}: see `cargo xtask test --list`"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_chosen_by_its_name_and_an_unknown_one_is_an_error() {
        let names = |only: &[&str]| {
            let only: Vec<_> = only.iter().map(|name| name.to_string()).collect();
            chosen(&only).map(|steps| steps.iter().map(|step| step.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["doc", "fmt"]).unwrap(), ["doc", "fmt"]);
        assert_eq!(names(&[]).unwrap().len(), STEPS.len());
        assert!(
            names(&["dco"])
                .unwrap_err()
                .to_string()
                .contains("no step dco")
        );
    }
}
