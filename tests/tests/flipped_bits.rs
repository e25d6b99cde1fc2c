//! Every bit of a small store, turned over one at a time.

use littoral_tests::{
    flips::{Expected, Flips, flip_every_bit},
    golden::{closed, options, recovered, with_log},
};
use std::{ops::Range, thread};

/// Of a longer run of zeros, one byte of so many is tried.
const STRIDE: usize = 64;

/// Every byte that holds something, its neighbours, and some of the zeros in between.
fn interesting(bytes: &[u8]) -> Vec<Range<usize>> {
    let everything = std::env::var_os("LITTORAL_EVERY_BIT").is_some();
    let near = |at: usize| {
        let around = at.saturating_sub(8)..(at + 8).min(bytes.len());
        bytes[around].iter().any(|byte| *byte != 0)
    };
    let chosen = |at: &usize| everything || at.is_multiple_of(STRIDE) || near(*at);
    (0..bytes.len())
        .filter(chosen)
        .map(|at| at..at + 1)
        .collect()
}

fn flip_all(bytes: &[u8], expected: &Expected) -> Flips {
    let ranges = interesting(bytes);
    let halves = ranges.split_at(ranges.len() / 2);
    let flip = |ranges: &[Range<usize>]| {
        let mut flips = Flips::default();
        for range in ranges {
            flips.add(&flip_every_bit(bytes, range.clone(), &options(), expected).unwrap());
        }
        flips
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| flip(halves.1));
        let mut flips = flip(halves.0);
        flips.add(&other.join().unwrap());
        flips
    })
}

#[test]
fn a_flipped_bit_in_a_closed_store_is_harmless_or_an_error() {
    let expected = Expected {
        whole: recovered(0),
        without_last_record: None,
    };
    let flips = flip_all(&closed().unwrap(), &expected);
    println!("closed: {flips}");
    assert!(flips.harmless > 0 && flips.refused > 0 && flips.reported > 0);
}

#[test]
fn a_flipped_bit_in_a_store_with_a_log_is_harmless_an_error_or_a_torn_tail() {
    let expected = Expected {
        whole: recovered(5),
        without_last_record: Some(recovered(4)),
    };
    let flips = flip_all(&with_log().unwrap(), &expected);
    println!("with a log: {flips}");
    assert!(flips.harmless > 0 && flips.refused > 0 && flips.torn > 0);
}
