//! A store that does what a test tells it: it writes every call down, and fails, waits or lies where it is told to.

mod script;
#[cfg(test)]
mod tests;

pub use script::{Call, Fault, Gate, Operation, Outcome, Script};

use super::{BlobStore, Capabilities, ChunkList, Listed, Pointer, RootStore, Stat};
use crate::{
    Result,
    port::{Body, Clock},
};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::{ops::Range, time::Duration};

/// Another store, with a [`Script`] in front of it. For tests of what uses a store.
///
/// ```
/// # futures::executor::block_on(async {
/// use littoral_core::{Error, Kind, blob::{BlobStore, Fault, FaultBlobs, MemoryBlobs, Operation}};
/// let store = FaultBlobs::new(MemoryBlobs::new());
/// let script = store.script().clone();
/// script.nth(Operation::Put, 2, Fault::Fail(Error::new(Kind::Quota, "full")));
/// assert!(store.put("one".into()).await.is_ok());
/// assert_eq!(store.put("two".into()).await.unwrap_err().kind(), Kind::Quota);
/// assert_eq!(script.count(Operation::Put), 2);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct FaultBlobs<S, C = NoClock> {
    store: S,
    clock: C,
    script: Script,
}

/// A clock that stands still: any sleep ends at once, after letting others run.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _duration: Duration) {
        let mut slept = false;
        core::future::poll_fn(|context| {
            if core::mem::replace(&mut slept, true) {
                return core::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            core::task::Poll::Pending
        })
        .await;
    }
}

impl<S> FaultBlobs<S> {
    /// `store`, without faults yet.
    pub fn new(store: S) -> Self {
        FaultBlobs {
            store,
            clock: NoClock,
            script: Script::new(),
        }
    }
}

impl<S, C> FaultBlobs<S, C> {
    /// The same with a clock for [`Fault::Delay`].
    pub fn with_clock<D: Clock>(self, clock: D) -> FaultBlobs<S, D> {
        FaultBlobs {
            store: self.store,
            clock,
            script: self.script,
        }
    }

    /// What is to go wrong, and what was called.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// The store behind it.
    pub fn inner(&self) -> &S {
        &self.store
    }
}

impl<S, C: Clock> FaultBlobs<S, C> {
    /// Runs one call as the script wants it.
    async fn call<T>(
        &self,
        call: Call,
        work: impl Future<Output = Result<T>>,
        lie: impl FnOnce(Fault, T) -> T,
    ) -> Result<T> {
        let (number, fault) = self.script.begin(call);
        let result = match fault {
            None => work.await,
            Some(Fault::Fail(error)) => Err(error),
            Some(Fault::FailAfter(error)) => work.await.and(Err(error)),
            Some(Fault::Delay(duration)) => {
                self.clock.sleep(duration).await;
                work.await
            }
            Some(Fault::Hold(gate)) => {
                gate.wait().await;
                work.await
            }
            Some(fault @ (Fault::Flip | Fault::Cut)) => work.await.map(|value| lie(fault, value)),
        };
        let outcome = match &result {
            Ok(_) => Outcome::Ok,
            Err(error) => Outcome::Failed(error.kind()),
        };
        self.script.end(number, outcome);
        result
    }

    async fn honest<T>(&self, call: Call, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.call(call, work, |_, value| value).await
    }
}

impl<S: BlobStore, C: Clock> BlobStore for FaultBlobs<S, C> {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn moved(&self) -> u64 {
        self.store.moved()
    }

    async fn put(&self, bytes: Bytes) -> Result<Pointer> {
        let call = Call::of(Operation::Put, Pointer::of(&bytes)).bytes(bytes.len());
        self.honest(call, self.store.put(bytes)).await
    }

    async fn put_stream<B: Body>(&self, body: B) -> Result<Pointer> {
        let call = Call::new(Operation::PutStream);
        self.honest(call, self.store.put_stream(body)).await
    }

    async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        let call = Call::of(Operation::Get, *pointer);
        self.call(call, self.store.get(pointer), Fault::lie).await
    }

    async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        let call = Call::of(Operation::GetRange, *pointer);
        self.call(call, self.store.get_range(pointer, range), Fault::lie)
            .await
    }

    async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
        let call = Call::of(Operation::Stat, *pointer);
        self.honest(call, self.store.stat(pointer)).await
    }

    async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        let call = Call::many(Operation::Has, pointers);
        self.honest(call, self.store.has(pointers)).await
    }

    async fn delete(&self, pointer: &Pointer) -> Result<bool> {
        let call = Call::of(Operation::Delete, *pointer);
        self.honest(call, self.store.delete(pointer)).await
    }

    async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
        let call = Call::many(Operation::List, after.as_slice());
        self.honest(call, self.store.list(after, limit)).await
    }

    async fn chunks(&self, pointer: &Pointer) -> Result<Option<ChunkList>> {
        let call = Call::of(Operation::Chunks, *pointer);
        self.honest(call, self.store.chunks(pointer)).await
    }

    async fn has_chunks(&self, chunks: &[Pointer]) -> Result<Vec<bool>> {
        let call = Call::many(Operation::HasChunks, chunks);
        self.honest(call, self.store.has_chunks(chunks)).await
    }

    async fn put_chunk(&self, bytes: Bytes) -> Result<Pointer> {
        let call = Call::of(Operation::PutChunk, Pointer::of(&bytes)).bytes(bytes.len());
        self.honest(call, self.store.put_chunk(bytes)).await
    }

    async fn get_chunk(&self, chunk: &Pointer) -> Result<Bytes> {
        let call = Call::of(Operation::GetChunk, *chunk);
        self.call(call, self.store.get_chunk(chunk), Fault::lie)
            .await
    }

    async fn put_list(&self, pointer: &Pointer, list: ChunkList) -> Result<()> {
        let call = Call::of(Operation::PutList, *pointer);
        self.honest(call, self.store.put_list(pointer, list)).await
    }
}

impl<S: RootStore, C: Clock> RootStore for FaultBlobs<S, C> {
    async fn root(&self, name: &str) -> Result<Option<Pointer>> {
        let call = Call::new(Operation::Root).named(name);
        self.honest(call, self.store.root(name)).await
    }

    async fn move_root(
        &self,
        name: &str,
        from: Option<Pointer>,
        to: Option<Pointer>,
    ) -> Result<()> {
        let call = Call::many(Operation::MoveRoot, to.as_slice()).named(name);
        self.honest(call, self.store.move_root(name, from, to))
            .await
    }

    async fn roots(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Pointer)>> {
        let call = Call::new(Operation::Roots).named(after.unwrap_or_default());
        self.honest(call, self.store.roots(after, limit)).await
    }
}
