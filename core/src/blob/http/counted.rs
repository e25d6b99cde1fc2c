//! The bytes that go over the line, counted.

use crate::{Result, port::Body, sync::Mutex};
use alloc::sync::Arc;
use bytes::Bytes;

/// Pieces that are handed out are no longer than this, so that a slow line is seen to move.
const PIECE: usize = 64 << 10;

/// Bytes so far, of all clones of a client.
#[derive(Clone, Default)]
pub(super) struct Moved(Arc<Mutex<u64>>);

impl Moved {
    pub fn so_far(&self) -> u64 {
        *self.0.lock()
    }

    fn add(&self, bytes: usize) {
        let mut moved = self.0.lock();
        *moved = moved.wrapping_add(bytes as u64);
    }

    /// The same body, counted as it is taken.
    pub fn count<B>(&self, body: B) -> Counted<B> {
        Counted {
            body,
            piece: Bytes::new(),
            moved: self.clone(),
        }
    }
}

/// A body of a request or of an answer.
pub(super) struct Counted<B> {
    body: B,
    piece: Bytes,
    moved: Moved,
}

impl<B: Body> Body for Counted<B> {
    fn len(&self) -> Option<u64> {
        Some(self.body.len()? + self.piece.len() as u64)
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.piece.is_empty() {
            match self.body.next().await? {
                Some(piece) => self.piece = piece,
                None => return Ok(None),
            }
        }
        let part = self.piece.split_to(self.piece.len().min(PIECE));
        self.moved.add(part.len());
        Ok(Some(part))
    }
}
