//! One patch, one commit.

use super::{
    Documents, Match, Once, Op, Patch, Path, ToPath,
    documents::{Inner, Writer, check_durability},
    entry::Entry,
    meta,
    normal::normalize,
    partial::satisfied,
    reader::Reader,
    refusal::Refusal,
    rows::{DOCUMENT, LOG, log_key},
    work::Work,
};
use crate::{
    Result,
    engine::{Batch, Durability, Receipt},
    port::{Clock, Volume},
};

/// Numbers of nodes that are reserved at once.
const NODES: u64 = 1024;

impl<V: Volume, C: Clock> Documents<V, C> {
    /// Applies `patch` to what is at `path`, if that satisfies `matching`, and returns the number of the commit. A patch that changes nothing, as
    /// one with tests alone, is no commit of its own: the last commit's number is returned.
    ///
    /// Match and patch are one step: of many who ask for the same state to be there, exactly one finds it. Returns once the commit
    /// has reached the durability of the [`Options`](super::Options). Readers and watches may see it before.
    ///
    /// # Errors
    /// `Conflict` where the state does not match or cannot take the patch, `InvalidInput` where no state could: [`Refused`](super::Refused) says where
    /// and why, nothing was changed, and no number is used up. `InvalidInput` also for more than one batch of the engine can hold
    /// (half a log area of keys and small values: 2 MiB by default). Others are those of [`Store::commit`](crate::engine::Store::commit).
    pub async fn patch(
        &self,
        path: impl ToPath,
        patch: Patch,
        matching: impl Into<Option<Match>>,
    ) -> Result<u64> {
        let durability = self.0.options.durability;
        self.patch_with(path, patch, matching, durability).await
    }

    /// As [`patch`](Documents::patch), with a durability of its own.
    ///
    /// # Errors
    /// See [`patch`](Documents::patch); `NotImplemented` for `Remote`.
    pub async fn patch_with(
        &self,
        path: impl ToPath,
        patch: Patch,
        matching: impl Into<Option<Match>>,
        durability: Durability,
    ) -> Result<u64> {
        let path = path.to_path()?;
        let matching = matching.into();
        self.0
            .patch(DOCUMENT, &path, &patch, matching, None, durability)
            .await
    }

    /// As [`patch`](Documents::patch), for somebody who may have to ask again: what was made when it was asked before is not made
    /// again, and its commit is returned.
    ///
    /// # Errors
    /// See [`patch`](Documents::patch). `OutOfRange` when it is asked again and retention has removed what would tell.
    pub async fn patch_once(
        &self,
        path: impl ToPath,
        patch: Patch,
        matching: impl Into<Option<Match>>,
        once: Once,
    ) -> Result<u64> {
        let path = path.to_path()?;
        let (matching, durability) = (matching.into(), self.0.options.durability);
        self.0
            .patch(DOCUMENT, &path, &patch, matching, Some(once), durability)
            .await
    }
}

impl<V: Volume, C: Clock> Inner<V, C> {
    pub(super) async fn patch(
        &self,
        scope: u64,
        path: &Path,
        patch: &Patch,
        matching: Option<Match>,
        once: Option<Once>,
        durability: Durability,
    ) -> Result<u64> {
        check_durability(durability)?;
        let mut writer = self.writer.lock().await;
        if let Some(commit) = self.made(scope, once).await? {
            drop(writer);
            self.settle(durability).await?;
            return Ok(commit);
        }
        let path = self.keys().resolve(path)?;
        let tip = self.tip(scope)?;
        let mut work = self.work(&writer, scope, tip.base);
        if let Some(pattern) = &matching {
            require(&mut work, &path, pattern).await?;
        }
        let (base, patch) = self.keys().resolve_patch(&path, patch)?;
        let ops = normalize(&mut work, &base, &patch).await?;
        let condition = matching
            .filter(|_| scope != DOCUMENT)
            .map(|pattern| (path, pattern));
        let entry = Entry {
            millis: self.millis(),
            condition,
            id: once.map(|once| once.id),
            ops,
        };
        let done = self
            .log(&mut writer, scope, work, entry, Batch::new(), durability)
            .await?;
        drop(writer);
        match done {
            Some((commit, receipt)) => {
                receipt.wait(durability).await?;
                Ok(commit)
            }
            None => Ok(tip.commit),
        }
    }

    /// Returns once everything that was committed has reached `durability`.
    pub(super) async fn settle(&self, durability: Durability) -> Result<()> {
        self.store.commit(Batch::new(), durability).await.map(drop)
    }

    /// The tree as it is now, to be changed by the one who holds the writer's lock.
    pub(super) fn work(&self, writer: &Writer, scope: u64, base: u64) -> Work<V> {
        let view = self.store.view();
        Work::new(Reader { view }, scope, base, writer.next_node)
    }

    /// Commits what `work` has changed by the operations of `entry`, together with `batch`. `None` if that is nothing at all.
    pub(super) async fn log(
        &self,
        writer: &mut Writer,
        scope: u64,
        work: Work<V>,
        entry: Entry,
        mut batch: Batch,
        durability: Durability,
    ) -> Result<Option<(u64, Receipt<V>)>> {
        let tests = |op: &Op| matches!(op, Op::Test { .. });
        if entry.ops.iter().all(tests) {
            return Ok(None);
        }
        let commit = self.tip(scope)?.commit + 1;
        work.write(&mut batch, commit);
        #[cfg(feature = "sabotage")]
        if self.options.sabotage == Some(crate::engine::Sabotage::CommitInTwo) {
            let tree = core::mem::take(&mut batch);
            let first = self.store.submit(tree, Durability::Local).await?;
            first.wait(Durability::Local).await?;
        }
        batch.put(LOG, log_key(scope, commit), entry.encode());
        let next_node = work.next_node();
        let mut reserved = writer.reserved;
        if next_node > reserved {
            reserved = next_node.saturating_add(NODES);
            meta::reserve_nodes(&mut batch, reserved);
        }
        // Its view would make the engine keep what the commit replaces.
        drop(work);
        let receipt = self.hand_over(scope, commit, batch, durability).await?;
        (writer.next_node, writer.reserved) = (next_node, reserved);
        Ok(Some((commit, receipt)))
    }
}

/// Refuses unless what is at `path` satisfies `pattern`.
pub(super) async fn require<V: Volume>(
    work: &mut Work<V>,
    path: &Path,
    pattern: &Match,
) -> Result<()> {
    match satisfied(work, path, pattern).await? {
        true => Ok(()),
        false => Err(Refusal::state("what is there does not match").at(path)),
    }
}
