//! A pointer or a root's name as somebody typed it: an error, or exactly the one that is written so.
#![no_main]

use libfuzzer_sys::fuzz_target;
use littoral_core::blob::{Pointer, check_root_name};

fuzz_target!(|text: &str| {
    if let Ok(pointer) = Pointer::from_hex(text) {
        assert_eq!(pointer.to_hex(), text.to_ascii_lowercase());
    }
    if let Ok(pointer) = Pointer::from_cid(text) {
        assert_eq!(pointer.to_cid(), text);
    }
    if let Ok(pointer) = Pointer::from_slice(text.as_bytes()) {
        assert_eq!(Pointer::from_hex(&pointer.to_hex()), Ok(pointer));
        assert_eq!(Pointer::from_cid(&pointer.to_cid()), Ok(pointer));
    }
    let _ = check_root_name(text);
});
