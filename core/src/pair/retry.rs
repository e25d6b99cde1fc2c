//! When something is tried again, and when never.

use super::options::Backoff;
use crate::{Error, Kind, port::Entropy};
use core::time::Duration;

/// What a failed attempt means for the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It can succeed later, as it is.
    Again,
    /// Other credentials are needed, for everything.
    Auth,
    /// Slow refuses this item for good.
    Refused,
}

/// Sorts slow's error.
///
/// `Quota` is no refusal: somebody makes room, and the bytes are safe here meanwhile. `Closed`, `Poisoned` and
/// `Busy` are states of the remote, not of the item. `Corrupt` may be damage on the way: it is refused after
/// `corrupt_attempts`. `NotFound` of a put is a list whose chunks were swept: the next attempt sends them again.
pub(super) fn verdict(error: &Error, attempts: u32, corrupt_attempts: u32) -> Verdict {
    match error.kind() {
        Kind::Auth => Verdict::Auth,
        Kind::Corrupt if attempts < corrupt_attempts => Verdict::Again,
        Kind::Corrupt
        | Kind::InvalidInput
        | Kind::ReadOnly
        | Kind::Conflict
        | Kind::OutOfRange
        | Kind::AlreadyExists
        | Kind::NotImplemented => Verdict::Refused,
        Kind::Transient
        | Kind::Timeout
        | Kind::Busy
        | Kind::Quota
        | Kind::Closed
        | Kind::Poisoned
        | Kind::NotFound => Verdict::Again,
    }
}

/// Whether the error is about slow as a whole rather than about one item: everything waits then.
pub(super) fn concerns_all(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::Transient | Kind::Timeout | Kind::Busy | Kind::Quota | Kind::Closed | Kind::Poisoned
    )
}

/// How long slow may take to hash a blob of `size` bytes. A remote that is slower than was thought gets longer each time.
pub(super) fn hashing(size: u64, failures: u32) -> Duration {
    Duration::from_secs(size / HASHED).saturating_mul(failures.saturating_add(1))
}

/// Bytes that a slow remote hashes in a second.
const HASHED: u64 = 16 << 20;

impl Backoff {
    /// The wait after `failures` failures in a row (at least 1).
    ///
    /// Where chance is not to be had, the wait is the longest that chance could have given.
    pub(super) fn wait(&self, failures: u32, entropy: &impl Entropy) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let most = self
            .first
            .saturating_mul(1 << doublings)
            .min(self.longest)
            .max(Duration::from_millis(1));
        let least = most / 10;
        let mut bytes = [0; 4];
        match entropy.fill(&mut bytes) {
            Ok(()) => {
                let chance = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
                least + (most - least).mul_f64(chance)
            }
            Err(_) => most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Result;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<()> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_never_zero() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(10),
        };
        let most = |n| backoff.wait(n, &Fixed(0xff)).as_secs();
        assert_eq!(
            [1, 2, 3, 4, 5, 60, u32::MAX].map(most),
            [1, 2, 4, 8, 10, 10, 10]
        );
        assert_eq!(backoff.wait(1, &Fixed(0)), Duration::from_millis(100));
        let nothing = Backoff {
            first: Duration::ZERO,
            longest: Duration::ZERO,
        };
        assert!(nothing.wait(1, &Fixed(0)) > Duration::ZERO);
    }

    #[test]
    fn a_remote_that_hashes_slowly_gets_longer_each_time() {
        let minutes = |failures| hashing(10 << 30, failures).as_secs() / 60;
        assert_eq!([0, 1, 9].map(minutes), [10, 21, 106]);
        assert_eq!(hashing(1 << 20, 9), Duration::ZERO);
        hashing(u64::MAX, u32::MAX);
    }

    #[test]
    fn damage_on_the_way_is_tried_again_but_not_for_ever() {
        let damaged = Error::new(Kind::Corrupt, "");
        assert_eq!(verdict(&damaged, 1, 3), Verdict::Again);
        assert_eq!(verdict(&damaged, 3, 3), Verdict::Refused);
        assert_eq!(
            verdict(&Error::new(Kind::Quota, ""), 100, 3),
            Verdict::Again
        );
    }
}
