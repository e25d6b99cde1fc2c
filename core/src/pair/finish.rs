//! Waiting until slow has everything, and closing.

use super::{
    handle::{Environment, Pair, Remote},
    rows::{self, Job, QUEUE, Row},
    status::Pending,
};
use crate::{
    Error, Kind, Result,
    engine::{Direction, KeyRange},
    port::Volume,
};
use core::{future::Future, pin::pin, time::Duration};
use futures::future::{Either, select};

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// Returns when everything that was queued before the call is remote. Somebody must poll [`drive`](Pair::drive).
    ///
    /// `cancel` ends the waiting: a timer, a signal, or [`core::future::pending`] for none. Dropping the future does too.
    ///
    /// # Errors
    /// The reason of the oldest change that slow refused for good or whose bytes are missing, once
    /// everything else is remote that such a change does not hold back (a blob that is not remote holds back the roots that
    /// were moved after it was put); `Auth` as soon as slow wants other credentials; `Poisoned` when the store here takes no more writes; `Timeout` when
    /// cancelled; `Closed`.
    pub async fn sync(&self, cancel: impl Future<Output = ()>) -> Result<()> {
        self.0.account.open_or_closed()?;
        let target = self.0.account.next_order();
        let walk = pin!(self.walk(target));
        let cancel = pin!(cancel);
        match select(walk, cancel).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(((), _)) => {
                let left = self.left().await?;
                Err(Error::new(
                    Kind::Timeout,
                    alloc::format!(
                        "cancelled while {} changes ({} bytes) were not remote",
                        left.count,
                        left.bytes
                    ),
                ))
            }
        }
    }

    /// Takes no more changes, goes on uploading until everything is remote or seven eighths of `deadline` have passed, then closes
    /// the pair and its store. Back by the deadline, saying what is left in the queue (changes whose call has not ended
    /// count); it is taken up when the store is opened again. Where nothing can move (paused, wrong credentials, no queue) it does not wait.
    ///
    /// Any use of the pair, and waiting on its receipts, says `Closed` from then on.
    ///
    /// # Errors
    /// `Closed` when it is already; those of closing the store, if that came to an end by the deadline.
    pub async fn close(&self, deadline: Duration) -> Result<Pending> {
        self.0.account.begin_closing()?;
        let end = deadline / 8;
        let moves = self.0.options.queue.is_some()
            && !self.is_paused()
            && self.auth_error().is_none()
            && (self.now().queued > 0 || self.0.account.outstanding() > 0);
        let mut rest = pin!(self.0.env.sleep(deadline));
        if moves {
            let walk = pin!(self.walk_to_the_end());
            let patience = pin!(self.0.env.sleep(deadline - end));
            // What is left is told below, whatever ended the wait.
            let _ = select(walk, select(patience, rest.as_mut())).await;
        }
        // Asked before the queue is looked at: what ends in between is counted twice rather than not at all.
        let outstanding = self.0.account.outstanding();
        let left = self.left().await.map(|left| Pending {
            count: left.count.saturating_add(outstanding),
            ..left
        });
        let driven = self.0.board.is_driven();
        self.0.account.close();
        self.cache_woken();
        if driven {
            // `drive` closes the store, also when this wait ends before.
            let ended = pin!(self.0.account.ended());
            if let Either::Left((closed, _)) = select(ended, rest).await {
                closed?;
            }
        } else {
            let closing = pin!(self.close_store());
            if let Either::Left((closed, _)) = select(closing, rest).await {
                closed?;
            }
        }
        left
    }

    /// `Poisoned` once the store takes no more writes.
    pub(super) fn writes_go_on(&self) -> Result<()> {
        match self.0.store.stats().poisoned {
            false => Ok(()),
            true => Err(Error::new(
                Kind::Poisoned,
                "the store here takes no more writes, so nothing leaves the queue: open it again",
            )),
        }
    }

    /// Closes the store, and tells whoever waits for that.
    pub(super) async fn close_store(&self) -> Result<()> {
        let closed = match self.0.store.close().await {
            // Somebody else may close the store itself.
            Err(error) if error.kind() == Kind::Closed => Ok(()),
            closed => closed,
        };
        self.0.account.end(closed.clone());
        closed
    }

    /// Waits until nothing moves any more and nothing comes any more.
    async fn walk_to_the_end(&self) -> Result<()> {
        loop {
            let news = self.0.board.listen();
            self.walk(u64::MAX).await?;
            if self.0.account.outstanding() == 0 {
                return Ok(());
            }
            news.await;
        }
    }

    /// Waits along the queue until nothing below `target` moves any more.
    async fn walk(&self, target: u64) -> Result<()> {
        let mut passed = Passed::default();
        while let Some(order) = self.first_moving(&mut passed, target).await? {
            let waiter = self.0.account.watch(order);
            loop {
                let listener = waiter.listen();
                let news = self.0.board.listen();
                self.0.account.open_or_closed()?;
                if let Some(error) = self.auth_error() {
                    return Err(error);
                }
                let view = self.0.store.view();
                let queued = view.len(QUEUE, &rows::order_key(order)).await?.is_some();
                if !queued || self.note(&view, order).await?.is_some() {
                    break;
                }
                self.writes_go_on()?;
                drop(view);
                select(listener, news).await;
            }
        }
        match passed.failure {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The first change below `target` that moves by itself, behind what was passed already.
    async fn first_moving(&self, passed: &mut Passed, target: u64) -> Result<Option<u64>> {
        let (low, horizon) = self.0.account.low();
        let start = low.max(passed.from);
        if start >= target {
            return Ok(None);
        }
        let view = self.0.store.view();
        let range = KeyRange::between(rows::order_key(start), rows::order_key(target));
        let mut scan = view.scan(QUEUE, range, Direction::Forward);
        let mut first = None;
        let mut moving = None;
        while let Some(entry) = scan.next().await? {
            let order = rows::order_of(&entry.key)?;
            first = first.or(Some(order));
            passed.from = order;
            let row = scan.value().await?;
            let trouble = match Row::decode(&row) {
                Ok(_) => self.note(&view, order).await?.map(|note| note.error()),
                Err(unreadable) => Some(unreadable),
            };
            match trouble {
                None if passed.holds_roots && is_root(&row) => {}
                None => {
                    moving = Some(order);
                    break;
                }
                Some(error) => {
                    passed.holds_roots |= self.holds_roots(&view, order, &row).await?;
                    passed.failure.get_or_insert_with(|| {
                        error.context(alloc::format!("change {order} of the queue"))
                    });
                }
            }
        }
        if start == low {
            self.0
                .account
                .found_first(Some(first.unwrap_or(target)), horizon);
        }
        Ok(moving)
    }
}

/// What a walk along the queue has come past.
#[derive(Default)]
struct Passed {
    /// Nothing below moves.
    from: u64,
    /// Why the first change that does not move does not.
    failure: Option<Error>,
    /// Roots behind here wait for something that does not move.
    holds_roots: bool,
}

fn is_root(row: &[u8]) -> bool {
    matches!(
        Row::decode(row),
        Ok(Row {
            job: Job::Root { .. },
            ..
        })
    )
}
