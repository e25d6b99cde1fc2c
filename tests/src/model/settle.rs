use super::{
    Commit, Fate, Key, Model, State, mark_of,
    observed::difference,
    replay::{Numbering, replay},
};
use littoral_core::engine::Durability;
use std::collections::BTreeSet;

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `close` returned without an error.
    Closed,
    /// The process died; what it had given to the host is there.
    Process,
    /// Power was lost.
    Power,
}

/// What is there when the store is opened again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Its last commit.
    pub last: u64,
    /// Everything in it.
    pub state: State,
}

/// What can be read of a store with damage in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damaged {
    /// What can be read.
    pub recovered: Recovered,
    /// Keys that cannot, and say so.
    pub lost: BTreeSet<Key>,
}

/// More ways to number commits in flight than this are not tried.
const MOST_ORDERS: usize = 5_000;

impl Model {
    /// Holds a store that was opened again against everything that was promised in the life
    /// before, and makes it the beginning of the next life.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn settle(&mut self, end: End, recovered: &Recovered) -> Result<(), String> {
        self.check_promises(end, recovered)?;
        self.check_marks(recovered)?;
        self.check_conflicts()?;
        self.check_orders(recovered)?;
        self.begin(recovered);
        Ok(())
    }

    /// Every key that this life or the one before knew.
    pub fn universe(&self) -> BTreeSet<Key> {
        let mut keys: BTreeSet<Key> = self.state.keys().cloned().collect();
        for change in self.commits.iter().flat_map(|commit| &commit.changes) {
            if let super::Change::Put(key, _) | super::Change::Delete(key) = change {
                keys.insert(key.clone());
            }
        }
        keys
    }

    /// Holds a store with wrong bytes on its disk against what was promised: nothing that it
    /// gives may be wrong, and nothing acknowledged may be missing without an error, except the
    /// very last group of commits of an unclean end, which cannot be told from a torn tail.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn settle_damaged(&self, end: End, damaged: &Damaged) -> Result<(), String> {
        let last = damaged.recovered.last;
        let lost: Vec<&Commit> = self
            .commits
            .iter()
            .filter(|c| c.number.is_some_and(|n| n > last) && Self::must_survive(end, c))
            .collect();
        let last_called = lost.iter().map(|commit| commit.called).max();
        let first_told = lost.iter().filter_map(|commit| commit.strict_since).min();
        let one_group = match (last_called, first_told) {
            (Some(called), Some(told)) => called < told,
            _ => true,
        };
        if end == End::Closed && !lost.is_empty() || !one_group || last < self.base {
            return Err(format!(
                "damage made the store go back to commit {last} from {:?} without an error",
                lost.iter().filter_map(|c| c.number).max()
            ));
        }
        self.check_values(damaged)
    }

    /// Every value is the right one if it is known which one that is, and one that was put in any case.
    fn check_values(&self, damaged: &Damaged) -> Result<(), String> {
        let Recovered { last, state } = &damaged.recovered;
        let in_order: Numbering = (self.commits.iter().enumerate())
            .filter_map(|(index, commit)| Some((commit.number?, index)))
            .collect();
        let complete = (self.base + 1..=*last).all(|number| in_order.contains_key(&number));
        if complete {
            let mut expected = replay(self, &in_order, *last)?;
            expected.retain(|key, _| !damaged.lost.contains(key));
            return difference(&expected, state);
        }
        for (key, value) in state {
            let put =
                self.commits.iter().flat_map(|commit| &commit.changes).any(
                    |change| matches!(change, super::Change::Put(k, v) if k == key && v == value),
                );
            if !put && self.state.get(key) != Some(value) {
                return Err(format!(
                    "{} is a value that nobody put",
                    super::observed::name(key)
                ));
            }
        }
        Ok(())
    }

    /// The next life begins with what is there.
    pub fn begin(&mut self, recovered: &Recovered) {
        self.base = recovered.last;
        self.durable = self.durable.min(recovered.last);
        self.state.clone_from(&recovered.state);
        self.commits.clear();
        self.observed.clear();
    }

    /// What a commit must have survived at least, to survive this end.
    fn must_survive(end: End, commit: &Commit) -> bool {
        let Fate::Acknowledged(reached) = commit.fate else {
            return false;
        };
        match end {
            End::Closed => true,
            End::Process => reached >= Durability::Local,
            End::Power => reached >= Durability::Strict,
        }
    }

    fn check_promises(&self, end: End, recovered: &Recovered) -> Result<(), String> {
        let last = recovered.last;
        if last < self.base {
            return Err(format!(
                "the store is at commit {last} and was at {} when it was opened before",
                self.base
            ));
        }
        if last < self.durable {
            return Err(format!(
                "the store is at commit {last} and had said that {} survives power loss",
                self.durable
            ));
        }
        for commit in &self.commits {
            if let Some(number) = commit.number
                && number > last
                && Self::must_survive(end, commit)
            {
                return Err(format!(
                    "commit {number} was acknowledged ({:?}) and is lost after {end:?}: the store is at {last}",
                    commit.fate
                ));
            }
        }
        Ok(())
    }

    /// A commit is all there or not at all, and those that are there are the first ones.
    fn check_marks(&self, recovered: &Recovered) -> Result<(), String> {
        for commit in &self.commits {
            let there = recovered.state.contains_key(&mark_of(commit.id));
            if let Some(number) = commit.number
                && there != (number <= recovered.last)
            {
                let (is, at) = (if there { "is" } else { "is not" }, recovered.last);
                return Err(format!(
                    "commit {number} {is} there and the store is at {at}"
                ));
            }
            if there && matches!(commit.fate, Fate::Refused | Fate::Conflict { .. }) {
                return Err(format!(
                    "a commit (mark {}) that was refused is there",
                    commit.id
                ));
            }
        }
        Ok(())
    }

    /// Whoever was told of a conflict has one.
    fn check_conflicts(&self) -> Result<(), String> {
        for refused in &self.commits {
            let Fate::Conflict { told, fresh: true } = refused.fate else {
                continue;
            };
            let guilty = |commit: &&Commit| {
                let in_time = commit.called < told;
                let happened = !matches!(commit.fate, Fate::Refused | Fate::Conflict { .. });
                in_time
                    && happened
                    && refused.requirements.iter().any(|requirement| {
                        commit.number.is_none_or(|n| n > requirement.since)
                            && commit.changes.iter().any(|c| c.touches(&requirement.key))
                    })
            };
            if self.commits.iter().find(guilty).is_none() {
                return Err(format!(
                    "a commit (mark {}) was told of a conflict, and nothing that it required was changed: {}",
                    refused.id,
                    (refused.requirements.iter())
                        .map(|r| format!("{} since {}", super::observed::name(&r.key), r.since))
                        .collect::<Vec<_>>()
                        .join(", ")
                ));
            }
        }
        Ok(())
    }

    /// There is an order of the commits in flight that explains everything.
    fn check_orders(&self, recovered: &Recovered) -> Result<(), String> {
        let mut known = Numbering::new();
        let mut unknown = Vec::new();
        for (index, commit) in self.commits.iter().enumerate() {
            let there = recovered.state.contains_key(&mark_of(commit.id));
            match commit.number {
                Some(number) => {
                    known.insert(number, index);
                }
                None if there => unknown.push(index),
                None => {}
            }
        }
        let gaps: Vec<u64> = (self.base + 1..=recovered.last)
            .filter(|number| !known.contains_key(number))
            .collect();
        if gaps.len() != unknown.len() {
            return Err(format!(
                "commit numbers must grow by one: {} of {}..={} belong to nobody known, and {} unknown commits are there",
                gaps.len(),
                self.base + 1,
                recovered.last,
                unknown.len()
            ));
        }
        let mut search = Search {
            model: self,
            recovered,
            left: MOST_ORDERS,
            complaint: None,
        };
        if search.find(&mut known, &gaps, &mut unknown) {
            return Ok(());
        }
        Err(search.complaint.unwrap_or_else(|| {
            format!("no order of the commits in flight fits the numbers {gaps:?}")
        }))
    }
}

struct Search<'a> {
    model: &'a Model,
    recovered: &'a Recovered,
    left: usize,
    complaint: Option<String>,
}

impl Search<'_> {
    fn find(&mut self, known: &mut Numbering, gaps: &[u64], unknown: &mut Vec<usize>) -> bool {
        let Some((gap, rest)) = gaps.split_first() else {
            return self.fits(known);
        };
        for place in 0..unknown.len() {
            let commit = &self.model.commits[unknown[place]];
            if *gap <= commit.after || *gap > commit.until {
                continue;
            }
            let index = unknown.remove(place);
            known.insert(*gap, index);
            let found = self.find(known, rest, unknown);
            known.remove(gap);
            unknown.insert(place, index);
            if found || self.left == 0 {
                return found;
            }
        }
        false
    }

    fn fits(&mut self, numbering: &Numbering) -> bool {
        self.left = self.left.saturating_sub(1);
        let fits = replay(self.model, numbering, self.recovered.last)
            .and_then(|state| difference(&state, &self.recovered.state));
        match fits {
            Ok(()) => true,
            Err(complaint) => {
                self.complaint.get_or_insert(complaint);
                false
            }
        }
    }
}
