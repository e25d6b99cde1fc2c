//! A real store with anything in any part of it, every checksum taken for good: opening it and
//! using all of it ends, with errors at worst.
#![no_main]

use libfuzzer_sys::fuzz_target;
use littoral_core::engine::fuzzing;
use littoral_fuzz::image::{Image, Part, Patch, use_everything};
use std::sync::LazyLock;

static IMAGE: LazyLock<Image> = LazyLock::new(|| {
    let image = Image::new();
    fuzzing::ignore_checksums();
    image
});

fuzz_target!(|damage: (Part, Vec<Patch>)| {
    let (part, patches) = damage;
    use_everything(IMAGE.patched(part, &patches), |_, _| {});
});
