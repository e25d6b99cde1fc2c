//! What the queue holds, counted in memory, and who waits for it.
//!
//! The queue itself is in the engine; here are its totals, so that a bound can be kept without counting rows.
//! Each commit that changes the queue reports its difference together with its commit number, exactly once. A
//! future that is dropped between handing its batch over and learning the outcome cannot report: its
//! [`Handover`] then says that the totals are in doubt, and `drive` counts the rows of one view again. The
//! commit numbers tell which differences that view has seen already, so that the new totals are exact while
//! commits go on.

mod handover;
mod room;
#[cfg(test)]
mod tests;

pub(super) use handover::Waiter;
pub(super) use room::Room;

use super::{options::QueueBound, status::Board};
use crate::{Error, Kind, Result, sorted::SortedMap, sync::Mutex};
use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};
use core::ops::{Add, AddAssign, Neg};
use event_listener::Event;

/// Totals of the queue, or a difference between two of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub entries: i64,
    pub bytes: i64,
    pub failed: i64,
    pub missing: i64,
}

impl Counts {
    /// One change of `bytes`.
    pub fn one(bytes: u64) -> Self {
        Counts {
            entries: 1,
            bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            ..Counts::default()
        }
    }

    /// One note of trouble.
    pub fn trouble(missing: bool) -> Self {
        Counts {
            failed: i64::from(!missing),
            missing: i64::from(missing),
            ..Counts::default()
        }
    }
}

impl Add for Counts {
    type Output = Counts;

    fn add(self, other: Counts) -> Counts {
        Counts {
            entries: self.entries.saturating_add(other.entries),
            bytes: self.bytes.saturating_add(other.bytes),
            failed: self.failed.saturating_add(other.failed),
            missing: self.missing.saturating_add(other.missing),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        *self = *self + other;
    }
}

impl Neg for Counts {
    type Output = Counts;

    fn neg(self) -> Counts {
        Counts {
            entries: self.entries.saturating_neg(),
            bytes: self.bytes.saturating_neg(),
            failed: self.failed.saturating_neg(),
            missing: self.missing.saturating_neg(),
        }
    }
}

/// The books of one open pair.
pub(super) struct Account {
    books: Mutex<Books>,
    /// Rings when there may be something to do.
    pub work: Event,
    /// Rings when there may be room in the queue.
    room: Event,
    /// Rings when the pair is closed.
    closing: Event,
    board: Arc<Board>,
}

struct Books {
    bound: QueueBound,
    /// No more changes are taken.
    closing: bool,
    closed: bool,
    /// The store under it is closed too, or could not be.
    ended: Option<Result<()>>,
    counts: Counts,
    /// Differences of commits up to here are in `counts`, whoever reports them later.
    floor: u64,
    /// What was reported since a recount began.
    since: Option<Vec<(u64, Counts)>>,
    /// Somebody could not report.
    doubt: bool,
    /// Orders whose commit nobody saw end.
    doubtful: Vec<u64>,
    reserved: Counts,
    /// Who waits for room, first come first served.
    line: BTreeSet<u64>,
    next_in_line: u64,
    next_order: u64,
    /// The number that is written down as above every order.
    written: u64,
    /// Orders that were handed out and whose commit has not ended.
    assigned: BTreeSet<u64>,
    /// The lowest order that there is something new about.
    fresh: Option<u64>,
    /// No row of the queue is below.
    low: u64,
    waiters: SortedMap<u64, (Arc<Event>, usize)>,
    /// Moves of roots that were refused and then given up, for who still has their receipts.
    given_up: BTreeSet<u64>,
}

/// Orders are written down this many at a time.
const ORDERS: u64 = 1024;

impl Account {
    /// The books as `counts` at commit `floor`, giving out orders from `next_order` on.
    pub fn open(
        bound: QueueBound,
        counts: Counts,
        floor: u64,
        first: u64,
        next_order: u64,
        board: Arc<Board>,
    ) -> Arc<Self> {
        Arc::new(Account {
            books: Mutex::new(Books {
                bound,
                closing: false,
                closed: false,
                ended: None,
                counts,
                floor,
                since: None,
                doubt: false,
                doubtful: Vec::new(),
                reserved: Counts::default(),
                line: BTreeSet::new(),
                next_in_line: 0,
                next_order,
                written: next_order,
                assigned: BTreeSet::new(),
                fresh: None,
                low: first,
                waiters: SortedMap::new(),
                given_up: BTreeSet::new(),
            }),
            work: Event::new(),
            room: Event::new(),
            closing: Event::new(),
            board,
        })
    }

    pub fn counts(&self) -> Counts {
        self.books.lock().counts
    }

    /// The order that will be handed out next.
    pub fn next_order(&self) -> u64 {
        self.books.lock().next_order
    }

    /// Changes that were handed an order and of which nobody knows whether they are in the queue.
    pub fn outstanding(&self) -> u64 {
        self.books.lock().assigned.len() as u64
    }

    /// No row is below the first number; every row that a view taken from now on may lack is at or above the second.
    pub fn low(&self) -> (u64, u64) {
        let books = self.books.lock();
        let horizon = books.assigned.first().copied().unwrap_or(books.next_order);
        (books.low, horizon)
    }

    /// The first row that a view showed, which was taken after `low` told this horizon.
    pub fn found_first(&self, order: Option<u64>, horizon: u64) {
        let mut books = self.books.lock();
        let low = order.unwrap_or(u64::MAX).min(horizon);
        books.low = books.low.max(low);
    }

    /// The lowest order that there is something new about since the last call.
    pub fn take_fresh(&self) -> Option<u64> {
        self.books.lock().fresh.take()
    }

    /// These changes leave the queue without slow's acknowledgement: whoever watches them is to know.
    pub fn give_up(&self, orders: &[u64]) {
        let mut books = self.books.lock();
        for order in orders {
            if books.waiters.contains_key(order) {
                books.given_up.insert(*order);
            }
        }
    }

    /// Whoever waits for anything looks again.
    pub fn ring_all(&self) {
        let events = self.books.lock().events();
        for event in events {
            event.notify(usize::MAX);
        }
    }

    /// They stay after all.
    pub fn keep(&self, orders: &[u64]) {
        let mut books = self.books.lock();
        for order in orders {
            books.given_up.remove(order);
        }
    }

    /// Whether a change left the queue without slow's acknowledgement.
    pub fn is_given_up(&self, order: u64) -> bool {
        self.books.lock().given_up.contains(&order)
    }

    /// Whether the totals are in doubt.
    pub fn in_doubt(&self) -> bool {
        self.books.lock().doubt
    }

    /// Everything that waits here says `Closed` from now on.
    pub fn close(&self) {
        let mut books = self.books.lock();
        books.closed = true;
        let waiters = core::mem::take(&mut books.waiters);
        drop(books);
        for (event, _) in waiters.values() {
            event.notify(usize::MAX);
        }
        self.room.notify(usize::MAX);
        self.work.notify(usize::MAX);
        self.closing.notify(usize::MAX);
        self.board.touch();
    }

    /// Takes no more changes from now on.
    pub fn begin_closing(&self) -> Result<()> {
        let mut books = self.books.lock();
        books.open()?;
        books.closing = true;
        drop(books);
        self.room.notify(usize::MAX);
        Ok(())
    }

    /// `Closed` once no more changes are taken.
    pub fn takes_changes(&self) -> Result<()> {
        self.books.lock().takes_changes()
    }

    /// Returns once the pair is closed.
    pub async fn closed(&self) {
        loop {
            let listener = self.closing.listen();
            if self.is_closed() {
                return;
            }
            listener.await;
        }
    }

    /// The store under the pair is closed, or could not be.
    pub fn end(&self, closed: Result<()>) {
        self.books.lock().ended.get_or_insert(closed);
        self.closing.notify(usize::MAX);
    }

    /// Returns once the store under the pair is closed, or could not be.
    pub async fn ended(&self) -> Result<()> {
        loop {
            let listener = self.closing.listen();
            if let Some(closed) = &self.books.lock().ended {
                return closed.clone();
            }
            listener.await;
        }
    }

    pub fn is_closed(&self) -> bool {
        self.books.lock().closed
    }

    /// `Closed` once it is.
    pub fn open_or_closed(&self) -> Result<()> {
        self.books.lock().open()
    }
}

impl Books {
    fn open(&self) -> Result<()> {
        match self.closed {
            false => Ok(()),
            true => Err(Error::new(Kind::Closed, "the pair was closed")),
        }
    }

    fn takes_changes(&self) -> Result<()> {
        match self.closing {
            false => self.open(),
            true => Err(Error::new(Kind::Closed, "the pair is being closed")),
        }
    }

    fn freshen(&mut self, order: u64) {
        self.fresh = Some(self.fresh.map_or(order, |fresh| fresh.min(order)));
    }

    fn report(&mut self, commit: u64, difference: Counts) {
        if let Some(since) = &mut self.since {
            since.push((commit, difference));
        }
        if commit > self.floor {
            self.counts += difference;
        }
    }

    fn events(&self) -> Vec<Arc<Event>> {
        let events = self.waiters.values();
        events.map(|(event, _)| event.clone()).collect()
    }

    fn ring(&mut self, order: u64) -> Option<Arc<Event>> {
        self.waiters.get(&order).map(|(event, _)| event.clone())
    }
}
