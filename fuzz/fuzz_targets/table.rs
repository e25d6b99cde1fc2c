//! A block of a table, and the manifest that lists tables and packs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use littoral_core::engine::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::block(bytes);
    fuzzing::manifest(bytes);
});
