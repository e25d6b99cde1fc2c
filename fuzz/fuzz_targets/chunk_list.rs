//! A list of chunks as it comes over HTTP: an error, or exactly the list that these bytes are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use littoral_core::blob::ChunkList;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = ChunkList::decode(bytes) {
        assert_eq!(list.encode(), bytes);
        let _ = list.check();
        let _ = list.size();
    }
});
