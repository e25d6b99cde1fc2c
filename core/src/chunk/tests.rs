use super::{AVERAGE, Cutter, MAX, MIN};
use crate::blob::{Hasher, Pointer};
use alloc::vec::Vec;
use std::collections::HashSet;

/// Bytes that look random, the same for the same seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&next(&mut state).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

/// Lengths of the chunks of a stream that comes in the pieces that `piece` asks for.
fn lengths(bytes: &[u8], mut piece: impl FnMut() -> usize) -> Vec<usize> {
    let mut cutter = Cutter::new();
    let mut lengths = Vec::new();
    let (mut rest, mut len) = (bytes, 0);
    while !rest.is_empty() {
        let (mut part, later) = rest.split_at(piece().clamp(1, rest.len()));
        while let Some(n) = cutter.cut(part) {
            lengths.push(len + n);
            len = 0;
            part = &part[n..];
        }
        len += part.len();
        rest = later;
    }
    if len > 0 {
        lengths.push(len);
    }
    lengths
}

/// The rule as the module states it, one byte at a time.
fn by_the_rule(bytes: &[u8]) -> Vec<usize> {
    let mut lengths = Vec::new();
    let (mut len, mut hash) = (0, 0_u64);
    for byte in bytes {
        len += 1;
        if len <= MIN {
            continue;
        }
        hash = (hash << 1).wrapping_add(super::cutter::gear(*byte));
        let bits = if len <= AVERAGE { 20 } else { 16 };
        if hash.leading_zeros() >= bits || len == MAX {
            lengths.push(len);
            (len, hash) = (0, 0);
        }
    }
    if len > 0 {
        lengths.push(len);
    }
    lengths
}

fn chunks<'a>(bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut chunks = Vec::new();
    for len in lengths {
        let (chunk, later) = rest.split_at(*len);
        chunks.push(chunk);
        rest = later;
    }
    assert!(rest.is_empty());
    chunks
}

/// Streams with much, little and no difference in them.
fn streams() -> Vec<Vec<u8>> {
    let mut mixed = noise(3, 500_000);
    mixed.extend(std::iter::repeat_n(7, 1_100_000));
    mixed.extend(b"high tide, low tide. ".repeat(10_000));
    mixed.extend(noise(4, 500_001));
    std::vec![
        noise(1, 2_500_000),
        noise(2, MIN + 1),
        mixed,
        std::vec![0; 1_100_000],
        Vec::new(),
        std::vec![1],
    ]
}

#[test]
fn chunks_are_what_the_rule_says_whatever_pieces_the_stream_comes_in() {
    for bytes in streams() {
        let expected = by_the_rule(&bytes);
        assert_eq!(lengths(&bytes, || usize::MAX), expected, "in one piece");
        assert_eq!(lengths(&bytes, || 1), expected, "byte by byte");
        for seed in 1..4 {
            let mut state = seed;
            let largest = 1 << (next(&mut state) % 22);
            let cut = lengths(&bytes, || next(&mut state) as usize % (largest + 1));
            assert_eq!(cut, expected, "pieces of up to {largest}, seed {seed}");
        }
    }
}

#[test]
fn every_chunk_but_the_last_is_within_bounds_and_together_they_are_the_stream() {
    for bytes in streams() {
        let lengths = lengths(&bytes, || 100_000);
        assert_eq!(lengths.iter().sum::<usize>(), bytes.len());
        if let Some((last, others)) = lengths.split_last() {
            assert!((1..=MAX).contains(last));
            assert!(others.iter().all(|len| (MIN..=MAX).contains(len)));
        }
        let mut hasher = Hasher::new();
        for chunk in chunks(&bytes, &lengths) {
            hasher.update(chunk);
        }
        assert_eq!(hasher.finish(), Pointer::of(&bytes));
    }
}

#[test]
fn lengths_gather_around_the_average() {
    let bytes = noise(9, 32 << 20);
    let lengths = lengths(&bytes, || 1 << 20);
    let mean = bytes.len() / lengths.len();
    assert!((AVERAGE * 3 / 4..AVERAGE * 5 / 4).contains(&mean), "{mean}");
    let near = lengths
        .iter()
        .filter(|len| (AVERAGE / 2..AVERAGE * 2).contains(*len))
        .count();
    assert!(near * 4 > lengths.len() * 3, "{near} of {}", lengths.len());
    let forced = lengths.iter().filter(|len| **len == MAX).count();
    assert_eq!(forced, 0);
}

#[test]
fn an_insertion_or_a_cut_out_moves_few_chunks() {
    let bytes = noise(5, 8 << 20);
    let before = lengths(&bytes, || usize::MAX);
    let known: HashSet<Pointer> = chunks(&bytes, &before)
        .into_iter()
        .map(Pointer::of)
        .collect();
    for at in [0, 1_000_000, 5_345_678] {
        let mut longer = bytes.clone();
        longer.splice(at..at, *b"inserted");
        let mut shorter = bytes.clone();
        shorter.drain(at..(at + 1000).min(bytes.len()));
        for changed in [longer, shorter] {
            let after = lengths(&changed, || usize::MAX);
            let new = chunks(&changed, &after)
                .into_iter()
                .filter(|chunk| !known.contains(&Pointer::of(chunk)))
                .count();
            assert!(new <= 6, "{new} of {} chunks are new, at {at}", after.len());
        }
    }
}

#[test]
fn the_numbers_that_both_sides_of_a_pair_share_are_pinned() {
    let mut table = Hasher::new();
    for byte in 0..=255 {
        table.update(&super::cutter::gear(byte).to_le_bytes());
    }
    assert_eq!(
        table.finish().to_hex(),
        "53c2554d5ccec3a05308f3d5d2d6d5afe5139c821e2d4d1f026251ef0bfc9514"
    );
    let mut cuts = Hasher::new();
    for len in lengths(&noise(6, 4 << 20), || usize::MAX) {
        cuts.update(&(len as u32).to_le_bytes());
    }
    assert_eq!(
        cuts.finish().to_hex(),
        "ab80da2e8f959f7f70fa25282f871f9c629e945e1a3622e12f6c8339068dce1e"
    );
}

/// `cargo test --release -p littoral-core --lib -- --ignored --nocapture speed`
#[test]
#[ignore = "a measurement, not a test"]
fn speed() {
    let bytes = noise(7, 256 << 20);
    for _ in 0..5 {
        let start = std::time::Instant::now();
        let count = lengths(&bytes, || 1 << 20).len();
        let cut = start.elapsed();
        let start = std::time::Instant::now();
        let pointer = Pointer::of(&bytes);
        let hash = start.elapsed();
        let rate = |time: std::time::Duration| bytes.len() as f64 / time.as_secs_f64() / 1e9;
        std::println!(
            "{count} chunks at {:.2} GB/s; SHA-256 at {:.2} GB/s ({pointer})",
            rate(cut),
            rate(hash)
        );
    }
}
