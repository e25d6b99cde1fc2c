//! How many large files are on their way at once: each holds a few chunks in memory.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Large files at the same time. More would not be faster: one disk or one line carries them all.
const LANES: usize = 2;

/// Clones share the lanes.
#[derive(Clone, Default)]
pub(super) struct Lanes(Arc<(Mutex<usize>, Condvar)>);

impl Lanes {
    /// Waits, on this thread, for a free lane, and keeps it until the value is dropped.
    pub fn take(&self) -> Lane {
        let (taken, freed) = &*self.0;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= LANES {
            taken = freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        drop(taken);
        Lane(self.clone())
    }
}

pub(super) struct Lane(Lanes);

impl Drop for Lane {
    fn drop(&mut self) {
        let (taken, freed) = &*self.0.0;
        *taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
        time::Duration,
    };

    #[test]
    fn no_more_than_so_many_are_on_their_way() {
        let (lanes, now, most) = (Lanes::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 * LANES {
                scope.spawn(|| {
                    let _lane = lanes.take();
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(5));
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(most.into_inner(), LANES);
    }
}
