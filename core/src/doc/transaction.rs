//! Transactions with several participants: all of their patches, or none.

use super::{
    Documents, Match, Once, Op, Patch, Path, Refused, Relation, ToPath, Value,
    documents::{Inner, Writer},
    entry::Entry,
    meta,
    normal::normalize,
    partial::satisfied,
    refuse,
    rows::{DOCUMENT, META},
    transaction_rows::{self as rows, Ending, Join, Kept},
    work::Work,
};
use crate::{
    Error, Kind, Result,
    engine::{Batch, Receipt},
    port::{Clock, Volume},
    sorted::SortedMap,
};
use alloc::{format, sync::Arc, vec::Vec};
use core::{pin::pin, time::Duration};
use event_listener::Event;
use futures::future::{Either, select};

/// Participants of one transaction.
const MAX_PARTICIPANTS: usize = 1000;

/// No timer is asked for more: a clock that is set meanwhile is noticed, and no host has to count further.
const LONGEST_NAP: Duration = Duration::from_secs(60 * 60);

/// A change that several participants make together: each joins once with a path, a match and a patch; when the last one has joined, all
/// matches are evaluated and all patches applied as one commit, or nothing is.
///
/// It is known by its number to everybody who has the document: `begin` here, [`transaction`](Documents::transaction) there. What has been joined is
/// in the store: it survives a restart, and dropping the future of a [`join`](Transaction::join) only ends the waiting. Whoever lost it
/// asks for the [`outcome`](Transaction::outcome) again. The outcome is kept for as long as the transaction might have taken, and then once more.
///
/// ```
/// # use core::time::Duration;
/// # use littoral_core::{Result, engine, port::{Clock, Entropy, MemoryVolume}};
/// # #[derive(Clone, Copy)] struct Host;
/// # impl Clock for Host {
/// #     fn now(&self) -> Duration { Duration::ZERO }
/// #     async fn sleep(&self, _: Duration) { core::future::pending().await }
/// # }
/// # impl Entropy for Host {
/// #     fn fill(&self, b: &mut [u8]) -> Result<()> { b.fill(7); Ok(()) }
/// # }
/// # futures::executor::block_on(async {
/// use littoral_core::doc::{Documents, Match, Op, Options, Patch, Value};
/// # let store = engine::Store::open(MemoryVolume::new(), &Host, engine::Options::default()).await?;
/// # let clock = Host;
/// let doc = Documents::open(store, clock, Options::default()).await?;
/// doc.patch("", Patch::set(Value::from_json(r#"{"ann": 5, "bo": 0}"#)?), None).await?;
///
/// let transaction = doc.begin(2, Value::Null, Duration::from_secs(10)).await?;
/// let same = doc.transaction(transaction.id())?;
/// let by = |n| Op::increment("", n).map(|op| Patch::ops([op]));
/// let (ann, bo) = futures::join!(
///     transaction.join("ann", by(-3)?, Some(Match::from_json(r#"{"$ge": 3}"#)?)),
///     same.join("bo", by(3)?, None),
/// );
/// assert!(ann?.committed);
/// assert_eq!(bo?.value, Some(Value::from(3)));
/// # Ok::<(), littoral_core::Error>(()) }).unwrap();
/// ```
pub struct Transaction<V, C> {
    inner: Arc<Inner<V, C>>,
    id: u64,
}

impl<V, C> Clone for Transaction<V, C> {
    fn clone(&self) -> Self {
        Transaction {
            inner: self.inner.clone(),
            id: self.id,
        }
    }
}

/// What became of a transaction, the same for all participants but for the value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// All patches were applied.
    pub committed: bool,
    /// All matches held.
    pub matched: bool,
    /// The commit that it was; if it was none, the commit whose state did not take it.
    pub commit: u64,
    /// Of a patch that could not be applied: where, and why.
    pub refused: Option<Refused>,
    /// What was at the participant's path after that commit.
    pub value: Option<Value>,
}

/// Those that are known.
pub(super) type Running<V> = SortedMap<u64, State<V>>;

pub(super) struct State<V> {
    kept: Kept,
    joins: Vec<Join>,
    /// The commit in which it ended, if that was in this process.
    receipt: Option<Receipt<V>>,
    ended: Arc<Event>,
}

impl<V: Volume, C: Clock> Documents<V, C> {
    /// Begins a transaction that commits when `participants` have joined, or ends with `Timeout` after `timeout`.
    ///
    /// `meta` is for the participants to read. If it is an object with a field `match`, that is a [`Match`] which the whole document has to
    /// satisfy as well.
    ///
    /// # Errors
    /// `InvalidInput` for no participants or more than 1000, and for a `match` that is none; those of a commit.
    pub async fn begin(
        &self,
        participants: usize,
        meta: Value,
        timeout: Duration,
    ) -> Result<Transaction<V, C>> {
        if participants == 0 || participants > MAX_PARTICIPANTS {
            return Err(refuse(&format!(
                "a transaction has from 1 to {MAX_PARTICIPANTS} participants"
            )));
        }
        whole_match(&meta)?;
        if meta.depth().is_none() {
            return Err(refuse("meta is nested too deep"));
        }
        let writer = self.0.writer.lock().await;
        let now = self.0.millis();
        let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let deadline = now.saturating_add(timeout);
        let kept = Kept {
            participants: participants as u64,
            deadline,
            forget: deadline.saturating_add(timeout),
            meta,
            ids: Vec::new(),
            ending: None,
        };
        let view = self.0.store.view();
        let id = meta::read_number(&view, rows::NEXT).await?.unwrap_or(1);
        drop(view);
        let mut batch = Batch::new();
        batch.put(META, rows::NEXT, meta::number_row(id.saturating_add(1)));
        rows::put(&mut batch, id, &kept);
        let old = self.0.forgettable(now);
        old.iter().for_each(|id| rows::forget(&mut batch, *id));
        let durability = self.0.options.durability;
        let receipt = self.0.store.submit(batch, durability).await?;
        {
            let mut running = self.0.running.lock();
            running.retain(|id, _| !old.contains(id));
            running.insert(id, State::new(kept, Vec::new()));
        }
        drop(writer);
        receipt.wait(durability).await?;
        Ok(Transaction {
            inner: self.0.clone(),
            id,
        })
    }

    /// The transaction with this number, for another participant.
    ///
    /// # Errors
    /// `NotFound` for one that never was, or ended so long ago that it is forgotten.
    pub fn transaction(&self, id: u64) -> Result<Transaction<V, C>> {
        if !self.0.running.lock().contains_key(&id) {
            return Err(unknown(id));
        }
        Ok(Transaction {
            inner: self.0.clone(),
            id,
        })
    }

    /// The transactions that wait for participants.
    pub fn transactions(&self) -> Vec<u64> {
        let running = self.0.running.lock();
        let open = running
            .iter()
            .filter(|(_, state)| state.kept.ending.is_none());
        open.map(|(id, _)| *id).collect()
    }
}

impl<V: Volume, C: Clock> Transaction<V, C> {
    /// Its number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What it was begun with for the participants to read.
    ///
    /// # Errors
    /// `NotFound` once it is forgotten.
    pub fn meta(&self) -> Result<Value> {
        self.inner.state(self.id, |state| state.kept.meta.clone())
    }

    /// How many have joined, and how many it takes.
    ///
    /// # Errors
    /// `NotFound` once it is forgotten.
    pub fn joined(&self) -> Result<(usize, usize)> {
        self.inner.state(self.id, |state| {
            let participants = state.kept.participants as usize;
            let joined = match state.kept.ending {
                Some(Ending::TimedOut | Ending::Aborted) | None => state.joins.len(),
                Some(_) => participants,
            };
            (joined, participants)
        })
    }

    /// Joins with a patch of what is at `path`, and waits for what becomes of the whole.
    ///
    /// All matches are evaluated in the state before; each patch is applied to what is at its path in that
    /// state, though another one deletes an element of the same list. Dropping the future ends the waiting; whether it had joined by then,
    /// [`joined`](Transaction::joined) tells.
    ///
    /// # Errors
    /// `InvalidInput` for a path that overlaps another participant's, or takes a container on the way for one of another kind, or may do
    /// so for all that the paths say (an index beside a key): this participant has not joined, the others go on waiting. `Conflict` when
    /// all have joined already, or it was aborted; `Timeout`; `NotFound` once it is forgotten; those of a commit. A match that does not
    /// hold and a patch that cannot be applied are no errors but an [`Outcome`].
    pub async fn join(
        &self,
        path: impl ToPath,
        patch: Patch,
        matching: impl Into<Option<Match>>,
    ) -> Result<Outcome> {
        let path = self.inner.path(path)?;
        let join = Join {
            path: path.clone(),
            matching: matching.into(),
            patch,
            id: None,
        };
        self.inner.join(self.id, join).await?;
        self.inner.outcome(self.id, &path).await
    }

    /// As [`join`](Transaction::join), without waiting for the others, and for somebody who may have to ask again: one who has joined does not join twice.
    /// [`outcome`](Transaction::outcome) tells what becomes of it.
    ///
    /// # Errors
    /// Those of [`join`](Transaction::join).
    pub async fn enter(
        &self,
        path: impl ToPath,
        patch: Patch,
        matching: impl Into<Option<Match>>,
        once: Once,
    ) -> Result<()> {
        let path = self.inner.path(path)?;
        let join = Join {
            path,
            matching: matching.into(),
            patch,
            id: Some(once.id),
        };
        if once.is_again() && self.inner.has_joined(self.id, once.id)? {
            return self.inner.settle(self.inner.options.durability).await;
        }
        self.inner.join(self.id, join).await
    }

    /// Waits for what becomes of it, without joining; `path` is where the value is read.
    ///
    /// # Errors
    /// `Conflict` when it was aborted; `Timeout`; `NotFound` once it is forgotten; those of reading.
    pub async fn outcome(&self, path: impl ToPath) -> Result<Outcome> {
        let path = self.inner.path(path)?;
        self.inner.outcome(self.id, &path).await
    }

    /// Ends it for all who wait: nothing is applied.
    ///
    /// # Errors
    /// `Conflict` if it has ended already; `NotFound`; those of a commit.
    pub async fn abort(&self) -> Result<()> {
        let writer = self.inner.writer.lock().await;
        self.inner.check_open(self.id)?;
        let receipt = self.inner.end(self.id, Ending::Aborted).await?;
        drop(writer);
        receipt.wait(self.inner.options.durability).await
    }
}

impl<V> State<V> {
    pub(super) fn new(kept: Kept, joins: Vec<Join>) -> Self {
        State {
            kept,
            joins,
            receipt: None,
            ended: Arc::new(Event::new()),
        }
    }
}

impl<V: Volume, C: Clock> Inner<V, C> {
    fn state<T>(&self, id: u64, look: impl FnOnce(&State<V>) -> T) -> Result<T> {
        let running = self.running.lock();
        running.get(&id).map(look).ok_or_else(|| unknown(id))
    }

    /// Those whose outcome nobody can still be waiting for.
    fn forgettable(&self, now: u64) -> Vec<u64> {
        let running = self.running.lock();
        let old = running.iter().filter(|(_, state)| state.kept.forget < now);
        old.map(|(id, _)| *id).collect()
    }

    /// An error unless it waits for participants.
    fn check_open(&self, id: u64) -> Result<()> {
        match self.state(id, |state| state.kept.ending.clone())? {
            None => Ok(()),
            Some(Ending::TimedOut) => Err(timed_out(id)),
            Some(Ending::Aborted) => Err(aborted(id)),
            Some(_) => Err(Error::new(
                Kind::Conflict,
                format!("transaction {id} has all its participants"),
            )),
        }
    }

    /// Whether one with this id of his own has joined.
    fn has_joined(&self, transaction: u64, id: u64) -> Result<bool> {
        self.state(transaction, |state| {
            let mut joins = state.joins.iter();
            joins.any(|join| join.id == Some(id)) || state.kept.ids.contains(&id)
        })
    }

    async fn join(&self, id: u64, join: Join) -> Result<()> {
        let receipt = self.submit_join(id, join).await?;
        receipt.wait(self.options.durability).await
    }

    async fn submit_join(&self, id: u64, join: Join) -> Result<Receipt<V>> {
        let mut writer = self.writer.lock().await;
        self.check_open(id)?;
        let (kept, joins) = self.state(id, |state| (state.kept.clone(), state.joins.clone()))?;
        if self.millis() >= kept.deadline {
            self.end(id, Ending::TimedOut).await?;
            return Err(timed_out(id));
        }
        for other in &joins {
            let what = match join.path.relation(&other.path) {
                Relation::Apart => continue,
                Relation::Mixed => "takes a container for one of another kind than",
                Relation::Unclear => "may overlap",
                _ => "overlaps",
            };
            return Err(refuse(&format!(
                "the path {} {what} {}, which another participant has",
                shown(&join.path),
                shown(&other.path)
            )));
        }
        let mut joins = joins;
        joins.push(join);
        let position = joins.len() as u64 - 1;
        if joins.len() as u64 == kept.participants {
            let ids = joins.iter().filter_map(|join| join.id).collect();
            let kept = Kept { ids, ..kept };
            return self.conclude(&mut writer, id, kept, joins).await;
        }
        let mut batch = Batch::new();
        if let Some(join) = joins.last() {
            rows::put_join(&mut batch, id, position, join);
        }
        let receipt = self.store.submit(batch, self.options.durability).await?;
        if let Some(state) = self.running.lock().get_mut(&id) {
            state.joins = joins;
        }
        Ok(receipt)
    }

    /// The last one has joined.
    async fn conclude(
        &self,
        writer: &mut Writer,
        id: u64,
        kept: Kept,
        joins: Vec<Join>,
    ) -> Result<Receipt<V>> {
        let tip = self.tip(DOCUMENT)?;
        let mut work = self.work(writer, DOCUMENT, tip.base);
        let (ending, ops) = match self.decide(&mut work, &kept, &joins).await? {
            Verdict::Unmatched => (Ending::Unmatched(tip.commit), Vec::new()),
            Verdict::Refused(refused) => {
                let ending = Ending::Refused {
                    commit: tip.commit,
                    path: refused.path().clone(),
                    reason: refused.reason().into(),
                };
                (ending, Vec::new())
            }
            Verdict::Applied(ops) if ops.iter().all(|op| matches!(op, Op::Test { .. })) => {
                (Ending::Committed(tip.commit), Vec::new())
            }
            Verdict::Applied(ops) => (Ending::Committed(tip.commit + 1), ops),
        };
        if ops.is_empty() {
            drop(work);
            return self.end_as(id, kept, ending).await;
        }
        let mut batch = Batch::new();
        let ended = Kept {
            ending: Some(ending),
            ..kept
        };
        rows::put(&mut batch, id, &ended);
        rows::delete_joins(&mut batch, id, joins.len() as u64 - 1);
        let durability = self.options.durability;
        let entry = Entry {
            millis: self.millis(),
            condition: None,
            id: None,
            ops,
        };
        let done = self
            .log(writer, DOCUMENT, work, entry, batch, durability)
            .await?;
        let (_, receipt) =
            done.ok_or_else(|| Error::new(Kind::Conflict, "a transaction without changes"))?;
        self.ended(id, ended, &receipt);
        Ok(receipt)
    }

    async fn decide(&self, work: &mut Work<V>, kept: &Kept, joins: &[Join]) -> Result<Verdict> {
        if let Some(pattern) = whole_match(&kept.meta)?
            && !satisfied(work, &Path::ROOT, &pattern).await?
        {
            return Ok(Verdict::Unmatched);
        }
        for join in joins {
            if let Some(pattern) = &join.matching
                && !satisfied(work, &join.path, pattern).await?
            {
                return Ok(Verdict::Unmatched);
            }
        }
        // From the back: who deletes an element of a list does not move those that others have named.
        let mut order: Vec<_> = joins.iter().collect();
        order.sort_by(|one, other| other.path.cmp(&one.path));
        let mut ops = Vec::new();
        for join in order {
            let (base, patch) = match self.keys().resolve_patch(&join.path, &join.patch) {
                Ok(resolved) => resolved,
                Err(error) => return refused(error),
            };
            match normalize(work, &base, &patch).await {
                Ok(more) => ops.extend(more),
                Err(error) => return refused(error),
            }
        }
        Ok(Verdict::Applied(ops))
    }

    /// Ends a transaction without a commit of the document. The writer's lock is held.
    async fn end(&self, id: u64, ending: Ending) -> Result<Receipt<V>> {
        let kept = self.state(id, |state| state.kept.clone())?;
        self.end_as(id, kept, ending).await
    }

    async fn end_as(&self, id: u64, mut kept: Kept, ending: Ending) -> Result<Receipt<V>> {
        let joins = self.state(id, |state| state.joins.len())?;
        kept.ending = Some(ending);
        let mut batch = Batch::new();
        rows::put(&mut batch, id, &kept);
        rows::delete_joins(&mut batch, id, joins as u64);
        let receipt = self.store.submit(batch, self.options.durability).await?;
        self.ended(id, kept, &receipt);
        Ok(receipt)
    }

    fn ended(&self, id: u64, kept: Kept, receipt: &Receipt<V>) {
        let event = self.running.lock().get_mut(&id).map(|state| {
            state.kept = kept;
            state.joins = Vec::new();
            state.receipt = Some(receipt.clone());
            state.ended.clone()
        });
        if let Some(event) = event {
            event.notify(usize::MAX);
        }
    }

    async fn outcome(&self, id: u64, path: &Path) -> Result<Outcome> {
        let ending = loop {
            let event = self.state(id, |state| state.ended.clone())?;
            let ended = event.listen();
            let (kept, receipt) =
                self.state(id, |state| (state.kept.clone(), state.receipt.clone()))?;
            if let Some(ending) = kept.ending {
                if let Some(receipt) = receipt {
                    receipt.wait(self.options.durability).await?;
                }
                break ending;
            }
            let left = kept.deadline.saturating_sub(self.millis());
            if left > 0 {
                let nap = Duration::from_millis(left).min(LONGEST_NAP);
                let sleep = pin!(self.clock.sleep(nap));
                if let Either::Left(_) = select(pin!(ended), sleep).await {
                    continue;
                }
            }
            let writer = self.writer.lock().await;
            if self.check_open(id).is_ok() && self.millis() >= kept.deadline {
                self.end(id, Ending::TimedOut).await?;
            }
            drop(writer);
        };
        let (committed, matched, commit, refused) = match ending {
            Ending::Committed(commit) => (true, true, commit, None),
            Ending::Unmatched(commit) => (false, false, commit, None),
            Ending::Refused {
                commit,
                path,
                reason,
            } => (false, true, commit, Some(Refused::new(path, reason))),
            Ending::TimedOut => return Err(timed_out(id)),
            Ending::Aborted => return Err(aborted(id)),
        };
        Ok(Outcome {
            committed,
            matched,
            commit,
            refused,
            value: self.read_at(DOCUMENT, path, commit).await?,
        })
    }
}

enum Verdict {
    Unmatched,
    Refused(Refused),
    Applied(Vec<Op>),
}

/// A patch that cannot be applied is an outcome; anything else is an error.
fn refused(error: Error) -> Result<Verdict> {
    match Refused::of(&error) {
        Some(refused) => Ok(Verdict::Refused(refused.clone())),
        None => Err(error),
    }
}

/// The match that meta carries for the whole.
fn whole_match(meta: &Value) -> Result<Option<Match>> {
    let pattern = meta.field("match").cloned();
    pattern.map(Match::from_value).transpose()
}

fn shown(path: &Path) -> alloc::string::String {
    match path.is_root() {
        true => "of the root".into(),
        false => format!("{path}"),
    }
}

fn unknown(id: u64) -> Error {
    Error::new(
        Kind::NotFound,
        format!("there is no transaction {id}, or it ended long ago"),
    )
}

fn timed_out(id: u64) -> Error {
    Error::new(
        Kind::Timeout,
        format!("transaction {id} did not get all its participants in time: nothing was changed"),
    )
}

fn aborted(id: u64) -> Error {
    Error::new(
        Kind::Conflict,
        format!("transaction {id} was aborted: nothing was changed"),
    )
}
