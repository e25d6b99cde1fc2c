use super::{Key, Observed, State, mark_of};
use bytes::Bytes;
use littoral_core::engine::{Durability, KeyRange};
use std::ops::Bound;

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The key has this value.
    Put(Key, Bytes),
    /// The key is not there.
    Delete(Key),
    /// No key of this space in this range is there.
    DeleteRange(u8, KeyRange),
}

impl Change {
    /// Does it.
    pub fn apply(&self, state: &mut State) {
        match self {
            Change::Put(key, value) => {
                state.insert(key.clone(), value.clone());
            }
            Change::Delete(key) => {
                state.remove(key);
            }
            Change::DeleteRange(space, range) => {
                for key in keys_in(state, *space, range) {
                    state.remove(&key);
                }
            }
        }
    }

    /// Whether it is about this key, there or not.
    pub fn touches(&self, key: &Key) -> bool {
        match self {
            Change::Put(k, _) | Change::Delete(k) => k == key,
            Change::DeleteRange(space, range) => *space == key.0 && range.contains(&key.1),
        }
    }

    /// Whether it changes this key in this state: a put always, a delete if there is something.
    pub fn changes(&self, key: &Key, state: &State) -> bool {
        self.touches(key) && (matches!(self, Change::Put(..)) || state.contains_key(key))
    }
}

/// The keys of `state` in a range of one space.
pub fn keys_in(state: &State, space: u8, range: &KeyRange) -> Vec<Key> {
    let start = Bound::Included((space, range.start.clone()));
    let end = match &range.end {
        Some(end) if *end <= range.start => return Vec::new(),
        Some(end) => Bound::Excluded((space, end.clone())),
        None => match space.checked_add(1) {
            Some(next) => Bound::Excluded((next, Bytes::new())),
            None => Bound::Unbounded,
        },
    };
    let inside = state.range((start, end));
    inside.map(|(key, _)| key.clone()).collect()
}

/// A commit that somebody asked for.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The simulation's own number of it, unique in a run.
    pub id: u64,
    /// What it changes, its mark included.
    pub changes: Vec<Change>,
    /// What must not have changed since.
    pub requirements: Vec<Requirement>,
    /// Its commit number is greater than this.
    pub after: u64,
    /// Its commit number is at most this.
    pub until: u64,
    /// The store's number of it, once it said so.
    pub number: Option<u64>,
    /// What became of it.
    pub fate: Fate,
    /// When it was asked for, in the model's own ticks.
    pub called: u64,
    /// When it was first acknowledged `Strict`.
    pub strict_since: Option<u64>,
}

impl Commit {
    /// Bytes of its keys and values.
    pub fn bytes(&self) -> u64 {
        let sizes = self.changes.iter().map(|change| match change {
            Change::Put(key, value) => key.1.len() + value.len(),
            Change::Delete(key) => key.1.len(),
            Change::DeleteRange(_, range) => {
                range.start.len() + range.end.as_ref().map_or(0, Bytes::len)
            }
        });
        sizes.sum::<usize>() as u64
    }
}

/// A condition of a commit.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// This key must be as it was
    pub key: Key,
    /// at this commit.
    pub since: u64,
}

/// What the caller of a commit knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: still waiting, went away, or was told that nobody knows.
    Unknown,
    /// It happened and has reached this.
    Acknowledged(Durability),
    /// It was told that nothing was changed.
    Refused,
    /// It was told at this tick that somebody else changed what it required.
    Conflict {
        /// When it was told.
        told: u64,
        /// Whether its view was so new that this must be true.
        fresh: bool,
    },
}

/// A caller's handle on its commit in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Called(usize);

/// The model of one store through all its lives.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The last commit that was there when this life began.
    pub base: u64,
    /// What was there when this life began.
    pub state: State,
    /// What was asked for in this life.
    pub commits: Vec<Commit>,
    /// What readers were told in this life.
    pub observed: Vec<Observed>,
    /// The highest commit that the store itself said survives power loss.
    pub durable: u64,
    ids: u64,
    ticks: u64,
}

impl Model {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the model's own time on.
    pub fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    /// The id of the first commit of this life: smaller marks are history.
    pub fn first_id(&self) -> u64 {
        self.commits.first().map_or(self.ids + 1, |c| c.id)
    }

    /// Somebody asks for a commit; everything up to commit `after` was visible before.
    pub fn call(
        &mut self,
        changes: Vec<Change>,
        requirements: Vec<Requirement>,
        after: u64,
    ) -> Called {
        self.ids += 1;
        let called = self.tick();
        let mut changes = changes;
        changes.push(Change::Put(mark_of(self.ids), Bytes::new()));
        self.commits.push(Commit {
            id: self.ids,
            changes,
            requirements,
            after,
            until: u64::MAX,
            number: None,
            fate: Fate::Unknown,
            called,
            strict_since: None,
        });
        Called(self.commits.len() - 1)
    }

    /// The commit of a call.
    pub fn commit(&self, called: Called) -> &Commit {
        &self.commits[called.0]
    }

    /// The store says that the commit has this number and has reached this.
    ///
    /// # Errors
    /// What cannot be true.
    pub fn acknowledge(
        &mut self,
        called: Called,
        number: u64,
        reached: Durability,
    ) -> Result<(), String> {
        let tick = self.tick();
        let commit = &mut self.commits[called.0];
        let id = commit.id;
        if commit.number.is_some_and(|known| known != number) || number <= commit.after {
            return Err(format!(
                "commit {id} has the number {number}: it was {:?}, and must be above {}",
                commit.number, commit.after
            ));
        }
        commit.number = Some(number);
        if reached >= Durability::Strict {
            commit.strict_since.get_or_insert(tick);
        }
        commit.fate = match commit.fate {
            Fate::Acknowledged(before) => Fate::Acknowledged(before.max(reached)),
            _ => Fate::Acknowledged(reached),
        };
        let twin = self
            .commits
            .iter()
            .find(|c| c.number == Some(number) && c.id != id);
        match twin {
            Some(twin) => Err(format!(
                "commits {id} and {} both have the number {number}",
                twin.id
            )),
            None => Ok(()),
        }
    }

    /// The store says that nothing was changed.
    pub fn refuse(&mut self, called: Called) {
        self.commits[called.0].fate = Fate::Refused;
    }

    /// The store says that somebody else changed what the commit required. With a view that was
    /// not `fresh` it may err on that side.
    pub fn conflict(&mut self, called: Called, fresh: bool) {
        let told = self.tick();
        self.commits[called.0].fate = Fate::Conflict { told, fresh };
    }

    /// A view at commit `at` has, or has not, the commit's mark.
    ///
    /// # Errors
    /// What cannot be true.
    pub fn bound(&mut self, called: Called, at: u64, there: bool) -> Result<(), String> {
        let commit = &mut self.commits[called.0];
        match there {
            true => commit.until = commit.until.min(at),
            false => commit.after = commit.after.max(at),
        }
        if commit.after >= commit.until {
            return Err(format!(
                "commit {} was there at {} and not there at {}",
                commit.id, commit.until, commit.after
            ));
        }
        Ok(())
    }

    /// The store says that everything up to this commit survives power loss.
    pub fn said_durable(&mut self, commit: u64) {
        self.durable = self.durable.max(commit);
    }

    /// A reader was told something.
    pub fn observe(&mut self, observed: Observed) {
        self.observed.push(observed);
    }
}
