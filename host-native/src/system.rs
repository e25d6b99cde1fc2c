use crate::{
    OsEntropy, SystemClock,
    core::{
        Result,
        port::{Clock, Entropy},
    },
};
use std::time::Duration;

/// The system's clock and its source of random bytes in one value: the environment of a pair.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> Duration {
        SystemClock.now()
    }

    async fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration).await;
    }
}

impl Entropy for System {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        OsEntropy.fill(bytes)
    }
}
