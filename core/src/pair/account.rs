//! What the queue holds, counted in memory, and who waits for it.
//!
//! The queue itself is in the engine; here are its totals, so that a bound can be kept without counting rows.
//! Each commit that changes the queue reports its difference together with its commit number, exactly once. A
//! future that is dropped between handing its batch over and learning the outcome cannot report: its
//! [`Handover`] then says that the totals are in doubt, and `drive` counts the rows of one view again. The
//! commit numbers tell which differences that view has seen already, so that the new totals are exact while
//! commits go on.

use super::{options::QueueBound, status::Board};
use crate::{Error, Kind, Result, sync::Mutex};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use core::ops::{Add, AddAssign, Neg};
use event_listener::{Event, EventListener};

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
    /// The store under it is closed too.
    ended: bool,
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
    waiters: BTreeMap<u64, (Arc<Event>, usize)>,
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
                ended: false,
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
                waiters: BTreeMap::new(),
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

    /// Room for one change of `bytes`, without waiting.
    pub fn try_room(self: &Arc<Self>, bytes: u64) -> Result<Room> {
        let mut books = self.books.lock();
        books.takes_changes()?;
        if !books.line.is_empty() || !books.fits(bytes) {
            return Err(Error::new(
                Kind::Busy,
                alloc::format!(
                    "the queue is full: {} changes, {} bytes are not remote yet",
                    books.counts.entries,
                    books.counts.bytes
                ),
            ));
        }
        Ok(self.take_room(&mut books, bytes))
    }

    /// Room for one change of `bytes`, first come first served. Dropping the future leaves the line.
    pub async fn room(self: &Arc<Self>, bytes: u64) -> Result<Room> {
        let place = {
            let mut books = self.books.lock();
            books.takes_changes()?;
            if books.line.is_empty() && books.fits(bytes) {
                return Ok(self.take_room(&mut books, bytes));
            }
            let number = books.next_in_line;
            books.next_in_line += 1;
            books.line.insert(number);
            Place {
                account: self.clone(),
                number,
            }
        };
        loop {
            let listener = self.room.listen();
            {
                let mut books = self.books.lock();
                books.takes_changes()?;
                if books.line.first() == Some(&place.number) && books.fits(bytes) {
                    return Ok(self.take_room(&mut books, bytes));
                }
            }
            listener.await;
        }
    }

    fn take_room(self: &Arc<Self>, books: &mut Books, bytes: u64) -> Room {
        let size = Counts::one(bytes);
        books.reserved += size;
        Room {
            account: self.clone(),
            size,
        }
    }

    /// Hands out the next order. `Some(number)` is to be written down as above every order, in the same commit.
    pub fn assign(self: &Arc<Self>) -> (Handover, u64, Option<u64>) {
        let mut books = self.books.lock();
        let order = books.next_order;
        books.next_order += 1;
        books.assigned.insert(order);
        let write = (books.next_order > books.written).then(|| {
            books.written = books.next_order.saturating_add(ORDERS);
            books.written
        });
        let handover = Handover {
            account: self.clone(),
            assigned: Some(order),
            rings: Vec::new(),
            renews: None,
            ended: false,
        };
        (handover, order, write)
    }

    /// Before a commit that changes the queue without a new order.
    pub fn handover(self: &Arc<Self>) -> Handover {
        Handover {
            account: self.clone(),
            assigned: None,
            rings: Vec::new(),
            renews: None,
            ended: false,
        }
    }

    /// The order that will be handed out next.
    pub fn next_order(&self) -> u64 {
        self.books.lock().next_order
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

    /// Begins a recount if the totals are in doubt.
    pub fn begin_recount(self: &Arc<Self>) -> Option<Recount> {
        let mut books = self.books.lock();
        if !books.doubt || books.closed {
            return None;
        }
        books.doubt = false;
        books.since = Some(Vec::new());
        Some(Recount {
            account: self.clone(),
            doubtful: core::mem::take(&mut books.doubtful),
            ended: false,
        })
    }

    /// A change left the queue without slow's acknowledgement.
    pub fn give_up(&self, orders: &[u64]) {
        self.books.lock().given_up.extend(orders);
    }

    /// Whether a change left the queue without slow's acknowledgement.
    pub fn is_given_up(&self, order: u64) -> bool {
        self.books.lock().given_up.contains(&order)
    }

    /// Whether the totals are in doubt.
    pub fn in_doubt(&self) -> bool {
        self.books.lock().doubt
    }

    /// Rings once something happened to the change with this order.
    pub fn watch(self: &Arc<Self>, order: u64) -> Waiter {
        let mut books = self.books.lock();
        let (event, watchers) = books
            .waiters
            .entry(order)
            .or_insert_with(|| (Arc::new(Event::new()), 0));
        *watchers += 1;
        let event = event.clone();
        drop(books);
        Waiter {
            account: self.clone(),
            order,
            event,
        }
    }

    /// Everything that waits here says `Closed` from now on.
    pub fn close(&self) {
        let mut books = self.books.lock();
        books.closed = true;
        let waiters = core::mem::take(&mut books.waiters);
        drop(books);
        for (event, _) in waiters.into_values() {
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

    /// The store under the pair is closed.
    pub fn end(&self) {
        self.books.lock().ended = true;
        self.closing.notify(usize::MAX);
    }

    /// Returns once the store under the pair is closed.
    pub async fn ended(&self) {
        loop {
            let listener = self.closing.listen();
            if self.books.lock().ended {
                return;
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

    fn fits(&self, bytes: u64) -> bool {
        let taken = self.counts + self.reserved;
        let entries = u64::try_from(taken.entries).unwrap_or(0);
        let held = u64::try_from(taken.bytes).unwrap_or(0);
        entries < self.bound.entries.max(1)
            && (held == 0 || held.saturating_add(bytes) <= self.bound.bytes)
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

    fn ring(&mut self, order: u64) -> Option<Arc<Event>> {
        self.waiters.get(&order).map(|(event, _)| event.clone())
    }
}

/// Room in the queue that is kept for one change until it is dropped.
pub(super) struct Room {
    account: Arc<Account>,
    size: Counts,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.account.books.lock().reserved += -self.size;
        self.account.room.notify(usize::MAX);
    }
}

/// A place in the line for room.
struct Place {
    account: Arc<Account>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.account.books.lock().line.remove(&self.number);
        self.account.room.notify(usize::MAX);
    }
}

/// From just before a commit that changes the queue until its outcome is known and told here.
///
/// Dropped before that, it puts the totals in doubt.
pub(super) struct Handover {
    account: Arc<Account>,
    assigned: Option<u64>,
    rings: Vec<u64>,
    renews: Option<u64>,
    ended: bool,
}

impl Handover {
    /// Who watches `order` is to be told of the outcome.
    pub fn rings(&mut self, order: u64) {
        self.rings.push(order);
    }

    /// There is something new to be done about `order`.
    pub fn renews(&mut self, order: u64) {
        self.renews = Some(order);
    }

    /// The commit happened as number `commit`, and changed the totals by `difference`.
    pub fn happened(mut self, commit: u64, difference: Counts) {
        let account = self.account.clone();
        let mut rung = Vec::new();
        {
            let mut books = account.books.lock();
            books.report(commit, difference);
            if let Some(order) = self.assigned {
                books.assigned.remove(&order);
                books.freshen(order);
            }
            for order in &self.rings {
                rung.extend(books.ring(*order));
            }
            if let Some(order) = self.renews {
                books.freshen(order);
            }
            self.ended = true;
        }
        for event in rung {
            event.notify(usize::MAX);
        }
        account.work.notify(usize::MAX);
        account.room.notify(usize::MAX);
        account.board.touch();
    }

    /// The commit failed: nothing changed.
    pub fn failed(mut self) {
        self.ended = true;
        if let Some(order) = self.assigned {
            self.account.books.lock().assigned.remove(&order);
        }
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let mut books = self.account.books.lock();
        books.doubt = true;
        books.doubtful.extend(self.assigned);
        drop(books);
        self.account.work.notify(usize::MAX);
    }
}

/// A count of the queue's rows in progress. Dropped before its end, the totals stay in doubt.
pub(super) struct Recount {
    account: Arc<Account>,
    doubtful: Vec<u64>,
    ended: bool,
}

impl Recount {
    /// The rows of a view at `commit` amount to `counts`.
    pub fn end(mut self, commit: u64, counts: Counts) {
        let account = self.account.clone();
        let mut rung = Vec::new();
        {
            let mut books = account.books.lock();
            let since = books.since.take().unwrap_or_default();
            books.floor = commit;
            books.counts = counts;
            for (at, difference) in since {
                if at > commit {
                    books.counts += difference;
                }
            }
            for order in self.doubtful.drain(..) {
                books.assigned.remove(&order);
            }
            // Whatever nobody saw happen, somebody may wait for it.
            rung.extend(books.waiters.values().map(|(event, _)| event.clone()));
            let low = books.low;
            books.freshen(low);
            self.ended = true;
        }
        for event in rung {
            event.notify(usize::MAX);
        }
        account.room.notify(usize::MAX);
        account.board.touch();
    }
}

impl Drop for Recount {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let mut books = self.account.books.lock();
        books.doubt = true;
        books.since = None;
        books.doubtful.append(&mut self.doubtful);
    }
}

/// Somebody who waits for something to happen to one change.
pub(super) struct Waiter {
    account: Arc<Account>,
    order: u64,
    event: Arc<Event>,
}

impl Waiter {
    /// Listens from now on: look, then wait.
    pub fn listen(&self) -> EventListener {
        self.event.listen()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut books = self.account.books.lock();
        if let Some((_, watchers)) = books.waiters.get_mut(&self.order) {
            *watchers = watchers.saturating_sub(1);
            if *watchers == 0 {
                books.waiters.remove(&self.order);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use futures::FutureExt;

    fn account(entries: u64, bytes: u64) -> Arc<Account> {
        let board = Arc::new(Board::default());
        Account::open(
            QueueBound { entries, bytes },
            Counts::default(),
            0,
            1,
            1,
            board,
        )
    }

    #[test]
    fn room_is_given_in_the_order_of_asking_and_a_large_one_does_not_starve() {
        let account = account(10, 100);
        let held = account.try_room(60).unwrap();
        let mut large = Box::pin(account.room(90));
        assert!(large.as_mut().now_or_never().is_none());
        let mut small = Box::pin(account.room(10));
        assert!(
            small.as_mut().now_or_never().is_none(),
            "it would fit, but it is not its turn"
        );
        assert_eq!(account.try_room(1).err().unwrap().kind(), Kind::Busy);
        drop(held);
        let large = large.now_or_never().unwrap().unwrap();
        let small = small.now_or_never().unwrap().unwrap();
        drop((large, small));
        assert_eq!(account.books.lock().reserved, Counts::default());
    }

    #[test]
    fn leaving_the_line_lets_the_next_one_in() {
        let account = account(1, 100);
        let held = account.try_room(1).unwrap();
        let mut first = Box::pin(account.room(1));
        assert!(first.as_mut().now_or_never().is_none());
        let mut second = Box::pin(account.room(1));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        drop(held);
        assert!(second.now_or_never().is_some());
    }

    #[test]
    fn a_blob_larger_than_the_bound_is_taken_when_nothing_else_is_queued() {
        let account = account(10, 100);
        let small = account.try_room(1).unwrap();
        assert!(account.try_room(1_000).is_err());
        drop(small);
        assert!(account.try_room(1_000).is_ok());
    }

    #[test]
    fn a_recount_is_exact_while_commits_go_on() {
        let account = account(100, 1_000);
        // Commit 1 is reported, commit 2 happens but its future was dropped.
        account.assign().0.happened(1, Counts::one(5));
        drop(account.assign());
        assert!(account.in_doubt());
        let recount = account.begin_recount().unwrap();
        // Commit 3 is in the view that is counted, commit 4 is not; both report while it is counted, and
        // commit 2's twin, number 5, after it.
        let late = account.assign().0;
        account.assign().0.happened(4, Counts::one(7));
        let three = Counts::one(5) + Counts::one(5) + Counts::one(1);
        recount.end(3, three);
        late.happened(3, Counts::one(1));
        account.assign().0.happened(5, Counts::one(2));
        assert_eq!(account.counts(), three + Counts::one(7) + Counts::one(2));
        assert!(!account.in_doubt());
    }
}
