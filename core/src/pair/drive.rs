//! The background work: which change travels next, how many at a time, and when after a failure.
//!
//! The queue is walked from its oldest row with a cursor; what a walk cannot start stays behind in one of four small
//! sets: on the way, waiting after a failure, behind another change of the same blob, a root behind what was queued
//! before it.

use super::{
    handle::{Environment, Pair, Remote},
    retry,
    rows::{self, Job, QUEUE, Row},
    schedule::{Failed, Schedule, Tick, Timer},
    status::Phase,
    upload::{Done, Outcome},
};
use crate::{
    Error, Kind, Result,
    engine::{Direction, KeyRange},
    port::Volume,
};
use alloc::vec::Vec;
use core::{pin::pin, time::Duration};
use futures::{FutureExt, StreamExt, select_biased, stream::FuturesUnordered};

/// What a host asks of the schedule.
#[derive(Default)]
pub(super) struct Control {
    paused: bool,
    /// Slow wanted other credentials.
    auth: Option<Error>,
    /// How often somebody asked for everything to be tried at once.
    wakes: u64,
}

impl Control {
    /// How often somebody asked for everything to be tried at once, and whether credentials are wrong.
    fn wakes(&self) -> (u64, bool) {
        (self.wakes, self.auth.is_some())
    }
}

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// Starts no more uploads, deletions and root moves; those on their way go on. Not remembered over a restart.
    pub fn pause(&self) {
        self.0.control.lock().paused = true;
        self.0.account.work.notify(usize::MAX);
    }

    /// Takes up again what [`pause`](Pair::pause) stopped, or what stopped because slow wanted other credentials.
    pub fn resume(&self) {
        let mut control = self.0.control.lock();
        control.paused = false;
        control.auth = None;
        drop(control);
        self.wake();
    }

    /// Tries at once what waits after a failure: for a host that learns that the network is back.
    pub fn wake(&self) {
        self.0.control.lock().wakes += 1;
        self.0.account.work.notify(usize::MAX);
    }

    /// Whether slow wants other credentials.
    pub(super) fn auth_error(&self) -> Option<Error> {
        self.0.control.lock().auth.clone()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.0.control.lock().paused
    }

    /// Brings the queue to slow until the pair is closed.
    pub(super) async fn upload_loop(self) {
        let mut schedule = Schedule::default();
        let mut active = FuturesUnordered::new();
        let mut timers = FuturesUnordered::new();
        let mut counting = false;
        loop {
            let mut work = self.0.account.work.listen().fuse();
            if self.0.account.is_closed() {
                return;
            }
            if self.0.options.queue.is_none() {
                work.await;
                continue;
            }
            let (wakes, auth) = self.0.control.lock().wakes();
            if wakes != schedule.wakes {
                schedule.wakes = wakes;
                schedule.wake(auth);
                timers = FuturesUnordered::new();
                counting = false;
            }
            // Attempts go on meanwhile: one may hold what this waits for.
            let (started, ended) = {
                let mut start = pin!(self.start(&mut schedule).fuse());
                let mut ended = Vec::new();
                loop {
                    select_biased! {
                        started = start => break (started, ended),
                        done = active.select_next_some() => ended.push(done),
                    }
                }
            };
            for done in ended {
                for timer in self.done(&mut schedule, done) {
                    timers.push(self.clone().timer(timer));
                }
                // What it made room for.
                self.0.account.work.notify(usize::MAX);
            }
            match started {
                Ok(started) => {
                    if schedule.counted && !counting {
                        counting = true;
                        timers.push(self.clone().timer(Timer {
                            wait: COUNT_PAUSE,
                            tick: Tick::Count,
                        }));
                    }
                    for (order, row) in started {
                        let failures = schedule.failures(order);
                        active.push(self.clone().attempt(order, row, failures));
                    }
                }
                Err(error) if error.kind() == Kind::Closed => return,
                Err(error) => {
                    if let Some(timer) = self.stuck(&mut schedule, error) {
                        timers.push(self.clone().timer(timer));
                    }
                }
            }
            self.0.board.phase(self.phase(&schedule), active.len());
            select_biased! {
                done = active.select_next_some() => {
                    for timer in self.done(&mut schedule, done) {
                        timers.push(self.clone().timer(timer));
                    }
                }
                tick = timers.select_next_some() => {
                    counting &= !matches!(tick, Tick::Count);
                    schedule.tick(tick);
                }
                () = work => {}
            }
        }
    }

    async fn timer(self, timer: Timer) -> Tick {
        self.0.env.sleep(timer.wait).await;
        timer.tick
    }

    /// Everything that can start now.
    async fn start(&self, schedule: &mut Schedule) -> Result<Vec<(u64, Row)>> {
        if self.0.account.in_doubt() && !schedule.counted {
            // A long queue is not counted again and again.
            schedule.counted = self.recount().await? > COUNT_AT_ONCE;
        }
        let mut started = Vec::new();
        while self.may_start(schedule) {
            let mut next = self.next_root(schedule).await?;
            if next.is_none() {
                next = self.next(schedule).await?;
            }
            if next.is_none() {
                // The walk may just have come upon a root whose turn it is.
                next = self.next_root(schedule).await?;
            }
            let Some((order, row)) = next else { break };
            schedule.started(order, &row);
            started.push((order, row));
        }
        Ok(started)
    }

    fn may_start(&self, schedule: &Schedule) -> bool {
        let control = self.0.control.lock();
        if control.paused || schedule.gate.closed {
            return false;
        }
        if control.auth.is_some() && !schedule.auth_probe {
            return false;
        }
        // One at a time until slow has answered again.
        let alone = schedule.gate.failures > 0 || schedule.auth_probe;
        let most = match alone {
            true => 1,
            false => self.0.options.uploads.max(1),
        };
        schedule.active.len() < most
    }

    /// The oldest change that can start, roots aside.
    async fn next(&self, schedule: &mut Schedule) -> Result<Option<(u64, Row)>> {
        loop {
            let Some(order) = self.next_order(schedule).await? else {
                return Ok(None);
            };
            if schedule.held.contains(&order) {
                continue;
            }
            let view = self.0.store.view();
            let Some(value) = view.get(QUEUE, &rows::order_key(order)).await? else {
                continue;
            };
            let troubled = self.note(&view, order).await;
            let (Ok(None), Ok(row)) = (troubled, Row::decode(&value)) else {
                // In trouble, or unreadable: listed, and in nobody's way.
                continue;
            };
            let Some(pointer) = row.job.pointer() else {
                schedule.held.insert(order);
                schedule.roots.insert(order);
                continue;
            };
            let mut behind = schedule.busy.contains(&pointer);
            if let Job::Put { .. } = row.job
                && let Some(delete) = self.queued(&view, &pointer).await?.delete
            {
                // Slow must have forgotten the blob before it gets it again.
                behind |= self.note(&view, delete).await?.is_none();
            }
            if behind {
                schedule.held.insert(order);
                schedule.behind.entry(pointer).or_default().push(order);
                continue;
            }
            return Ok(Some((order, row)));
        }
    }

    /// The next order to look at: what became ready again, or the next one of the walk.
    async fn next_order(&self, schedule: &mut Schedule) -> Result<Option<u64>> {
        if let Some(fresh) = self.0.account.take_fresh()
            && fresh < schedule.cursor
        {
            let unread = schedule.ahead.front().copied();
            schedule.cursor = unread.map_or(fresh, |unread| unread.min(fresh));
            schedule.ahead.clear();
        }
        if schedule.ahead.is_empty() {
            let view = self.0.store.view();
            let (low, _) = self.0.account.low();
            let from = schedule.cursor.max(low);
            let range = KeyRange::from(rows::order_key(from));
            let mut scan = view.scan(QUEUE, range, Direction::Forward);
            while schedule.ahead.len() < AHEAD
                && let Some(entry) = scan.next().await?
            {
                if let Ok(order) = rows::order_of(&entry.key) {
                    schedule.ahead.push_back(order);
                }
            }
            // What is there now has been seen; a commit that ends later says so.
            if let Some(last) = schedule.ahead.back() {
                schedule.cursor = last.saturating_add(1);
            }
        }
        let walk = schedule.ahead.front().copied();
        let ready = schedule.ready.first().copied();
        let again = match (ready, walk) {
            // To find out whether slow is back, what has not failed yet is the better question: else a few
            // items that always fail could keep all others waiting.
            (Some(_), Some(_)) if schedule.gate.failures > 0 => false,
            (Some(ready), Some(walk)) => ready <= walk,
            (Some(_), None) => true,
            (None, _) => false,
        };
        match again {
            true => Ok(schedule.ready.pop_first()),
            false => Ok(schedule.ahead.pop_front()),
        }
    }

    /// The oldest root whose turn it is: everything queued before it is remote.
    async fn next_root(&self, schedule: &mut Schedule) -> Result<Option<(u64, Row)>> {
        while let Some(order) = schedule.roots.first().copied() {
            let (low, horizon) = self.0.account.low();
            let view = self.0.store.view();
            let range = KeyRange::between(rows::order_key(low), rows::order_key(order));
            let mut scan = view.scan(QUEUE, range, Direction::Forward);
            let mut first = None;
            while let Some(entry) = scan.next().await? {
                let before = rows::order_of(&entry.key)?;
                first = first.or(Some(before));
                if self
                    .holds_roots(&view, before, &scan.value().await?)
                    .await?
                {
                    self.0.account.found_first(first, horizon);
                    return Ok(None);
                }
            }
            self.0
                .account
                .found_first(Some(first.unwrap_or(order)), horizon);
            schedule.roots.pop_first();
            schedule.held.remove(&order);
            let value = view.get(QUEUE, &rows::order_key(order)).await?;
            let troubled = self.note(&view, order).await?.is_some();
            if let (Some(value), false) = (value, troubled) {
                return Ok(Some((order, Row::decode(&value)?)));
            }
        }
        Ok(None)
    }

    /// Whether a change that is still queued keeps later roots back. Only a blob that slow refused does, besides
    /// what is on its way: the root may need it. A refused deletion or root is nothing that others need.
    pub(super) async fn holds_roots(
        &self,
        view: &crate::engine::View<V>,
        order: u64,
        row: &[u8],
    ) -> Result<bool> {
        match Row::decode(row) {
            Ok(Row {
                job: Job::Put { .. },
                ..
            }) => Ok(true),
            Ok(_) => Ok(self.note(view, order).await?.is_none()),
            Err(_) => Ok(true),
        }
    }

    /// An attempt ended: what else can go, and what is to be timed.
    fn done(&self, schedule: &mut Schedule, done: Done) -> Vec<Timer> {
        schedule.ended(done.order, done.pointer);
        if let Outcome::Settled | Outcome::Moot = done.outcome {
            // Somebody may have asked to try it again while this attempt was ending, and the walk went past it: one more look.
            schedule.ready.insert(done.order);
        }
        let mut timers = Vec::new();
        let probing = core::mem::take(&mut schedule.auth_probe);
        match done.outcome {
            Outcome::Settled => {
                schedule.failed.remove(&done.order);
                schedule.answered();
                if probing {
                    self.0.control.lock().auth = None;
                }
            }
            Outcome::Moot => {
                schedule.failed.remove(&done.order);
                schedule.auth_probe = probing;
            }
            Outcome::Again(error) => {
                self.0
                    .board
                    .tell(|status| status.last_error = Some(error.clone()));
                // Slow answered others since this one failed before: it is not slow as a whole that fails.
                let alone = schedule
                    .failed
                    .get(&done.order)
                    .is_some_and(|failed| failed.answers != schedule.answers);
                let failures = schedule.failures(done.order).saturating_add(1);
                let failed = Failed {
                    failures,
                    answers: schedule.answers,
                };
                schedule.failed.insert(done.order, failed);
                schedule.parked.insert(done.order);
                schedule.held.insert(done.order);
                timers.push(Timer {
                    wait: self.0.options.backoff.wait(failures, &self.0.env),
                    tick: Tick::Item(done.order, schedule.round),
                });
                if error.retry_after().is_some() || (retry::concerns_all(&error) && !alone) {
                    timers.extend(self.shut(schedule, error));
                } else if !retry::concerns_all(&error) {
                    schedule.answered();
                }
                if probing {
                    timers.push(self.auth_timer(schedule));
                }
            }
            Outcome::Auth(error) => {
                self.0
                    .board
                    .tell(|status| status.last_error = Some(error.clone()));
                schedule.ready.insert(done.order);
                let news = self.0.control.lock().auth.replace(error).is_none();
                if news || probing {
                    timers.push(self.auth_timer(schedule));
                }
            }
            Outcome::Stuck(error) => {
                schedule.auth_probe = probing;
                schedule.ready.insert(done.order);
                timers.extend(self.stuck(schedule, error));
            }
        }
        timers
    }

    fn auth_timer(&self, schedule: &Schedule) -> Timer {
        Timer {
            wait: self.0.options.auth_probe,
            tick: Tick::Auth(schedule.round),
        }
    }

    /// Fast cannot be read or written: nothing starts for a while.
    fn stuck(&self, schedule: &mut Schedule, error: Error) -> Option<Timer> {
        if error.kind() == Kind::Poisoned {
            // Whoever waits for something to be remote waits in vain.
            self.0.account.ring_all();
        }
        self.0
            .board
            .tell(|status| status.last_error = Some(error.clone()));
        self.shut(schedule, error)
    }

    /// Nothing starts for a while. A gate that is shut stays as it is, unless slow asks for a longer wait.
    fn shut(&self, schedule: &mut Schedule, reason: Error) -> Option<Timer> {
        let asked = reason
            .retry_after()
            .map(|wait| wait.min(self.0.options.longest_retry_after));
        let gate = &mut schedule.gate;
        if gate.closed && asked.is_none_or(|asked| asked <= gate.wait) {
            return None;
        }
        if !gate.closed {
            gate.failures = gate.failures.saturating_add(1);
        }
        let own = self.0.options.backoff.wait(gate.failures, &self.0.env);
        gate.closed = true;
        gate.firm = asked.is_some();
        gate.wait = asked.map_or(own, |asked| asked.max(own));
        gate.shut += 1;
        gate.reason = Some(reason);
        Some(Timer {
            wait: gate.wait,
            tick: Tick::Gate(gate.shut),
        })
    }

    fn phase(&self, schedule: &Schedule) -> Phase {
        let control = self.0.control.lock();
        if let Some(error) = &control.auth {
            return Phase::Auth(error.clone());
        }
        match (&schedule.gate.reason, schedule.gate.closed) {
            _ if control.paused => Phase::Paused,
            (Some(reason), true) => Phase::Waiting {
                reason: reason.clone(),
                wait: schedule.gate.wait,
            },
            _ if schedule.active.is_empty() => Phase::Idle,
            _ => Phase::Working,
        }
    }
}

/// A queue longer than this is counted again only after [`COUNT_PAUSE`].
const COUNT_AT_ONCE: u64 = 4096;
const COUNT_PAUSE: Duration = Duration::from_secs(5);

/// Rows that the walk reads ahead.
const AHEAD: usize = 64;
