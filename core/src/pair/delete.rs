//! Deleting: hidden at once, then gone from slow, then from fast.

use super::{
    account::Counts,
    handle::{Environment, Pair, Remote},
    put::local,
    rows::{
        self, CACHED, Job, META, META_ORDER, PINS, QUARANTINE, QUEUE, REMOTE, Row, TROUBLE,
        UNSETTLED,
    },
};
use crate::{
    Kind, Result,
    blob::{BlobStore, Pointer},
    engine::{Batch, Durability, View},
    port::Volume,
};
use core::{future::Future, pin::pin};
use futures::future::{Either, select};

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// Deletes a blob: it is hidden once this returns, also offline and after a restart; slow and then fast
    /// forget it in the background. A queued upload of it is cancelled, one in flight is waited for and
    /// undone. Putting the blob again brings it back. The queue's bound does not hold deletions up.
    ///
    /// Returns whether it was there. Only where nothing is known of it here, slow is asked, for at most
    /// [`ask`](super::Options::ask); without an answer it is taken to be there. Dropping the future: it is
    /// deleted, or not.
    ///
    /// # Errors
    /// `ReadOnly` without a queue, `Quota`, `Closed`, `Poisoned`.
    pub async fn delete(&self, pointer: &Pointer) -> Result<bool> {
        self.writable()?;
        let mut asked = false;
        loop {
            let view = self.0.store.view();
            if !self.is_known(&view, pointer).await? && !asked {
                drop(view);
                asked = true;
                let question = [*pointer];
                if let Some(Ok(has)) = self.ask(self.0.slow.has(&question)).await
                    && has == [false]
                {
                    let nothing = Batch::new();
                    let durability = local(self.0.options.durability);
                    // Also a deletion that was just made must be durable before it is answered so.
                    self.0.store.commit(nothing, durability).await?;
                    return Ok(false);
                }
                continue;
            }
            match self.hide(&view, pointer).await {
                Ok(was_there) => {
                    self.0.flights.doom(pointer);
                    return Ok(was_there);
                }
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether anything is known of the blob here.
    async fn is_known(&self, view: &View<V>, pointer: &Pointer) -> Result<bool> {
        let settled = self.queued(view, pointer).await?.is_settled();
        Ok(!settled
            || view.len(REMOTE, pointer.as_bytes()).await?.is_some()
            || self.0.fast.stat(pointer).await?.is_some())
    }

    async fn hide(&self, view: &View<V>, pointer: &Pointer) -> Result<bool> {
        let durability = local(self.0.options.durability);
        let mut queued = self.queued(view, pointer).await?;
        if queued.hidden {
            self.0.store.commit(Batch::new(), durability).await?;
            return Ok(false);
        }
        let mut batch = Batch::new();
        batch.require_unchanged(UNSETTLED, rows::blob_key(pointer), view);
        batch.delete(REMOTE, rows::blob_key(pointer));
        let mut difference = Counts::default();
        let put = queued.put.take();
        let earlier = queued.delete.take();
        // A deletion that is queued already does for this one too: nothing was sent since.
        let mut keep = None;
        for order in [put, earlier].into_iter().flatten() {
            let note = self.note(view, order).await?;
            // Its attempt may end in trouble at this very time.
            batch.require_unchanged(TROUBLE, rows::order_key(order), view);
            if Some(order) == earlier && note.is_none() {
                keep = Some(order);
                continue;
            }
            if let Some(note) = note {
                batch.delete(TROUBLE, rows::order_key(order));
                difference += -Counts::trouble(note.missing);
            }
            batch.delete(QUEUE, rows::order_key(order));
            let bytes = if Some(order) == put { queued.size } else { 0 };
            difference += -Counts::one(bytes);
        }
        let mut handover = match keep {
            Some(order) => {
                queued.delete = Some(order);
                self.0.account.handover()
            }
            None => {
                let (handover, order, above) = self.0.account.assign()?;
                queued.delete = Some(order);
                let row = Row {
                    since: self.0.env.now(),
                    job: Job::Delete { pointer: *pointer },
                };
                batch.put(QUEUE, rows::order_key(order), row.encode());
                if let Some(above) = above {
                    batch.put(META, META_ORDER, rows::encode_number(above));
                }
                difference += Counts::one(0);
                handover
            }
        };
        for order in [put, earlier].into_iter().flatten() {
            handover.rings(order);
        }
        queued.hidden = true;
        queued.size = 0;
        batch.put(UNSETTLED, rows::blob_key(pointer), queued.encode());
        match self.0.store.commit(batch, durability).await {
            Ok(receipt) => {
                handover.happened(receipt.commit(), difference);
                Ok(true)
            }
            Err(error) => {
                handover.failed();
                Err(error)
            }
        }
    }

    /// Slow has forgotten the blob: fast does too, unless it was put again. The tombstone goes in the same commit.
    pub(super) async fn deleted(&self, order: u64, pointer: Pointer) -> Result<()> {
        loop {
            // Before the tombstone goes: what a fetch of earlier brings is not kept.
            self.0.flights.doom(&pointer);
            let view = self.0.store.view();
            let mut queued = self.queued(&view, &pointer).await?;
            if queued.delete != Some(order) {
                return self.drop_row(order).await;
            }
            let mut batch = Batch::new();
            batch.require_unchanged(UNSETTLED, rows::blob_key(&pointer), &view);
            queued.delete = None;
            let again = !core::mem::take(&mut queued.hidden);
            Self::set_queued(&mut batch, &pointer, &queued);
            batch.delete(QUEUE, rows::order_key(order));
            if !again {
                self.0.fast.remove_in(&mut batch, &pointer, &view).await?;
                for space in [CACHED, PINS, QUARANTINE, REMOTE] {
                    batch.delete(space, rows::blob_key(&pointer));
                }
            }
            let mut handover = self.0.account.handover();
            handover.rings(order);
            match self.0.store.commit(batch, Durability::Local).await {
                Ok(receipt) => {
                    handover.happened(receipt.commit(), -Counts::one(0));
                    self.0.board.tell(|_| {});
                    return self.0.fast.release().await;
                }
                Err(error) => {
                    handover.failed();
                    if error.kind() != Kind::Conflict {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The answer to a question, or `None` if it takes too long.
    pub(super) async fn ask<T>(&self, question: impl Future<Output = T>) -> Option<T> {
        let question = pin!(question);
        let patience = pin!(self.0.env.sleep(self.0.options.ask));
        match select(question, patience).await {
            Either::Left((answer, _)) => Some(answer),
            Either::Right(((), _)) => None,
        }
    }
}
