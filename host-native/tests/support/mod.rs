//! What several tests use.
#![allow(dead_code)]

use bytes::Bytes;
use littoral::core::{Error, Kind, Result, port::Body};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A body of unknown length, or of a known one.
pub struct Pieces {
    pub left: u64,
    pub piece: Bytes,
    pub len: Option<u64>,
    pub fails_at: Option<u64>,
    pub given: Arc<AtomicU64>,
}

impl Pieces {
    pub fn new(count: u64, piece: usize) -> Self {
        Pieces {
            left: count,
            piece: vec![9; piece].into(),
            len: Some(count * piece as u64),
            fails_at: None,
            given: Arc::default(),
        }
    }

    pub fn of_unknown_length(mut self) -> Self {
        self.len = None;
        self
    }
}

impl Body for Pieces {
    fn len(&self) -> Option<u64> {
        self.len
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.fails_at == Some(self.left) {
            return Err(Error::new(Kind::Quota, "the source is dry"));
        }
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.given
            .fetch_add(self.piece.len() as u64, Ordering::SeqCst);
        Ok(Some(self.piece.clone()))
    }
}
