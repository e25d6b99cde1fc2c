//! Reading, now and then.

use super::{
    Documents, Op, Path, ToPath, Value, diff,
    documents::{Inner, nothing_at},
    load::Then,
    rows::DOCUMENT,
};
use crate::{
    Result,
    port::{Clock, Volume},
};
use alloc::{vec, vec::Vec};

impl<V: Volume, C: Clock> Documents<V, C> {
    /// What is at `path` now.
    ///
    /// # Errors
    /// `NotFound` for nothing there; `Corrupt` with the place for damage; `Closed`.
    pub async fn read(&self, path: impl ToPath) -> Result<Value> {
        let path = self.0.path(path)?;
        let (value, _) = self.0.read(DOCUMENT, &path).await?;
        value.ok_or_else(|| nothing_at(&path))
    }

    /// What is at `path` now, if something is, and the commit that says so.
    ///
    /// # Errors
    /// Those of [`read`](Documents::read) but `NotFound`.
    pub async fn read_with_commit(&self, path: impl ToPath) -> Result<(Option<Value>, u64)> {
        let path = self.0.path(path)?;
        self.0.read(DOCUMENT, &path).await
    }

    /// What was at `path` after `commit`; 0 is the empty object before the first.
    ///
    /// # Errors
    /// Those of [`read`](Documents::read); `OutOfRange` for a commit that is not there yet, and with the horizon for one that retention
    /// has removed.
    pub async fn read_at(&self, path: impl ToPath, commit: u64) -> Result<Value> {
        let path = self.0.path(path)?;
        let value = self.0.read_at(DOCUMENT, &path, commit).await?;
        value.ok_or_else(|| nothing_at(&path))
    }

    /// Operations that make what was at `path` after commit `from` what was there after commit `to`, which may be the older one. Their paths
    /// begin at the root.
    ///
    /// # Errors
    /// Those of [`read_at`](Documents::read_at) but `NotFound`: nothing can become something, and something nothing.
    pub async fn diff_between(&self, path: impl ToPath, from: u64, to: u64) -> Result<Vec<Op>> {
        let path = self.0.path(path)?;
        self.0.diff_between(DOCUMENT, &path, from, to).await
    }
}

impl<V: Volume, C: Clock> Inner<V, C> {
    pub(super) async fn read(&self, scope: u64, path: &Path) -> Result<(Option<Value>, u64)> {
        let (rows, moment, commit) = self.now(scope)?;
        let rows = &rows;
        let value = Then { rows, moment }.value(path).await?;
        Ok((value, commit))
    }

    pub(super) async fn read_at(
        &self,
        scope: u64,
        path: &Path,
        commit: u64,
    ) -> Result<Option<Value>> {
        let (rows, moment) = self.then(scope, commit)?;
        let rows = &rows;
        Then { rows, moment }.value(path).await
    }

    pub(super) async fn diff_between(
        &self,
        scope: u64,
        path: &Path,
        from: u64,
        to: u64,
    ) -> Result<Vec<Op>> {
        let from = self.read_at(scope, path, from).await?;
        let to = self.read_at(scope, path, to).await?;
        let path = path.clone();
        match (from, to) {
            (None, None) => Ok(Vec::new()),
            (Some(_), None) => Ok(vec![Op::Delete { path }]),
            (None, Some(value)) => Ok(vec![Op::Set { path, value }]),
            (Some(from), Some(to)) => diff(&from, &to)
                .into_iter()
                .map(|op| op.try_map(|below| path.join(&below)))
                .collect(),
        }
    }
}
