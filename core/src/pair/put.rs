//! Putting: bytes and queue entry in one commit.

use super::{
    account::{Counts, Room},
    handle::{Environment, Pair, Remote},
    receipt::{Of, Receipt},
    rows::{self, Job, META, META_ORDER, QUEUE, REMOTE, Row, TROUBLE, UNSETTLED},
};
use crate::{
    Kind, Result,
    blob::{Pointer, Staged},
    engine::{Batch, Durability, View},
    port::{Body, Volume},
};
use bytes::Bytes;

/// Whether to wait for room in the queue.
#[derive(Clone, Copy)]
enum Patience {
    Wait,
    Fail,
}

/// What a put comes down to.
enum Plan {
    /// Slow is known to have it.
    Known,
    /// It is queued already, as this change.
    Joined(u64),
    /// It is queued as a new change.
    Queued,
}

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// Stores `bytes` here and queues them for slow, in one commit. Content that is known to be remote, or
    /// is queued already, is not queued again.
    ///
    /// Returns once it has reached the pair's [`durability`](super::Options::durability); the [`Receipt`] tells
    /// when it is remote. A full queue makes it wait. Dropping the future before it returns: the blob and its
    /// queue entry are both there, or neither.
    ///
    /// # Errors
    /// `ReadOnly` without a queue, `Quota` when this side is full, `Closed`, `Poisoned`.
    pub async fn put(&self, bytes: impl Into<Bytes>) -> Result<Receipt<V, S, E>> {
        let durability = self.0.options.durability;
        self.put_bytes(bytes.into(), durability, Patience::Wait)
            .await
    }

    /// [`put`](Pair::put) that returns at `durability`: the receipt tells the rest.
    pub fn put_with(
        &self,
        bytes: impl Into<Bytes>,
        durability: Durability,
    ) -> impl Future<Output = Result<Receipt<V, S, E>>> {
        self.put_bytes(bytes.into(), durability, Patience::Wait)
    }

    /// [`put`](Pair::put) that does not wait for room in the queue.
    ///
    /// # Errors
    /// `Busy` when the queue is full; nothing was stored then.
    pub async fn try_put(&self, bytes: impl Into<Bytes>) -> Result<Receipt<V, S, E>> {
        let durability = self.0.options.durability;
        self.put_bytes(bytes.into(), durability, Patience::Fail)
            .await
    }

    /// [`put`](Pair::put) of bytes as they arrive, in bounded memory.
    ///
    /// # Errors
    /// Those of `put` and of the source; nothing is visible then.
    pub async fn put_stream<B: Body>(&self, body: B) -> Result<Receipt<V, S, E>> {
        self.writable()?;
        // A stream that says its length waits for room before it takes any.
        let room = match body.len() {
            Some(size) => Some(self.0.account.room(size).await?),
            None => None,
        };
        let durability = self.0.options.durability;
        self.stage_and_queue(body, room, durability, Patience::Wait)
            .await
    }

    /// [`put`](Pair::put) of a blob that a host has [hashed](Staged::hashed) already.
    ///
    /// # Errors
    /// Those of `put`.
    pub async fn put_staged(&self, staged: &Staged) -> Result<Receipt<V, S, E>> {
        self.writable()?;
        let durability = self.0.options.durability;
        self.queue_put(staged, None, durability, Patience::Wait)
            .await
    }

    async fn put_bytes(
        &self,
        bytes: Bytes,
        durability: Durability,
        patience: Patience,
    ) -> Result<Receipt<V, S, E>> {
        self.writable()?;
        // A large blob is in the store before its commit: room for it comes first.
        let room = match bytes.len() > crate::chunk::MAX {
            true => self.room_for(&bytes, patience).await?,
            false => None,
        };
        self.stage_and_queue(bytes, room, durability, patience)
            .await
    }

    /// Room for a blob that has not been staged yet; none where it needs none.
    async fn room_for(&self, bytes: &Bytes, patience: Patience) -> Result<Option<Room>> {
        let size = bytes.len() as u64;
        let full = match self.0.account.try_room(size) {
            Err(error) if error.kind() == Kind::Busy => error,
            room => return room.map(Some),
        };
        let pointer = Pointer::of(bytes);
        match (
            self.plan_put(&self.0.store.view(), &pointer).await?,
            patience,
        ) {
            (Plan::Known | Plan::Joined(_), _) => Ok(None),
            (Plan::Queued, Patience::Wait) => self.0.account.room(size).await.map(Some),
            (Plan::Queued, Patience::Fail) => Err(full),
        }
    }

    async fn stage_and_queue<B: Body>(
        &self,
        body: B,
        room: Option<Room>,
        durability: Durability,
        patience: Patience,
    ) -> Result<Receipt<V, S, E>> {
        let staged = self.0.fast.stage(body, &mut Batch::new()).await?;
        let queued = self.queue_put(&staged, room, durability, patience).await;
        // What was not needed: the blob was there, or could not be queued. Best effort, a sweep frees the rest.
        let _ = self.0.fast.let_go(&staged).await;
        queued
    }

    /// Commits what was staged together with its queue entry.
    async fn queue_put(
        &self,
        staged: &Staged,
        mut room: Option<Room>,
        durability: Durability,
        patience: Patience,
    ) -> Result<Receipt<V, S, E>> {
        let pointer = staged.pointer;
        loop {
            let view = self.0.store.view();
            if self.take_out_damaged(&pointer).await? {
                continue;
            }
            let plan = self.plan_put(&view, &pointer).await?;
            if let Plan::Queued = plan
                && room.is_none()
            {
                room = Some(match patience {
                    Patience::Wait => self.0.account.room(staged.size).await?,
                    Patience::Fail => self.0.account.try_room(staged.size)?,
                });
                continue;
            }
            let mut batch = Batch::new();
            self.0.fast.publish_in(staged, &mut batch).await?;
            batch.require_unchanged(UNSETTLED, rows::blob_key(&pointer), &view);
            batch.require_unchanged(REMOTE, rows::blob_key(&pointer), &view);
            let grown = self
                .mark_used(&view, &mut batch, &pointer, staged.size)
                .await?;
            let committed = match plan {
                Plan::Known => {
                    let receipt = self.0.store.commit(batch, local(durability)).await;
                    receipt.map(|commit| (commit, None))
                }
                Plan::Joined(order) => self
                    .join_put(&view, batch, order, durability)
                    .await
                    .map(|commit| (commit, Some(order))),
                Plan::Queued => self
                    .enqueue_put(&view, batch, staged, durability)
                    .await
                    .map(|(commit, order)| (commit, Some(order))),
            };
            match committed {
                Ok((commit, order)) => {
                    self.cache_grew(grown);
                    return Ok(Receipt::new(self.clone(), Of::Blob(pointer), order, commit));
                }
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn plan_put(&self, view: &View<V>, pointer: &Pointer) -> Result<Plan> {
        let queued = self.queued(view, pointer).await?;
        if let Some(order) = queued.put {
            return Ok(Plan::Joined(order));
        }
        let remote = view.len(REMOTE, pointer.as_bytes()).await?.is_some();
        Ok(match remote && queued.is_settled() {
            true => Plan::Known,
            false => Plan::Queued,
        })
    }

    /// The bytes are written again, and what kept the queued change from moving is forgotten.
    async fn join_put(
        &self,
        view: &View<V>,
        mut batch: Batch,
        order: u64,
        durability: Durability,
    ) -> Result<crate::engine::Receipt<V>> {
        let mut handover = self.0.account.handover();
        let mut difference = Counts::default();
        batch.require_unchanged(TROUBLE, rows::order_key(order), view);
        if let Some(note) = self.note(view, order).await? {
            batch.delete(TROUBLE, rows::order_key(order));
            difference += -Counts::trouble(note.missing);
            handover.rings(order);
            handover.renews(order);
        }
        match self.0.store.commit(batch, local(durability)).await {
            Ok(receipt) => {
                handover.happened(receipt.commit(), difference);
                Ok(receipt)
            }
            Err(error) => {
                handover.failed();
                Err(error)
            }
        }
    }

    async fn enqueue_put(
        &self,
        view: &View<V>,
        mut batch: Batch,
        staged: &Staged,
        durability: Durability,
    ) -> Result<(crate::engine::Receipt<V>, u64)> {
        let mut queued = self.queued(view, &staged.pointer).await?;
        let mut difference = Counts::one(staged.size);
        // A deletion that slow refused for good does not stand in the way of the blob's return.
        let refused = match queued.delete {
            Some(delete) => self
                .note(view, delete)
                .await?
                .map(|note| (delete, note.missing)),
            None => None,
        };
        let (mut handover, order, above) = self.0.account.assign()?;
        if let Some((delete, missing)) = refused {
            batch.require_unchanged(TROUBLE, rows::order_key(delete), view);
            batch.delete(TROUBLE, rows::order_key(delete));
            batch.delete(QUEUE, rows::order_key(delete));
            difference += -(Counts::one(0) + Counts::trouble(missing));
            queued.delete = None;
            handover.rings(delete);
        }
        queued.hidden = false;
        queued.put = Some(order);
        queued.size = staged.size;
        let row = Row {
            since: self.0.env.now(),
            job: Job::Put {
                pointer: staged.pointer,
                size: staged.size,
            },
        };
        batch.put(QUEUE, rows::order_key(order), row.encode());
        batch.put(UNSETTLED, rows::blob_key(&staged.pointer), queued.encode());
        if let Some(above) = above {
            batch.put(META, META_ORDER, rows::encode_number(above));
        }
        match self.0.store.commit(batch, local(durability)).await {
            Ok(receipt) => {
                handover.happened(receipt.commit(), difference);
                Ok((receipt, order))
            }
            Err(error) => {
                handover.failed();
                Err(error)
            }
        }
    }
}

/// What the engine is asked for: `Remote` is not its business.
pub(super) fn local(durability: Durability) -> Durability {
    durability.min(Durability::Strict)
}
