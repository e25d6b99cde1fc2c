use core::time::Duration;

/// The only place where time comes from.
pub trait Clock {
    /// Time since 1970-01-01T00:00:00Z. May jump, both ways; nothing but reports and retries depends on it.
    fn now(&self) -> Duration;

    /// Returns after at least `duration`.
    async fn sleep(&self, duration: Duration);
}

impl<T: Clock> Clock for alloc::sync::Arc<T> {
    fn now(&self) -> Duration {
        T::now(self)
    }

    async fn sleep(&self, duration: Duration) {
        T::sleep(self, duration).await;
    }
}
