use crate::sim::Chance;
use littoral_core::{Error, Kind, blob::Pointer};
use std::{collections::BTreeMap, time::Duration};

/// What goes wrong between a pair and its remote, and at the remote itself. Shares are of a hundred calls.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    /// Milliseconds that a request, and an answer, travels at most.
    pub latency: u64,
    /// Requests that get lost.
    pub unreachable: u64,
    /// Requests that are done and whose answer gets lost.
    pub unanswered: u64,
    /// Calls that never end; the request may be done.
    pub silent: u64,
    /// Answers that are not what was asked for.
    pub lying: u64,
    /// Uploads that are not what was sent when they arrive.
    pub garbled: u64,
    /// What is done and does not get to the remote's disk, until something else does.
    pub unsynced: u64,
    /// Calls that are told to come back later.
    pub busy: u64,
    /// No more bytes are taken.
    pub full: bool,
    /// Other credentials are wanted.
    pub locked: bool,
    /// Blobs that are not taken, and not deleted.
    pub refused: BTreeMap<Pointer, Kind>,
}

/// What becomes of one call.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    Done,
    Lied,
    Garbled,
    /// Nothing happens at the remote.
    Failed(Error),
    /// It happens, and this is what is heard of it.
    Unanswered(Error),
    Silent {
        done: bool,
    },
}

impl Weather {
    /// What a seed of this much trouble (of a hundred) may bring.
    pub fn draw(chance: &mut Chance, trouble: u64) -> Weather {
        let mut weather = Weather {
            latency: *chance.pick(&[0, 0, 5, 200, 3_000]),
            ..Weather::default()
        };
        if !chance.percent(trouble) {
            return weather;
        }
        for _ in 0..chance.within(1..4) {
            let share = *chance.pick(&[3, 20, 60]);
            match chance.below(10) {
                0 => weather.unreachable = *chance.pick(&[share, 100]),
                1 | 2 => weather.unanswered = share,
                3 => weather.silent = share.min(20),
                4 => weather.lying = share,
                5 => weather.garbled = share,
                6 => weather.busy = share,
                7 => weather.full = true,
                8 => weather.unsynced = share,
                _ => weather.locked = true,
            }
        }
        weather
    }

    /// Nothing but a wire that is cut.
    pub fn down() -> Weather {
        Weather {
            unreachable: 100,
            ..Weather::default()
        }
    }

    /// What becomes of a call about this blob that, if `writes`, would change something.
    pub(super) fn fate(&self, chance: &mut Chance, blob: Option<&Pointer>, call: Call) -> Fate {
        let error = |kind, message: &str| Error::new(kind, format!("simulated: {message}"));
        if chance.percent(self.unreachable) {
            return Fate::Failed(error(Kind::Transient, "no way to the remote"));
        }
        if self.locked {
            return Fate::Failed(error(Kind::Auth, "the remote wants other credentials"));
        }
        if chance.percent(self.busy) {
            let busy = error(Kind::Busy, "the remote is busy");
            let later = Duration::from_millis(chance.within(1..20_000));
            return Fate::Failed(match chance.percent(50) {
                true => busy.with_retry_after(later),
                false => busy,
            });
        }
        if self.full && call == Call::Upload {
            return Fate::Failed(error(Kind::Quota, "the remote is full"));
        }
        if call != Call::Read
            && let Some(kind) = blob.and_then(|blob| self.refused.get(blob))
        {
            return Fate::Failed(error(*kind, "the remote refuses this blob"));
        }
        if chance.percent(self.silent) {
            let done = chance.percent(50);
            return Fate::Silent { done };
        }
        if chance.percent(self.unanswered) {
            let kind = *chance.pick(&[Kind::Transient, Kind::Timeout]);
            return Fate::Unanswered(error(kind, "the connection broke before the answer"));
        }
        match call {
            Call::Read if chance.percent(self.lying) => Fate::Lied,
            Call::Upload if chance.percent(self.garbled) => Fate::Garbled,
            _ => Fate::Done,
        }
    }
}

/// What a call does at the remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Read,
    Upload,
    Change,
}
