//! Group commit: whoever waits writes for all.
//!
//! A commit hands its batch over under the lock; it is then in a group and in the memtable. Of
//! those who wait for it, one becomes the leader: it writes the oldest group as one record, syncs,
//! and wakes the others, while the next group gathers behind it (the second buffer). No thread or
//! timer is needed, and with one writer no hand-over between threads is paid.
//!
//! A leader that is dropped half-way leaves the record in `State::flight`; the next one writes the
//! same bytes to the same place again.

use super::{
    batch::{Batch, Prepared},
    extent::Claim,
    state::{Flight, HandOver, Job, Phase, Step},
    store::{Inner, Store, closed},
    types::Durability,
    version::Pack,
};
use crate::{Error, Kind, Result, port::Volume};
use bytes::Bytes;
use core::{
    future::Future,
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Poll, Waker},
};

/// Values of large batches are gathered in packs that begin with this much room, and grow.
const MIN_PACK: u64 = 1 << 20;
const MAX_PACK: u64 = 16 << 20;

/// Tells how far a commit has come. Dropping it changes nothing.
pub struct Receipt<V> {
    store: Store<V>,
    commit: u64,
}

impl<V> Clone for Receipt<V> {
    fn clone(&self) -> Self {
        Receipt {
            store: self.store.clone(),
            commit: self.commit,
        }
    }
}

impl<V: Volume> Receipt<V> {
    /// The commit's number.
    pub fn commit(&self) -> u64 {
        self.commit
    }

    /// What the commit has reached so far.
    pub fn reached(&self) -> Durability {
        let state = self.store.0.state.lock();
        if state.durable >= self.commit {
            Durability::Strict
        } else if state.written >= self.commit {
            Durability::Local
        } else {
            Durability::Memory
        }
    }

    /// Returns once the commit has reached `durability`.
    ///
    /// # Errors
    /// `Poisoned` if it never will in this process; `NotImplemented` for `Remote`, which only a pair gives.
    pub async fn wait(&self, durability: Durability) -> Result<()> {
        if durability == Durability::Remote {
            return Err(only_pairs());
        }
        self.store.0.reach(self.commit, durability).await
    }
}

pub(crate) async fn commit<V: Volume>(
    store: &Store<V>,
    batch: Batch,
    durability: Durability,
) -> Result<Receipt<V>> {
    if durability == Durability::Remote {
        return Err(only_pairs());
    }
    let receipt = submit(store, batch, durability).await?;
    store.0.reach(receipt.commit, durability).await?;
    Ok(receipt)
}

/// Hands the batch over and does not wait for more.
pub(crate) async fn submit<V: Volume>(
    store: &Store<V>,
    batch: Batch,
    durability: Durability,
) -> Result<Receipt<V>> {
    let inner = &*store.0;
    let prepared = batch.prepare(inner.options.log_size)?;
    let encoded: Option<Bytes> = (prepared.run_len == 0).then(|| prepared.encode(0).into());
    let mut above = deletions_room(inner.options.log_size);
    loop {
        match inner.hand_over(&prepared, encoded.clone(), durability, above)? {
            HandOver::Done(commit) => {
                return Ok(Receipt {
                    store: store.clone(),
                    commit,
                });
            }
            HandOver::Behind(commit) => inner.reach(commit, Durability::Local).await?,
            HandOver::NeedsPack(len) => inner.open_pack(len).await?,
            HandOver::NeedsRoom(room) => match inner.disk.make_room(room).await {
                Err(full) if full.kind() == Kind::Quota && above > 0 && prepared.deletes() => {
                    above = 0;
                }
                done => done?,
            },
            // Whoever waits, works: this needs nobody who drives.
            HandOver::Full => inner.free_log().await?,
        }
    }
}

impl<V: Volume> Inner<V> {
    fn hand_over(
        &self,
        batch: &Prepared,
        encoded: Option<Bytes>,
        durability: Durability,
        above: u64,
    ) -> Result<HandOver> {
        if let Some(cause) = self.disk.device.failure() {
            return Err(super::device::poisoned(&cause));
        }
        let more = batch.memory_bound();
        let mut state = self.state.lock();
        state.check_open()?;
        let (active, sealed) = state.checkpoint_room(more);
        if !batch.is_empty() && !self.disk.space.keep(active, sealed, above) {
            return Ok(HandOver::NeedsRoom(active + sealed + above));
        }
        let before = state.sealed.is_some();
        let outcome = state.hand_over(
            batch,
            encoded,
            durability,
            self.memtable_limit(),
            self.views.load(Ordering::Acquire) > 0,
            &self.unwritten,
        )?;
        let sealed = !before && state.sealed.is_some();
        drop(state);
        if sealed || durability < Durability::Strict {
            self.work.notify(usize::MAX);
        }
        Ok(outcome)
    }

    /// Returns once `commit` has reached `level`, writing what has to be written if nobody else does.
    pub(crate) async fn reach(&self, commit: u64, level: Durability) -> Result<()> {
        loop {
            let step = {
                let mut state = self.state.lock();
                if !state.reached(commit, level)
                    && let Some(cause) = self.disk.device.failure()
                {
                    // This one may have been woken to lead: whoever waits behind it must not wait for that.
                    let woken = state.wake_all();
                    drop(state);
                    woken.into_iter().for_each(Waker::wake);
                    return Err(super::device::poisoned(&cause));
                }
                if state.phase == Phase::Closed && !state.reached(commit, level) {
                    let woken = state.wake_all();
                    drop(state);
                    woken.into_iter().for_each(Waker::wake);
                    return Err(closed());
                }
                state.step(commit, level)
            };
            match step {
                Step::Reached => return Ok(()),
                Step::Lead => self.lead().await?,
                Step::Wait(id) => {
                    Ticket {
                        inner: self,
                        id,
                        done: false,
                    }
                    .await
                }
            }
        }
    }

    async fn lead(&self) -> Result<()> {
        let resign = Resign {
            inner: self,
            landed: false,
        };
        self.disk.device.gather().await;
        let job = self.state.lock().job();
        let flight = match job {
            // The store was closed meanwhile.
            None => return Ok(()),
            Some(Job::Again(flight)) => flight,
            Some(Job::Encode(encode)) => {
                let (record, sum) = encode.record();
                self.state.lock().take_off(encode, record, sum)
            }
        };
        #[cfg(feature = "sabotage")]
        if self.disk.device.sabotage == Some(super::Sabotage::AcknowledgedBeforeSync) {
            let woken = self.state.lock().landed(&flight);
            self.state.lock().leading = true;
            woken.wakers.into_iter().for_each(Waker::wake);
        }
        if let Err(error) = self.fly(&flight).await {
            let woken = self.state.lock().wake_all();
            woken.into_iter().for_each(Waker::wake);
            self.work.notify(usize::MAX);
            return Err(error);
        }
        for (base, _) in &flight.runs {
            self.unwritten.remove(*base);
        }
        let woken = self.state.lock().landed(&flight);
        resign.landed();
        self.wake(woken);
        Ok(())
    }

    async fn fly(&self, flight: &Flight) -> Result<()> {
        for (base, run) in &flight.runs {
            let parts = run.clone();
            self.disk.device.write_parts(*base, parts).await?;
        }
        if let Some((offset, record)) = &flight.record {
            self.disk.device.write(*offset, record.clone()).await?;
        }
        if flight.sync {
            self.disk.device.sync().await?;
        }
        Ok(())
    }

    fn wake(&self, woken: super::state::Woken) {
        woken.wakers.into_iter().for_each(Waker::wake);
        if woken.orphaned {
            self.work.notify(usize::MAX);
        }
    }

    /// Room for `len` bytes of values of large batches: in the pack there is, if the file has room
    /// behind it, or in a new one.
    async fn open_pack(&self, len: u64) -> Result<()> {
        let (size, _) = self.disk.space.usage();
        let now = self.state.lock().pack.clone();
        if let Some(pack) = now {
            if pack.extend(&self.disk.space, len, MAX_PACK) {
                return Ok(());
            }
            if pack.ends_at(size) {
                self.disk.grow(len).await?;
                if pack.extend(&self.disk.space, len, MAX_PACK) {
                    return Ok(());
                }
            }
        }
        let extent = self.disk.take(len.max(MIN_PACK), Claim::Spare).await?;
        let pack = Pack::new(extent);
        let mut state = self.state.lock();
        let mut version = super::version::Version::clone(&state.current.version);
        version.packs.push(pack.clone());
        state.set_version(version);
        if let Some(old) = state.pack.replace(pack) {
            old.seal();
        }
        Ok(())
    }
}

/// Gives the lead up when the leader's future is dropped before it has landed.
struct Resign<'a, V: Volume> {
    inner: &'a Inner<V>,
    landed: bool,
}

impl<V: Volume> Resign<'_, V> {
    fn landed(mut self) {
        self.landed = true;
    }
}

impl<V: Volume> Drop for Resign<'_, V> {
    fn drop(&mut self) {
        if !self.landed {
            let woken = {
                let mut state = self.inner.state.lock();
                state.leading = false;
                state.wake()
            };
            self.inner.wake(woken);
        }
    }
}

/// A place in the row of those who wait.
struct Ticket<'a, V: Volume> {
    inner: &'a Inner<V>,
    id: u64,
    done: bool,
}

impl<V: Volume> Future for Ticket<'_, V> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let id = self.id;
        let mut state = self.inner.state.lock();
        if let Some(waiter) = state.waiters.iter_mut().find(|waiter| waiter.id == id) {
            waiter.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        drop(state);
        self.done = true;
        Poll::Ready(())
    }
}

impl<V: Volume> Drop for Ticket<'_, V> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let woken = {
            let mut state = self.inner.state.lock();
            let before = state.waiters.len();
            state.waiters.retain(|waiter| waiter.id != self.id);
            // It was woken, perhaps to lead, and is not going to: somebody else has to.
            if before == state.waiters.len() && state.needs_leader() {
                Some(state.wake())
            } else {
                None
            }
        };
        if let Some(woken) = woken {
            self.inner.wake(woken);
        }
    }
}

/// What only commits that delete something may leave unkept: on a full disk there is room for them.
fn deletions_room(log_size: u64) -> u64 {
    (log_size / 8).clamp(64 << 10, 512 << 10)
}

fn only_pairs() -> Error {
    Error::new(
        Kind::NotImplemented,
        "a store alone has no remote: commit through a pair to wait for it",
    )
}
