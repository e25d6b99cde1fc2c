//! Waiting until slow has everything, and closing.

use super::{
    handle::{Environment, Pair, Remote},
    rows::{self, QUEUE},
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
    /// everything else is remote; `Auth` as soon as slow wants other credentials; `Timeout` when cancelled; `Closed`.
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
    /// the pair and its store. Back by the deadline, saying what is left in the queue; it is taken up when the
    /// store is opened again. Where nothing can move (paused, wrong credentials, no queue) it does not wait.
    ///
    /// Any use of the pair, and waiting on its receipts, says `Closed` from then on.
    ///
    /// # Errors
    /// `Closed` when it is already; those of closing the store, where this call does it because nobody drives.
    pub async fn close(&self, deadline: Duration) -> Result<Pending> {
        self.0.account.begin_closing()?;
        let end = deadline / 8;
        let moves = self.0.options.queue.is_some()
            && !self.is_paused()
            && self.auth_error().is_none()
            && self.now().queued > 0;
        if moves {
            let walk = pin!(self.walk(u64::MAX));
            let patience = pin!(self.0.env.sleep(deadline - end));
            // What is left is told below, whatever ended the wait.
            let _ = select(walk, patience).await;
        }
        let left = self.left().await;
        let driven = self.0.board.is_driven();
        self.0.account.close();
        self.cache_woken();
        let patience = pin!(self.0.env.sleep(end));
        if driven {
            // `drive` closes the store, also when this wait ends before.
            let ended = pin!(self.0.account.ended());
            let _ = select(ended, patience).await;
        } else {
            let closing = pin!(self.0.store.close());
            if let Either::Left((closed, _)) = select(closing, patience).await {
                self.0.account.end();
                // Somebody else may close the store itself.
                closed.or_else(|error| match error.kind() {
                    Kind::Closed => Ok(()),
                    _ => Err(error),
                })?;
            }
        }
        left
    }

    /// Waits along the queue until nothing below `target` moves any more.
    async fn walk(&self, target: u64) -> Result<()> {
        let mut failure = None;
        let mut from = 0;
        while let Some(order) = self.first_moving(&mut from, target, &mut failure).await? {
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
                drop(view);
                select(listener, news).await;
            }
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The first change in `from..target` that is not in trouble; `from` moves behind those that are.
    async fn first_moving(
        &self,
        from: &mut u64,
        target: u64,
        failure: &mut Option<Error>,
    ) -> Result<Option<u64>> {
        let (low, horizon) = self.0.account.low();
        let start = low.max(*from);
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
            *from = order;
            let trouble = match rows::Row::decode(&scan.value().await?) {
                Ok(_) => self.note(&view, order).await?.map(|note| note.error()),
                Err(unreadable) => Some(unreadable),
            };
            match trouble {
                None => {
                    moving = Some(order);
                    break;
                }
                Some(error) => {
                    failure.get_or_insert_with(|| {
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
