//! Reading: fast and slow as one. Look-ups go fast, slow, fast again, so that a blob that is handed over between
//! the two looks is not missed; a slow side that cannot be reached is an error, never an absence.

use super::{
    fetch::not_found,
    flight::Fetched,
    handle::{Environment, Pair, Remote},
    transfer::Progress,
};
use crate::{
    Error, Kind, Result,
    blob::{BlobStore, Listed, Pointer, Stat, cut_range},
    engine::View,
    port::Volume,
};
use alloc::vec::Vec;
use bytes::Bytes;
use core::{cmp::Ordering, ops::Range};

impl<V: Volume, S: Remote, E: Environment> Pair<V, S, E> {
    /// The blob's bytes, checked. A miss is fetched from slow once, however many ask, and kept in fast.
    ///
    /// Dropping the future while others wait for the same blob hands the fetch over to one of them.
    ///
    /// # Errors
    /// `NotFound` when neither side has it, or it was deleted. `Transient`, `Timeout` or `Auth` when slow had to be
    /// asked and could not be. `Corrupt` when slow sends other bytes, or fast's are damaged and slow has none.
    /// `OutOfRange` for a blob larger than fits in memory: read ranges. `Closed`.
    pub async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        let mut damaged = None;
        let mut fills = 0;
        loop {
            match self.look(pointer, &mut damaged, None).await? {
                Some(bytes) => return Ok(bytes),
                None => match self.fetch(pointer).await {
                    Ok(Fetched::Bytes(bytes)) => return Ok(bytes),
                    // Read from fast, unless it leaves at once again: the bound is too small for it.
                    Ok(Fetched::Filled) if fills < 2 => fills += 1,
                    Ok(Fetched::Filled | Fetched::Unfilled) => return self.get_past(pointer).await,
                    Err(error) => {
                        return match self.look(pointer, &mut damaged, None).await? {
                            Some(bytes) => Ok(bytes),
                            None => Err(worse(error, damaged)),
                        };
                    }
                },
            }
        }
    }

    /// Bytes `range` of the blob. A range that ends behind the blob's end is cut to it. A miss fetches the whole
    /// blob, in bounded memory: nothing less can be checked.
    ///
    /// # Errors
    /// Those of [`get`](Pair::get); `OutOfRange` when it starts behind the end; `InvalidInput` when start > end.
    pub async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        let mut damaged = None;
        let mut fills = 0;
        loop {
            let wanted = Some(range.clone());
            match self.look(pointer, &mut damaged, wanted).await? {
                Some(bytes) => return Ok(bytes),
                None => match self.fetch(pointer).await {
                    Ok(Fetched::Bytes(bytes)) => {
                        let range = cut_range(range, bytes.len() as u64)?;
                        return Ok(bytes.slice(range.start as usize..range.end as usize));
                    }
                    Ok(Fetched::Filled) if fills < 2 => fills += 1,
                    Ok(Fetched::Filled | Fetched::Unfilled) => {
                        return self.get_range_past(pointer, range).await;
                    }
                    Err(error) => {
                        let wanted = Some(range.clone());
                        return match self.look(pointer, &mut damaged, wanted).await? {
                            Some(bytes) => Ok(bytes),
                            None => Err(worse(error, damaged)),
                        };
                    }
                },
            }
        }
    }

    /// What is known of the blob, or `None` if neither side has it.
    ///
    /// # Errors
    /// `Transient`, `Timeout` or `Auth` when slow had to be asked and could not be; `Closed`.
    pub async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
        self.0.account.open_or_closed()?;
        if self.is_hidden(pointer).await? {
            return Ok(None);
        }
        if let Some(stat) = self.0.fast.stat(pointer).await? {
            return Ok(Some(stat));
        }
        let slow = self
            .moving(&Progress::default(), self.0.slow.stat(pointer))
            .await;
        if let Ok(Some(stat)) = slow {
            return Ok((!self.is_hidden(pointer).await?).then_some(stat));
        }
        match self.0.fast.stat(pointer).await? {
            Some(stat) if !self.is_hidden(pointer).await? => Ok(Some(stat)),
            _ => slow,
        }
    }

    /// Whether each of `pointers` is on either side, in the order asked. Slow is only asked about what fast lacks.
    ///
    /// # Errors
    /// `Transient`, `Timeout` or `Auth` when slow had to be asked and could not be; `Closed`.
    pub async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        self.0.account.open_or_closed()?;
        // Before slow is asked: what it answers may be older than a deletion that ends meanwhile.
        let before = self.0.store.view();
        let mut has = self.0.fast.visible(pointers).await?;
        let mut missing = Vec::new();
        for (pointer, has) in pointers.iter().zip(&has) {
            if !has {
                missing.push(*pointer);
            }
        }
        if !missing.is_empty() {
            let asked = self
                .moving(&Progress::default(), self.0.slow.has(&missing))
                .await?;
            if asked.len() != missing.len() {
                return Err(lie("the blobs that it was asked about"));
            }
            let again = self.0.fast.visible(&missing).await?;
            let mut answers = asked.iter().zip(&again).map(|(slow, fast)| *slow || *fast);
            for has in has.iter_mut().filter(|has| !**has) {
                *has = answers.next().unwrap_or(false);
            }
        }
        for (pointer, has) in pointers.iter().zip(&mut has) {
            *has = *has && !self.is_hidden_since(&before, pointer).await?;
        }
        Ok(has)
    }

    /// Up to `limit` (at least 1) blobs of both sides in pointer order behind `after`. An empty answer is the end; a
    /// shorter one is not.
    ///
    /// # Errors
    /// `Transient`, `Timeout` or `Auth` when slow cannot be asked: a list without its part would be taken for the
    /// whole. [`fast`](Pair::fast) lists what is here. `Closed`.
    pub async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
        self.0.account.open_or_closed()?;
        let limit = limit.max(1);
        let mut after = after;
        loop {
            // As in `has`.
            let before = self.0.store.view();
            let fast = self.0.fast.list(after, limit).await?;
            let slow = self
                .moving(&Progress::default(), self.0.slow.list(after, limit))
                .await?;
            // Behind the end of the shorter page nothing is known of its side.
            let ends = [fast.last(), slow.last()];
            let Some(end) = ends.into_iter().flatten().map(|row| row.pointer).min() else {
                return Ok(Vec::new());
            };
            if after.is_some_and(|after| end <= after) {
                return Err(lie("a list, which goes backwards"));
            }
            let mut page = Vec::new();
            for row in merge(fast, slow) {
                if row.pointer <= end
                    && page.len() < limit
                    && !self.is_hidden_since(&before, &row.pointer).await?
                {
                    page.push(row);
                }
            }
            if !page.is_empty() {
                return Ok(page);
            }
            after = Some(end);
        }
    }

    /// Whether the blob was deleted, and slow and fast have not both forgotten it yet.
    pub(super) async fn is_hidden(&self, pointer: &Pointer) -> Result<bool> {
        Ok(self.queued(&self.0.store.view(), pointer).await?.hidden)
    }

    /// Whether it was hidden in the view `before`, or is now.
    async fn is_hidden_since(&self, before: &View<V>, pointer: &Pointer) -> Result<bool> {
        Ok(self.queued(before, pointer).await?.hidden || self.is_hidden(pointer).await?)
    }

    /// Looks in fast: `None` where it is not, or is damaged.
    async fn look(
        &self,
        pointer: &Pointer,
        damaged: &mut Option<Error>,
        range: Option<Range<u64>>,
    ) -> Result<Option<Bytes>> {
        self.0.account.open_or_closed()?;
        if self.is_hidden(pointer).await? {
            return Err(not_found(pointer));
        }
        let found = match range {
            Some(range) => self.0.fast.get_range(pointer, range).await,
            None => self.0.fast.get(pointer).await,
        };
        match found {
            Ok(bytes) => {
                self.touch(pointer);
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) if error.kind() == Kind::Corrupt => {
                if damaged.is_none() {
                    self.quarantine(pointer, &error).await?;
                    *damaged = Some(error);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Of the damage here and what slow said, the one that tells more: a blob that is damaged here is not absent.
fn worse(slow: Error, damaged: Option<Error>) -> Error {
    match damaged {
        Some(damaged) if slow.kind() == Kind::NotFound => damaged,
        _ => slow,
    }
}

/// What slow sent instead of an answer.
pub(super) fn lie(what: &str) -> Error {
    Error::new(
        Kind::Corrupt,
        alloc::format!("the remote gave a wrong answer for {what}"),
    )
}

/// Two pages in pointer order as one.
fn merge(left: Vec<Listed>, right: Vec<Listed>) -> Vec<Listed> {
    let mut merged = Vec::with_capacity(left.len().saturating_add(right.len()));
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return merged,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(l), Some(r)) => l.pointer.cmp(&r.pointer),
        };
        if order.is_ge()
            && let Some(row) = right.next()
            && order.is_gt()
        {
            merged.push(row);
        }
        if order.is_le() {
            merged.extend(left.next());
        }
    }
}
