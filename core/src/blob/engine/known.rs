//! What the clones of one `EngineBlobs` know together, for as long as the process runs.

use super::super::Pointer;
use crate::{
    Kind, Result,
    engine::{Space, View},
    port::Volume,
    sorted::SortedMap,
    sync::Mutex,
};
use alloc::collections::BTreeSet;
use core::sync::atomic::{AtomicBool, Ordering};

/// Damaged values that are remembered; more are found again when they are read again.
const MOST: usize = 1 << 16;

#[derive(Debug, Default)]
pub(super) struct Known {
    /// The numbers of the lists that somebody is writing now.
    pub live: Mutex<BTreeSet<u64>>,
    /// Blobs and chunks whose bytes were found damaged: whoever brings them writes them again.
    damaged: Mutex<SortedMap<(Space, Pointer), ()>>,
    /// Whether there ever was one: without damage, a read takes no lock here.
    any: AtomicBool,
}

impl Known {
    /// Remembers a read that found damage, and one that found none any more.
    pub fn note<T>(&self, space: Space, pointer: &Pointer, read: Result<T>) -> Result<T> {
        match &read {
            Err(error) if error.kind() == Kind::Corrupt => {
                let mut damaged = self.damaged.lock();
                if damaged.len() < MOST {
                    damaged.insert((space, *pointer), ());
                }
                self.any.store(true, Ordering::Relaxed);
            }
            Ok(_) if self.any.load(Ordering::Relaxed) => self.mended(space, pointer),
            _ => {}
        }
        read
    }

    /// Whether the bytes under a key are there and whole. Whoever brings bytes must not take damage that nobody has met yet for
    /// them: this reads, and checks.
    pub async fn is_sound<V: Volume>(
        &self,
        view: &View<V>,
        space: Space,
        pointer: &Pointer,
    ) -> Result<bool> {
        let read = view.get(space, pointer.as_bytes()).await;
        match self.note(space, pointer, read) {
            Ok(bytes) => Ok(bytes.is_some()),
            Err(error) if error.kind() == Kind::Corrupt => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub fn is_damaged(&self, space: Space, pointer: &Pointer) -> bool {
        self.any.load(Ordering::Relaxed) && self.damaged.lock().contains_key(&(space, *pointer))
    }

    /// Its bytes were written again.
    pub fn mended(&self, space: Space, pointer: &Pointer) {
        self.damaged.lock().remove(&(space, *pointer));
    }
}
