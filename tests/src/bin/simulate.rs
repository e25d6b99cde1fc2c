//! `simulate --seeds N [--start S]` runs N seeds (`--twice`: each one two times, and compares the
//! traces); `simulate --seed S` replays one and prints its trace.

use littoral_tests::{
    run::{RARE, run},
    sim::Marks,
};
use std::{process::ExitCode, time::Instant};

/// So many seeds reach every rare branch.
const ENOUGH: u64 = 2_000;

fn main() -> ExitCode {
    let mut seeds = 1_000;
    let mut start = 0;
    let mut one = None;
    let mut twice = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--twice" {
            twice = true;
            continue;
        }
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (argument.as_str(), value) {
            ("--seeds", Some(value)) => seeds = value,
            ("--start", Some(value)) => start = value,
            ("--seed", Some(value)) => one = Some(value),
            _ => {
                eprintln!("usage: simulate [--seeds N] [--start S] [--twice] | --seed S");
                return ExitCode::from(2);
            }
        }
    }
    match one {
        Some(seed) => replay(seed),
        None => many(start, seeds, twice),
    }
}

fn replay(seed: u64) -> ExitCode {
    let report = run(seed, |plan| plan.loud = true);
    println!(
        "seed {seed}: {} lives, trace {:016x}",
        report.lives, report.trace
    );
    print!("{}", report.marks);
    verdict(seed, report.failure)
}

fn many(start: u64, seeds: u64, twice: bool) -> ExitCode {
    let began = Instant::now();
    let mut marks = Marks::default();
    let mut failed = 0;
    for seed in start..start.saturating_add(seeds) {
        let mut report = run(seed, |_| ());
        if twice && run(seed, |_| ()).trace != report.trace {
            report.failure = Some("a second run of the same seed went another way".into());
        }
        marks.merge(&report.marks);
        if report.failure.is_some() {
            failed += 1;
            verdict(seed, report.failure);
            if failed >= 10 {
                break;
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    print!("{marks}");
    let missing = marks.missing(RARE);
    if seeds >= ENOUGH && failed == 0 && !missing.is_empty() {
        println!("never reached: {}", missing.join(", "));
        failed += 1;
    }
    println!(
        "{seeds} seeds in {seconds:.1} s: {:.0} seeds/s",
        seeds as f64 / seconds
    );
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn verdict(seed: u64, failure: Option<String>) -> ExitCode {
    let Some(failure) = failure else {
        return ExitCode::SUCCESS;
    };
    println!("seed {seed} fails: {failure}");
    println!("  replay it with: cargo xtask simulate --seed {seed}");
    ExitCode::FAILURE
}
