use crate::{core::port::Clock, net};
use std::time::{Duration, SystemTime};

/// The system's clock; sleeps on any executor.
///
/// Timers live on the thread that also serves the sockets, so none is spent on them.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        // A clock that is set before 1970 reads as 1970.
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
    }

    async fn sleep(&self, duration: Duration) {
        match net::timer(duration) {
            Ok(timer) => timer.await,
            // The system has no thread or descriptor left for a reactor.
            Err(_) => blocking::unblock(move || std::thread::sleep(duration)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn sleeping_takes_at_least_as_long_as_asked_on_any_executor() {
        for run in [
            |sleep| crate::block_on(sleep),
            |sleep| futures::executor::block_on(sleep),
        ] {
            let start = Instant::now();
            run(SystemClock.sleep(Duration::from_millis(30)));
            assert!(start.elapsed() >= Duration::from_millis(30));
        }
    }

    #[test]
    fn a_sleep_can_be_dropped_before_its_end() {
        use futures::FutureExt;
        assert!(
            SystemClock
                .sleep(Duration::from_secs(600))
                .now_or_never()
                .is_none()
        );
    }

    #[test]
    fn now_is_after_this_was_written() {
        assert!(SystemClock.now() > Duration::from_secs(1_760_000_000));
    }
}
