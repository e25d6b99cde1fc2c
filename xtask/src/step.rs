//! Runs steps one after the other, times them, says which one failed and how to repeat it.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// One thing that `cargo xtask test` does.
pub struct Step {
    /// What `--only` takes.
    pub name: &'static str,
    /// What it proves, in a few words.
    pub about: &'static str,
    /// Does it, with all it needs.
    pub run: fn() -> Result<()>,
}

/// What to do after a step that failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// Leave the other steps, and say so.
    Stop,
    /// Run them all the same.
    GoOn,
}

/// What became of a step.
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    NotRun,
}

/// Runs `steps` in order and prints a summary of all of them.
///
/// # Errors
/// Names each step that failed.
pub fn run_all(steps: &[&Step], after_failure: AfterFailure) -> Result<()> {
    let start = Instant::now();
    let mut outcomes = Vec::with_capacity(steps.len());
    let mut failed = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        if !failed.is_empty() && after_failure == AfterFailure::Stop {
            outcomes.push(Outcome::NotRun);
            continue;
        }
        let count = steps.len();
        eprintln!("\n== {}/{count} {}: {}", index + 1, step.name, step.about);
        let began = Instant::now();
        let result = (step.run)();
        let took = began.elapsed();
        match result {
            Ok(()) => {
                eprintln!("== {} passed in {}", step.name, seconds(took));
                outcomes.push(Outcome::Passed(took));
            }
            Err(error) => {
                eprintln!("== {} FAILED after {}: {error:#}", step.name, seconds(took));
                failed.push(step.name);
                outcomes.push(Outcome::Failed(took));
            }
        }
    }
    eprintln!("\n{}", summary(steps, &outcomes, start.elapsed()));
    if failed.is_empty() {
        return Ok(());
    }
    let names = failed.join(",");
    let (what, these) = match failed.len() {
        1 => ("step", "this step"),
        _ => ("steps", "these steps"),
    };
    bail!("{what} {names} failed; to repeat only {these}: cargo xtask test --only {names}");
}

fn summary(steps: &[&Step], outcomes: &[Outcome], total: Duration) -> String {
    let mut text = String::new();
    for (step, outcome) in steps.iter().zip(outcomes) {
        let (time, word) = match outcome {
            Outcome::Passed(took) => (seconds(*took), "passed"),
            Outcome::Failed(took) => (seconds(*took), "FAILED"),
            Outcome::NotRun => ("-".to_owned(), "not run"),
        };
        text += &format!("{:<12}{time:>9}  {word:<8} {}\n", step.name, step.about);
    }
    text + &format!("{:<12}{:>9}", "total", seconds(total))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Step = Step {
        name: "good",
        about: "passes",
        run: || Ok(()),
    };
    const BAD: Step = Step {
        name: "bad",
        about: "does not",
        run: || bail!("no"),
    };

    #[test]
    fn a_failed_step_is_named_with_the_command_that_repeats_it() {
        let error = run_all(&[&GOOD, &BAD, &GOOD], AfterFailure::Stop).unwrap_err();
        assert_eq!(
            error.to_string(),
            "step bad failed; to repeat only this step: cargo xtask test --only bad"
        );
    }

    #[test]
    fn every_failed_step_is_named_when_going_on() {
        let error = run_all(&[&BAD, &GOOD, &BAD], AfterFailure::GoOn).unwrap_err();
        assert!(error.to_string().starts_with("steps bad,bad failed"));
    }

    #[test]
    fn a_step_that_was_not_run_is_in_the_summary() {
        let outcomes = [Outcome::Failed(Duration::from_secs(2)), Outcome::NotRun];
        let text = summary(&[&BAD, &GOOD], &outcomes, Duration::from_secs(2));
        assert!(
            text.contains("bad             2.0 s  FAILED   does not"),
            "{text}"
        );
        assert!(
            text.contains("good                -  not run  passes"),
            "{text}"
        );
    }
}
