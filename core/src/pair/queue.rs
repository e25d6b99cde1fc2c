//! The durable queue: reading it, listing it, trying again what was refused.

use super::{
    account::Counts,
    handle::{Environment, Pair, Remote},
    rows::{self, Job, Note, QUEUE, Queued, Row, TROUBLE, UNSETTLED},
};
use crate::{
    Error, Kind, Result,
    blob::Pointer,
    engine::{Batch, Direction, Durability, KeyRange, View},
    port::Volume,
};
use alloc::{string::String, vec::Vec};
use core::time::Duration;

/// One change that slow has not acknowledged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QueueItem {
    /// Its number: smaller ones were queued earlier.
    pub order: u64,
    /// When it was queued, since 1970.
    pub since: Duration,
    /// What is to be done on slow.
    pub change: Change,
    /// Why it does not move by itself, if it does not.
    pub trouble: Option<Trouble>,
}

/// What is to be done on slow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Upload a blob.
    Put {
        /// The blob.
        pointer: Pointer,
        /// Its length in bytes.
        size: u64,
    },
    /// Delete a blob.
    Delete {
        /// The blob.
        pointer: Pointer,
    },
    /// Move a root.
    MoveRoot {
        /// The root's name.
        name: String,
        /// Where it must point for the move to count.
        from: Option<Pointer>,
        /// Where it is to point.
        to: Option<Pointer>,
    },
    /// The queue's row is damaged: [`trouble`](QueueItem::trouble) says how.
    Unreadable,
}

/// Why a change does not move by itself. It stays queued until it is tried again, or made pointless by a later change.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Trouble {
    /// Slow refused it for good.
    Refused {
        /// Slow's reason.
        reason: Error,
        /// Attempts until then.
        attempts: u32,
    },
    /// The blob's bytes are not in fast, or are damaged there, and slow does not have them either.
    /// Putting the blob again, or [`repair`](Pair::repair), helps.
    Missing {
        /// What reading the bytes said.
        reason: Error,
    },
}

impl Trouble {
    /// The reason.
    pub fn reason(&self) -> &Error {
        match self {
            Trouble::Refused { reason, .. } | Trouble::Missing { reason } => reason,
        }
    }
}

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// Up to `limit` changes that slow has not acknowledged, oldest first, behind the one with order `after`.
    /// An empty answer is the end.
    ///
    /// # Errors
    /// `Closed`, and those of reading the store.
    pub async fn queue(&self, after: Option<u64>, limit: usize) -> Result<Vec<QueueItem>> {
        self.0.account.open_or_closed()?;
        let from = after.map_or(0, |after| after.saturating_add(1));
        let view = self.0.store.view();
        let mut items = Vec::new();
        let mut scan = view.scan(
            QUEUE,
            KeyRange::from(rows::order_key(from)),
            Direction::Forward,
        );
        while items.len() < limit
            && let Some(entry) = scan.next().await?
        {
            let order = rows::order_of(&entry.key)?;
            items.push(self.item(&view, order, &scan.value().await?).await?);
        }
        Ok(items)
    }

    /// Up to `limit` changes that do not move by themselves, oldest first, behind the one with order `after`.
    /// An empty answer is the end.
    ///
    /// # Errors
    /// `Closed`, and those of reading the store.
    pub async fn failed(&self, after: Option<u64>, limit: usize) -> Result<Vec<QueueItem>> {
        self.0.account.open_or_closed()?;
        let from = after.map_or(0, |after| after.saturating_add(1));
        let view = self.0.store.view();
        let mut items = Vec::new();
        let mut scan = view.scan(
            TROUBLE,
            KeyRange::from(rows::order_key(from)),
            Direction::Forward,
        );
        while items.len() < limit
            && let Some(entry) = scan.next().await?
        {
            let order = rows::order_of(&entry.key)?;
            let row = view.get(QUEUE, &entry.key).await?.unwrap_or_default();
            items.push(self.item(&view, order, &row).await?);
        }
        Ok(items)
    }

    /// Tries again everything that was refused or whose bytes were missing; how many changes that are.
    ///
    /// # Errors
    /// `ReadOnly` without a queue, `Closed`, `Poisoned`.
    pub async fn retry_failed(&self) -> Result<u64> {
        self.writable()?;
        let mut again = 0;
        let mut after = None;
        loop {
            let items = self.failed(after, 256).await?;
            let Some(last) = items.last() else {
                return Ok(again);
            };
            after = Some(last.order);
            for item in &items {
                again += u64::from(self.retry(item.order).await?);
            }
        }
    }

    /// Tries one change again; whether it was in trouble.
    async fn retry(&self, order: u64) -> Result<bool> {
        loop {
            let view = self.0.store.view();
            let Some(note) = self.note(&view, order).await? else {
                return Ok(false);
            };
            let mut handover = self.0.account.handover();
            handover.rings(order);
            handover.renews(order);
            let mut batch = Batch::new();
            batch.require_unchanged(TROUBLE, rows::order_key(order), &view);
            batch.delete(TROUBLE, rows::order_key(order));
            match self.0.store.commit(batch, Durability::Local).await {
                Ok(receipt) => {
                    handover.happened(receipt.commit(), -Counts::trouble(note.missing));
                    return Ok(true);
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

    async fn item(&self, view: &View<V>, order: u64, row: &[u8]) -> Result<QueueItem> {
        let trouble = self.note(view, order).await?.map(|note| {
            let reason = note.error();
            match note.missing {
                true => Trouble::Missing { reason },
                false => Trouble::Refused {
                    reason,
                    attempts: note.attempts,
                },
            }
        });
        Ok(match Row::decode(row) {
            Ok(row) => QueueItem {
                order,
                since: row.since,
                change: row.job.into(),
                trouble,
            },
            Err(reason) => QueueItem {
                order,
                since: Duration::ZERO,
                change: Change::Unreadable,
                trouble: Some(Trouble::Refused {
                    reason,
                    attempts: 0,
                }),
            },
        })
    }

    /// What is queued for a blob.
    pub(super) async fn queued(&self, view: &View<V>, pointer: &Pointer) -> Result<Queued> {
        match view.get(UNSETTLED, pointer.as_bytes()).await? {
            Some(value) => Queued::decode(&value),
            None => Ok(Queued::default()),
        }
    }

    /// Why a change does not move by itself.
    pub(super) async fn note(&self, view: &View<V>, order: u64) -> Result<Option<Note>> {
        match view.get(TROUBLE, &rows::order_key(order)).await? {
            Some(value) => Note::decode(&value).map(Some),
            None => Ok(None),
        }
    }

    /// Writes what is queued for a blob, or that nothing is.
    pub(super) fn set_queued(batch: &mut Batch, pointer: &Pointer, queued: &Queued) {
        match queued.is_settled() {
            true => batch.delete(UNSETTLED, rows::blob_key(pointer)),
            false => batch.put(UNSETTLED, rows::blob_key(pointer), queued.encode()),
        }
    }
}

impl From<Job> for Change {
    fn from(job: Job) -> Change {
        match job {
            Job::Put { pointer, size } => Change::Put { pointer, size },
            Job::Delete { pointer } => Change::Delete { pointer },
            Job::Root { name, from, to } => Change::MoveRoot { name, from, to },
        }
    }
}
