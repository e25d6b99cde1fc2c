//! Which commits are kept.

use super::{
    binary::{Reader, put_number},
    rows::unreadable,
};
use crate::{Error, Kind, Result};
use alloc::{collections::BTreeSet, format, vec::Vec};
use core::time::Duration;

/// Which past states a document keeps. It is carried out by [`switch_and_snapshot`](super::Documents::switch_and_snapshot), never in between: until then
/// everything stays readable. The state of the last commit, and those that scopes began with, are kept whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How quickly [`Remove::Thin`] thins out: 2 or more.
    pub divisor: u64,
    /// What is removed.
    pub remove: Remove,
}

/// What a [`Retention`] removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remove {
    /// Nothing.
    NeverRemove,
    /// All but the states of the last commits, so many of them.
    KeepLast(u64),
    /// What was replaced longer ago than this, by the clock.
    KeepFor(Duration),
    /// Ever more the older it is: all of the last 64 commits stay; of those that are up to `divisor` times as old, each `divisor`th; up to `divisor`² times
    /// as old, each `divisor`²th, and so on. With a divisor of 2 these are about 32 states for each doubling of the number of commits.
    Thin,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            divisor: 2,
            remove: Remove::NeverRemove,
        }
    }
}

/// Thinning begins behind this many commits.
const FINE: u64 = 64;
/// Rules of thinning that are remembered: changes of the divisor.
const MAX_RULES: usize = 16;

/// What has been removed so far.
///
/// In the store: the horizon, the number of rules, and of each rule its commit and its divisor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Commits before this one are gone.
    pub horizon: u64,
    rules: Vec<Rule>,
}

/// A thinning: the last commit at that time, and the divisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    tip: u64,
    divisor: u64,
}

impl Rule {
    /// Of commits as old as this one, each so manyth is kept.
    fn stride(self, commit: u64) -> u64 {
        let mut age = self.tip.saturating_sub(commit) / FINE;
        let mut stride = 1u64;
        while age > 0 {
            stride = stride.saturating_mul(self.divisor);
            age /= self.divisor;
        }
        stride
    }

    fn keeps(self, commit: u64) -> bool {
        commit.is_multiple_of(self.stride(commit))
    }

    /// The last commit up to this one that it keeps. It always keeps 0.
    fn kept_up_to(self, commit: u64) -> u64 {
        let mut commit = commit;
        while !self.keeps(commit) {
            commit -= commit % self.stride(commit);
        }
        commit
    }
}

impl Removed {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.horizon);
        put_number(&mut out, self.rules.len() as u64);
        for rule in &self.rules {
            put_number(&mut out, rule.tip);
            put_number(&mut out, rule.divisor);
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Removed> {
        let mut reader = Reader::new(bytes);
        let horizon = reader.number()?;
        let rules = reader.list(|reader| {
            let rule = Rule {
                tip: reader.number()?,
                divisor: reader.number()?,
            };
            match rule.divisor {
                0 | 1 => Err(unreadable("retention")),
                _ => Ok(rule),
            }
        })?;
        reader.end()?;
        Ok(Removed { horizon, rules })
    }

    /// Removes what is before `horizon`, too.
    pub(crate) fn cut(&mut self, horizon: u64) {
        self.horizon = self.horizon.max(horizon);
    }

    /// Thins out what is there when `tip` is the last commit.
    pub(crate) fn thin(&mut self, tip: u64, divisor: u64) -> Result<()> {
        if divisor < 2 {
            return Err(super::refuse("the divisor of a retention is 2 or more"));
        }
        if let Some(last) = self.rules.last_mut()
            && last.divisor == divisor
        {
            // What the same rule keeps later, it kept before.
            last.tip = tip;
            return Ok(());
        }
        if self.rules.len() >= MAX_RULES {
            return Err(super::refuse(
                "the divisor of a retention was changed too often: keep one of those before",
            ));
        }
        self.rules.push(Rule { tip, divisor });
        Ok(())
    }

    pub(crate) fn keeps(&self, commit: u64) -> bool {
        commit >= self.horizon && self.rules.iter().all(|rule| rule.keeps(commit))
    }

    /// `OutOfRange` with the horizon for a commit whose state was removed.
    pub(crate) fn check(&self, commit: u64) -> Result<()> {
        if self.keeps(commit) {
            return Ok(());
        }
        let message = match commit < self.horizon {
            true => format!(
                "commit {commit} is before the horizon: the first one that is kept is {}",
                self.horizon
            ),
            false => format!(
                "commit {commit} was thinned out: of those before it, {} is kept; the horizon is {}",
                self.kept_up_to(commit).unwrap_or(self.horizon),
                self.horizon
            ),
        };
        Err(Error::new(Kind::OutOfRange, message))
    }

    /// `OutOfRange` unless every commit behind `seen` is in the log.
    pub(crate) fn check_behind(&self, seen: u64) -> Result<()> {
        let first = seen.saturating_add(1);
        let fine = |rule: &Rule| rule.stride(first) == 1;
        if first >= self.horizon && self.rules.iter().all(fine) {
            return Ok(());
        }
        Err(Error::new(
            Kind::OutOfRange,
            format!("not all commits behind {seen} are kept: begin with the state"),
        ))
    }

    fn kept_up_to(&self, commit: u64) -> Option<u64> {
        let mut commit = commit;
        loop {
            if commit < self.horizon {
                return None;
            }
            if let Some(rule) = self.rules.last() {
                commit = rule.kept_up_to(commit);
            }
            if self.keeps(commit) {
                return Some(commit);
            }
            commit = commit.checked_sub(1)?;
        }
    }

    /// Whether a state from `since` to before `end` can still be asked for.
    pub(crate) fn needs(&self, since: u64, end: u64, pinned: &BTreeSet<u64>) -> bool {
        if pinned.range(since..end).next().is_some() {
            return true;
        }
        let Some(last) = end.checked_sub(1) else {
            return false;
        };
        self.kept_up_to(last).is_some_and(|commit| commit >= since)
    }

    /// Whether thinning was ever asked for.
    pub(crate) fn is_thinned(&self) -> bool {
        !self.rules.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn thinning_keeps_ever_fewer() {
        let mut removed = Removed::default();
        removed.thin(100_000, 2).unwrap();
        let kept = |range: core::ops::RangeInclusive<u64>| {
            range.filter(|commit| removed.keeps(*commit)).count()
        };
        assert_eq!(kept(99_937..=100_000), 64);
        assert_eq!(kept(0..=100_000 - 64 * 512), 49);
        assert!((400..450).contains(&kept(0..=100_000)));
        assert!(removed.thin(1, 1).is_err());
    }

    proptest! {
        #[test]
        fn what_is_thinned_stays_thinned(tip in 0..5000u64, more in 0..5000u64, divisor in 2..5u64, commit in 0..5000u64) {
            let mut removed = Removed::default();
            removed.thin(tip, divisor).unwrap();
            let before = removed.keeps(commit);
            removed.thin(tip + more, divisor).unwrap();
            prop_assert!(before || !removed.keeps(commit) || commit > tip);
        }

        #[test]
        fn a_state_is_needed_if_one_of_its_commits_is_kept(
            tip in 0..2000u64, other in 0..500u64, horizon in 0..300u64, since in 0..2000u64, len in 1..200u64, pin in 0..2000u64,
        ) {
            let mut removed = Removed::default();
            removed.thin(other, 3).unwrap();
            removed.thin(tip, 2).unwrap();
            removed.cut(horizon);
            let pinned = BTreeSet::from([pin]);
            let expected = (since..since + len).any(|commit| removed.keeps(commit) || commit == pin);
            prop_assert_eq!(removed.needs(since, since + len, &pinned), expected);
            prop_assert_eq!(&Removed::decode(&removed.encode()).unwrap(), &removed);
        }
    }
}
