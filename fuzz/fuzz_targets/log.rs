//! Two log areas, and the operations of a record: records that hold together, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use littoral_core::engine::fuzzing;
use std::sync::Once;

static IGNORE_CHECKSUMS: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    IGNORE_CHECKSUMS.call_once(fuzzing::ignore_checksums);
    fuzzing::log(bytes);
    fuzzing::sealed_log(bytes);
});
