use super::{Chance, Contract, World};
use bytes::Bytes;
use std::{cell::RefCell, ops::Range, rc::Rc};

/// The bytes of one simulated volume, as they outlive its handles: what is durable, what the host
/// has but power loss may take, and what it shows to readers. Clones are the same disk.
#[derive(Clone, Default)]
pub struct Disk(pub(super) Rc<RefCell<DiskState>>);

#[derive(Default)]
pub(super) struct DiskState {
    /// Survives power loss.
    pub durable: Vec<u8>,
    /// What reads see: `durable` with every change in `unsynced`.
    pub cache: Vec<u8>,
    /// In the order in which they happened.
    pub unsynced: Vec<Change>,
    /// Writes of callers that went away, which may happen later.
    pub orphans: Vec<(u64, Bytes)>,
    pub changes: u64,
    pub contract: Contract,
    /// The generation of the one live handle.
    pub generation: u64,
    /// Everything that happened, for the exhaustive crash points.
    pub recording: Option<Vec<Event>>,
}

/// Something that power loss may undo.
#[derive(Clone, Debug)]
pub struct Change {
    /// Grows by one with every change of the disk.
    pub id: u64,
    /// What it does.
    pub what: What,
    /// Whether the call has returned, so that the next sync must cover it.
    pub returned: bool,
}

/// What a [`Change`] does.
#[derive(Clone, Debug)]
pub enum What {
    /// These bytes stand there then.
    Write(u64, Bytes),
    /// The host forgot what was there, and this is what can be read now.
    Forget(u64, Bytes),
    /// The volume has this length.
    SetLen(u64),
}

/// What a recorded volume saw.
#[derive(Clone, Debug)]
pub enum Event {
    /// A change reached the host.
    Change(Change),
    /// The call of this change returned.
    Returned(u64),
    /// A sync ended well: these changes survive.
    Synced(Vec<u64>),
    /// The test's own mark, such as a commit that was acknowledged.
    Note(u64),
}

/// How much of what was not synced is left after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The process died, the machine did not: only calls in flight are unsure.
    Process,
    /// Everything that was not synced is gone.
    All,
    /// The first few changes survive, the next one in part.
    Prefix,
    /// Each change survives or not, each sector of it survives or not.
    Subset,
    /// Like `Subset`, and sectors that were being written may hold zeros.
    Zeroed,
}

impl Loss {
    /// Every way to crash.
    pub const ALL: [Loss; 5] = [
        Loss::Process,
        Loss::All,
        Loss::Prefix,
        Loss::Subset,
        Loss::Zeroed,
    ];
}

/// The unit that a disk writes as one.
pub const SECTOR: u64 = 512;

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk that holds these bytes safely.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let disk = Disk::default();
        {
            let mut state = disk.0.borrow_mut();
            state.cache.clone_from(&bytes);
            state.durable = bytes;
        }
        disk
    }

    /// What a reader sees now.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.borrow().cache.clone()
    }

    /// Length that a reader sees now.
    pub fn size(&self) -> u64 {
        self.0.borrow().cache.len() as u64
    }

    /// Keeps every event from now on.
    pub fn record(&self) {
        self.0.borrow_mut().recording = Some(Vec::new());
    }

    /// Adds the test's own mark to the recording.
    pub fn note(&self, mark: u64) {
        self.0.borrow_mut().event(Event::Note(mark));
    }

    /// Ends the recording.
    pub fn recording(&self) -> Vec<Event> {
        self.0.borrow_mut().recording.take().unwrap_or_default()
    }

    /// Turns over one bit at rest, for readers and for good.
    pub fn flip(&self, byte: u64, bit: u8) {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        for bytes in [&mut state.durable, &mut state.cache] {
            if let Some(byte) = bytes.get_mut(byte as usize) {
                *byte ^= 1 << bit;
            }
        }
        for change in &mut state.unsynced {
            if let What::Write(at, bytes) = &mut change.what
                && let Some(index) = byte.checked_sub(*at)
                && (index as usize) < bytes.len()
            {
                let mut copy = bytes.to_vec();
                copy[index as usize] ^= 1 << bit;
                *bytes = copy.into();
            }
        }
    }

    /// The machine stops. What was not synced is left as `loss` says; every handle is dead.
    pub fn crash(&self, world: &World, loss: Loss) {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        state.generation += 1;
        world.chance(|chance| {
            state.settle_orphans(chance);
            if loss == Loss::Process {
                // What reached the host is the next process's too: its first sync covers it.
                for change in &mut state.unsynced {
                    change.returned = true;
                }
                state.contract.process_died();
                return;
            }
            let unsynced = std::mem::take(&mut state.unsynced);
            let kept = survivors(chance, loss, unsynced);
            for change in &kept {
                change.what.apply(&mut state.durable);
            }
            state.contract.power_lost(state.durable.len() as u64);
            state.cache.clone_from(&state.durable);
        });
        world.note(format_args!("{loss:?} leaves {} bytes", state.cache.len()));
    }
}

impl DiskState {
    pub fn event(&mut self, event: Event) {
        if let Some(recording) = &mut self.recording {
            recording.push(event);
        }
    }

    /// A change happens, for readers.
    pub fn change(&mut self, what: What) -> u64 {
        what.apply(&mut self.cache);
        self.changes += 1;
        let change = Change {
            id: self.changes,
            what,
            returned: false,
        };
        self.event(Event::Change(change.clone()));
        self.unsynced.push(change);
        self.changes
    }

    /// A change happens, and nobody waits for it: the next sync takes it along.
    pub fn settled(&mut self, what: What) {
        let id = self.change(what);
        self.returned(id);
    }

    /// The call that made this change returned.
    pub fn returned(&mut self, id: u64) {
        if let Some(change) = self.unsynced.iter_mut().find(|change| change.id == id) {
            change.returned = true;
        }
        self.event(Event::Returned(id));
    }

    /// Which changes a sync that starts now must cover.
    pub fn covered(&self) -> Vec<u64> {
        let returned = self.unsynced.iter().filter(|change| change.returned);
        returned.map(|change| change.id).collect()
    }

    /// These changes survive from now on.
    pub fn synced(&mut self, ids: &[u64]) {
        let durable = &mut self.durable;
        self.unsynced.retain(|change| {
            let covered = ids.contains(&change.id);
            if covered {
                change.what.apply(durable);
            }
            !covered
        });
        self.contract.synced();
        self.event(Event::Synced(ids.to_vec()));
    }

    /// Writes whose callers went away happen now or never.
    pub fn settle_orphans(&mut self, chance: &mut Chance) {
        for (offset, bytes) in std::mem::take(&mut self.orphans) {
            if chance.percent(50) {
                self.settled(What::Write(offset, bytes));
            }
        }
    }
}

impl What {
    /// Does it.
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            What::Write(offset, data) | What::Forget(offset, data) => {
                let start = *offset as usize;
                let end = start + data.len();
                if matches!(self, What::Forget(..)) && end > bytes.len() {
                    return;
                }
                if end > bytes.len() {
                    bytes.resize(end, 0);
                }
                bytes[start..end].copy_from_slice(data);
            }
            What::SetLen(len) => bytes.resize(*len as usize, 0),
        }
    }

    /// Does only what falls in `range` of the volume.
    pub fn part(&self, range: Range<u64>) -> Option<What> {
        let cut = |offset: u64, data: &Bytes| {
            let start = range.start.max(offset);
            let end = range.end.min(offset + data.len() as u64);
            (start < end).then(|| {
                let data = data.slice((start - offset) as usize..(end - offset) as usize);
                (start, data)
            })
        };
        match self {
            What::Write(offset, data) => cut(*offset, data).map(|(at, data)| What::Write(at, data)),
            What::Forget(offset, data) => {
                cut(*offset, data).map(|(at, data)| What::Forget(at, data))
            }
            What::SetLen(_) => None,
        }
    }

    /// The bytes of the volume that it touches.
    pub fn range(&self) -> Range<u64> {
        match self {
            What::Write(offset, data) | What::Forget(offset, data) => {
                *offset..offset + data.len() as u64
            }
            What::SetLen(len) => *len..*len,
        }
    }

    /// It, sector by sector.
    pub fn sectors(&self) -> Vec<What> {
        let range = self.range();
        if matches!(self, What::SetLen(_)) {
            return vec![self.clone()];
        }
        let mut sectors = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let next = (at / SECTOR + 1) * SECTOR;
            sectors.extend(self.part(at..next.min(range.end)));
            at = next;
        }
        sectors
    }
}

/// What is left of `unsynced`, in order.
fn survivors(chance: &mut Chance, loss: Loss, unsynced: Vec<Change>) -> Vec<Change> {
    let keep = |change: &Change, what: What| Change {
        what,
        ..change.clone()
    };
    match loss {
        Loss::Process => unsynced,
        Loss::All => Vec::new(),
        Loss::Prefix => {
            let count = chance.below(unsynced.len() as u64 + 1) as usize;
            let mut kept = unsynced[..count].to_vec();
            if let Some(torn) = unsynced.get(count) {
                let range = torn.what.range();
                let unit = *chance.pick(&[8, SECTOR]);
                let cut = chance.within(range.start..range.end + 1) / unit * unit;
                kept.extend(torn.what.part(0..cut).map(|what| keep(torn, what)));
            }
            kept
        }
        Loss::Subset | Loss::Zeroed => {
            let (whole, sector) = (chance.within(10..95), chance.within(20..95));
            let mut kept = Vec::new();
            // Lengths are metadata, which file systems keep in order: some first ones survive.
            let mut lengths_survive = true;
            for change in &unsynced {
                if let What::SetLen(_) = change.what {
                    lengths_survive &= chance.percent(whole);
                    if lengths_survive {
                        kept.push(change.clone());
                    }
                    continue;
                }
                if !chance.percent(whole) {
                    continue;
                }
                let all = chance.percent(50);
                for part in change.what.sectors() {
                    if all || chance.percent(sector) {
                        kept.push(keep(change, part));
                    } else if loss == Loss::Zeroed
                        && chance.percent(30)
                        && let What::Write(at, data) = part
                    {
                        let zeros = Bytes::from(vec![0; data.len()]);
                        kept.push(keep(change, What::Write(at, zeros)));
                    }
                }
            }
            kept
        }
    }
}
