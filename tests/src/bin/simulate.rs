//! `simulate --seeds N [--start S]` runs N seeds of the store, N of the pair, N of the pair on a disk that fails in
//! every life, and N of documents (`--of store`, `--of pair`, `--of bad-disk`, `--of document`: only these; `--twice`: each one two times, and compares the
//! traces); `simulate --seed S` replays one and prints its trace.

use littoral_tests::{documents, paired, run, seeds::Report, sim::Marks};
use std::{process::ExitCode, time::Instant};

/// What is simulated.
struct Simulation {
    name: &'static str,
    run: fn(u64, bool) -> Report,
    rare: &'static [&'static str],
    /// So many seeds reach every rare event.
    enough: u64,
}

const SIMULATIONS: [Simulation; 4] = [
    Simulation {
        name: "store",
        run: |seed, loud| run::run(seed, |plan| plan.loud = loud),
        rare: run::RARE,
        enough: 2_000,
    },
    Simulation {
        name: "pair",
        run: |seed, loud| paired::run(seed, |plan| plan.loud = loud),
        rare: paired::RARE,
        enough: 8_000,
    },
    Simulation {
        name: "bad-disk",
        run: |seed, loud| {
            paired::run(seed, |plan| {
                plan.on_a_bad_disk();
                plan.loud = loud;
            })
        },
        rare: paired::RARE_ON_A_BAD_DISK,
        enough: 2_000,
    },
    Simulation {
        name: "document",
        run: |seed, loud| documents::simulate(seed, None, loud),
        rare: documents::RARE,
        enough: 500,
    },
];

fn main() -> ExitCode {
    let mut seeds = 1_000;
    let mut start = 0;
    let mut one = None;
    let mut twice = false;
    let mut of = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--twice" {
            twice = true;
            continue;
        }
        let value = arguments.next().unwrap_or_default();
        match (argument.as_str(), value.parse()) {
            ("--seeds", Ok(value)) => seeds = value,
            ("--start", Ok(value)) => start = value,
            ("--seed", Ok(value)) => one = Some(value),
            ("--of", _) if SIMULATIONS.iter().any(|s| s.name == value) => of = Some(value),
            _ => {
                eprintln!(
                    "usage: simulate [--of store|pair|bad-disk|document] [--seeds N] [--start S] [--twice] | --seed S"
                );
                return ExitCode::from(2);
            }
        }
    }
    let wanted = |s: &&Simulation| of.as_ref().is_none_or(|of| s.name == of);
    let mut failed = false;
    for simulation in SIMULATIONS.iter().filter(wanted) {
        failed |= match one {
            Some(seed) => replay(simulation, seed),
            None => many(simulation, start, seeds, twice),
        };
    }
    match failed {
        false => ExitCode::SUCCESS,
        true => ExitCode::FAILURE,
    }
}

fn replay(simulation: &Simulation, seed: u64) -> bool {
    let report = (simulation.run)(seed, true);
    println!(
        "{} seed {seed}: {} lives, trace {:016x}",
        simulation.name, report.lives, report.trace
    );
    print!("{}", report.marks);
    verdict(simulation, seed, report.failure)
}

fn many(simulation: &Simulation, start: u64, seeds: u64, twice: bool) -> bool {
    let began = Instant::now();
    let mut marks = Marks::default();
    let mut failed = 0;
    for seed in start..start.saturating_add(seeds) {
        let mut report = (simulation.run)(seed, false);
        if twice && (simulation.run)(seed, false).trace != report.trace {
            report.failure = Some("a second run of the same seed went another way".into());
        }
        marks.merge(&report.marks);
        if report.failure.is_some() {
            failed += 1;
            verdict(simulation, seed, report.failure);
            if failed >= 10 {
                break;
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    print!("{marks}");
    let missing = marks.missing(simulation.rare);
    if seeds >= simulation.enough && failed == 0 && !missing.is_empty() {
        println!("never reached: {}", missing.join(", "));
        failed += 1;
    }
    println!(
        "{}: {seeds} seeds in {seconds:.1} s: {:.0} seeds/s",
        simulation.name,
        seeds as f64 / seconds
    );
    failed > 0
}

/// Whether it failed, and how it is replayed.
fn verdict(simulation: &Simulation, seed: u64, failure: Option<String>) -> bool {
    let Some(failure) = failure else {
        return false;
    };
    println!("{} seed {seed} fails: {failure}", simulation.name);
    println!(
        "  replay it with: cargo xtask simulate --of {} --seed {seed}",
        simulation.name
    );
    true
}
