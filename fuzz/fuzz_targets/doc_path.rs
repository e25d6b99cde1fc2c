//! A path or pattern of a document as somebody typed it: an error, or one whose text says the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use littoral_core::doc::{Path, Pattern, Value};

fuzz_target!(|text: &str| {
    if let Ok(path) = text.parse::<Path>() {
        let again: Path = path.to_string().parse().expect("what is printed is read");
        assert_eq!(again, path);
        assert_eq!(
            Path::decode(&path.encode()).expect("what is written is read"),
            path
        );
        let mut rebuilt = path.clone();
        if let Some((parent, step)) = path.split() {
            rebuilt = parent.child(step.clone()).expect("it was a path before");
        }
        assert_eq!(rebuilt, path);
        assert_eq!(path.strip(&Path::ROOT), Some(path.clone()));
        let _ = Value::Null.at(&path);
    }
    if let Ok(pattern) = text.parse::<Pattern>() {
        let again: Pattern = pattern
            .to_string()
            .parse()
            .expect("what is printed is read");
        assert_eq!(again, pattern);
    }
    let _ = Path::decode(text.as_bytes());
});
