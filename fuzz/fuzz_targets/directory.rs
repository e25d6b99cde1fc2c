//! A directory of an imported tree as it comes from a remote: an error, or exactly the directory
//! that these bytes are, whose names stay where they belong.
#![no_main]

use libfuzzer_sys::fuzz_target;
use littoral::tree::{Directory, Name};
use std::path::Component;

fuzz_target!(|bytes: &[u8]| {
    let Ok(directory) = Directory::parse(bytes) else {
        return;
    };
    assert_eq!(directory.encode(), bytes);
    let _ = directory.size();
    for entry in directory.entries() {
        let name = entry.name.as_bytes();
        assert!(Name::new(name).is_ok());
        assert_eq!(directory.entry(name), Some(entry));
        if let Ok(path) = entry.name.to_path() {
            let mut components = path.components();
            assert!(matches!(components.next(), Some(Component::Normal(_))));
            assert_eq!(components.next(), None);
        }
    }
});
