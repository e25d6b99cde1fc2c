//! One attempt to bring one change to slow, and what its outcome does to the queue.

use super::{
    account::Counts,
    handle::{Environment, Pair, Remote},
    retry::{self, Verdict},
    rows::{self, Job, Note, QUEUE, REMOTE, ROOTS, Row, TROUBLE, UNSETTLED},
    transfer::{FromFast, Progress},
};
use crate::{
    Error, Kind, Result,
    blob::{BlobStore, ChunkList, Pointer},
    engine::{Batch, Durability},
    port::Volume,
};
use alloc::{string::ToString, vec::Vec};
use futures::{StreamExt, stream::FuturesUnordered};
use hashbrown::HashSet;

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It left the queue, or is in trouble: nothing more is to be done. Slow answered.
    Settled,
    /// The same, but slow was not asked.
    Moot,
    /// It is to be tried again.
    Again(Error),
    /// Slow wants other credentials.
    Auth(Error),
    /// Fast cannot be read or written.
    Stuck(Error),
}

/// An attempt that ended.
pub(super) struct Done {
    pub order: u64,
    pub pointer: Option<Pointer>,
    pub outcome: Outcome,
}

/// Why a transfer failed.
enum Failure {
    /// Fast's fault.
    Local(Error),
    /// The bytes are not here, or damaged.
    Missing(Error),
    /// Slow's, or the way's.
    Slow(Error),
}

/// From this size on, and for every second attempt, slow is asked whether it has the blob before it is sent.
const ASK_FROM: u64 = 64 << 10;

/// Chunks that slow is asked about at a time.
const ASKED: usize = 1000;

/// Chunks of one blob that travel at a time.
const WINDOW: usize = 8;

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// Tries to bring one change to slow; `failures` attempts failed before.
    pub(super) async fn attempt(self, order: u64, row: Row, failures: u32) -> Done {
        let outcome = match &row.job {
            Job::Put { pointer, size } => self.try_put_blob(order, *pointer, *size, failures).await,
            Job::Delete { pointer } => self.try_delete(order, *pointer).await,
            Job::Root { name, from, to } => self.try_move(order, name, *from, *to).await,
        };
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(Failure::Local(error)) => Outcome::Stuck(error),
            Err(Failure::Missing(error)) => {
                match self
                    .missing(order, row.job.pointer(), &error, failures)
                    .await
                {
                    Ok(()) => Outcome::Moot,
                    Err(error) => Outcome::Stuck(error),
                }
            }
            Err(Failure::Slow(error)) => self.judge(order, error, failures).await,
        };
        Done {
            order,
            pointer: row.job.pointer(),
            outcome,
        }
    }

    /// The blob's bytes are not here, or damaged.
    async fn missing(
        &self,
        order: u64,
        pointer: Option<Pointer>,
        reason: &Error,
        failures: u32,
    ) -> Result<()> {
        if reason.kind() == Kind::Corrupt
            && let Some(pointer) = &pointer
        {
            self.quarantine(pointer, reason).await?;
        }
        self.trouble(order, reason, true, failures).await
    }

    async fn judge(&self, order: u64, error: Error, failures: u32) -> Outcome {
        let attempts = failures.saturating_add(1);
        match retry::verdict(&error, attempts, self.0.options.corrupt_attempts) {
            Verdict::Again => Outcome::Again(error),
            Verdict::Auth => Outcome::Auth(error),
            Verdict::Refused => {
                self.0
                    .board
                    .tell(|status| status.last_error = Some(error.clone()));
                match self.trouble(order, &error, false, attempts).await {
                    Ok(()) => Outcome::Settled,
                    Err(error) => Outcome::Stuck(error),
                }
            }
        }
    }

    async fn try_put_blob(
        &self,
        order: u64,
        pointer: Pointer,
        size: u64,
        failures: u32,
    ) -> Result<Outcome, Failure> {
        #[cfg(feature = "sabotage")]
        if self
            .0
            .options
            .broken(crate::engine::Sabotage::QueueEntryRemovedBeforeAck)
        {
            self.acknowledged(order, pointer)
                .await
                .map_err(Failure::Local)?;
        }
        match self.send(pointer, size, failures).await {
            Ok(()) => {}
            Err(Failure::Missing(error)) => {
                // Slow may have it from elsewhere: then nothing is missing.
                let asked = [pointer];
                let has = self
                    .moving(&Progress::default(), self.0.slow.has(&asked))
                    .await
                    .map_err(Failure::Slow)?;
                if !has.first().is_some_and(|has| *has) {
                    return Err(Failure::Missing(error));
                }
            }
            Err(failure) => return Err(failure),
        }
        self.acknowledged(order, pointer)
            .await
            .map_err(Failure::Local)?;
        Ok(Outcome::Settled)
    }

    /// Sends a blob's bytes in whatever way slow takes them.
    async fn send(&self, pointer: Pointer, size: u64, failures: u32) -> Result<(), Failure> {
        let progress = Progress::default();
        if failures > 0 || size >= ASK_FROM {
            let asked = [pointer];
            let has = self
                .moving(&progress, self.0.slow.has(&asked))
                .await
                .map_err(Failure::Slow)?;
            if has.first().is_some_and(|has| *has) {
                return Ok(());
            }
        }
        let list = self.0.fast.chunks(&pointer).await.map_err(from_fast)?;
        let arrived = match list {
            None => {
                let _share = self.0.memory.share(size).await;
                let bytes = self.0.fast.get(&pointer).await.map_err(from_fast)?;
                self.moving(&progress, self.0.slow.put(bytes))
                    .await
                    .map_err(Failure::Slow)?
            }
            Some(list) if self.0.slow.capabilities().chunks => {
                return self.send_chunks(pointer, list, failures, &progress).await;
            }
            Some(list) => {
                let longest = list.0.iter().map(|chunk| chunk.len).max().unwrap_or(0);
                let _share = self.0.memory.share(u64::from(longest)).await;
                let (body, fault) = FromFast::new(self.0.fast.clone(), list, progress.clone());
                let sent = self.moving(&progress, self.0.slow.put_stream(body)).await;
                match fault.take() {
                    Some(error) => return Err(from_fast(error)),
                    None => sent.map_err(Failure::Slow)?,
                }
            }
        };
        // Told together with its acknowledgement, which follows at once.
        self.0.board.count(|status| status.sent_bytes += size);
        match arrived == pointer {
            true => Ok(()),
            false => Err(Failure::Slow(Error::new(
                Kind::Corrupt,
                alloc::format!("the remote took {pointer} for {arrived}"),
            ))),
        }
    }

    /// Sends the chunks that slow lacks, then the list.
    async fn send_chunks(
        &self,
        pointer: Pointer,
        list: ChunkList,
        failures: u32,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let mut seen = HashSet::new();
        for slice in list.0.chunks(ASKED) {
            let mut asked = Vec::with_capacity(slice.len());
            for chunk in slice {
                if seen.insert(chunk.pointer) {
                    asked.push(chunk.pointer);
                }
            }
            let has = self
                .moving(progress, self.0.slow.has_chunks(&asked))
                .await
                .map_err(Failure::Slow)?;
            progress.step();
            let mut missing = Vec::new();
            for (i, chunk) in asked.iter().enumerate() {
                if !has.get(i).copied().unwrap_or(false) {
                    missing.push(*chunk);
                }
            }
            let mut sends = FuturesUnordered::new();
            for chunk in missing {
                if sends.len() >= WINDOW
                    && let Some(sent) = sends.next().await
                {
                    sent?;
                }
                sends.push(self.clone().send_chunk(chunk, progress.clone()));
            }
            while let Some(sent) = sends.next().await {
                sent?;
            }
        }
        // Before it answers, slow hashes the whole blob.
        let hashing = retry::hashing(list.size(), failures);
        let patience = self.0.options.stall.saturating_add(hashing);
        let named = self.0.slow.put_list(&pointer, list);
        match self.moving_for(patience, progress, named).await {
            Err(error) if error.kind() == Kind::NotFound => {
                self.0.chunks.forget();
                Err(Failure::Slow(error.with_kind(Kind::Transient).context(
                    "the remote let go of chunks before their list came",
                )))
            }
            sent => sent.map_err(Failure::Slow),
        }
    }

    async fn send_chunk(self, chunk: Pointer, progress: Progress) -> Result<(), Failure> {
        let Some(sending) = self.0.chunks.turn(&chunk).await else {
            return Ok(());
        };
        let _share = self.0.memory.share(crate::chunk::MAX as u64).await;
        let bytes = self.0.fast.get_chunk(&chunk).await.map_err(from_fast)?;
        let len = bytes.len() as u64;
        let arrived = self
            .moving(&progress, self.0.slow.put_chunk(bytes))
            .await
            .map_err(Failure::Slow)?;
        if arrived != chunk {
            return Err(Failure::Slow(Error::new(
                Kind::Corrupt,
                alloc::format!("the remote took chunk {chunk} for {arrived}"),
            )));
        }
        sending.sent();
        progress.step();
        self.0.board.tell(|status| status.sent_bytes += len);
        Ok(())
    }

    /// Slow has the blob: the put leaves the queue, unless it was cancelled meanwhile.
    async fn acknowledged(&self, order: u64, pointer: Pointer) -> Result<()> {
        loop {
            let view = self.0.store.view();
            let mut queued = self.queued(&view, &pointer).await?;
            if queued.put != Some(order) {
                return self.drop_row(order).await;
            }
            let mut handover = self.0.account.handover();
            handover.rings(order);
            let size = queued.size;
            let mut difference = -Counts::one(size);
            let mut batch = Batch::new();
            if let Some(note) = self.note(&view, order).await? {
                batch.require_unchanged(TROUBLE, rows::order_key(order), &view);
                batch.delete(TROUBLE, rows::order_key(order));
                difference += -Counts::trouble(note.missing);
            }
            queued.put = None;
            queued.size = 0;
            batch.require_unchanged(UNSETTLED, rows::blob_key(&pointer), &view);
            Self::set_queued(&mut batch, &pointer, &queued);
            batch.delete(QUEUE, rows::order_key(order));
            batch.put(
                REMOTE,
                rows::blob_key(&pointer),
                rows::encode_since(self.0.env.now(), ""),
            );
            match self.0.store.commit(batch, Durability::Local).await {
                Ok(receipt) => {
                    // Whoever sees the queue shorter sees these longer.
                    self.0.board.count(|status| {
                        status.uploaded += 1;
                        status.uploaded_bytes += size;
                    });
                    handover.happened(receipt.commit(), difference);
                    self.cache_grew(0);
                    return Ok(());
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

    /// Takes a row out of the queue that a later change made pointless. Usually that change did it already.
    pub(super) async fn drop_row(&self, order: u64) -> Result<()> {
        loop {
            let view = self.0.store.view();
            let Some(value) = view.get(QUEUE, &rows::order_key(order)).await? else {
                return Ok(());
            };
            let mut handover = self.0.account.handover();
            handover.rings(order);
            let mut batch = Batch::new();
            batch.require_unchanged(QUEUE, rows::order_key(order), &view);
            batch.delete(QUEUE, rows::order_key(order));
            let difference = -Counts::one(Row::decode(&value)?.job.bytes());
            match self.0.store.commit(batch, Durability::Local).await {
                Ok(receipt) => {
                    handover.happened(receipt.commit(), difference);
                    return Ok(());
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

    /// Returns once what is queued here survives power loss. The walk sees changes before they are durable: if slow forgot
    /// a blob and a crash then took the deletion back, the blob would be taken for remote, and never be uploaded again.
    pub(super) async fn make_durable(&self) -> Result<()> {
        let commit = self.0.store.view().commit();
        if self.0.store.stats().durable_commit >= commit {
            return Ok(());
        }
        let nothing = Batch::new();
        self.0
            .store
            .commit(nothing, Durability::Strict)
            .await
            .map(drop)
    }

    async fn try_delete(&self, order: u64, pointer: Pointer) -> Result<Outcome, Failure> {
        self.make_durable().await.map_err(Failure::Local)?;
        let deleted = self
            .moving(&Progress::default(), self.0.slow.delete(&pointer))
            .await;
        match deleted {
            Ok(_) => {}
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => return Err(Failure::Slow(error)),
        }
        self.deleted(order, pointer).await.map_err(Failure::Local)?;
        Ok(Outcome::Settled)
    }

    async fn try_move(
        &self,
        order: u64,
        name: &str,
        from: Option<Pointer>,
        to: Option<Pointer>,
    ) -> Result<Outcome, Failure> {
        self.make_durable().await.map_err(Failure::Local)?;
        self.moving(&Progress::default(), self.0.slow.move_root(name, from, to))
            .await
            .map_err(Failure::Slow)?;
        self.moved(order, name, to).await.map_err(Failure::Local)?;
        Ok(Outcome::Settled)
    }

    /// Slow has the root where it was moved to.
    async fn moved(&self, order: u64, name: &str, to: Option<Pointer>) -> Result<()> {
        loop {
            let view = self.0.store.view();
            if view.len(QUEUE, &rows::order_key(order)).await?.is_none() {
                return Ok(());
            }
            let mut root = self.root_state(&view, name).await?;
            root.known = Some(to);
            if root.last == Some(order) {
                root.last = None;
            }
            let mut handover = self.0.account.handover();
            handover.rings(order);
            let mut batch = Batch::new();
            let key = bytes::Bytes::copy_from_slice(name.as_bytes());
            batch.require_unchanged(ROOTS, key.clone(), &view);
            batch.require_unchanged(QUEUE, rows::order_key(order), &view);
            batch.put(ROOTS, key, root.encode());
            batch.delete(QUEUE, rows::order_key(order));
            match self.0.store.commit(batch, Durability::Local).await {
                Ok(receipt) => {
                    handover.happened(receipt.commit(), -Counts::one(0));
                    return Ok(());
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

    /// Notes why a change does not move by itself. A deletion of a blob that was put again is given up instead.
    async fn trouble(
        &self,
        order: u64,
        reason: &Error,
        missing: bool,
        attempts: u32,
    ) -> Result<()> {
        loop {
            let view = self.0.store.view();
            let Some(value) = view.get(QUEUE, &rows::order_key(order)).await? else {
                return Ok(());
            };
            if self.note(&view, order).await?.is_some() {
                return Ok(());
            }
            let mut handover = self.0.account.handover();
            handover.rings(order);
            let mut batch = Batch::new();
            batch.require_unchanged(QUEUE, rows::order_key(order), &view);
            let mut difference = Counts::trouble(missing);
            let note = Note {
                missing,
                kind: reason.kind(),
                attempts,
                since: self.0.env.now(),
                message: reason.to_string(),
            };
            batch.put(TROUBLE, rows::order_key(order), note.encode());
            if let Job::Delete { pointer } = Row::decode(&value)?.job {
                let mut queued = self.queued(&view, &pointer).await?;
                batch.require_unchanged(UNSETTLED, rows::blob_key(&pointer), &view);
                if queued.put.is_some() {
                    queued.delete = None;
                    Self::set_queued(&mut batch, &pointer, &queued);
                    batch.delete(TROUBLE, rows::order_key(order));
                    batch.delete(QUEUE, rows::order_key(order));
                    difference = -Counts::one(0);
                }
            }
            match self.0.store.commit(batch, Durability::Local).await {
                Ok(receipt) => {
                    handover.happened(receipt.commit(), difference);
                    // Roots that were moved later do not move before it is tried again.
                    self.0.account.ring_all();
                    return Ok(());
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

/// An error of reading a blob's bytes in fast.
fn from_fast(error: Error) -> Failure {
    match error.kind() {
        Kind::NotFound | Kind::Corrupt | Kind::OutOfRange => Failure::Missing(error),
        _ => Failure::Local(error),
    }
}
