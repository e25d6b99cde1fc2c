//! What changes while a store is open, under one short lock.

use super::{
    batch::Prepared,
    codec::align,
    extent::PAGE,
    log::{self, Head},
    memtable::Memtable,
    superblock::Superblock,
    types::Durability,
    version::{Current, Pack, Readers, Unwritten},
};
use crate::{Error, Kind, Result};
use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use bytes::Bytes;
use core::task::Waker;

pub(crate) struct State {
    /// Changed by `set_current` alone.
    pub current: Arc<Current>,
    pub readers: Arc<Readers>,
    /// The number that the next commit gets.
    pub next: u64,
    /// Groups that wait to be written, oldest first. The last one takes more commits.
    groups: VecDeque<Group>,
    /// The write that is being made, or that was dropped half-way and has to be made again.
    flight: Option<Arc<Flight>>,
    /// Somebody is writing.
    pub leading: bool,
    pub waiters: Vec<Waiter>,
    next_waiter: u64,
    /// Last commit that is in the log, and last one that is synced.
    pub written: u64,
    pub durable: u64,
    /// Bytes of values in packs that were handed over since the last group that syncs.
    unsynced: u64,
    /// Where the next group goes.
    plan: Place,
    /// Where the last record was put, and the checksum of its head.
    last: Place,
    chain: u64,
    /// The chain when the epoch last changed.
    chain_at_switch: u64,
    pub sealed: Option<Sealed>,
    /// Where long values of large batches go.
    pub pack: Option<Arc<Pack>>,
    pub superblock: Superblock,
    pub phase: Phase,
    /// Why background work does not get on.
    pub upkeep_error: Option<Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    Closing,
    Closed,
}

/// A place in the log.
#[derive(Clone, Copy)]
struct Place {
    epoch: u64,
    at: u64,
}

/// The log that is being turned into a table.
#[derive(Clone)]
pub(crate) struct Sealed {
    pub memtable: Arc<Memtable>,
    pub epoch: u64,
    pub last: u64,
    /// All of it is in tables, and the superblock says so: only the area has to be freed.
    pub in_tables: bool,
}

/// Commits that are going to share one record.
struct Group {
    place: Place,
    payload: Vec<Bytes>,
    len: u64,
    first: u64,
    commits: u32,
    runs: Vec<(u64, Vec<Bytes>)>,
    /// Bytes in `runs`.
    run_len: u64,
    strict: bool,
}

/// One write of the log: a record and the values it refers to, or only a sync.
pub(crate) struct Flight {
    pub record: Option<(u64, Bytes)>,
    pub runs: Vec<(u64, Vec<Bytes>)>,
    pub sync: bool,
    pub last: u64,
}

/// Somebody who waits for a commit to get somewhere.
pub(crate) struct Waiter {
    pub id: u64,
    commit: u64,
    level: Durability,
    pub waker: Option<Waker>,
}

/// What became of a batch that was to be handed over.
pub(crate) enum HandOver {
    Done(u64),
    /// Too much is waiting to be written: wait until this commit is in the log.
    Behind(u64),
    /// Both logs or both memtables are full: wait for a checkpoint.
    Full,
    /// The batch needs a pack with this much room.
    NeedsPack(u64),
    /// The file must have this much room, or what is in the logs may not find its place in tables.
    NeedsRoom(u64),
}

/// Who goes on now.
pub(crate) struct Woken {
    pub wakers: Vec<Waker>,
    /// There is something to write and nobody who waits for it: background work has to.
    pub orphaned: bool,
}

/// What a waiter is to do next.
pub(crate) enum Step {
    Reached,
    Lead,
    Wait(u64),
}

/// What a leader is to do.
pub(crate) enum Job {
    Again(Arc<Flight>),
    Encode(Encode),
}

/// A group that still has to be made into a record.
pub(crate) struct Encode {
    group: Group,
    head: Head,
    salt: u64,
    alignment: u32,
    offset: u64,
    end: Place,
}

impl State {
    pub(crate) fn new(current: Current, superblock: Superblock) -> Self {
        let place = Place {
            epoch: superblock.log_epoch,
            at: 0,
        };
        State {
            readers: Readers::new(&current),
            current: Arc::new(current),
            next: superblock.last_commit + 1,
            groups: VecDeque::new(),
            flight: None,
            leading: false,
            waiters: Vec::new(),
            next_waiter: 0,
            written: superblock.last_commit,
            durable: superblock.last_commit,
            unsynced: 0,
            plan: place,
            last: place,
            chain: superblock.chain,
            chain_at_switch: superblock.chain,
            sealed: None,
            pack: None,
            superblock,
            phase: Phase::Open,
            upkeep_error: None,
        }
    }

    /// Takes a batch: from here on it is committed, in this order, whoever drops what.
    pub(crate) fn hand_over(
        &mut self,
        batch: &Prepared,
        encoded: Option<Bytes>,
        durability: Durability,
        memtable_limit: usize,
        keep_versions: bool,
        unwritten: &Unwritten,
    ) -> Result<HandOver> {
        self.check_conditions(batch)?;
        if batch.is_empty() {
            return Ok(HandOver::Done(self.next - 1));
        }
        let len = encoded
            .as_ref()
            .map_or_else(|| batch.payload_bound(), Bytes::len) as u64;
        let log_size = self.superblock.log_size;
        let most = group_limit(log_size);
        if len > most * 2 {
            return Err(Error::new(
                Kind::InvalidInput,
                alloc::format!(
                    "a batch of {len} bytes of keys and small values is longer than {}: split it",
                    most * 2
                ),
            ));
        }
        let waiting: u64 = self.groups.iter().map(|group| group.len).sum();
        let in_runs: u64 = self.groups.iter().map(|group| group.run_len).sum();
        if (waiting > most * 2 || in_runs > memtable_limit as u64)
            && let Some(front) = self.groups.front()
        {
            return Ok(HandOver::Behind(front.first));
        }
        let alignment = self.superblock.alignment;
        let joins = self
            .groups
            .back()
            .filter(|group| group.place.epoch == self.plan.epoch && group.len + len <= most);
        let end = match joins {
            Some(group) => group.place.at + log::record_len(group.len + len, alignment),
            None => self.plan.at + log::record_len(len, alignment),
        };
        let joins = joins.is_some();
        let active = self.current.active.clone();
        let (bytes, ranges) = (active.bytes(), active.range_count());
        // While the other one is being turned into a table this one may grow beyond that, by half.
        let overfull = bytes > memtable_limit / 2 * 3 || ranges > 2 * MAX_RANGES;
        if end > log_size || bytes > memtable_limit || ranges > MAX_RANGES {
            if self.sealed.is_some() {
                if end > log_size || overfull {
                    return Ok(HandOver::Full);
                }
            } else {
                self.seal();
                return self.hand_over(
                    batch,
                    encoded,
                    durability,
                    memtable_limit,
                    keep_versions,
                    unwritten,
                );
            }
        }
        let mut base = 0;
        // Padded like a record, so that the next one does not touch its last sector.
        let run_len = align(batch.run_len, u64::from(alignment).min(PAGE));
        if run_len > 0 {
            match self.pack.as_ref().and_then(|pack| pack.append(run_len)) {
                Some(at) => base = at,
                None => return Ok(HandOver::NeedsPack(run_len)),
            }
        }
        let payload = encoded.unwrap_or_else(|| batch.encode(base).into());
        unwritten.add(base, &batch.run);
        let commit = self.next;
        active.apply(&payload, commit, keep_versions)?;
        self.next += 1;
        if !joins {
            self.groups.push_back(Group {
                place: self.plan,
                payload: Vec::new(),
                len: 0,
                first: commit,
                commits: 0,
                runs: Vec::new(),
                run_len: 0,
                strict: false,
            });
        }
        if let Some(group) = self.groups.back_mut() {
            group.len += payload.len() as u64;
            group.payload.push(payload);
            group.commits += 1;
            group.strict |= durability >= Durability::Strict;
            if !batch.run.is_empty() {
                let mut run = batch.run.clone();
                let padding = (run_len - batch.run_len) as usize;
                if padding > 0 {
                    run.push(Bytes::from_static(&ZEROS).slice(..padding));
                }
                group.runs.push((base, run));
                group.run_len += run_len;
            }
            // Opening after a crash holds them in memory, and writes them anew.
            self.unsynced += run_len;
            group.strict |= self.unsynced > UNSYNCED * memtable_limit as u64;
            if group.strict {
                self.unsynced = 0;
            }
            self.plan.at = group.place.at + log::record_len(group.len, alignment);
        }
        Ok(HandOver::Done(commit))
    }

    /// What the checkpoints of the active log, with a batch of at most `more` bytes, and of the sealed one take at most.
    pub(crate) fn checkpoint_room(&self, more: u64) -> (u64, u64) {
        let room = |bytes: u64| bytes + bytes / 8 + 8 * PAGE;
        let manifest = 2 * (align(u64::from(self.superblock.manifest.len), PAGE) + PAGE);
        let sealed = self.current.sealed.as_ref();
        let sealed = sealed.map_or(0, |sealed| room(sealed.bytes() as u64) + manifest);
        match self.current.active.bytes() as u64 + more {
            0 => (0, sealed),
            active => (room(active) + manifest, sealed),
        }
    }

    fn check_conditions(&self, batch: &Prepared) -> Result<()> {
        let known_since = self
            .current
            .sealed
            .as_ref()
            .map_or(self.current.active.first, |sealed| sealed.first);
        for (key, since) in &batch.conditions {
            let changed = self.current.active.changed_since(key, *since)
                || self
                    .current
                    .sealed
                    .as_ref()
                    .is_some_and(|sealed| sealed.changed_since(key, *since));
            if changed || since + 1 < known_since {
                return Err(Error::new(
                    Kind::Conflict,
                    "a key that the commit depends on was changed since it was read",
                ));
            }
        }
        Ok(())
    }

    /// The active memtable and log take no more; the other log's turn begins.
    pub(crate) fn seal(&mut self) {
        if self.sealed.is_some() || self.current.active.is_empty() {
            return;
        }
        let memtable = self.current.active.clone();
        self.sealed = Some(Sealed {
            memtable: memtable.clone(),
            epoch: self.plan.epoch,
            last: self.next - 1,
            in_tables: false,
        });
        self.plan = Place {
            epoch: self.plan.epoch + 1,
            at: 0,
        };
        self.set_current(Current {
            active: Arc::new(Memtable::new(self.next)),
            sealed: Some(memtable),
            version: self.current.version.clone(),
        });
    }

    /// What readers read from here on.
    pub(crate) fn set_current(&mut self, current: Current) {
        self.readers.set(&current);
        self.current = Arc::new(current);
    }

    /// What a waiter for `commit` does now.
    pub(crate) fn step(&mut self, commit: u64, level: Durability) -> Step {
        if self.reached(commit, level) {
            return Step::Reached;
        }
        if self.needs_leader() {
            self.leading = true;
            return Step::Lead;
        }
        let id = self.next_waiter;
        self.next_waiter += 1;
        self.waiters.push(Waiter {
            id,
            commit,
            level,
            waker: None,
        });
        Step::Wait(id)
    }

    pub(crate) fn reached(&self, commit: u64, level: Durability) -> bool {
        match level {
            Durability::Memory => true,
            Durability::Local => self.written >= commit,
            _ => self.durable >= commit,
        }
    }

    /// What the leader writes now: the oldest group, which takes no more commits from here on.
    pub(crate) fn job(&mut self) -> Option<Job> {
        if self.phase == Phase::Closed {
            return None;
        }
        if let Some(flight) = &self.flight {
            return Some(Job::Again(flight.clone()));
        }
        let switches = self
            .groups
            .front()
            .is_some_and(|group| group.place.epoch != self.last.epoch);
        // Nothing of an epoch is written before all of the one before it is synced.
        if (self.groups.is_empty() || switches) && self.written > self.durable {
            let flight = Arc::new(Flight {
                record: None,
                runs: Vec::new(),
                sync: true,
                last: self.written,
            });
            self.flight = Some(flight.clone());
            return Some(Job::Again(flight));
        }
        let group = self.groups.pop_front()?;
        if switches {
            self.chain_at_switch = self.chain;
        }
        let superblock = &self.superblock;
        let head = Head {
            payload_len: 0,
            commits: group.commits,
            first: group.first,
            durable: self.durable,
            previous: self.chain,
            payload_sum: 0,
            epoch: group.place.epoch,
            sum: 0,
        };
        let alignment = superblock.alignment;
        let end = Place {
            epoch: group.place.epoch,
            at: group.place.at + log::record_len(group.len, alignment),
        };
        Some(Job::Encode(Encode {
            salt: log::salt(superblock.log_seed, group.place.epoch),
            offset: superblock.area(group.place.epoch) + group.place.at,
            alignment,
            head,
            end,
            group,
        }))
    }

    /// The group has been made into a record: from here on anyone can write it.
    pub(crate) fn take_off(&mut self, encode: Encode, record: Bytes, sum: u64) -> Arc<Flight> {
        self.chain = sum;
        self.last = encode.end;
        let flight = Arc::new(Flight {
            record: Some((encode.offset, record)),
            sync: encode.group.strict,
            last: encode.group.first + u64::from(encode.group.commits) - 1,
            runs: encode.group.runs,
        });
        self.flight = Some(flight.clone());
        flight
    }

    /// The write has ended well.
    pub(crate) fn landed(&mut self, flight: &Flight) -> Woken {
        self.flight = None;
        self.leading = false;
        self.written = self.written.max(flight.last);
        if flight.sync {
            self.durable = self.durable.max(flight.last);
        }
        self.wake()
    }

    /// Those whose commit has got where they want it, and one more if there is something to write.
    pub(crate) fn wake(&mut self) -> Woken {
        let mut woken = Vec::new();
        let (written, durable) = (self.written, self.durable);
        let mut leader = self.leading;
        let mut kept = Vec::with_capacity(self.waiters.len());
        for mut waiter in self.waiters.drain(..) {
            let reached = if waiter.level == Durability::Local {
                written
            } else {
                durable
            } >= waiter.commit;
            if reached || !leader {
                let waker = waiter.waker.take();
                if reached {
                    woken.extend(waker);
                } else {
                    // The next leader first: the log is not to stand still meanwhile.
                    leader = true;
                    if let Some(waker) = waker {
                        woken.insert(0, waker);
                    }
                }
            } else {
                kept.push(waiter);
            }
        }
        self.waiters = kept;
        Woken {
            wakers: woken,
            orphaned: !leader && self.needs_leader(),
        }
    }

    /// Writing has failed: nobody waits any longer.
    pub(crate) fn wake_all(&mut self) -> Vec<Waker> {
        self.leading = false;
        self.waiters
            .drain(..)
            .filter_map(|waiter| waiter.waker)
            .collect()
    }

    /// There is something to write and nobody does it.
    pub(crate) fn needs_leader(&self) -> bool {
        !self.leading
            && (self.flight.is_some() || !self.groups.is_empty() || self.written > self.durable)
    }

    /// The checksum that the first record behind `epoch` names as its predecessor's.
    pub(crate) fn chain_behind(&self, epoch: u64) -> u64 {
        if self.last.epoch <= epoch {
            self.chain
        } else {
            self.chain_at_switch
        }
    }

    pub(crate) fn log_used(&self) -> u64 {
        self.plan.at
    }
}

impl Encode {
    /// The record; no lock is held, and nothing is awaited.
    pub(crate) fn record(&self) -> (Bytes, u64) {
        log::encode(self.salt, self.alignment, self.head, &self.group.payload)
    }
}

/// What runs are padded with.
static ZEROS: [u8; PAGE as usize] = [0; PAGE as usize];

/// A memtable with more deleted ranges than this is sealed early.
const MAX_RANGES: usize = 256;

/// As many memtables' worth of values in packs may wait for a sync: about the memory budget.
const UNSYNCED: u64 = 6;

/// Commits share a record up to this many bytes; one batch may have twice as many.
fn group_limit(log_size: u64) -> u64 {
    (log_size / 4).min(1 << 20) - 64
}
