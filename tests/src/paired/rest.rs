use super::{
    Plan, Weather,
    ledger::Ledger,
    life::open,
    remote::{SimHost, SimPair, SimRemote},
    user::NAMES,
};
use crate::sim::{Chance, Disk, Executor, Faults, Loss, SimClock, SimEntropy, SimVolume, World};
use littoral_core::{
    Error, Kind, Result,
    blob::{BlobStore, Pointer},
    pair::{self, QueueItem},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// Steps that looking at a store needs at most.
const MOST_STEPS: u64 = 1_000_000;

/// Opens the disk quietly, with the remote out of reach and nobody who drives, and holds what is there against
/// the ledger and the remote.
///
/// # Errors
/// The broken promise.
pub(super) fn inspect(
    outer: &World,
    disk: &Disk,
    remote: &SimRemote,
    ledger: &Rc<RefCell<Ledger>>,
    plan: &Plan,
    chance: &mut Chance,
) -> Result<AtRest, String> {
    let world = World::new(chance.fork());
    if plan.loud {
        world.speak();
    }
    world.set_patience(0);
    let volume = SimVolume::new(&world, disk, Faults::default());
    let host = SimHost {
        clock: SimClock::new(&world),
        entropy: SimEntropy::new(chance.fork()),
    };
    let unreachable = remote.seen_from(&world, Weather::down());
    let options = plan.clone();
    let known: Vec<Pointer> = ledger.borrow().blobs.iter().map(|b| b.pointer).collect();
    let ended = Executor::new(&world).run(MOST_STEPS, async move {
        let pair = open(volume, &unreachable, host, &options).await?;
        AtRest::read(&pair, &known).await
    });
    outer.note(world.trace());
    if let Some(failure) = world.failure() {
        return Err(failure);
    }
    disk.crash(&world, Loss::Process);
    let rest = ended
        .map_err(|stopped| format!("opening again: {stopped:?}"))?
        .map_err(|error: Error| format!("at rest: {error:?}"))?;
    rest.check(remote, &mut ledger.borrow_mut())?;
    if !rest.hidden.is_empty() {
        outer.mark("crashed in mid-delete");
    }
    Ok(rest)
}

/// What a store holds while nothing runs.
pub(super) struct AtRest {
    /// The queue.
    pub queue: Vec<QueueItem>,
    /// The blobs whose bytes are here, whatever the pair says of them.
    fast: BTreeSet<Pointer>,
    /// Blobs that are deleted here.
    hidden: BTreeSet<Pointer>,
    roots: BTreeMap<&'static str, Option<Pointer>>,
}

impl AtRest {
    async fn read(pair: &SimPair, known: &[Pointer]) -> Result<AtRest> {
        let mut rest = AtRest {
            queue: pair.queue(None, usize::MAX).await?,
            fast: BTreeSet::new(),
            hidden: BTreeSet::new(),
            roots: BTreeMap::new(),
        };
        for row in pair.fast().list(None, usize::MAX).await? {
            // Checked by the engine; the name is checked here.
            let bytes = pair.fast().get(&row.pointer).await?;
            if Pointer::of(&bytes) != row.pointer {
                let message = format!("{} has other bytes", row.pointer);
                return Err(Error::new(Kind::Corrupt, message));
            }
            rest.fast.insert(row.pointer);
        }
        for pointer in known {
            match pair.stat(pointer).await {
                Ok(None) => drop(rest.hidden.insert(*pointer)),
                Ok(Some(_)) => {}
                Err(error) if error.kind() == Kind::Transient => {}
                Err(error) => return Err(error),
            }
        }
        for name in NAMES {
            let at = match pair.root(name).await {
                Err(error) if error.kind() == Kind::Transient => None,
                at => at?,
            };
            rest.roots.insert(name, at);
        }
        Ok(rest)
    }

    fn check(&self, remote: &SimRemote, ledger: &mut Ledger) -> Result<(), String> {
        let mut puts = BTreeSet::new();
        let mut deletes = BTreeSet::new();
        let mut moves = Vec::new();
        for item in &self.queue {
            match &item.change {
                pair::Change::Put { pointer, .. } if !puts.insert(*pointer) => {
                    return Err(format!("{pointer} is queued twice"));
                }
                pair::Change::Put { pointer, .. } if !self.fast.contains(pointer) => {
                    return Err(format!("{pointer} is queued and its bytes are not here"));
                }
                pair::Change::Delete { pointer } if !deletes.insert(*pointer) => {
                    return Err(format!("the deletion of {pointer} is queued twice"));
                }
                pair::Change::MoveRoot { name, to, .. } => moves.push((name.clone(), *to)),
                _ => {}
            }
        }
        for pointer in &self.fast {
            let hidden = self.hidden.contains(pointer);
            if !hidden && !puts.contains(pointer) && !remote.holds(pointer) {
                return Err(format!("{pointer} is here, not remote, and not queued"));
            }
        }
        for place in 0..ledger.blobs.len() {
            let pointer = ledger.blobs[place].pointer;
            let hidden = self.hidden.contains(&pointer);
            if hidden && !deletes.contains(&pointer) {
                return Err(format!("{pointer} is deleted here, and slow will not know"));
            }
            let there = !hidden && (self.fast.contains(&pointer) || remote.shows(&pointer));
            let now = ledger.tick();
            ledger.see(place, now, there)?;
        }
        for (name, at) in &self.roots {
            if !ledger.roots.may_point_at(name, *at) {
                return Err(format!("{name} points at {at:?}, where nobody moved it"));
            }
        }
        for (name, to) in ledger.roots.awaited(u64::MAX) {
            if !moves.contains(&(name.clone(), Some(to))) {
                return Err(format!("the move of {name} to {to} is lost"));
            }
        }
        Ok(())
    }
}
