//! Watching a path: the state, then every later commit that touches it.

use super::{
    Commit, Documents, Path, Pattern, Value,
    documents::{Inner, no_commit},
    rows::DOCUMENT,
};
use crate::{
    Error, Kind, Result,
    engine::Direction,
    port::{Clock, Volume},
};
use alloc::{sync::Arc, vec::Vec};

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Where the watch begins, or begins anew.
    State {
        /// The commit whose state this is; what comes next is later.
        commit: u64,
        /// Every place that the pattern stands for, with what is there.
        values: Vec<(Path, Value)>,
        /// Commits that retention removed before the watch got to them, so that it had to begin anew; 0 otherwise.
        missed: u64,
    },
    /// A commit that touched what the pattern stands for.
    Change {
        /// The commit, with all that it did; what touched the pattern are the operations whose
        /// [`touches`](super::Op::touches) does not say `No`.
        commit: Commit,
        /// Later commits that there are already: how far the watch lags behind.
        behind: u64,
    },
}

/// A watch on a document or a scope. It reads the log at its own pace: it holds up no commit, keeps nothing in memory, and misses nothing that
/// retention keeps.
pub struct Watch<V, C> {
    pub(super) inner: Arc<Inner<V, C>>,
    pub(super) scope: u64,
    pub(super) pattern: Pattern,
    /// The last commit that was looked at; `None` before the state was told.
    seen: Option<u64>,
    /// What the state is told of; `None` for the last commit.
    from: Option<u64>,
    missed: u64,
}

impl<V: Volume, C: Clock> Documents<V, C> {
    /// Watches what `pattern` stands for: first the state after `from_commit` (the last one if `None`), then each later commit that
    /// touches it, exactly once and in order, whether it was made before or after this call.
    ///
    /// A commit is told as soon as readers see it, which may be before it is durable.
    ///
    /// # Errors
    /// `InvalidInput` for a key whose field was not declared; `OutOfRange` for a commit that is not there (yet, or any more).
    pub fn watch(
        &self,
        pattern: &Pattern,
        from_commit: impl Into<Option<u64>>,
    ) -> Result<Watch<V, C>> {
        self.0.clone().watch(DOCUMENT, pattern, from_commit.into())
    }

    /// Goes on with a watch that somebody had before, in another process say: each commit behind `seen` that touches `pattern`. The state is
    /// not told again, unless retention has removed commits meanwhile.
    ///
    /// # Errors
    /// `InvalidInput` for a key whose field was not declared; `OutOfRange` for a commit that is not there yet.
    pub fn watch_behind(&self, pattern: &Pattern, seen: u64) -> Result<Watch<V, C>> {
        self.0.clone().watch_behind(DOCUMENT, pattern, seen)
    }
}

impl<V: Volume, C: Clock> Inner<V, C> {
    pub(super) fn watch(
        self: Arc<Self>,
        scope: u64,
        pattern: &Pattern,
        from: Option<u64>,
    ) -> Result<Watch<V, C>> {
        if let Some(commit) = from {
            self.then(scope, commit)?;
        }
        Ok(Watch {
            pattern: self.keys().resolve_pattern(pattern)?,
            scope,
            seen: None,
            from,
            missed: 0,
            inner: self,
        })
    }
}

impl<V: Volume, C: Clock> Inner<V, C> {
    pub(super) fn watch_behind(
        self: Arc<Self>,
        scope: u64,
        pattern: &Pattern,
        seen: u64,
    ) -> Result<Watch<V, C>> {
        let current = self.tip(scope)?.commit;
        if seen > current {
            return Err(no_commit(seen, current));
        }
        let mut watch = self.watch(scope, pattern, None)?;
        watch.seen = Some(seen);
        Ok(watch)
    }
}

impl<V: Volume, C: Clock> Watch<V, C> {
    /// Waits for what comes next. A future that is dropped has missed nothing: the next call tells it.
    ///
    /// # Errors
    /// `Corrupt` for damage; `Closed`; `NotFound` once its scope is gone.
    pub async fn next(&mut self) -> Result<Event> {
        loop {
            let inner = self.inner.clone();
            let changed = inner.changed.listen();
            if let Some(event) = self.next_now().await? {
                return Ok(event);
            }
            changed.await;
        }
    }

    /// What comes next, if it is there already.
    ///
    /// # Errors
    /// Those of [`next`](Watch::next).
    pub async fn next_now(&mut self) -> Result<Option<Event>> {
        if self.inner.store.is_closed() {
            let message = "the store was closed: open it again";
            return Err(Error::new(Kind::Closed, message));
        }
        match self.look().await {
            // Retention went past what was seen: from here on the state of the last commit goes on.
            Err(error) if error.kind() == Kind::OutOfRange && self.seen.is_some() => {
                let current = self.inner.tip(self.scope)?.commit;
                let seen = self.seen.take().unwrap_or(current);
                self.missed = current.saturating_sub(seen);
                self.from = None;
                self.look().await
            }
            looked => looked,
        }
    }

    async fn look(&mut self) -> Result<Option<Event>> {
        let inner = &self.inner;
        let current = inner.tip(self.scope)?.commit;
        let Some(seen) = self.seen else {
            let commit = self.from.unwrap_or(current);
            let values = inner.matching(self.scope, &self.pattern, commit).await?;
            self.seen = Some(commit);
            return Ok(Some(Event::State {
                commit,
                values,
                missed: core::mem::take(&mut self.missed),
            }));
        };
        if seen >= current {
            return Ok(None);
        }
        inner.check_kept(self.scope, seen)?;
        let range = seen.saturating_add(1)..=current;
        let documents = Documents(inner.clone());
        let mut history =
            documents.history_of(&self.pattern, self.scope, range, Direction::Forward)?;
        let next = history.next().await?;
        // What retention removes while it is read.
        inner.check_kept(self.scope, seen)?;
        let Some(commit) = next else {
            self.seen = Some(current);
            return Ok(None);
        };
        self.seen = Some(commit.number);
        Ok(Some(Event::Change {
            behind: current.saturating_sub(commit.number),
            commit,
        }))
    }

    /// The last commit that it has told of or looked at; `None` before the state was told.
    pub fn seen(&self) -> Option<u64> {
        self.seen
    }

    /// Commits that are there and were not looked at yet.
    ///
    /// # Errors
    /// `NotFound` once its scope is gone.
    pub fn behind(&self) -> Result<u64> {
        let current = self.inner.tip(self.scope)?.commit;
        Ok(current.saturating_sub(self.seen.unwrap_or(current)))
    }
}
