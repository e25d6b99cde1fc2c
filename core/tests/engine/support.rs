use bytes::Bytes;
use littoral_core::{
    Result,
    engine::{Batch, Options, Space},
    port::Entropy,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are never the same twice.
pub struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        for chunk in bytes.chunks_mut(8) {
            let n = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            chunk.copy_from_slice(&n.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

pub const S: Space = Space(0x80);

pub fn entropy() -> Counter {
    Counter(1.into())
}

/// A store whose logs are soon full.
pub fn small() -> Options {
    let mut options = Options::default();
    options.log_size = 64 << 10;
    options.memory_budget = 1 << 20;
    options
}

pub fn put(key: &[u8], value: impl Into<Bytes>) -> Batch {
    let mut batch = Batch::new();
    batch.put(S, key, value);
    batch
}

pub fn delete(key: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.delete(S, key);
    batch
}
