use super::ledger::Ledger;
use crate::sim::Chance;
use littoral_core::{
    engine::{self, Durability},
    pair::{Backoff, Options, QueueBound},
};
use std::time::Duration;

/// What a seed decides before anything runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How the store under the pair is opened.
    pub store: engine::Options,
    /// How the pair is opened.
    pub pair: Options,
    /// Blobs in use.
    pub blobs: u64,
    /// Of a hundred of them, how many the remote has before anything begins.
    pub elsewhere: u64,
    /// Whether one of them is so large that it travels in chunks.
    pub large: bool,
    /// How often the store is opened.
    pub lives: u64,
    /// Users at a time.
    pub users: u64,
    /// What each does in one life.
    pub operations: u64,
    /// Milliseconds that a user waits at most between two of them.
    pub pauses: u64,
    /// Of a hundred futures, how many are dropped in the middle.
    pub dropped: u64,
    /// Of a hundred lives, how many have faults of the disk besides the crash.
    pub faulty: u64,
    /// Of a hundred, how much trouble there is with the remote.
    pub trouble: u64,
    /// Whether the remote says that it has what it may still lose: a broken one.
    pub hasty: bool,
    /// Whether bits flip in the end.
    pub rotten: bool,
    /// At most how often a port call lets others run.
    pub patience: u64,
    /// Whether the process only ever dies, and the machine never.
    pub only_process: bool,
    /// Prints the trace.
    pub loud: bool,
}

impl Plan {
    /// What this seed decides.
    pub fn draw(chance: &mut Chance) -> Plan {
        let mut store = engine::Options::default();
        store.memory_budget = 1 << 20;
        store.log_size = *chance.pick(&[64 << 10, 128 << 10, 256 << 10]);
        store.alignment = *chance.pick(&[8, 512, 4096]);
        let mut pair = Options::default();
        pair.uploads = chance.within(1..5) as usize;
        pair.durability = *chance.pick(&[
            Durability::Strict,
            Durability::Strict,
            Durability::Strict,
            Durability::Local,
        ]);
        pair.piece = *chance.pick(&[100, 5_000, 1 << 20]);
        pair.cache = match chance.below(3) {
            0 => Some(*chance.pick(&[0, 500, 20_000])),
            _ => None,
        };
        pair.queue = Some(QueueBound {
            entries: *chance.pick(&[2, 8, 1_000]),
            bytes: *chance.pick(&[10_000, 10 << 20]),
        });
        pair.backoff = Backoff {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(*chance.pick(&[2, 60])),
        };
        let large = chance.percent(6);
        if large {
            pair.piece = 1 << 20;
            store.log_size = 256 << 10;
        }
        Plan {
            store,
            pair,
            blobs: *chance.pick(&[2, 5, 12]),
            elsewhere: *chance.pick(&[0, 30, 100]),
            large,
            lives: chance.within(1..5),
            users: chance.within(1..4),
            operations: *chance.pick(&[4, 10, 25]),
            pauses: *chance.pick(&[0, 50, 4_000]),
            dropped: *chance.pick(&[0, 0, 10, 30]),
            faulty: *chance.pick(&[0, 0, 0, 50]),
            trouble: *chance.pick(&[0, 40, 90]),
            hasty: false,
            rotten: chance.percent(8),
            patience: *chance.pick(&[0, 1, 4]),
            only_process: chance.percent(15),
            loud: false,
        }
    }

    /// A disk that fails in every one of many lives.
    pub fn on_a_bad_disk(&mut self) {
        self.faulty = 100;
        self.lives = 6;
    }

    /// Fills the ledger with the blobs of this run; those that are elsewhere first.
    pub(super) fn fill(&self, ledger: &mut Ledger, chance: &mut Chance) {
        while (ledger.blobs.len() as u64) < self.blobs {
            let number = ledger.blobs.len();
            let len = match chance.below(10) {
                _ if number == 0 && self.large => chance.within(1_100_000..1_500_000),
                0 => 0,
                1..6 => chance.below(200),
                6..8 => chance.below(5_000),
                8 => chance.within(10_000..40_000),
                _ => chance.within(66_000..90_000),
            };
            let mut bytes = vec![0; len as usize];
            chance.fill(&mut bytes);
            let elsewhere = chance.percent(self.elsewhere);
            ledger.add(bytes.into(), elsewhere);
        }
    }
}

/// What a run of a few thousand seeds must have reached, or it says nothing about it.
pub const RARE: &[&str] = &[
    "a damaged blob was mended",
    "answer lost",
    "blob in chunks is remote",
    "change dropped",
    "closed with changes left",
    "closed with nothing left",
    "conflict of roots here",
    "conflict of roots told by the remote",
    "corruption reported",
    "crashed in mid-delete",
    "crashed while opening",
    "damage found by open",
    "drive dropped",
    "evicted",
    "not found",
    "poisoned",
    "power lost",
    "process died",
    "put waited for room",
    "queue taken up again",
    "quota reported",
    "remote busy",
    "remote could not sync",
    "remote full",
    "remote lied",
    "remote lost what it had not acknowledged",
    "remote never answered",
    "remote refused",
    "remote swept chunks",
    "remote unreachable",
    "remote wanted other credentials",
    "request done after its caller left",
    "root waits behind a refused blob",
    "synced",
    "synced but for what was refused",
    "transient reported",
    "upload garbled",
];

/// The same for runs [on a bad disk](Plan::on_a_bad_disk).
pub const RARE_ON_A_BAD_DISK: &[&str] = &[
    "handle revoked",
    "no space",
    "poisoned",
    "read failed",
    "sync failed",
    "sync never returned",
    "unreadable range",
    "write failed",
];
