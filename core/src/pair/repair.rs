//! Finding damage in fast, and fetching what is damaged again.

use super::{
    account::Counts,
    flight::Fetched,
    handle::{Environment, Pair, Remote},
    rows::{self, CACHED, Job, META, META_ORDER, QUARANTINE, QUEUE, REMOTE, Row, UNSETTLED},
    transfer::Progress,
};
use crate::{
    Error, Kind, Result,
    blob::{BlobStore, Hasher, Listed, Pointer},
    engine::{Batch, Durability},
    port::Volume,
};
use alloc::{string::ToString, vec::Vec};

/// What [`verify`](Pair::verify) or [`repair`](Pair::repair) found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Checked {
    /// Blobs of fast that were read whole and hashed.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many blobs were found damaged.
    pub damaged: u64,
    /// How many of them were fetched from slow and are whole again. Only `repair` does that.
    pub repaired: u64,
    /// Blobs that slow was taken to have, and has not: queued again. Only `repair` does that.
    pub requeued: u64,
    /// The first thousand blobs that are damaged now.
    pub left: Vec<Damaged>,
}

/// A damaged blob.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Damaged {
    /// The blob.
    pub pointer: Pointer,
    /// What reading it said, with the place in the store's file where that is known.
    pub reason: Error,
    /// Why it could not be repaired, if that was tried.
    pub remedy: Option<Error>,
}

const PAGE: usize = 256;
const REPORTED: usize = 1000;

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// Reads and hashes every blob of fast. Damaged ones are quarantined: reads of them go to slow. Runs beside
    /// reads and writes; dropping the future ends it.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`. Damage is in the answer, not an error.
    pub async fn verify(&self) -> Result<Checked> {
        let mut checked = Checked::default();
        let mut after = None;
        loop {
            self.0.account.open_or_closed()?;
            let page = self.0.fast.list(after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(checked);
            };
            after = Some(last.pointer);
            for listed in &page {
                if let Some(reason) = self.check(listed, &mut checked).await? {
                    let damaged = Damaged {
                        pointer: listed.pointer,
                        reason,
                        remedy: None,
                    };
                    checked.left_damaged(damaged);
                }
            }
        }
    }

    /// [`verify`](Pair::verify), and what is damaged is fetched from slow again; what slow was taken to have and has not is
    /// queued again, and what was refused or missing is tried again.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`; `Transient`, `Timeout` or `Auth` when slow cannot be asked what it has.
    pub async fn repair(&self) -> Result<Checked> {
        let mut checked = Checked::default();
        let mut after = None;
        loop {
            self.0.account.open_or_closed()?;
            let page = self.0.fast.list(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.pointer);
            for listed in &page {
                if let Some(reason) = self.check(listed, &mut checked).await? {
                    self.mend(listed, reason, &mut checked).await?;
                }
            }
            if self.0.options.queue.is_some() {
                checked.requeued += self.requeue_lost(&page).await?;
            }
        }
        if self.0.options.queue.is_some() {
            self.retry_failed().await?;
        }
        Ok(checked)
    }

    /// Fetches one damaged blob again.
    async fn mend(&self, listed: &Listed, reason: Error, checked: &mut Checked) -> Result<()> {
        let pointer = listed.pointer;
        let remedy = match self.fetch(&pointer).await {
            Ok(Fetched::Bytes(_) | Fetched::Filled) => {
                match self.check(listed, &mut Checked::default()).await? {
                    None => {
                        checked.damaged += 1;
                        checked.repaired += 1;
                        return Ok(());
                    }
                    Some(again) => again,
                }
            }
            Ok(Fetched::Unfilled) => Error::new(Kind::Quota, "fast could not take it"),
            Err(error) => error,
        };
        checked.left_damaged(Damaged {
            pointer,
            reason,
            remedy: Some(remedy),
        });
        Ok(())
    }

    /// Reads one blob whole; what is wrong with it, if anything is.
    async fn check(&self, listed: &Listed, checked: &mut Checked) -> Result<Option<Error>> {
        let pointer = listed.pointer;
        match self.hash_in_fast(&pointer).await {
            Ok(Some(size)) => {
                checked.blobs += 1;
                checked.bytes += size;
                Ok(None)
            }
            // It left fast since it was listed.
            Ok(None) => Ok(None),
            Err(error) if error.kind() == Kind::Corrupt => {
                self.quarantine(&pointer, &error).await?;
                Ok(Some(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads and hashes a blob of fast; its size, or `None` if it is not there.
    async fn hash_in_fast(&self, pointer: &Pointer) -> Result<Option<u64>> {
        let mut hasher = Hasher::new();
        let mut size = 0;
        let read = match self.0.fast.chunks(pointer).await {
            Ok(None) => match self.0.fast.get(pointer).await {
                Ok(bytes) => {
                    hasher.update(&bytes);
                    size = bytes.len() as u64;
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Ok(Some(list)) => {
                let mut read = Ok(());
                for chunk in &list.0 {
                    match self.0.fast.get_chunk(&chunk.pointer).await {
                        Ok(bytes) => {
                            hasher.update(&bytes);
                            size += bytes.len() as u64;
                        }
                        Err(error) => {
                            read = Err(error);
                            break;
                        }
                    }
                }
                read
            }
            Err(error) => Err(error),
        };
        match read {
            Ok(()) if hasher.finish() == *pointer => Ok(Some(size)),
            Ok(()) => Err(Error::new(
                Kind::Corrupt,
                alloc::format!("the bytes of {pointer} in the store are not that blob"),
            )),
            Err(error) if error.kind() == Kind::NotFound => {
                // Deleted or evicted while it was read, or a chunk of it is gone.
                match self.0.fast.stat(pointer).await? {
                    None => Ok(None),
                    Some(_) => Err(error.with_kind(Kind::Corrupt)),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Notes that a blob's bytes in fast are damaged: what is fetched of it replaces them.
    pub(super) async fn quarantine(&self, pointer: &Pointer, reason: &Error) -> Result<()> {
        self.0.board.tell(|status| {
            status.damaged += 1;
            status.last_damaged = Some(*pointer);
        });
        *self.0.quarantined.lock() = true;
        let view = self.0.store.view();
        let key = rows::blob_key(pointer);
        if view.len(QUARANTINE, &key).await?.is_some() {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.put(
            QUARANTINE,
            key,
            rows::encode_since(self.0.env.now(), &reason.to_string()),
        );
        match self.0.store.commit(batch, Durability::Local).await {
            Ok(_) => Ok(()),
            // A store that takes no writes can still be read, and slow asked.
            Err(error) if matches!(error.kind(), Kind::Poisoned | Kind::Quota) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether any blob of fast was known to be damaged when the pair was opened, or was found since.
    pub(super) fn any_quarantined(&self) -> bool {
        *self.0.quarantined.lock()
    }

    /// Takes the blob out of fast if it is known to be damaged; whether it was.
    pub(super) async fn take_out_damaged(&self, pointer: &Pointer) -> Result<bool> {
        if !self.any_quarantined() {
            return Ok(false);
        }
        let view = self.0.store.view();
        let damaged = view.len(QUARANTINE, pointer.as_bytes()).await?.is_some();
        drop(view);
        if damaged {
            self.take_out(pointer).await?;
        }
        Ok(damaged)
    }

    /// Takes a damaged blob out of fast, to make room for the same one whole.
    pub(super) async fn take_out(&self, pointer: &Pointer) -> Result<()> {
        loop {
            let view = self.0.store.view();
            let key = rows::blob_key(pointer);
            let mut batch = Batch::new();
            batch.require_unchanged(UNSETTLED, key.clone(), &view);
            self.0.fast.remove_in(&mut batch, pointer, &view).await?;
            batch.delete(QUARANTINE, key.clone());
            batch.delete(CACHED, key);
            match self.0.store.commit(batch, Durability::Local).await {
                Ok(_) => return self.0.fast.release().await,
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Queues again what is marked as remote and is not; how many blobs that are.
    async fn requeue_lost(&self, page: &[Listed]) -> Result<u64> {
        let view = self.0.store.view();
        let mut marked = Vec::new();
        let mut pointers = Vec::new();
        for listed in page {
            let key = listed.pointer.as_bytes();
            if view.len(QUARANTINE, key).await?.is_none()
                && let Some(mark) = view.get(REMOTE, key).await?
            {
                marked.push((*listed, mark));
                pointers.push(listed.pointer);
            }
        }
        drop(view);
        if pointers.is_empty() {
            return Ok(0);
        }
        let has = self
            .moving(&Progress::default(), self.0.slow.has(&pointers))
            .await?;
        let mut requeued = 0;
        for (i, (listed, mark)) in marked.iter().enumerate() {
            if has.get(i) == Some(&false) {
                requeued += u64::from(self.requeue(listed, mark).await?);
            }
        }
        Ok(requeued)
    }

    /// Queues a blob again that slow has lost since it was marked so.
    async fn requeue(&self, listed: &Listed, mark: &[u8]) -> Result<bool> {
        let pointer = listed.pointer;
        loop {
            let view = self.0.store.view();
            let key = rows::blob_key(&pointer);
            let mut queued = self.queued(&view, &pointer).await?;
            // It may have been deleted and uploaded again while slow was asked.
            let marked = view.get(REMOTE, &key).await?;
            if !queued.is_settled()
                || marked.as_deref() != Some(mark)
                || self.0.fast.stat(&pointer).await?.is_none()
            {
                return Ok(false);
            }
            let mut batch = Batch::new();
            batch.require_unchanged(UNSETTLED, key.clone(), &view);
            let (handover, order, above) = self.0.account.assign()?;
            queued.put = Some(order);
            queued.size = listed.size;
            let row = Row {
                since: self.0.env.now(),
                job: Job::Put {
                    pointer,
                    size: listed.size,
                },
            };
            batch.require_unchanged(REMOTE, key.clone(), &view);
            // An eviction changes this one.
            batch.require_unchanged(CACHED, key.clone(), &view);
            batch.delete(REMOTE, key);
            batch.put(QUEUE, rows::order_key(order), row.encode());
            Self::set_queued(&mut batch, &pointer, &queued);
            if let Some(above) = above {
                batch.put(META, META_ORDER, rows::encode_number(above));
            }
            match self.0.store.commit(batch, Durability::Strict).await {
                Ok(receipt) => {
                    handover.happened(receipt.commit(), Counts::one(listed.size));
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
}

impl Checked {
    fn left_damaged(&mut self, damaged: Damaged) {
        self.damaged += 1;
        if self.left.len() < REPORTED {
            self.left.push(damaged);
        }
    }
}
