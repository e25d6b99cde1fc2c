//! Bytes on their way between fast and slow, in bounded memory, given up when they stop moving.

use super::handle::{Environment, Pair, Remote};
use crate::{
    Error, Kind, Result,
    blob::{BlobStore, ChunkList, EngineBlobs, Pointer},
    port::{Body, Volume},
    sync::Mutex,
};
use alloc::sync::Arc;
use bytes::Bytes;
use core::{future::Future, pin::pin, time::Duration};
use event_listener::Event;
use futures::future::{Either, select};
use hashbrown::HashSet;

/// Counts what moves, so that a transfer that stands still can be told from a long one.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Mutex<u64>>);

impl Progress {
    /// Something moved.
    pub fn step(&self) {
        *self.0.lock() += 1;
    }

    fn steps(&self) -> u64 {
        *self.0.lock()
    }
}

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// Runs `transfer`, but not for longer than something moves: steps of its own, or bytes of slow's, whoever sends them. On a slow
    /// line many transfers share what there is, and none of them ends for a long time.
    pub(super) fn moving<T>(
        &self,
        progress: &Progress,
        transfer: impl Future<Output = Result<T>>,
    ) -> impl Future<Output = Result<T>> {
        self.moving_for(self.0.options.stall, progress, transfer)
    }

    /// [`moving`](Self::moving) with a patience of its own.
    pub(super) async fn moving_for<T>(
        &self,
        stall: Duration,
        progress: &Progress,
        transfer: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let transfer = pin!(transfer);
        let stalled = pin!(self.stalled(stall, progress));
        match select(transfer, stalled).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right((error, _)) => Err(error),
        }
    }

    /// Ends once nothing has moved for so long.
    async fn stalled(&self, stall: Duration, progress: &Progress) -> Error {
        let so_far = || (progress.steps(), self.0.slow.moved());
        let mut seen = so_far();
        loop {
            self.0.env.sleep(stall).await;
            let now = so_far();
            if now == seen {
                return Error::new(
                    Kind::Timeout,
                    alloc::format!("nothing moved between here and the remote for {stall:?}"),
                );
            }
            seen = now;
        }
    }
}

/// A blob in fast as it is read for slow, a chunk at a time.
pub(super) struct FromFast<V> {
    fast: EngineBlobs<V>,
    list: ChunkList,
    at: usize,
    progress: Progress,
    fault: Fault,
}

/// The error of reading fast, if that is what ended a transfer: slow passes it on, and must not be blamed for it.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<Error>>>);

impl Fault {
    pub fn set(&self, error: Error) {
        *self.0.lock() = Some(error);
    }

    pub fn take(&self) -> Option<Error> {
        self.0.lock().take()
    }
}

impl<V: Volume> FromFast<V> {
    pub fn new(fast: EngineBlobs<V>, list: ChunkList, progress: Progress) -> (Self, Fault) {
        let fault = Fault::default();
        let body = FromFast {
            fast,
            list,
            at: 0,
            progress,
            fault: fault.clone(),
        };
        (body, fault)
    }
}

impl<V: Volume> Body for FromFast<V> {
    fn len(&self) -> Option<u64> {
        let left = self.list.0.get(self.at..).unwrap_or_default();
        Some(left.iter().map(|chunk| u64::from(chunk.len)).sum())
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(chunk) = self.list.0.get(self.at) else {
            return Ok(None);
        };
        match self.fast.get_chunk(&chunk.pointer).await {
            Ok(bytes) => {
                self.at += 1;
                self.progress.step();
                Ok(Some(bytes))
            }
            Err(error) => {
                self.fault.set(error.clone());
                Err(error)
            }
        }
    }
}

/// Bytes that transfers hold in memory together: each takes its share first, first come first served.
pub(super) struct Memory {
    /// Held by the first in the line.
    turn: async_lock::Mutex<()>,
    free: Mutex<usize>,
    all: usize,
    freed: Event,
}

impl Memory {
    pub fn new(all: usize) -> Self {
        Memory {
            turn: async_lock::Mutex::new(()),
            free: Mutex::new(all),
            all,
            freed: Event::new(),
        }
    }

    /// A share of `bytes`, or of everything where that is less.
    pub async fn share(&self, bytes: u64) -> Share<'_> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.all);
        let _turn = self.turn.lock().await;
        loop {
            let listener = self.freed.listen();
            {
                let mut free = self.free.lock();
                if *free >= bytes {
                    *free -= bytes;
                    return Share {
                        memory: self,
                        bytes,
                    };
                }
            }
            listener.await;
        }
    }
}

/// A share of the memory, until it is dropped.
pub(super) struct Share<'a> {
    memory: &'a Memory,
    bytes: usize,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.memory.free.lock() += self.bytes;
        self.memory.freed.notify(usize::MAX);
    }
}

/// Chunks that travel to slow now, or did lately: blobs that share a chunk send it once.
#[derive(Default)]
pub(super) struct Chunks {
    state: Mutex<ChunkState>,
    moved: Event,
}

#[derive(Default)]
struct ChunkState {
    travelling: HashSet<Pointer>,
    sent: HashSet<Pointer>,
}

/// Sent chunks that are remembered: 2 MiB of pointers.
const REMEMBERED: usize = 1 << 16;

impl Chunks {
    /// The right to send `chunk`, or `None` if somebody else just did.
    pub async fn turn(&self, chunk: &Pointer) -> Option<Sending<'_>> {
        loop {
            let listener = self.moved.listen();
            {
                let mut state = self.state.lock();
                if state.sent.contains(chunk) {
                    return None;
                }
                if state.travelling.insert(*chunk) {
                    return Some(Sending {
                        chunks: self,
                        chunk: *chunk,
                    });
                }
            }
            listener.await;
        }
    }

    /// Slow lost chunks: nothing is known any more.
    pub fn forget(&self) {
        self.state.lock().sent.clear();
    }
}

/// The right to send one chunk, until it is dropped.
pub(super) struct Sending<'a> {
    chunks: &'a Chunks,
    chunk: Pointer,
}

impl Sending<'_> {
    /// Slow has it.
    pub fn sent(self) {
        let mut state = self.chunks.state.lock();
        if state.sent.len() >= REMEMBERED {
            state.sent.clear();
        }
        state.sent.insert(self.chunk);
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.chunks.state.lock().travelling.remove(&self.chunk);
        self.chunks.moved.notify(usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_large_share_does_not_starve_behind_small_ones() {
        let memory = Memory::new(10);
        let first = memory.share(4).now_or_never().unwrap();
        let mut large = pin!(memory.share(10));
        let mut small = pin!(memory.share(1));
        assert!(large.as_mut().now_or_never().is_none());
        assert!(small.as_mut().now_or_never().is_none());
        drop(first);
        let large = large.now_or_never().unwrap();
        assert!(small.as_mut().now_or_never().is_none());
        drop(large);
        small.now_or_never().unwrap();
    }
}
