use crate::Result;

/// The only place where chance comes from.
pub trait Entropy {
    /// Fills `bytes` with random bytes good enough for keys.
    ///
    /// # Errors
    /// What the host reports; the caller's operation then fails as a whole.
    fn fill(&self, bytes: &mut [u8]) -> Result<()>;
}

impl<T: Entropy> Entropy for alloc::sync::Arc<T> {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        T::fill(self, bytes)
    }
}
