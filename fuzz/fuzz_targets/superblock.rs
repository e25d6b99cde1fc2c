//! A slot of the superblock: an error, or exactly what these bytes are.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use littoral_core::engine::fuzzing;
use std::sync::Once;

static IGNORE_CHECKSUMS: Once = Once::new();

fuzz_target!(|slot: &[u8]| {
    IGNORE_CHECKSUMS.call_once(fuzzing::ignore_checksums);
    fuzzing::superblock(slot);
});

// It starts with a sound one.
fuzz_mutator!(
    |data: &mut [u8], size: usize, max_size: usize, _seed: u32| {
        let sound = fuzzing::superblock_seed();
        if size < 16 && sound.len() <= max_size {
            data[..sound.len()].copy_from_slice(&sound);
            return sound.len();
        }
        fuzzer_mutate(data, size, max_size)
    }
);
