use super::Pointer;
use sha2::{Digest, Sha256};

/// Finds the [`Pointer`] of bytes that come piece by piece.
///
/// ```
/// use littoral_core::blob::{Hasher, Pointer};
/// let mut hasher = Hasher::new();
/// hasher.update(b"high ");
/// hasher.update(b"tide");
/// assert_eq!(hasher.finish(), Pointer::of(b"high tide"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The pointer of everything that it was given.
    pub fn finish(self) -> Pointer {
        Pointer::from_bytes(self.0.finalize().into())
    }
}
