//! What was committed, and what touched a path.

use super::{
    Documents, Op, Path, Pattern, ToPath, Touch, Value,
    documents::Inner,
    entry::Entry,
    load::Then,
    rows::{DOCUMENT, LOG, log_key, take_ordered},
};
use crate::{
    Kind, Result,
    engine::{Direction, KeyRange, Scan},
    port::{Clock, Volume},
};
use alloc::{sync::Arc, vec::Vec};
use core::{ops::RangeInclusive, time::Duration};

/// A range of fewer commits is read through the cache.
const FEW: u64 = 64;

/// A commit, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// Its number.
    pub number: u64,
    /// When it was made, since 1970, by the host's clock.
    pub time: Duration,
    /// What it did, in normal form; paths begin at the root.
    pub ops: Vec<Op>,
}

/// Commits that touched a path, one at a time. What it sees is the document as it was when it was asked for.
pub struct History<V, C> {
    inner: Arc<Inner<V, C>>,
    scope: u64,
    pattern: Pattern,
    scan: Scan<V>,
}

impl<V: Volume, C: Clock> Documents<V, C> {
    /// The commits of `range` that changed what is at `path`, or put the same there again; those above and below it included.
    ///
    /// Reads the log of the range, whatever it touched: 100,000 commits are some tenths of a second.
    ///
    /// # Errors
    /// `InvalidInput` for a text that is no path.
    pub fn history(
        &self,
        path: impl ToPath,
        range: RangeInclusive<u64>,
        direction: Direction,
    ) -> Result<History<V, C>> {
        let path = self.0.path(path)?;
        self.history_of(&path.into(), DOCUMENT, range, direction)
    }

    pub(super) fn history_of(
        &self,
        pattern: &Pattern,
        scope: u64,
        range: RangeInclusive<u64>,
        direction: Direction,
    ) -> Result<History<V, C>> {
        let (rows, _, current) = self.0.now(scope)?;
        let (first, last) = (*range.start(), current.min(*range.end()));
        let range = KeyRange::between(
            log_key(scope, first),
            log_key(scope, last.saturating_add(1)),
        );
        let scan = rows.view.scan(LOG, range, direction);
        Ok(History {
            inner: self.0.clone(),
            scope,
            pattern: pattern.clone(),
            // A watch asks for few at a time, which are in memory or in the cache.
            scan: match last.saturating_sub(first) < FEW {
                true => scan.nearby(),
                false => scan,
            },
        })
    }
}

impl<V: Volume, C: Clock> History<V, C> {
    /// The next commit; `None` behind the last one. A future that is dropped has skipped nothing that it did not look at.
    ///
    /// # Errors
    /// `Corrupt` for damage; `Closed`; `OutOfRange` if retention removed a state meanwhile that has to be looked at.
    pub async fn next(&mut self) -> Result<Option<Commit>> {
        while let Some(entry) = self.scan.next().await? {
            let number = take_ordered(take_ordered(&entry.key)?.1)?.0;
            let entry = Entry::decode(&self.scan.value().await?)?;
            if self
                .inner
                .touched(self.scope, &self.pattern, number, &entry)
                .await?
            {
                return Ok(Some(Commit {
                    number,
                    time: entry.time(),
                    ops: entry.ops,
                }));
            }
        }
        Ok(None)
    }
}

impl<V: Volume, C: Clock> Inner<V, C> {
    /// Whether a commit touched what `pattern` stands for.
    pub(super) async fn touched(
        &self,
        scope: u64,
        pattern: &Pattern,
        commit: u64,
        entry: &Entry,
    ) -> Result<bool> {
        let touch = entry.ops.iter().map(|op| op.touches(pattern)).max();
        Ok(match touch.unwrap_or(Touch::No) {
            Touch::No => false,
            Touch::Yes => true,
            // An index and a key may mean one element: the states tell.
            Touch::Unclear => {
                let before = self.matching(scope, pattern, commit.saturating_sub(1));
                match before.await {
                    Ok(before) => before != self.matching(scope, pattern, commit).await?,
                    // The state before is not kept: it may have.
                    Err(error) if error.kind() == Kind::OutOfRange => true,
                    Err(error) => return Err(error),
                }
            }
        })
    }

    /// What `pattern` stood for after `commit`.
    pub(super) async fn matching(
        &self,
        scope: u64,
        pattern: &Pattern,
        commit: u64,
    ) -> Result<Vec<(Path, Value)>> {
        let (rows, moment) = self.then(scope, commit)?;
        let rows = &rows;
        Then { rows, moment }.matching(pattern).await
    }
}
