//! What the fuzz targets share: a small store as a file, and ways to damage and to use it.

pub mod image;

use littoral_core::{Result, port::Entropy};

/// Numbers that only look random, so that an input does the same each time.
pub struct Fixed;

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (at as u8).wrapping_mul(167).wrapping_add(13);
        }
        Ok(())
    }
}
