use super::{
    account::Waiter,
    handle::{Environment, Pair, Remote},
    rows::{self, Note, QUEUE, REMOTE, TROUBLE},
};
use crate::{
    Error, Kind, Result,
    blob::Pointer,
    engine::{self, Direction, Durability, KeyRange, View},
    port::Volume,
};

/// Tells how far a put or a move of a root has come. Dropping it changes nothing.
pub struct Receipt<V, S, E> {
    pair: Pair<V, S, E>,
    of: Of,
    /// The change in the queue; `None` for what was known to be remote already.
    order: Option<u64>,
    commit: engine::Receipt<V>,
}

/// What a receipt is for.
pub(super) enum Of {
    Blob(Pointer),
    Root {
        to: Option<Pointer>,
        /// Kept as long as the receipt, so that it learns of a move that is given up.
        _watched: Option<Waiter>,
    },
}

impl<V: Volume, S: Remote, E: Environment> Receipt<V, S, E> {
    pub(super) fn new(
        pair: Pair<V, S, E>,
        of: Of,
        order: Option<u64>,
        commit: engine::Receipt<V>,
    ) -> Self {
        Receipt {
            pair,
            of,
            order,
            commit,
        }
    }

    /// The blob that was put, or where the root was moved to ([`Pointer::NULL`] for one that was removed).
    pub fn pointer(&self) -> Pointer {
        match &self.of {
            Of::Blob(pointer) => *pointer,
            Of::Root { to, .. } => to.unwrap_or(Pointer::NULL),
        }
    }

    /// The number of the local commit.
    pub fn commit(&self) -> u64 {
        self.commit.commit()
    }

    /// What it has reached so far.
    ///
    /// # Errors
    /// The reason when slow refused it for good, or a blob that a root waits for; `NotFound` when it was deleted before it was remote.
    pub async fn reached(&self) -> Result<Durability> {
        match self.is_remote().await? {
            true => Ok(Durability::Remote),
            false => Ok(self.commit.reached()),
        }
    }

    /// Returns once it has reached `durability`.
    ///
    /// Waiting for `Remote` goes on through lost connections, pauses and retries for as long as somebody
    /// polls [`drive`](Pair::drive). Dropping the future only ends the waiting.
    ///
    /// # Errors
    /// `Poisoned` if it is never durable in this process, or the store takes no more writes, so that nothing leaves the queue
    /// before it is opened again. For `Remote`: the reason when slow refused it for
    /// good or its bytes are missing, for a root also that of a blob that was put before it (it stays queued, and waiting
    /// again after [`retry_failed`](Pair::retry_failed) works); `NotFound` when it was deleted before it was remote; `Closed`.
    pub async fn wait(&self, durability: Durability) -> Result<()> {
        if durability < Durability::Remote {
            return self.commit.wait(durability).await;
        }
        let Some(order) = self.order else {
            return Ok(());
        };
        let waiter = self.pair.0.account.watch(order);
        loop {
            let listener = waiter.listen();
            if self.is_remote().await? {
                return Ok(());
            }
            self.pair.0.account.open_or_closed()?;
            self.pair.writes_go_on()?;
            listener.await;
        }
    }

    async fn is_remote(&self) -> Result<bool> {
        let Some(order) = self.order else {
            return Ok(true);
        };
        let view = self.pair.0.store.view();
        if view.len(QUEUE, &rows::order_key(order)).await?.is_some() {
            return match self.pair.note(&view, order).await? {
                Some(note) => Err(note.error()),
                None => self.is_held_back(&view, order).await.map(|()| false),
            };
        }
        match &self.of {
            Of::Root { .. } if self.pair.0.account.is_given_up(order) => Err(Error::new(
                Kind::Conflict,
                "slow refused the move of the root, and slow's value was taken over since",
            )),
            Of::Root { .. } => Ok(true),
            Of::Blob(pointer) if view.len(REMOTE, pointer.as_bytes()).await?.is_some() => Ok(true),
            Of::Blob(pointer) => Err(Error::new(
                Kind::NotFound,
                alloc::format!("{pointer} was deleted before it was remote"),
            )),
        }
    }

    /// Why a root does not move before something else is tried again, if that is so.
    async fn is_held_back(&self, view: &View<V>, order: u64) -> Result<()> {
        let Of::Root { .. } = self.of else {
            return Ok(());
        };
        let earlier = KeyRange::between(rows::order_key(0), rows::order_key(order));
        let mut troubles = view.scan(TROUBLE, earlier, Direction::Forward);
        while let Some(entry) = troubles.next().await? {
            let Some(row) = view.get(QUEUE, &entry.key).await? else {
                continue;
            };
            let before = rows::order_of(&entry.key)?;
            if self.pair.holds_roots(view, before, &row).await? {
                let note = Note::decode(&troubles.value().await?)?;
                return Err(note.error().context(alloc::format!(
                    "change {before} of the queue, which the root waits for"
                )));
            }
        }
        Ok(())
    }
}
