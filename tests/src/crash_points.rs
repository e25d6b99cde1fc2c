//! Every place where a small scenario can crash, and everything that can be left of it there.
//!
//! A scenario is recorded once. For each prefix of what the volume saw, and each subset of the
//! sectors that were not synced by then where there are [`FEW`] or fewer that matter, the image is
//! opened and held against what had been acknowledged; where there are more, subsets are drawn.

use crate::{
    model::{Change, Recovered, State},
    sim::{Chance, Disk, Event, Executor, Faults, SimEntropy, SimVolume, What, World},
    workload::dump,
};
use futures::executor::block_on;
use littoral_core::{
    Error,
    engine::{Batch, Durability, Options, Space, Store},
    port::MemoryVolume,
};
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
};

/// Up to so many sectors every subset is tried.
pub const FEW: usize = 12;

/// Subsets that are drawn where there are more.
const DRAWN: usize = 256;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Prefixes of the recording.
    pub prefixes: u64,
    /// Pairs of a prefix and what was left of it that were judged.
    pub images: u64,
    /// Different images among them, each opened and read.
    pub opened: u64,
    /// Images left by a crash while another image was being opened.
    pub during_recovery: u64,
    /// Prefixes of which every subset was tried.
    pub complete: u64,
}

/// Somebody who uses a store while it is recorded.
#[derive(Clone)]
pub struct Scribe {
    /// The store.
    pub store: Store<SimVolume>,
    disk: Disk,
    notes: Rc<RefCell<Notes>>,
}

#[derive(Default)]
struct Notes {
    calls: Vec<Vec<Change>>,
    numbers: HashMap<u64, usize>,
    /// What the n-th note in the recording says.
    said: Vec<Said>,
}

#[derive(Clone, Copy)]
enum Said {
    Called,
    Reached(u64, Durability),
}

impl Scribe {
    /// Commits, and notes when it was asked for and when it was acknowledged.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn commit(&self, changes: Vec<Change>, durability: Durability) -> Result<(), Error> {
        let mut batch = Batch::new();
        for change in changes.iter().cloned() {
            match change {
                Change::Put(key, value) => batch.put(Space(key.0), key.1, value),
                Change::Delete(key) => batch.delete(Space(key.0), key.1),
                Change::DeleteRange(space, range) => batch.delete_range(Space(space), range),
            }
        }
        let index = self.notes.borrow().calls.len();
        self.notes.borrow_mut().calls.push(changes);
        self.say(Said::Called);
        let receipt = self.store.commit(batch, durability).await?;
        self.notes
            .borrow_mut()
            .numbers
            .insert(receipt.commit(), index);
        self.say(Said::Reached(receipt.commit(), durability));
        Ok(())
    }

    fn say(&self, said: Said) {
        self.notes.borrow_mut().said.push(said);
        self.disk.note(self.notes.borrow().said.len() as u64 - 1);
    }
}

/// Records `script` on a new store and explores where it can crash.
///
/// # Errors
/// The first broken promise, with the prefix and what was left.
pub fn explore<F>(
    seed: u64,
    options: &Options,
    script: impl FnOnce(Scribe, Executor) -> F + 'static,
) -> Result<Explored, String>
where
    F: Future<Output = Result<(), Error>> + 'static,
{
    let mut chance = Chance::new(seed);
    let (events, notes) = record(&mut chance, options, script)?;
    let states = states(&notes)?;
    let mut explorer = Explorer {
        options: options.clone(),
        states,
        chance,
        seen: HashMap::new(),
        recovering: HashSet::new(),
        explored: Explored::default(),
    };
    explorer.all(&events, &notes)?;
    Ok(explorer.explored)
}

fn record<F>(
    chance: &mut Chance,
    options: &Options,
    script: impl FnOnce(Scribe, Executor) -> F + 'static,
) -> Result<(Vec<Event>, Notes), String>
where
    F: Future<Output = Result<(), Error>> + 'static,
{
    let world = World::new(chance.fork());
    world.set_patience(2);
    let disk = Disk::new();
    disk.record();
    let executor = Executor::new(&world);
    let volume = SimVolume::new(&world, &disk, Faults::default());
    let entropy = SimEntropy::new(chance.fork());
    let notes = Rc::new(RefCell::new(Notes::default()));
    let (kept, inner, options) = (notes.clone(), executor.clone(), options.clone());
    let recorded = disk.clone();
    let ended = executor.run(10_000_000, async move {
        let store = Store::open(volume, &entropy, options).await?;
        let driven = store.clone();
        inner.spawn("drive", async move { driven.drive().await });
        let scribe = Scribe {
            store,
            disk: recorded,
            notes: kept,
        };
        script(scribe, inner).await
    });
    if let Some(failure) = world.failure() {
        return Err(failure);
    }
    ended
        .map_err(|stopped| format!("the scenario: {stopped:?}"))?
        .map_err(|error| format!("the scenario: {error:?}"))?;
    let events = disk.recording();
    let notes = Rc::try_unwrap(notes).map_err(|_| "somebody still commits")?;
    Ok((events, notes.into_inner()))
}

/// The state after each commit.
fn states(notes: &Notes) -> Result<Vec<State>, String> {
    let mut states = vec![State::new()];
    for number in 1..=notes.numbers.len() as u64 {
        let index = notes.numbers.get(&number);
        let index = index.ok_or_else(|| format!("no commit has the number {number}"))?;
        let mut state = states.last().cloned().unwrap_or_default();
        for change in &notes.calls[*index] {
            change.apply(&mut state);
        }
        states.push(state);
    }
    Ok(states)
}

struct Explorer {
    options: Options,
    states: Vec<State>,
    chance: Chance,
    /// The commit that each image recovers to.
    seen: HashMap<u64, u64>,
    recovering: HashSet<u64>,
    explored: Explored,
}

impl Explorer {
    fn all(&mut self, events: &[Event], notes: &Notes) -> Result<(), String> {
        let mut base = Vec::new();
        let mut unsynced: Vec<(u64, What)> = Vec::new();
        let (mut called, mut local, mut strict) = (0, 0, 0);
        for (index, event) in events.iter().enumerate() {
            match event {
                Event::Change(change) => unsynced.push((change.id, change.what.clone())),
                Event::Returned(_) => continue,
                Event::Synced(ids) => unsynced.retain(|(id, what)| {
                    let covered = ids.contains(id);
                    if covered {
                        what.apply(&mut base);
                    }
                    !covered
                }),
                Event::Note(note) => match notes.said[*note as usize] {
                    Said::Called => called += 1,
                    Said::Reached(number, reached) => {
                        if reached >= Durability::Local {
                            local = local.max(number);
                        }
                        if reached >= Durability::Strict {
                            strict = strict.max(number);
                        }
                    }
                },
            }
            self.explored.prefixes += 1;
            let changes: Vec<What> = unsynced.iter().map(|(_, what)| what.clone()).collect();
            self.prefix(&base, &changes, strict..=called, local..=called)
                .map_err(|wrong| format!("after event {index} of {}: {wrong}", events.len()))?;
        }
        Ok(())
    }

    /// Everything that can be left of one prefix.
    fn prefix(
        &mut self,
        base: &[u8],
        unsynced: &[What],
        power: std::ops::RangeInclusive<u64>,
        process: std::ops::RangeInclusive<u64>,
    ) -> Result<(), String> {
        let units = units(base, unsynced);
        let count = units.len();
        let everything = image(base, unsynced, &units, |_| true);
        self.judge(everything, process)
            .map_err(|wrong| format!("all {count} sectors left: {wrong}"))?;
        if count <= FEW {
            self.explored.complete += 1;
            for set in 0..(1_u64 << count) {
                let left = image(base, unsynced, &units, |unit| set & (1 << unit) != 0);
                self.judge(left, power.clone())
                    .map_err(|wrong| format!("sectors {set:#b} of {count} left: {wrong}"))?;
            }
            return Ok(());
        }
        for one in 0..count {
            let without = image(base, unsynced, &units, |unit| unit != one);
            self.judge(without, power.clone())
                .map_err(|wrong| format!("all but sector {one} of {count} left: {wrong}"))?;
        }
        for _ in 0..DRAWN {
            let share = self.chance.within(5..96);
            let set: Vec<bool> = (0..count).map(|_| self.chance.percent(share)).collect();
            let left = image(base, unsynced, &units, |unit| set[unit]);
            self.judge(left, power.clone())
                .map_err(|wrong| format!("{set:?} of the sectors left: {wrong}"))?;
        }
        Ok(())
    }

    /// Opens an image, once, and holds it against what it must be.
    fn judge(&mut self, image: Vec<u8>, must: std::ops::RangeInclusive<u64>) -> Result<(), String> {
        self.explored.images += 1;
        let hash = hash(&image);
        let last = match self.seen.get(&hash) {
            Some(last) => *last,
            None => {
                let recovered = self.open(image.clone())?;
                self.explored.opened += 1;
                let last = recovered.last;
                let expected = self.states.get(last as usize);
                let expected = expected.ok_or_else(|| format!("there is no commit {last}"))?;
                crate::model::difference(expected, &recovered.state)
                    .map_err(|wrong| format!("the store at commit {last}: {wrong}"))?;
                self.seen.insert(hash, last);
                if self.explored.opened.is_multiple_of(48) {
                    self.crash_while_opening(image, &recovered)?;
                }
                last
            }
        };
        match must.contains(&last) {
            true => Ok(()),
            false => Err(format!("the store is at commit {last}, not in {must:?}")),
        }
    }

    fn open(&mut self, image: Vec<u8>) -> Result<Recovered, String> {
        let entropy = SimEntropy::new(self.chance.fork());
        let options = self.options.clone();
        block_on(async {
            let store = Store::open(MemoryVolume::from_bytes(image), &entropy, options).await?;
            dump(&store).await
        })
        .map_err(|error: Error| format!("it does not open: {error:?}"))
    }

    /// Recovery may crash too, wherever it writes, and starts again.
    fn crash_while_opening(&mut self, image: Vec<u8>, expected: &Recovered) -> Result<(), String> {
        let disk = Disk::from_bytes(image.clone());
        disk.record();
        let world = World::new(self.chance.fork());
        world.set_patience(0);
        let volume = SimVolume::new(&world, &disk, Faults::default());
        let entropy = SimEntropy::new(self.chance.fork());
        let options = self.options.clone();
        let ended = Executor::new(&world).run(10_000_000, async move {
            Store::open(volume, &entropy, options).await.map(drop)
        });
        ended
            .map_err(|stopped| format!("{stopped:?}"))?
            .map_err(|error| format!("{error:?}"))?;
        let mut base = image;
        let mut unsynced: Vec<(u64, What)> = Vec::new();
        for event in disk.recording() {
            match event {
                Event::Change(change) => unsynced.push((change.id, change.what)),
                Event::Synced(ids) => unsynced.retain(|(id, what)| {
                    let covered = ids.contains(id);
                    if covered {
                        what.apply(&mut base);
                    }
                    !covered
                }),
                _ => continue,
            }
            let changes: Vec<What> = unsynced.iter().map(|(_, what)| what.clone()).collect();
            let units = units(&base, &changes);
            let sets = match units.len() {
                0..=6 => (0..1_u64 << units.len()).collect(),
                _ => (0..32).map(|_| self.chance.next()).collect::<Vec<_>>(),
            };
            for set in sets {
                let left = self::image(&base, &changes, &units, |unit| set >> (unit % 64) & 1 == 1);
                if !self.recovering.insert(hash(&left)) {
                    continue;
                }
                self.explored.during_recovery += 1;
                let recovered = self.open(left)?;
                if recovered != *expected {
                    return Err(format!(
                        "a crash while it was opened at commit {} leaves commit {}: {:?}",
                        expected.last,
                        recovered.last,
                        crate::model::difference(&expected.state, &recovered.state)
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The sectors of what was not synced that can make a difference: change and part.
fn units(base: &[u8], unsynced: &[What]) -> Vec<(usize, What)> {
    let mut units = Vec::new();
    for (index, change) in unsynced.iter().enumerate() {
        for part in change.sectors() {
            let range = part.range();
            let alone = unsynced.iter().enumerate().all(|(other, what)| {
                let there = what.range();
                other == index || there.end <= range.start || range.end <= there.start
            });
            let same = match &part {
                What::Write(at, data) | What::Forget(at, data) => {
                    base.get(*at as usize..*at as usize + data.len()) == Some(&data[..])
                }
                What::SetLen(len) => base.len() as u64 == *len && unsynced.len() == 1,
            };
            if !(alone && same) {
                units.push((index, part));
            }
        }
    }
    units
}

/// What is left if of the units that matter these survive.
fn image(
    base: &[u8],
    unsynced: &[What],
    units: &[(usize, What)],
    survives: impl Fn(usize) -> bool,
) -> Vec<u8> {
    let mut bytes = base.to_vec();
    let mut lengths_survive = true;
    for (number, (index, part)) in units.iter().enumerate() {
        let kept = survives(number);
        if let What::SetLen(_) = unsynced[*index] {
            // Lengths are metadata, which file systems keep in order.
            lengths_survive &= kept;
            if lengths_survive {
                part.apply(&mut bytes);
            }
        } else if kept {
            part.apply(&mut bytes);
        }
    }
    bytes
}

fn hash(bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(bytes)
}
