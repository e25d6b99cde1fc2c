//! Snapshots, and removing what retention does not keep.
//!
//! Head is always a snapshot of the last commit. What is removed are rows of past whose states nobody can ask for any more, with the containers
//! that hung on them, and rows of the log. First the store learns which commits are gone; then rows go in slices, what hangs below an edge
//! before the edge: a crash in between leaves rows that the next run removes.
//!
//! A container that was moved hangs on several edges. As long as only a horizon moves on, they go in the order of their ends, and the last one
//! takes it along. Thinning has no such order: it leaves alone what was moved, until a horizon has passed it.

use super::{
    Documents, Remove, Retention,
    documents::Inner,
    entry::Entry,
    meta::REMOVED,
    retention::Removed,
    rows::{
        DOCUMENT, Edge, HEAD, LOG, META, PAST, log_key, node_prefix, ordered, past_parts,
        take_ordered,
    },
};
use crate::{
    Result,
    engine::{Batch, Direction, Durability, KeyRange, View},
    port::{Clock, Volume},
};
use alloc::{collections::BTreeSet, vec, vec::Vec};
use core::time::Duration;

/// Rows that are removed in one commit of the engine.
const SLICE: usize = 512;

/// What [`Documents::switch_and_snapshot`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The last commit that it covers.
    pub commit: u64,
    /// The first commit that is kept.
    pub horizon: u64,
    /// Rows that retention removed. Their bytes are given back by the store's own upkeep.
    pub removed_rows: u64,
}

impl<V: Volume, C: Clock> Documents<V, C> {
    /// Turns what is in the log into sorted tables, so that the next opening has nothing to replay, and removes what the
    /// [`Retention`] does not keep. Writers and readers go on meanwhile.
    ///
    /// Dropping the future stops the work where it is; the next call goes on.
    ///
    /// # Errors
    /// `InvalidInput` for a divisor below 2; those of a checkpoint and of a commit.
    pub fn switch_and_snapshot(&self) -> impl Future<Output = Result<Snapshot>> {
        self.snapshot_with(self.0.options.retention)
    }

    /// As [`switch_and_snapshot`](Documents::switch_and_snapshot), and removes once what this retention does not keep.
    ///
    /// # Errors
    /// As there.
    pub async fn snapshot_with(&self, retention: Retention) -> Result<Snapshot> {
        let inner = &*self.0;
        let _turn = inner.snapshots.lock().await;
        let commit = inner.tip(DOCUMENT)?.commit;
        inner.shared.lock().unsaved = Default::default();
        inner.store.checkpoint().await?;
        let removed_rows = inner.remove_old(retention).await?;
        Ok(Snapshot {
            commit,
            horizon: inner.shared.lock().removed.horizon,
            removed_rows,
        })
    }

    /// Makes snapshots when there are as many commits or bytes as the [`Options`](super::Options) say. A host that wants them made polls one such
    /// future beside the store's own [`drive`](crate::engine::Store::drive); it never returns while the store is open.
    pub async fn drive(&self) {
        loop {
            let changed = self.0.changed.listen();
            if self.0.store.is_closed() {
                return;
            }
            let due = {
                let shared = self.0.shared.lock();
                shared.unsaved.commits >= self.0.options.snapshot_commits
                    || shared.unsaved.bytes >= self.0.options.snapshot_bytes
            };
            // What goes wrong here goes wrong for the next commit as well, which says so.
            if due && self.switch_and_snapshot().await.is_ok() {
                continue;
            }
            changed.await;
        }
    }

    /// The first commit that is kept. With [`Remove::Thin`], not all behind it are.
    pub fn horizon(&self) -> u64 {
        self.0.shared.lock().removed.horizon
    }
}

impl<V: Volume, C: Clock> Inner<V, C> {
    /// `OutOfRange` unless the log has every commit of `scope` behind `seen`.
    pub(super) fn check_kept(&self, scope: u64, seen: u64) -> Result<()> {
        match scope {
            DOCUMENT => self.shared.lock().removed.check_behind(seen),
            _ => Ok(()),
        }
    }

    async fn remove_old(&self, retention: Retention) -> Result<u64> {
        let first = match retention.remove {
            // Reads the log, for which no writer has to wait.
            Remove::KeepFor(duration) => self.first_within(duration).await?,
            _ => 0,
        };
        let writer = self.writer.lock().await;
        let tip = self.tip(DOCUMENT)?.commit;
        let mut removed = self.shared.lock().removed.clone();
        match retention.remove {
            Remove::NeverRemove => return Ok(0),
            Remove::KeepLast(count) => removed.cut((tip + 1).saturating_sub(count.max(1))),
            Remove::KeepFor(_) => removed.cut(first),
            Remove::Thin => removed.thin(tip, retention.divisor)?,
        }
        let mut batch = Batch::new();
        batch.put(META, REMOVED, removed.encode());
        self.store.submit(batch, Durability::Local).await?;
        let pinned: BTreeSet<u64> = {
            let mut shared = self.shared.lock();
            shared.removed = removed.clone();
            shared.scopes.values().map(|(_, base)| *base).collect()
        };
        // From here on nobody asks for what is removed.
        let view = self.store.view();
        drop(writer);
        let mut sweep = Sweep {
            inner: self,
            view,
            tip,
            removed,
            pinned,
            batch: Batch::new(),
            rows: 0,
        };
        sweep.past().await?;
        sweep.log().await?;
        sweep.flush().await?;
        Ok(sweep.rows)
    }

    /// The commit that was the last one so long ago.
    async fn first_within(&self, duration: Duration) -> Result<u64> {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let until = self.millis().saturating_sub(millis);
        let tip = self.tip(DOCUMENT)?.commit;
        let first = self.shared.lock().removed.horizon;
        let range = KeyRange::between(
            log_key(DOCUMENT, first.saturating_add(1)),
            log_key(DOCUMENT, tip.saturating_add(1)),
        );
        let mut log = self.store.view().scan(LOG, range, Direction::Forward);
        let mut current = first;
        while let Some(row) = log.next().await? {
            if Entry::decode(&log.value().await?)?.millis > until {
                break;
            }
            current = take_ordered(take_ordered(&row.key)?.1)?.0;
        }
        Ok(current)
    }
}

struct Sweep<'a, V, C> {
    inner: &'a Inner<V, C>,
    view: View<V>,
    tip: u64,
    removed: Removed,
    /// Commits that scopes began with.
    pinned: BTreeSet<u64>,
    batch: Batch,
    rows: u64,
}

impl<V: Volume, C: Clock> Sweep<'_, V, C> {
    async fn past(&mut self) -> Result<()> {
        let all = KeyRange::prefix(ordered(DOCUMENT));
        let mut past = self.view.scan(PAST, all, Direction::Forward);
        while let Some(row) = past.next().await? {
            let (_, _, end) = past_parts(&row.key)?;
            // What ends later is the state of a commit that was not there yet, or a scope began with.
            if end > self.tip {
                continue;
            }
            let edge = Edge::decode(&past.value().await?)?;
            if self.removed.needs(edge.since, end, &self.pinned) {
                continue;
            }
            let beyond = self.is_beyond(end);
            if !beyond && (edge.came || edge.went) {
                continue;
            }
            if let Some(node) = edge.what.node()
                && !edge.went
                && !self.node(node, beyond).await?
            {
                continue;
            }
            self.delete(PAST, &row.key).await?;
        }
        Ok(())
    }

    /// Whether all that ended here is before the horizon, and no scope needs any of it.
    fn is_beyond(&self, end: u64) -> bool {
        let pinned = self.pinned.range(..end).next().is_some();
        end <= self.removed.horizon && !pinned
    }

    /// Removes a container with all that is in it. `false` if it has to stay because something in it may hang elsewhere as well.
    async fn node(&mut self, node: u64, beyond: bool) -> Result<bool> {
        let mut nodes = vec![node];
        let mut keys = Vec::new();
        let mut next = 0;
        while let Some(node) = nodes.get(next).copied() {
            next += 1;
            for space in [HEAD, PAST] {
                let range = KeyRange::prefix(node_prefix(DOCUMENT, node));
                let mut scan = self.view.scan(space, range, Direction::Forward).nearby();
                while let Some(row) = scan.next().await? {
                    let edge = Edge::decode(&scan.value().await?)?;
                    if !beyond && edge.came {
                        return Ok(false);
                    }
                    nodes.extend(edge.what.node().filter(|_| !edge.went));
                    keys.push((space, row.key));
                }
            }
        }
        for (space, key) in keys.into_iter().rev() {
            self.delete(space, &key).await?;
        }
        Ok(true)
    }

    async fn log(&mut self) -> Result<()> {
        let before = KeyRange::between(log_key(DOCUMENT, 0), log_key(DOCUMENT, self.tip));
        let mut log = self.view.scan(LOG, before, Direction::Forward);
        while let Some(row) = log.next().await? {
            let commit = take_ordered(take_ordered(&row.key)?.1)?.0;
            if commit >= self.removed.horizon && !self.removed.is_thinned() {
                break;
            }
            if !self.removed.keeps(commit) {
                self.delete(LOG, &row.key).await?;
            }
        }
        Ok(())
    }

    async fn delete(&mut self, space: crate::engine::Space, key: &[u8]) -> Result<()> {
        self.batch.delete(space, key);
        self.rows += 1;
        if self.batch.len() >= SLICE {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        let batch = core::mem::take(&mut self.batch);
        let receipt = self.inner.store.submit(batch, Durability::Local).await?;
        receipt.wait(Durability::Local).await
    }
}
