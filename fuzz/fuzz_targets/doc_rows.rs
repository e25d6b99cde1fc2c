//! A row of a document, whichever kind of row it is.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    littoral_core::doc::fuzz(bytes);
});
