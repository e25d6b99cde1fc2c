//! Chunks end where they end, whatever pieces the bytes arrive in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use littoral_core::chunk::{Cutter, MAX, MIN};

fuzz_target!(|input: (u64, u32, Vec<u32>)| {
    let (seed, len, pieces) = input;
    let bytes = stream(seed, len as usize % (3 * MAX));
    let whole = ends(&bytes, &[]);
    assert_eq!(ends(&bytes, &pieces), whole);
    let starts = [0].into_iter().chain(whole.iter().copied());
    for (start, end) in starts.zip(&whole) {
        assert!((MIN..=MAX).contains(&(end - start)));
    }
});

/// Where chunks end when `bytes` come in pieces of these lengths, then all at once.
fn ends(bytes: &[u8], pieces: &[u32]) -> Vec<usize> {
    let mut cutter = Cutter::new();
    let mut found = Vec::new();
    let mut at = 0;
    let lengths = pieces.iter().map(|len| *len as usize % (MAX + 1));
    for len in lengths.chain([bytes.len()]) {
        let end = bytes.len().min(at + len);
        while let Some(n) = cutter.cut(&bytes[at..end]) {
            at += n;
            found.push(at);
        }
        at = end;
    }
    found
}

/// Noise, which has ends of chunks in it, with a run of equal bytes, which has none.
fn stream(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let quiet = seed as usize % (len + 1)..seed.rotate_left(32) as usize % (len + 1);
    (0..len)
        .map(|at| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            if quiet.contains(&at) {
                0
            } else {
                (state >> 56) as u8
            }
        })
        .collect()
}
