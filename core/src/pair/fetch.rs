//! A miss: the blob is fetched from slow once, checked, and filled into fast.

use super::{
    flight::{Fetched, Pilot, Turn},
    handle::{Environment, Pair, Remote},
    rows::{self, REMOTE, UNSETTLED},
    transfer::{Fault, Progress},
};
use crate::{
    Error, Kind, Result,
    blob::{BlobStore, Chunk, ChunkList, Hasher, Pointer, Staged},
    engine::{Batch, Durability},
    port::{Body, Volume},
};
use alloc::{collections::VecDeque, vec::Vec};
use bytes::{Bytes, BytesMut};
use core::ops::Range;
use futures::future::join_all;

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// Fetches the blob, together with everybody who wants it at this time.
    pub(super) async fn fetch(&self, pointer: &Pointer) -> Result<Fetched> {
        let passenger = self.0.flights.board(pointer);
        loop {
            match passenger.turn() {
                Turn::Landed(outcome) => return outcome,
                Turn::Wait(listener) => listener.await,
                Turn::Fly(pilot) => {
                    let outcome = self.fly(pointer, &pilot).await;
                    pilot.land(outcome.clone());
                    return outcome;
                }
            }
        }
    }

    async fn fly(&self, pointer: &Pointer, pilot: &Pilot) -> Result<Fetched> {
        // After boarding: a deletion that ends from now on dooms this flight, one that ended is over on slow too.
        if self.is_hidden(pointer).await? {
            return Err(not_found(pointer));
        }
        let mark = self.0.store.view().get(REMOTE, pointer.as_bytes()).await?;
        let (size, source) = match self.source_of(pointer).await {
            Err(error) if error.kind() == Kind::NotFound => {
                if let Some(mark) = mark {
                    // Best effort: what slow said is the answer.
                    let _ = self.forget_remote(pointer, &mark).await;
                }
                return Err(error);
            }
            found => found?,
        };
        if let Source::Whole = source {
            let bytes = self.whole(pointer, size).await?;
            self.count_fetched(size);
            let staged = self.0.fast.stage(bytes.clone(), &mut Batch::new()).await;
            self.keep(pointer, staged, pilot).await;
            return Ok(Fetched::Bytes(bytes));
        }
        self.fly_large(pointer, size, source, pilot).await
    }

    async fn fly_large(
        &self,
        pointer: &Pointer,
        size: u64,
        source: Source,
        pilot: &Pilot,
    ) -> Result<Fetched> {
        let (body, fault) = self.body_of(pointer, size, source);
        let staged = self.0.fast.stage(body, &mut Batch::new()).await;
        let lied = match (&staged, fault.take()) {
            (_, Some(error)) => Some(error),
            (Ok(staged), None) if staged.pointer != *pointer => Some(lie(pointer)),
            _ => None,
        };
        if let Some(error) = lied {
            if let Ok(staged) = &staged {
                // Best effort, as in `keep`.
                let _ = self.0.fast.let_go(staged).await;
            }
            return Err(error);
        }
        if staged.is_ok() {
            self.count_fetched(size);
        }
        match self.keep(pointer, staged, pilot).await {
            true => Ok(Fetched::Filled),
            false => Ok(Fetched::Unfilled),
        }
    }

    /// How long the blob is at slow, and the way to fetch it that sends the least. Slow is asked before a byte of it travels.
    async fn source_of(&self, pointer: &Pointer) -> Result<(u64, Source)> {
        let stat = self
            .moving(&Progress::default(), self.0.slow.stat(pointer))
            .await?;
        let size = stat.ok_or_else(|| not_found(pointer))?.size;
        let piece = self.piece_len() as u64;
        if size > piece
            && self.0.slow.capabilities().chunks
            && let Some(list) = self
                .moving(&Progress::default(), self.0.slow.chunks(pointer))
                .await?
        {
            if list.size() != size {
                return Err(lie(pointer));
            }
            let window = VecDeque::new();
            return Ok((
                size,
                Source::Chunks {
                    list,
                    at: 0,
                    window,
                },
            ));
        }
        Ok(match size <= WHOLE_PIECES * piece {
            true => (size, Source::Whole),
            false => (size, Source::Pieces { at: 0 }),
        })
    }

    /// A small blob, proved.
    async fn whole(&self, pointer: &Pointer, size: u64) -> Result<Bytes> {
        let bytes = self.range(pointer, 0..size).await?;
        match Pointer::of(&bytes) == *pointer {
            true => Ok(bytes),
            false => Err(lie(pointer)),
        }
    }

    /// The whole blob, past fast: for one that fast cannot take.
    pub(super) async fn get_past(&self, pointer: &Pointer) -> Result<Bytes> {
        let bytes = self
            .moving(&Progress::default(), self.0.slow.get(pointer))
            .await?;
        match Pointer::of(&bytes) == *pointer {
            true => Ok(bytes),
            false => Err(lie(pointer)),
        }
    }

    /// A range of the blob, past fast: all of it is read and hashed, only the range is kept.
    pub(super) async fn get_range_past(
        &self,
        pointer: &Pointer,
        range: Range<u64>,
    ) -> Result<Bytes> {
        let (size, source) = self.source_of(pointer).await?;
        let (mut body, _) = self.body_of(pointer, size, source);
        let mut hasher = Hasher::new();
        let mut kept = BytesMut::new();
        let mut at: u64 = 0;
        while let Some(piece) = body.next().await? {
            hasher.update(&piece);
            let end = at.saturating_add(piece.len() as u64);
            let (from, to) = (range.start.clamp(at, end), range.end.clamp(at, end));
            let wanted = piece.get((from - at) as usize..(to - at) as usize);
            kept.extend_from_slice(wanted.unwrap_or_default());
            at = end;
        }
        if hasher.finish() != *pointer {
            return Err(lie(pointer));
        }
        crate::blob::cut_range(range, at)?;
        Ok(kept.freeze())
    }

    /// Commits what was fetched into fast; whether it is there now. A failure is told in the status, not to the reader.
    async fn keep(&self, pointer: &Pointer, staged: Result<Staged>, pilot: &Pilot) -> bool {
        let kept = match staged {
            Ok(staged) => {
                let kept = self.fill(pointer, &staged, pilot).await;
                // What the blob did not need, being there, deleted, or too much. Best effort: a sweep frees the rest.
                let _ = self.0.fast.let_go(&staged).await;
                kept
            }
            Err(error) => Err(error),
        };
        match kept {
            Ok(kept) => kept,
            Err(error) => {
                self.0.board.tell(|status| {
                    status.unfilled += 1;
                    status.last_fill_error = Some(error);
                });
                false
            }
        }
    }

    /// `false` when the blob was deleted while it was fetched.
    async fn fill(&self, pointer: &Pointer, staged: &Staged, pilot: &Pilot) -> Result<bool> {
        let key = rows::blob_key(pointer);
        loop {
            let view = self.0.store.view();
            let queued = self.queued(&view, pointer).await?;
            let mut batch = Batch::new();
            let guarded = self.guards_fill();
            if guarded {
                // In this order: a deletion that this view does not show any more has doomed the flight before.
                if queued.hidden || pilot.is_doomed() {
                    return Ok(false);
                }
                batch.require_unchanged(UNSETTLED, key.clone(), &view);
            }
            if self.take_out_damaged(pointer).await? {
                continue;
            }
            self.0.fast.publish_in(staged, &mut batch).await?;
            if queued.put.is_none() {
                let now = self.0.env.now();
                batch.put(REMOTE, key.clone(), rows::encode_since(now, ""));
            }
            let grown = self
                .mark_used(&view, &mut batch, pointer, staged.size)
                .await?;
            match self.0.store.commit(batch, Durability::Local).await {
                Ok(_) => {
                    self.cache_grew(grown);
                    return Ok(true);
                }
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
    }

    #[cfg(feature = "sabotage")]
    fn guards_fill(&self) -> bool {
        !self
            .0
            .options
            .broken(crate::engine::Sabotage::FillRacesDelete)
    }

    #[cfg(not(feature = "sabotage"))]
    fn guards_fill(&self) -> bool {
        true
    }

    /// Slow says that it does not have the blob: the mark that it does, from before it was asked, is wrong, and would keep the
    /// blob from being put again. A newer mark is an upload's that has ended since.
    async fn forget_remote(&self, pointer: &Pointer, mark: &[u8]) -> Result<()> {
        let view = self.0.store.view();
        if view.get(REMOTE, pointer.as_bytes()).await?.as_deref() != Some(mark) {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.require_unchanged(REMOTE, rows::blob_key(pointer), &view);
        batch.delete(REMOTE, rows::blob_key(pointer));
        match self.0.store.commit(batch, Durability::Local).await {
            Err(error) if error.kind() != Kind::Conflict => Err(error),
            _ => Ok(()),
        }
    }

    fn count_fetched(&self, size: u64) {
        self.0.board.tell(|status| {
            status.fetched += 1;
            status.fetched_bytes += size;
        });
    }

    fn piece_len(&self) -> usize {
        self.0.options.piece.clamp(1, crate::chunk::MAX)
    }

    /// These bytes of the blob, no more and no fewer.
    async fn range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        let len = range.end.saturating_sub(range.start);
        let got = self
            .moving(&Progress::default(), self.0.slow.get_range(pointer, range))
            .await;
        match got {
            Ok(bytes) if bytes.len() as u64 == len => Ok(bytes),
            Ok(_) => Err(lie(pointer)),
            // It ends earlier than was said.
            Err(error) if error.kind() == Kind::OutOfRange => Err(lie(pointer)),
            Err(error) => Err(error),
        }
    }

    /// One chunk, from fast where it is there, checked.
    async fn chunk(self, blob: Pointer, chunk: Chunk) -> Result<Bytes> {
        let damaged = match self.0.fast.get_chunk(&chunk.pointer).await {
            Ok(bytes) => return Ok(bytes),
            Err(error) => error.kind() == Kind::Corrupt,
        };
        let progress = Progress::default();
        let fetch = self.0.slow.get_chunk(&chunk.pointer);
        let bytes = self.moving(&progress, fetch).await?;
        if bytes.len() != chunk.len as usize || Pointer::of(&bytes) != chunk.pointer {
            return Err(lie(&blob));
        }
        if damaged {
            // Every blob that has this chunk is whole again.
            self.0.fast.heal_chunk(bytes.clone()).await?;
        }
        Ok(bytes)
    }

    fn body_of(&self, pointer: &Pointer, size: u64, source: Source) -> (FromSlow<V, S, E>, Fault) {
        let fault = Fault::default();
        let body = FromSlow {
            pair: self.clone(),
            pointer: *pointer,
            size,
            source,
            fault: fault.clone(),
        };
        (body, fault)
    }
}

/// A blob of slow as it is read for fast. What fast has of its chunks is not fetched.
struct FromSlow<V, S, E> {
    pair: Pair<V, S, E>,
    pointer: Pointer,
    size: u64,
    source: Source,
    fault: Fault,
}

/// A blob of up to so many pieces is asked for in one request: a remote may send all of it for any part.
const WHOLE_PIECES: u64 = 4;

/// Chunks that are fetched at a time.
const WINDOW: usize = 8;

enum Source {
    /// In one request.
    Whole,
    Chunks {
        list: ChunkList,
        /// The first chunk that was not asked for.
        at: usize,
        window: VecDeque<Bytes>,
    },
    Pieces {
        at: u64,
    },
}

impl<V: Volume, S: Remote, E: Environment> FromSlow<V, S, E> {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        let pair = &self.pair;
        match &mut self.source {
            Source::Chunks { list, at, window } => {
                if window.is_empty() {
                    let end = at.saturating_add(WINDOW).min(list.0.len());
                    let mut fetches = Vec::with_capacity(WINDOW);
                    for chunk in list.0.get(*at..end).unwrap_or_default() {
                        fetches.push(pair.clone().chunk(self.pointer, *chunk));
                    }
                    *at = end;
                    for fetched in join_all(fetches).await {
                        window.push_back(fetched?);
                    }
                }
                Ok(window.pop_front())
            }
            Source::Whole => {
                let bytes = pair.whole(&self.pointer, self.size).await?;
                self.source = Source::Pieces { at: self.size };
                Ok((!bytes.is_empty()).then_some(bytes))
            }
            Source::Pieces { at } => {
                // What slow said of its length is all that it may send.
                let end = self.size.min(at.saturating_add(pair.piece_len() as u64));
                if end <= *at {
                    return Ok(None);
                }
                let piece = pair.range(&self.pointer, *at..end).await?;
                *at = end;
                Ok(Some(piece))
            }
        }
    }
}

impl<V: Volume, S: Remote, E: Environment> Body for FromSlow<V, S, E> {
    fn len(&self) -> Option<u64> {
        match &self.source {
            Source::Whole | Source::Chunks { at: 0, .. } | Source::Pieces { at: 0 } => {
                Some(self.size)
            }
            Source::Chunks { .. } | Source::Pieces { .. } => None,
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let read = self.read().await;
        if let Err(error) = &read {
            self.fault.set(error.clone());
        }
        read
    }
}

pub(super) fn not_found(pointer: &Pointer) -> Error {
    Error::new(
        Kind::NotFound,
        alloc::format!("{pointer} is neither here nor at the remote"),
    )
}

fn lie(pointer: &Pointer) -> Error {
    Error::new(
        Kind::Corrupt,
        alloc::format!("what the remote sent for {pointer} is not that blob"),
    )
}
