//! Syncs, of which a failed one is never forgotten.
//!
//! Linux tells of bytes that could not be written once per open file: whoever syncs next is told, and the one after him is
//! not, although the bytes are gone. The one who was told may be a future that was dropped, or one of two that sync at the same time.

use crate::core::{Error, Result, sync::Mutex};

/// One sync after the other, until one fails.
#[derive(Default)]
pub(super) struct Syncs(Mutex<Option<Error>>);

impl Syncs {
    /// Runs `sync`, unless an earlier one failed: then that one's error is everybody's.
    ///
    /// One at a time, so that nobody hears of success between another's failure and its being written down here. It costs little: the
    /// kernel waits for all bytes of a file that are on their way, whoever wrote them.
    pub(super) fn run(&self, sync: impl FnOnce() -> Result<()>) -> Result<()> {
        let mut failed = self.0.lock();
        if let Some(error) = &*failed {
            return Err(error.clone());
        }
        sync().inspect_err(|error| *failed = Some(error.clone()))
    }
}
