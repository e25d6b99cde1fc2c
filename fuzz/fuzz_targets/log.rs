//! Any log areas in a real store, their checksums taken for good: no panic, no hang, no wild allocation.
#![no_main]

use libfuzzer_sys::fuzz_target;
use littoral_core::engine::blind;
use littoral_fuzz::image::{Image, Patch, use_everything};
use std::sync::LazyLock;

static IMAGE: LazyLock<Image> = LazyLock::new(|| {
    let image = Image::new();
    blind::turn_on();
    image
});

fuzz_target!(|patches: Vec<Patch>| {
    use_everything(IMAGE.patched(IMAGE.log.clone(), &patches), |_, _| {});
});
