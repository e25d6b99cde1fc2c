//! What the background work remembers between two of its steps: where the walk along the queue is, what waits for
//! what, and whether slow is to be left alone. Nothing here is durable: after a restart the walk begins again at the oldest row.

use super::rows::Row;
use crate::{Error, blob::Pointer, sorted::SortedMap};
use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};
use core::time::Duration;
use hashbrown::{HashMap, HashSet};

#[derive(Default)]
pub(super) struct Schedule {
    /// Every row below was looked at.
    pub cursor: u64,
    /// Orders that the walk has read.
    pub ahead: VecDeque<u64>,
    /// Orders below the cursor to look at again.
    pub ready: BTreeSet<u64>,
    /// Orders that are in one of the sets below.
    pub held: BTreeSet<u64>,
    pub active: BTreeSet<u64>,
    pub parked: BTreeSet<u64>,
    pub roots: BTreeSet<u64>,
    pub behind: HashMap<Pointer, Vec<u64>>,
    /// Blobs of active changes.
    pub busy: HashSet<Pointer>,
    /// Failed attempts of changes that are not through.
    pub failed: SortedMap<u64, Failed>,
    /// How often slow answered.
    pub answers: u64,
    pub gate: Gate,
    pub auth_probe: bool,
    /// The queue was counted a short while ago, and is long.
    pub counted: bool,
    pub wakes: u64,
    /// Timers of earlier rounds mean nothing.
    pub round: u64,
}

/// A change that failed in passing.
pub(super) struct Failed {
    /// Attempts.
    pub failures: u32,
    /// How often slow had answered when it failed last.
    pub answers: u64,
}

/// Shut while slow is left alone; half open until it has answered again.
#[derive(Default)]
pub(super) struct Gate {
    pub closed: bool,
    /// Slow asked for the wait itself.
    pub firm: bool,
    pub failures: u32,
    pub wait: Duration,
    pub reason: Option<Error>,
    /// How often it was shut: a timer of an earlier time means nothing.
    pub shut: u64,
}

impl Gate {
    pub fn answered(&mut self) {
        if !(self.closed && self.firm) {
            self.closed = false;
            self.failures = 0;
            self.reason = None;
        }
    }
}

pub(super) struct Timer {
    pub wait: Duration,
    pub tick: Tick,
}

#[derive(Clone, Copy)]
pub(super) enum Tick {
    Item(u64, u64),
    Gate(u64),
    Auth(u64),
    Count,
}

impl Schedule {
    pub fn failures(&self, order: u64) -> u32 {
        self.failed.get(&order).map_or(0, |failed| failed.failures)
    }

    /// Slow answered: it is there.
    pub fn answered(&mut self) {
        self.answers += 1;
        self.gate.answered();
    }

    pub fn started(&mut self, order: u64, row: &Row) {
        self.held.insert(order);
        self.active.insert(order);
        self.busy.extend(row.job.pointer());
    }

    pub fn ended(&mut self, order: u64, pointer: Option<Pointer>) {
        self.active.remove(&order);
        self.held.remove(&order);
        let Some(pointer) = pointer else { return };
        self.busy.remove(&pointer);
        for order in self.behind.remove(&pointer).unwrap_or_default() {
            self.held.remove(&order);
            self.ready.insert(order);
        }
    }

    pub fn tick(&mut self, tick: Tick) {
        match tick {
            Tick::Item(order, round) if round == self.round => {
                if self.parked.remove(&order) {
                    self.held.remove(&order);
                    self.ready.insert(order);
                }
            }
            Tick::Gate(shut) if shut == self.gate.shut => {
                self.gate.closed = false;
                self.gate.firm = false;
            }
            Tick::Auth(round) if round == self.round => self.auth_probe = true,
            Tick::Count => self.counted = false,
            Tick::Item(..) | Tick::Gate(_) | Tick::Auth(_) => {}
        }
    }

    /// Forgets every wait. With credentials that were wrong, one attempt is made.
    pub fn wake(&mut self, auth: bool) {
        self.round += 1;
        self.auth_probe = auth;
        self.counted = false;
        self.gate = Gate {
            shut: self.gate.shut + 1,
            ..Gate::default()
        };
        for order in core::mem::take(&mut self.parked) {
            self.held.remove(&order);
            self.ready.insert(order);
        }
    }
}
