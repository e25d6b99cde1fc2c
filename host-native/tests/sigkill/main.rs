//! Real processes on a real disk, killed at any moment.
//!
//! Each round starts `littoral` with a random command on one store (sometimes a second one beside it), kills it, the server or both with
//! SIGKILL at random moments, and looks with fresh processes at what is there: what was acknowledged is, byte for byte; what was
//! deleted is not; every checksum fits; the queue drains. At the end everything is fetched from the remote into a new store.
//!
//! `LITTORAL_KILL_ROUNDS` and `LITTORAL_KILL_SEED` choose how long and which commands; `cargo xtask kill` sets them. When the processes
//! die is up to the machine, so a seed repeats the commands but not their ends.
#![cfg(unix)]

mod chance;
mod check;
mod model;
mod work;

#[path = "../cli_commands/place.rs"]
#[allow(dead_code)]
mod place;
#[path = "../cli_commands/server.rs"]
#[allow(dead_code)]
mod server;

use work::World;

#[test]
fn what_was_acknowledged_survives_processes_that_are_killed_at_any_moment() {
    let rounds = number("LITTORAL_KILL_ROUNDS", 60);
    let seed = number("LITTORAL_KILL_SEED", 1);
    let mut world = World::new(seed);
    for _ in 0..rounds {
        world.round();
        check::after_a_kill(&mut world);
    }
    check::everything_is_in_the_remote(&mut world);
    println!("{}", world.summary());
    // A loop that kills nobody proves nothing.
    assert!(world.killed() * 4 >= rounds, "{}", world.summary());
}

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
        Err(_) => default,
    }
}
