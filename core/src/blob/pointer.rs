//! The name of a blob.

use sha2::{Digest, Sha256};

/// The SHA-256 of a blob's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer([u8; 32]);

impl Pointer {
    /// Resolves to nothing.
    pub const NULL: Pointer = Pointer([0; 32]);

    /// The pointer with these 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Pointer(bytes)
    }

    /// The pointer of `data`.
    pub fn of(data: &[u8]) -> Self {
        Pointer(Sha256::digest(data).into())
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl core::fmt::Display for Pointer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::fmt::Debug for Pointer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Pointer({self})")
    }
}
