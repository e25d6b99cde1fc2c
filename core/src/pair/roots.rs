//! Named roots: moved here at once, on slow after everything that was queued before.
//!
//! A move is a compare-and-swap against the value here, and is queued with the same `from` and `to` for slow. Slow
//! makes the same comparison when the move's turn comes: if somebody else has moved the root meanwhile, the
//! move is refused with `Conflict`, the change stays in the queue as failed, and the root here keeps pointing where
//! it was moved to until [`refresh_root`](Pair::refresh_root) takes over slow's value. Repeating a move whose
//! answer was lost is safe: a move to where the root already is succeeds.

use super::{
    account::Counts,
    handle::{Environment, Pair, Remote},
    put::local,
    read::lie,
    receipt::{Of, Receipt},
    rows::{self, Job, META, META_ORDER, QUEUE, ROOTS, Root, Row, TROUBLE},
    transfer::Progress,
};
use crate::{
    Error, Kind, Result,
    blob::{BlobStore, Capabilities, ChunkList, Listed, Pointer, RootStore, Stat, check_root_name},
    engine::{Batch, Direction, Durability, KeyRange, View},
    port::{Body, Volume},
    sorted::SortedMap,
};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::ops::Range;

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// Where `name` points here. Only where nothing is known of it here, slow is asked; what others moved
    /// since is seen with [`refresh_root`](Pair::refresh_root).
    ///
    /// # Errors
    /// `InvalidInput` for a name that cannot be one, `Transient`, `Timeout` or `Auth` when slow had to be asked and
    /// could not be, `Closed`.
    pub async fn root(&self, name: &str) -> Result<Option<Pointer>> {
        self.0.account.open_or_closed()?;
        loop {
            let before = self.look_at_root(&self.0.store.view(), name).await?;
            if !before.is_unknown() {
                return Ok(before.here);
            }
            let remote = self.ask_root(name).await?;
            if let Some(here) = self.adopt_root(name, before, remote).await? {
                return Ok(here);
            }
        }
    }

    /// Moves `name` from `from` to `to`; `None` is "not there". It is moved here, durably, when this returns, and queued for slow
    /// in the same commit; the [`Receipt`] tells when slow has it, or that another writer won. A move to where it is
    /// already succeeds.
    ///
    /// Where nothing is known of the name here, slow is asked, for at most [`ask`](super::Options::ask); without an
    /// answer `from` is taken at its word, and slow decides later. A full queue makes it wait.
    ///
    /// # Errors
    /// `Conflict` when it points elsewhere here. `InvalidInput` for a name that cannot be one, `ReadOnly` without
    /// a queue, `Quota`, `Closed`, `Poisoned`.
    pub async fn move_root(
        &self,
        name: &str,
        from: Option<Pointer>,
        to: Option<Pointer>,
    ) -> Result<Receipt<V, S, E>> {
        self.writable()?;
        check_root_name(name)?;
        let durability = local(self.0.options.durability);
        let mut asked = false;
        let room = self.0.account.room(0).await?;
        loop {
            let view = self.0.store.view();
            let before = self.look_at_root(&view, name).await?;
            let unknown = before.is_unknown();
            if unknown && !asked {
                asked = true;
                if let Some(Ok(remote)) = self.ask(self.0.slow.root(name)).await {
                    self.adopt_root(name, before, remote).await?;
                }
                continue;
            }
            let mut state = before.state;
            let mut batch = Batch::new();
            let expected = if unknown { None } else { from };
            let changes = self
                .0
                .roots
                .move_in(&mut batch, &view, name, expected, to)
                .await?;
            let key = Bytes::copy_from_slice(name.as_bytes());
            batch.require_unchanged(ROOTS, key.clone(), &view);
            if !changes && !unknown {
                let _watched = state.last.map(|order| self.0.account.watch(order));
                match self.0.store.commit(batch, durability).await {
                    Ok(commit) => {
                        let of = Of::Root { to, _watched };
                        return Ok(Receipt::new(self.clone(), of, state.last, commit));
                    }
                    Err(error) if error.kind() == Kind::Conflict => continue,
                    Err(error) => return Err(error),
                }
            }
            let (handover, order, above) = self.0.account.assign()?;
            let of = Of::Root {
                to,
                _watched: Some(self.0.account.watch(order)),
            };
            state.last = Some(order);
            batch.put(ROOTS, key, state.encode());
            let row = Row {
                since: self.0.env.now(),
                job: Job::Root {
                    name: name.into(),
                    from,
                    to,
                },
            };
            batch.put(QUEUE, rows::order_key(order), row.encode());
            if let Some(above) = above {
                batch.put(META, META_ORDER, rows::encode_number(above));
            }
            match self.0.store.commit(batch, durability).await {
                Ok(commit) => {
                    handover.happened(commit.commit(), Counts::one(0));
                    drop(room);
                    let order = Some(order);
                    return Ok(Receipt::new(self.clone(), of, order, commit));
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

    /// Asks slow where `name` points, and takes that over: moves of it that slow refused are forgotten. Moves that are still
    /// queued stay, and the root here with them. Returns where it points here then.
    ///
    /// # Errors
    /// `InvalidInput` for a name that cannot be one, `Transient`, `Timeout` or `Auth` when slow could not be
    /// asked, `Closed`, `Poisoned`.
    pub async fn refresh_root(&self, name: &str) -> Result<Option<Pointer>> {
        self.0.account.open_or_closed()?;
        check_root_name(name)?;
        loop {
            let before = self.look_at_root(&self.0.store.view(), name).await?;
            let remote = self.ask_root(name).await?;
            if let Some(here) = self.adopt_root(name, before, remote).await? {
                return Ok(here);
            }
        }
    }

    /// Up to `limit` (at least 1) roots in name order behind `after`: those here, and those of slow that nothing is known of here. An
    /// empty answer is the end; a shorter one is not.
    ///
    /// # Errors
    /// `Transient`, `Timeout` or `Auth` when slow cannot be asked; `Closed`.
    pub async fn roots(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Pointer)>> {
        self.0.account.open_or_closed()?;
        let limit = limit.max(1);
        let mut after: Option<String> = after.map(Into::into);
        loop {
            let here = self.0.roots.roots(after.as_deref(), limit).await?;
            let slow = self
                .moving(
                    &Progress::default(),
                    self.0.slow.roots(after.as_deref(), limit),
                )
                .await?;
            let ends = [here.last(), slow.last()];
            let end = ends.into_iter().flatten().map(|(name, _)| name).min();
            let Some(end) = end.cloned() else {
                return Ok(Vec::new());
            };
            if after.as_ref().is_some_and(|after| end <= *after) {
                return Err(lie("a list of roots, which goes backwards"));
            }
            let mut merged = SortedMap::new();
            let view = self.0.store.view();
            for (name, pointer) in slow {
                // A removal that is still on its way counts as made.
                if self.root_state(&view, &name).await?.last.is_none() {
                    merged.insert(name, pointer);
                }
            }
            for (name, pointer) in here {
                merged.insert(name, pointer);
            }
            let mut page = Vec::new();
            for (name, pointer) in merged {
                if name <= end && page.len() < limit {
                    page.push((name, pointer));
                }
            }
            if !page.is_empty() {
                return Ok(page);
            }
            after = Some(end);
        }
    }

    /// What is known of a root on slow.
    pub(super) async fn root_state(&self, view: &View<V>, name: &str) -> Result<Root> {
        match view.get(ROOTS, name.as_bytes()).await? {
            Some(value) => Root::decode(&value),
            None => Ok(Root::default()),
        }
    }

    async fn look_at_root(&self, view: &View<V>, name: &str) -> Result<Seen> {
        Ok(Seen {
            here: self.0.roots.root_in(view, name).await?,
            state: self.root_state(view, name).await?,
        })
    }

    async fn ask_root(&self, name: &str) -> Result<Option<Pointer>> {
        self.moving(&Progress::default(), self.0.slow.root(name))
            .await
    }

    /// Slow, asked after `before` was seen here, says that `name` is at `remote`; where it points here then. `None` if the
    /// root here is not as it was `before`: the answer may be older than a move that slow has acknowledged, or refused,
    /// since, and must not undo it.
    async fn adopt_root(
        &self,
        name: &str,
        before: Seen,
        remote: Option<Pointer>,
    ) -> Result<Option<Option<Pointer>>> {
        loop {
            let view = self.0.store.view();
            let seen = self.look_at_root(&view, name).await?;
            if seen != before {
                return Ok(None);
            }
            let Seen { here, mut state } = seen;
            let mut batch = Batch::new();
            let mut handover = self.0.account.handover();
            let mut difference = Counts::default();
            let mut after = here;
            let mut given_up = Vec::new();
            if !self.is_moving(&view, &state).await? {
                given_up = self.refused_moves(&view, name).await?;
                for order in given_up.iter().copied() {
                    batch.require_unchanged(TROUBLE, rows::order_key(order), &view);
                    batch.delete(TROUBLE, rows::order_key(order));
                    batch.delete(QUEUE, rows::order_key(order));
                    difference += -(Counts::one(0) + Counts::trouble(false));
                    handover.rings(order);
                }
                state.last = None;
                after = remote;
                self.0
                    .roots
                    .move_in(&mut batch, &view, name, here, remote)
                    .await?;
            }
            state.known = Some(remote);
            let key = Bytes::copy_from_slice(name.as_bytes());
            batch.require_unchanged(ROOTS, key.clone(), &view);
            batch.put(ROOTS, key, state.encode());
            // Before anybody can see that they are gone: gone alone would mean acknowledged.
            self.0.account.give_up(&given_up);
            match self.0.store.commit(batch, Durability::Local).await {
                Ok(commit) => {
                    handover.happened(commit.commit(), difference);
                    return Ok(Some(after));
                }
                Err(error) => {
                    handover.failed();
                    self.0.account.keep(&given_up);
                    if error.kind() != Kind::Conflict {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Whether the last move of a root is queued and not refused.
    async fn is_moving(&self, view: &View<V>, state: &Root) -> Result<bool> {
        let Some(order) = state.last else {
            return Ok(false);
        };
        Ok(view.len(QUEUE, &rows::order_key(order)).await?.is_some()
            && self.note(view, order).await?.is_none())
    }

    async fn refused_moves(&self, view: &View<V>, name: &str) -> Result<Vec<u64>> {
        let mut refused = Vec::new();
        let mut scan = view.scan(TROUBLE, KeyRange::all(), Direction::Forward);
        while let Some(entry) = scan.next().await? {
            let Some(value) = view.get(QUEUE, &entry.key).await? else {
                continue;
            };
            if let Ok(Row {
                job: Job::Root { name: of, .. },
                ..
            }) = Row::decode(&value)
                && of == name
            {
                refused.push(rows::order_of(&entry.key)?);
            }
        }
        Ok(refused)
    }
}

/// A root as it is here.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    here: Option<Pointer>,
    state: Root,
}

impl Seen {
    /// Nobody here ever moved it or asked for it.
    fn is_unknown(&self) -> bool {
        self.here.is_none() && self.state.known.is_none() && self.state.last.is_none()
    }
}

/// A store of blobs as the slow side of a pair that has no roots there.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutRoots<S>(pub S);

fn no_roots() -> Error {
    Error::new(Kind::NotImplemented, "the remote keeps no named roots")
}

impl<S> RootStore for WithoutRoots<S> {
    async fn root(&self, _name: &str) -> Result<Option<Pointer>> {
        Err(no_roots())
    }

    async fn move_root(
        &self,
        _name: &str,
        _from: Option<Pointer>,
        _to: Option<Pointer>,
    ) -> Result<()> {
        Err(no_roots())
    }

    async fn roots(&self, _after: Option<&str>, _limit: usize) -> Result<Vec<(String, Pointer)>> {
        Ok(Vec::new())
    }
}

impl<S: BlobStore> BlobStore for WithoutRoots<S> {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn moved(&self) -> u64 {
        self.0.moved()
    }

    fn put(&self, bytes: Bytes) -> impl Future<Output = Result<Pointer>> {
        self.0.put(bytes)
    }

    fn put_stream<B: Body>(&self, body: B) -> impl Future<Output = Result<Pointer>> {
        self.0.put_stream(body)
    }

    fn get(&self, pointer: &Pointer) -> impl Future<Output = Result<Bytes>> {
        self.0.get(pointer)
    }

    fn get_range(
        &self,
        pointer: &Pointer,
        range: Range<u64>,
    ) -> impl Future<Output = Result<Bytes>> {
        self.0.get_range(pointer, range)
    }

    fn stat(&self, pointer: &Pointer) -> impl Future<Output = Result<Option<Stat>>> {
        self.0.stat(pointer)
    }

    fn has(&self, pointers: &[Pointer]) -> impl Future<Output = Result<Vec<bool>>> {
        self.0.has(pointers)
    }

    fn delete(&self, pointer: &Pointer) -> impl Future<Output = Result<bool>> {
        self.0.delete(pointer)
    }

    fn list(
        &self,
        after: Option<Pointer>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Listed>>> {
        self.0.list(after, limit)
    }

    fn chunks(&self, pointer: &Pointer) -> impl Future<Output = Result<Option<ChunkList>>> {
        self.0.chunks(pointer)
    }

    fn has_chunks(&self, chunks: &[Pointer]) -> impl Future<Output = Result<Vec<bool>>> {
        self.0.has_chunks(chunks)
    }

    fn put_chunk(&self, bytes: Bytes) -> impl Future<Output = Result<Pointer>> {
        self.0.put_chunk(bytes)
    }

    fn get_chunk(&self, chunk: &Pointer) -> impl Future<Output = Result<Bytes>> {
        self.0.get_chunk(chunk)
    }

    fn put_list(&self, pointer: &Pointer, list: ChunkList) -> impl Future<Output = Result<()>> {
        self.0.put_list(pointer, list)
    }
}
