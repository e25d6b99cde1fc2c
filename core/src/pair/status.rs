//! What the pair is doing, told as a value that can be watched.

use super::handle::{Environment, Pair, Remote};
use crate::{
    Error, Result,
    blob::Pointer,
    engine::{Direction, KeyRange},
    port::Volume,
    sync::Mutex,
};
use core::time::Duration;
use event_listener::{Event, EventListener};

/// What slow has not acknowledged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pending {
    /// Changes in the queue: puts, deletions, moves of roots, those in trouble included.
    pub count: u64,
    /// Bytes of the blobs that wait for their upload.
    pub bytes: u64,
    /// When the oldest change was queued, since 1970.
    pub oldest: Option<Duration>,
    /// Changes whose blob's bytes are missing or damaged here.
    pub missing: u64,
    /// Changes that slow refused for good.
    pub failed: u64,
    /// The last error of an attempt, whatever became of it.
    pub last_error: Option<Error>,
}

/// What a pair is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// What the background work is doing.
    pub phase: Phase,
    /// Changes in the queue, those in trouble included.
    pub queued: u64,
    /// Bytes of the blobs that wait for their upload.
    pub queued_bytes: u64,
    /// Changes that slow refused for good; [`failed`](Pair::failed) lists them.
    pub failed: u64,
    /// Changes whose blob's bytes are missing here; [`failed`](Pair::failed) lists them.
    pub missing: u64,
    /// Attempts that are on the way.
    pub active: usize,
    /// Since opening: blobs that slow acknowledged.
    pub uploaded: u64,
    /// Their bytes.
    pub uploaded_bytes: u64,
    /// Since opening: bytes that slow has taken, those of a large blob's chunks as each arrives, also of a blob that is sent anew.
    pub sent_bytes: u64,
    /// Since opening: blobs that were fetched from slow.
    pub fetched: u64,
    /// Their bytes.
    pub fetched_bytes: u64,
    /// Since opening: fetched blobs that could not be kept in fast.
    pub unfilled: u64,
    /// Why the last of them could not.
    pub last_fill_error: Option<Error>,
    /// Since opening: blobs that left fast because of its bound.
    pub evicted: u64,
    /// Their bytes.
    pub evicted_bytes: u64,
    /// Since opening: reads that met damage in fast.
    pub damaged: u64,
    /// The last blob of them.
    pub last_damaged: Option<Pointer>,
    /// The last error of an attempt, whatever became of it.
    pub last_error: Option<Error>,
}

/// What the background work is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Phase {
    /// Nobody polls [`drive`](Pair::drive): nothing reaches slow.
    Stopped,
    /// Nothing to do, or nothing that could be done.
    Idle,
    /// Changes are on their way.
    Working,
    /// Somebody called [`pause`](Pair::pause).
    Paused,
    /// Slow wants other credentials: [`resume`](Pair::resume) once it has them.
    Auth(Error),
    /// Slow cannot be reached, or asked to be left alone: the next attempt is made after a while.
    Waiting {
        /// What slow, or the way to it, said.
        reason: Error,
        /// The whole length of this wait.
        wait: Duration,
    },
    /// The pair was closed.
    Closed,
}

impl Phase {
    fn same(&self, other: &Phase) -> bool {
        match (self, other) {
            // A new reason is news.
            (Phase::Auth(_), _) | (Phase::Waiting { .. }, _) => false,
            _ => core::mem::discriminant(self) == core::mem::discriminant(other),
        }
    }
}

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// What slow has not acknowledged.
    ///
    /// # Errors
    /// `Closed`, and those of reading the store.
    pub async fn pending(&self) -> Result<Pending> {
        self.0.account.open_or_closed()?;
        self.left().await
    }

    /// [`pending`](Pair::pending), also of a closed pair.
    pub(super) async fn left(&self) -> Result<Pending> {
        let (low, horizon) = self.0.account.low();
        let view = self.0.store.view();
        let mut scan = view.scan(
            super::rows::QUEUE,
            KeyRange::from(super::rows::order_key(low)),
            Direction::Forward,
        );
        let mut oldest = None;
        let first = match scan.next().await? {
            Some(entry) => {
                oldest = super::rows::Row::decode(&scan.value().await?)
                    .ok()
                    .map(|row| row.since);
                Some(super::rows::order_of(&entry.key)?)
            }
            None => None,
        };
        self.0.account.found_first(first, horizon);
        let mut status = self.now();
        if first.is_none() && self.0.account.low().1 == horizon {
            // The last change has left the queue, and none came since; whoever took it out may not have said so yet.
            (status.queued, status.queued_bytes) = (0, 0);
            (status.missing, status.failed) = (0, 0);
        }
        Ok(Pending {
            count: status.queued,
            bytes: status.queued_bytes,
            oldest,
            missing: status.missing,
            failed: status.failed,
            last_error: status.last_error,
        })
    }

    /// Watches what the pair is doing.
    pub fn status(&self) -> Watch<V, S, E> {
        Watch {
            pair: self.clone(),
            seen: None,
            ended: false,
        }
    }

    /// What the pair is doing now.
    pub(super) fn now(&self) -> Status {
        let counts = self.0.account.counts();
        let closed = self.0.account.is_closed();
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        let told = self.0.board.told.lock();
        Status {
            phase: match (closed, told.driving) {
                (true, _) => Phase::Closed,
                (false, false) => Phase::Stopped,
                (false, true) => told.phase.clone(),
            },
            queued: number(counts.entries),
            queued_bytes: number(counts.bytes),
            failed: number(counts.failed),
            missing: number(counts.missing),
            ..told.totals.clone()
        }
    }
}

/// Watches a pair: the latest status, and when it changes. However slow the watcher, nothing piles up.
pub struct Watch<V, S, E> {
    pair: Pair<V, S, E>,
    seen: Option<u64>,
    ended: bool,
}

impl<V: Volume, S: Remote, E: Environment> Watch<V, S, E> {
    /// What the pair is doing now.
    pub fn current(&self) -> Status {
        self.pair.now()
    }

    /// The next status that differs from what this watcher saw last: the first call returns at once. Steps in
    /// between may be missed, the last state never is. After a status with [`Phase::Closed`] comes `None`.
    pub async fn changed(&mut self) -> Option<Status> {
        loop {
            let listener = self.pair.0.board.changed.listen();
            let version = self.pair.0.board.told.lock().version;
            if self.ended {
                return None;
            }
            if self.seen != Some(version) {
                self.seen = Some(version);
                let status = self.pair.now();
                self.ended = matches!(status.phase, Phase::Closed);
                return Some(status);
            }
            listener.await;
        }
    }
}

/// Where the pair's parts tell what they do.
pub(super) struct Board {
    told: Mutex<Told>,
    changed: Event,
}

struct Told {
    version: u64,
    driving: bool,
    phase: Phase,
    totals: Status,
}

impl Default for Board {
    fn default() -> Self {
        Board {
            told: Mutex::new(Told {
                version: 0,
                driving: false,
                phase: Phase::Idle,
                totals: Status {
                    phase: Phase::Idle,
                    queued: 0,
                    queued_bytes: 0,
                    failed: 0,
                    missing: 0,
                    active: 0,
                    uploaded: 0,
                    uploaded_bytes: 0,
                    sent_bytes: 0,
                    fetched: 0,
                    fetched_bytes: 0,
                    unfilled: 0,
                    last_fill_error: None,
                    evicted: 0,
                    evicted_bytes: 0,
                    damaged: 0,
                    last_damaged: None,
                    last_error: None,
                },
            }),
            changed: Event::new(),
        }
    }
}

impl Board {
    /// Listens for the next change.
    pub fn listen(&self) -> EventListener {
        self.changed.listen()
    }

    /// Something that the status is made of changed elsewhere.
    pub fn touch(&self) {
        let mut told = self.told.lock();
        told.version += 1;
        drop(told);
        self.changed.notify(usize::MAX);
    }

    /// Changes the totals.
    pub fn tell(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.told.lock().totals);
        self.touch();
    }

    /// Changes the totals, to be told with the next change.
    pub fn count(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.told.lock().totals);
    }

    /// What the background work does now; a repetition is no news.
    pub fn phase(&self, phase: Phase, active: usize) {
        let mut told = self.told.lock();
        if told.phase.same(&phase) && told.totals.active == active {
            return;
        }
        told.phase = phase;
        told.totals.active = active;
        drop(told);
        self.touch();
    }

    /// Whether nobody else drives; from now on somebody does.
    pub fn start_driving(&self) -> bool {
        let mut told = self.told.lock();
        let free = !told.driving;
        told.driving = true;
        free
    }

    /// Whether somebody polls `drive`.
    pub fn is_driven(&self) -> bool {
        self.told.lock().driving
    }

    pub fn stop_driving(&self) {
        let mut told = self.told.lock();
        told.driving = false;
        told.totals.active = 0;
        drop(told);
        self.touch();
    }
}
