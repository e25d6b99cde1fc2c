//! Who changes the queue tells here what came of it; who counts it, and who waits for a change, listens here.

use super::{Account, Counts, ORDERS};
use crate::Result;
use alloc::{sync::Arc, vec::Vec};
use event_listener::{Event, EventListener};

impl Account {
    /// Hands out the next order. `Some(number)` is to be written down as above every order, in the same commit.
    ///
    /// # Errors
    /// `Closed` once no more changes are taken: who closes knows then of every change that may still come.
    pub fn assign(self: &Arc<Self>) -> Result<(Handover, u64, Option<u64>)> {
        let mut books = self.books.lock();
        books.takes_changes()?;
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
        Ok((handover, order, write))
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

    /// Rings once something happened to the change with this order.
    pub fn watch(self: &Arc<Self>, order: u64) -> Waiter {
        let mut books = self.books.lock();
        let event = match books.waiters.get_mut(&order) {
            Some((event, watchers)) => {
                *watchers += 1;
                event.clone()
            }
            None => {
                let event = Arc::new(Event::new());
                books.waiters.insert(order, (event.clone(), 1));
                event
            }
        };
        drop(books);
        Waiter {
            account: self.clone(),
            order,
            event,
        }
    }
}

/// From just before a commit that changes the queue until its outcome is known and told here.
///
/// Dropped before that, it puts the totals in doubt.
pub struct Handover {
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
            self.account.board.touch();
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
pub struct Recount {
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
            rung.extend(books.events());
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
pub struct Waiter {
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
                books.given_up.remove(&self.order);
            }
        }
    }
}
