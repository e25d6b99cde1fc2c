//! A real store with damage anywhere: whatever is read is something that was written there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use littoral_fuzz::image::{Image, Part, Patch, use_everything};
use std::sync::LazyLock;

static IMAGE: LazyLock<Image> = LazyLock::new(Image::new);

fuzz_target!(|damage: (Part, Vec<Patch>)| {
    let (part, patches) = damage;
    use_everything(IMAGE.patched(part, &patches), |key, value| {
        assert!(
            key == b"new" || IMAGE.ever_held(key, value),
            "damaged bytes were returned as data: key {key:?}, {} bytes",
            value.len()
        );
    });
});
