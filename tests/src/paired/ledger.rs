use super::roots::Roots;
use bytes::Bytes;
use littoral_core::blob::Pointer;
use std::collections::BTreeMap;

/// What was asked of a pair and what it answered, through all its lives. Times are the ledger's own ticks; a change
/// took effect, if it did, somewhere between the tick when it was asked for and the tick when its caller was answered, or left.
#[derive(Default)]
pub struct Ledger {
    /// The blobs of this run.
    pub blobs: Vec<Blob>,
    /// The named roots of this run.
    pub roots: Roots,
    places: BTreeMap<Pointer, usize>,
    ticks: u64,
    /// What was seen at the remote before may have been taken back.
    unsure: u64,
}

/// One blob, and all that was ever said about it.
pub struct Blob {
    /// What it is.
    pub bytes: Bytes,
    /// Its name.
    pub pointer: Pointer,
    changes: Vec<Asked>,
    seen: Vec<Seen>,
}

/// What is to become of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is to be there.
    Put,
    /// It is to be gone.
    Delete,
}

/// What the caller of a change knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It waits, it left, or was told that nobody knows.
    None,
    /// It happened, and survives the end of the process.
    Local,
    /// It happened, and survives the loss of power.
    Strict,
    /// Nothing happened.
    Refused,
}

/// A change that somebody asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    change: Change,
    called: u64,
    /// `u64::MAX` while somebody waits.
    ended: u64,
    answer: Answer,
}

/// What a reader was told.
#[derive(Clone, Copy, Debug)]
struct Seen {
    there: bool,
    from: u64,
    until: u64,
}

/// A change in progress.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    blob: usize,
    index: usize,
}

impl Ledger {
    /// Moves time on.
    pub fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    /// Adds a blob to the run; `elsewhere` says that the remote had it before anything began.
    pub fn add(&mut self, bytes: Bytes, elsewhere: bool) -> usize {
        let pointer = Pointer::of(&bytes);
        if let Some(place) = self.places.get(&pointer) {
            return *place;
        }
        let changes = elsewhere.then_some(Asked {
            change: Change::Put,
            called: 0,
            ended: 0,
            answer: Answer::Strict,
        });
        self.blobs.push(Blob {
            bytes,
            pointer,
            changes: changes.into_iter().collect(),
            seen: Vec::new(),
        });
        self.places.insert(pointer, self.blobs.len() - 1);
        self.blobs.len() - 1
    }

    /// Where the blob with this name is in [`blobs`](Ledger::blobs).
    pub fn place(&self, pointer: &Pointer) -> Option<usize> {
        self.places.get(pointer).copied()
    }

    /// Somebody asks for a change.
    pub fn ask(&mut self, blob: usize, change: Change) -> Asking {
        let called = self.tick();
        let changes = &mut self.blobs[blob].changes;
        changes.push(Asked {
            change,
            called,
            ended: u64::MAX,
            answer: Answer::None,
        });
        let index = changes.len() - 1;
        Asking { blob, index }
    }

    /// The caller was answered, or left.
    pub fn answer(&mut self, asking: Asking, answer: Answer) {
        let tick = self.tick();
        let asked = &mut self.blobs[asking.blob].changes[asking.index];
        asked.ended = tick;
        asked.answer = answer;
    }

    /// The process ended, and with it what was only in memory; power loss takes what was not synced.
    pub fn crash(&mut self, power: bool) {
        let now = self.tick();
        for blob in &mut self.blobs {
            blob.seen.clear();
            for asked in &mut blob.changes {
                asked.ended = asked.ended.min(now);
                if power && asked.answer == Answer::Local {
                    asked.answer = Answer::None;
                }
            }
        }
        self.roots.crash(power, now);
    }

    /// The remote lost what it had shown and not acknowledged: what a reader saw of it binds nobody.
    pub fn remote_lost_power(&mut self) {
        self.unsure = self.tick();
        for blob in &mut self.blobs {
            blob.seen.clear();
        }
    }

    /// A reader was told, between tick `from` and now, that the blob is there or is not.
    ///
    /// # Errors
    /// It cannot have been.
    pub fn see(&mut self, blob: usize, from: u64, there: bool) -> Result<(), String> {
        let until = self.tick();
        let blob = &mut self.blobs[blob];
        if !blob.may_be(there, from, until) {
            let pointer = blob.pointer;
            return Err(match there {
                true => format!("{pointer} was deleted and is back: {}", blob.history()),
                false => format!("{pointer} was put and is not there: {}", blob.history()),
            });
        }
        if from > self.unsure {
            blob.seen.push(Seen { there, from, until });
        }
        Ok(())
    }

    /// The blobs whose put was answered before this tick and which nobody asked to delete since, up to now.
    pub fn kept_before(&self, tick: u64) -> Vec<usize> {
        let blobs = self.blobs.iter().enumerate();
        let kept = blobs.filter(|(_, blob)| blob.is_kept_since(tick));
        kept.map(|(place, _)| place).collect()
    }

    /// A root has arrived at the remote, which `has` blobs: was it its turn?
    ///
    /// # Errors
    /// Something that was queued before it is not there yet.
    pub fn root_arrived(
        &mut self,
        name: &str,
        to: Option<Pointer>,
        has: impl Fn(&Pointer) -> bool,
    ) -> Result<(), String> {
        let tick = self.tick();
        let Some(asked) = self.roots.arrived(name, to, tick)? else {
            return Ok(());
        };
        for place in self.kept_before(asked) {
            let blob = &self.blobs[place];
            if !has(&blob.pointer) {
                return Err(format!(
                    "root {name} reached the remote before {}, which was put earlier: {}",
                    blob.pointer,
                    blob.history()
                ));
            }
        }
        Ok(())
    }
}

impl Blob {
    /// Whether a reader between these ticks may have found it there, or not there.
    pub fn may_be(&self, there: bool, from: u64, until: u64) -> bool {
        let makes = match there {
            true => Change::Put,
            false => Change::Delete,
        };
        // At the beginning it was not there.
        let beginning = (!there).then_some(0);
        let makers = self.changes.iter().filter(|asked| {
            asked.change == makes && asked.answer != Answer::Refused && asked.called < until
        });
        let mut since = beginning.into_iter().chain(makers.map(|asked| asked.ended));
        since.any(|since| !self.surely(!there, since, from))
    }

    /// Whether it was surely there, or surely not there, at some time between these ticks.
    fn surely(&self, there: bool, from: u64, until: u64) -> bool {
        let made = self.changes.iter().any(|asked| {
            (asked.change == Change::Put) == there
                && matches!(asked.answer, Answer::Local | Answer::Strict)
                && asked.called >= from
                && asked.ended <= until
        });
        let seen = |seen: &Seen| seen.there == there && seen.from >= from && seen.until <= until;
        made || self.seen.iter().any(seen)
    }

    /// Whether anybody asked to delete it after this tick, or was not answered by then.
    pub fn is_deleted_since(&self, tick: u64) -> bool {
        self.changes.iter().any(|asked| {
            asked.change == Change::Delete && asked.answer != Answer::Refused && asked.ended > tick
        })
    }

    fn is_kept_since(&self, tick: u64) -> bool {
        let put = |asked: &&Asked| {
            asked.change == Change::Put
                && matches!(asked.answer, Answer::Local | Answer::Strict)
                && asked.ended < tick
        };
        let last = self.changes.iter().filter(put).map(|put| put.called).max();
        let deleted = self
            .changes
            .iter()
            .filter(|asked| asked.change == Change::Delete && asked.answer != Answer::Refused);
        let deleted = deleted.map(|delete| delete.ended).max().unwrap_or(0);
        last.is_some_and(|put| deleted <= put)
    }

    /// Everything that was said about it.
    pub fn history(&self) -> String {
        let mut lines = Vec::new();
        for asked in &self.changes {
            let line = format!(
                "{:?} {}..{} {:?}",
                asked.change, asked.called, asked.ended, asked.answer
            );
            lines.push((asked.called, line));
        }
        for seen in &self.seen {
            let found = if seen.there { "there" } else { "not there" };
            let line = format!("{found} {}..{}", seen.from, seen.until);
            lines.push((seen.from, line));
        }
        lines.sort();
        let lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
        lines.join(", ")
    }
}
