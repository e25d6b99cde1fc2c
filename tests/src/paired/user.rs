use super::{
    Plan,
    ledger::{Answer, Asking, Change, Ledger},
    remote::{SimHost, SimPair, SimRemote},
    roots::Moving,
};
use crate::sim::{Chance, Faults, SimClock, SimVolume, World, at_most};
use bytes::Bytes;
use futures::future::{Either, select};
use littoral_core::{
    Error, Kind, Result, blob::Pointer, engine::Durability, pair::Receipt, port::Clock,
};
use std::{
    cell::{Cell, RefCell},
    pin::pin,
    rc::Rc,
    time::Duration,
};

/// Names of the roots in use.
pub const NAMES: [&str; 2] = ["main", "draft"];

/// No honest call takes longer.
const LONGEST: Duration = Duration::from_secs(4 * 60 * 60);

/// One user of a pair.
pub struct User {
    /// The pair.
    pub pair: SimPair,
    /// Its remote.
    pub remote: SimRemote,
    /// What was said before.
    pub ledger: Rc<RefCell<Ledger>>,
    /// Where it is.
    pub world: World,
    /// What goes wrong with the disk.
    pub faults: Rc<RefCell<Faults>>,
    /// What this user decides.
    pub chance: Chance,
    /// What this run does.
    pub plan: Plan,
    /// Set once somebody closes the pair.
    pub closing: Rc<Cell<bool>>,
    /// What it was given.
    pub receipts: Vec<(Of, Receipt<SimVolume, SimRemote, SimHost>)>,
}

/// What a receipt is for.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// A blob, and when its put was asked for.
    Blob(usize, u64),
    /// A move of a root.
    Root(Moving),
}

impl User {
    /// Does what it does in one life.
    pub async fn run(mut self) {
        for _ in 0..self.plan.operations {
            if self.closing.get() && self.chance.percent(70) {
                return;
            }
            self.act().await;
            let pause = self.chance.below(self.plan.pauses + 1);
            if self.chance.percent(40) && pause > 0 {
                let clock = SimClock::new(&self.world);
                clock.sleep(Duration::from_millis(pause)).await;
            }
        }
    }

    async fn act(&mut self) {
        match self.chance.below(100) {
            0..26 => self.put().await,
            26..42 => self.delete().await,
            42..58 => self.get().await,
            58..63 => self.get_range().await,
            63..67 => self.stat().await,
            67..70 => self.has().await,
            70..72 => self.list().await,
            72..79 => self.move_root().await,
            79..81 => self.look_at_root().await,
            81..83 => self.refresh_root().await,
            83..87 => self.ask_receipt().await,
            87..90 => self.sync().await,
            90..92 => self.pin().await,
            92..93 => self.repair().await,
            93..94 => self.retry().await,
            94..96 => self.remote.sweep(),
            96 => self.pair.pause(),
            97 => self.pair.wake(),
            _ => self.pair.resume(),
        }
    }

    async fn put(&mut self) {
        let blob = self.draw();
        self.put_blob(blob).await;
    }

    async fn put_blob(&mut self, blob: usize) {
        let bytes = self.ledger.borrow().blobs[blob].bytes.clone();
        let called = self.ledger.borrow_mut().tick();
        let asking = self.ledger.borrow_mut().ask(blob, Change::Put);
        self.note(asking, "put", blob);
        let pair = self.pair.clone();
        let durability = match self.chance.below(4) {
            0 => Durability::Local,
            _ => self.plan.pair.durability,
        };
        let way = self.chance.below(4);
        let call = async move {
            match way {
                0 => pair.try_put(bytes).await,
                1 => pair.put_stream(bytes).await,
                _ => pair.put_with(bytes, durability).await,
            }
        };
        let durability = match way {
            0 | 1 => self.plan.pair.durability,
            _ => durability,
        };
        // A queue that nobody empties is waited for in vain.
        let patience = Duration::from_secs(60);
        let started = SimClock::new(&self.world).now();
        let outcome = self.maybe(patience, call).await;
        if outcome.is_some() && SimClock::new(&self.world).now() - started > patience / 60 {
            self.world.mark("put waited for room");
        }
        let answer = match &outcome {
            Some(Ok(_)) => of(durability),
            Some(Err(error)) if error.kind() == Kind::Busy && way == 0 => Answer::Refused,
            Some(Err(error)) => {
                self.excuse("put", error);
                Answer::None
            }
            None => Answer::None,
        };
        self.answered(asking, answer);
        if let Some(Ok(receipt)) = outcome {
            let expected = self.ledger.borrow().blobs[blob].pointer;
            if receipt.pointer() != expected {
                self.world.fail("a put came back with another pointer");
            }
            self.receipts.push((Of::Blob(blob, called), receipt));
        }
    }

    async fn delete(&mut self) {
        let blob = self.draw();
        let pointer = self.ledger.borrow().blobs[blob].pointer;
        let asking = self.ledger.borrow_mut().ask(blob, Change::Delete);
        self.note(asking, "delete", blob);
        let pair = self.pair.clone();
        let outcome = self.maybe(LONGEST, async move { pair.delete(&pointer).await });
        let answer = match outcome.await {
            Some(Ok(_)) => of(self.plan.pair.durability),
            Some(Err(error)) => {
                self.excuse("delete", &error);
                Answer::None
            }
            None => Answer::None,
        };
        self.answered(asking, answer);
    }

    async fn get(&mut self) {
        let blob = self.draw();
        let (pointer, bytes) = self.blob(blob);
        let from = self.ledger.borrow_mut().tick();
        let pair = self.pair.clone();
        match self
            .maybe(LONGEST, async move { pair.get(&pointer).await })
            .await
        {
            Some(Ok(got)) if got == bytes => self.saw(blob, from, true),
            Some(Ok(_)) => self.world.fail(format_args!("{pointer} has other bytes")),
            Some(Err(error)) => self.not_read("get", blob, from, &error),
            None => {}
        }
    }

    async fn get_range(&mut self) {
        let blob = self.draw();
        let (pointer, bytes) = self.blob(blob);
        let len = bytes.len() as u64;
        let (a, b) = (self.chance.below(len + 3), self.chance.below(len + 3));
        let range = a.min(b)..a.max(b);
        let from = self.ledger.borrow_mut().tick();
        let (pair, asked) = (self.pair.clone(), range.clone());
        let call = async move { pair.get_range(&pointer, asked).await };
        let cut = |at: u64| at.min(len) as usize;
        match self.maybe(LONGEST, call).await {
            Some(Ok(got))
                if range.start <= len && got == bytes[cut(range.start)..cut(range.end)] =>
            {
                self.saw(blob, from, true);
            }
            Some(Ok(_)) => self
                .world
                .fail(format_args!("{pointer} has other bytes in {range:?}")),
            Some(Err(error)) if error.kind() == Kind::OutOfRange && range.start > len => {
                self.saw(blob, from, true);
            }
            Some(Err(error)) => self.not_read("get_range", blob, from, &error),
            None => {}
        }
    }

    async fn stat(&mut self) {
        let blob = self.draw();
        let (pointer, bytes) = self.blob(blob);
        let from = self.ledger.borrow_mut().tick();
        let pair = self.pair.clone();
        match self
            .maybe(LONGEST, async move { pair.stat(&pointer).await })
            .await
        {
            Some(Ok(Some(stat))) if stat.size != bytes.len() as u64 => {
                self.world.fail(format_args!("{pointer} has another size"));
            }
            Some(Ok(stat)) => self.saw(blob, from, stat.is_some()),
            Some(Err(error)) => self.not_read("stat", blob, from, &error),
            None => {}
        }
    }

    async fn has(&mut self) {
        let blobs: Vec<usize> = (0..self.chance.within(1..4)).map(|_| self.draw()).collect();
        let pointers: Vec<Pointer> = blobs.iter().map(|blob| self.blob(*blob).0).collect();
        let from = self.ledger.borrow_mut().tick();
        let pair = self.pair.clone();
        match self
            .maybe(LONGEST, async move { pair.has(&pointers).await })
            .await
        {
            Some(Ok(has)) => {
                if has.len() != blobs.len() {
                    self.world.fail("has answers for other blobs");
                }
                for (blob, has) in blobs.into_iter().zip(has) {
                    self.saw(blob, from, has);
                }
            }
            Some(Err(error)) => self.excuse_reading("has", &error),
            None => {}
        }
    }

    async fn list(&mut self) {
        let after = match self.chance.percent(50) {
            true => None,
            false => {
                let blob = self.draw();
                Some(self.blob(blob).0)
            }
        };
        let limit = self.chance.within(1..6) as usize;
        let from = self.ledger.borrow_mut().tick();
        let pair = self.pair.clone();
        let call = async move { pair.list(after, limit).await };
        let page = match self.maybe(LONGEST, call).await {
            Some(Ok(page)) => page,
            Some(Err(error)) => return self.excuse_reading("list", &error),
            None => return,
        };
        if !page.is_sorted_by(|a, b| a.pointer < b.pointer) {
            self.world.fail("a page is not in order");
        }
        let end = page.last().map(|row| row.pointer);
        let count = self.ledger.borrow().blobs.len();
        for blob in 0..count {
            let pointer = self.blob(blob).0;
            let behind = after.is_none_or(|after| pointer > after);
            if behind && end.is_none_or(|end| pointer <= end) {
                let there = page.iter().any(|row| row.pointer == pointer);
                self.saw(blob, from, there);
            }
        }
    }

    async fn move_root(&mut self) {
        let name = *self.chance.pick(&NAMES);
        // Fresh bytes, so that the value tells whose move it was.
        let mut bytes = vec![0; 12];
        self.chance.fill(&mut bytes);
        let bytes = Bytes::from(bytes);
        let to = Pointer::of(&bytes);
        if self.chance.percent(60) {
            let blob = self.ledger.borrow_mut().add(bytes, false);
            self.put_blob(blob).await;
        }
        let pair = self.pair.clone();
        let from = match self
            .maybe(LONGEST, async move { pair.root(name).await })
            .await
        {
            Some(Ok(from)) => from,
            Some(Err(error)) => return self.excuse_reading("root", &error),
            None => None,
        };
        let moving = {
            let mut ledger = self.ledger.borrow_mut();
            let tick = ledger.tick();
            ledger.roots.ask(tick, name, from, to)
        };
        self.world
            .note(format_args!("user moves {name} from {from:?} to {to}"));
        let pair = self.pair.clone();
        let call = async move { pair.move_root(name, from, Some(to)).await };
        let outcome = self.maybe(Duration::from_secs(60), call).await;
        let answer = match &outcome {
            Some(Ok(_)) => of(self.plan.pair.durability),
            Some(Err(error)) if error.kind() == Kind::Conflict => {
                self.world.mark("conflict of roots here");
                Answer::Refused
            }
            Some(Err(error)) => {
                self.excuse("move_root", error);
                Answer::None
            }
            None => Answer::None,
        };
        let told = {
            let mut ledger = self.ledger.borrow_mut();
            let tick = ledger.tick();
            ledger.roots.answer(tick, moving, answer)
        };
        told.unwrap_or_else(|wrong| self.world.fail(wrong));
        if let Some(Ok(receipt)) = outcome {
            self.receipts.push((Of::Root(moving), receipt));
        }
    }

    async fn look_at_root(&mut self) {
        let name = *self.chance.pick(&NAMES);
        let pair = self.pair.clone();
        let outcome = self
            .maybe(LONGEST, async move { pair.root(name).await })
            .await;
        self.saw_root(name, outcome);
    }

    async fn refresh_root(&mut self) {
        let name = *self.chance.pick(&NAMES);
        {
            let mut ledger = self.ledger.borrow_mut();
            let tick = ledger.tick();
            ledger.roots.refresh(tick, name);
        }
        let pair = self.pair.clone();
        let call = async move { pair.refresh_root(name).await };
        let outcome = self.maybe(LONGEST, call).await;
        // It may have given up what was asked for while it was on its way.
        let mut ledger = self.ledger.borrow_mut();
        let tick = ledger.tick();
        ledger.roots.refresh(tick, name);
        drop(ledger);
        self.saw_root(name, outcome);
    }

    fn saw_root(&self, name: &str, outcome: Option<Result<Option<Pointer>>>) {
        match outcome {
            Some(Ok(at)) if !self.ledger.borrow().roots.may_point_at(name, at) => self.world.fail(
                format_args!("{name} points at {at:?}, where nobody moved it"),
            ),
            Some(Err(error)) => self.excuse_reading("root", &error),
            _ => {}
        }
    }

    async fn ask_receipt(&mut self) {
        if self.receipts.is_empty() {
            return;
        }
        let index = self.chance.below(self.receipts.len() as u64) as usize;
        let (of, receipt) = self.receipts.swap_remove(index);
        let patience = Duration::from_millis(self.chance.below(20_000));
        let outcome = self.maybe(patience, receipt.wait(Durability::Remote)).await;
        match (outcome, of) {
            (None, _) => {}
            (Some(Ok(())), Of::Blob(blob, called)) => {
                let (pointer, _) = self.blob(blob);
                let deleted = self.ledger.borrow().blobs[blob].is_deleted_since(called);
                if !deleted && !self.remote.holds(&pointer) {
                    self.world
                        .fail(format_args!("{pointer} is told to be remote and is not"));
                }
            }
            (Some(Ok(())), Of::Root(moving)) => {
                let told = self.ledger.borrow().roots.told_remote(moving);
                told.unwrap_or_else(|wrong| self.world.fail(wrong));
            }
            (Some(Err(error)), Of::Root(_)) if error.kind() == Kind::Conflict => {
                self.world.mark("conflict of roots told by the remote");
            }
            // A blob that was put before it, perhaps in an earlier life.
            (Some(Err(_)), Of::Root(_)) if self.remote.ever_refused() => {
                self.world.mark("a root waits for what was refused");
            }
            // Deleted before it was remote.
            (Some(Err(error)), Of::Blob(..)) if error.kind() == Kind::NotFound => {}
            (Some(Err(error)), _) => self.excuse_reading("receipt", &error),
        }
    }

    async fn sync(&mut self) {
        let patience = Duration::from_millis(self.chance.within(1..60_000));
        let _ = self.sync_within(patience).await;
    }

    /// Syncs, and holds the answer against the remote; the error, if there is one.
    pub async fn sync_within(&mut self, patience: Duration) -> Result<()> {
        let called = self.ledger.borrow_mut().tick();
        let (pair, clock) = (self.pair.clone(), SimClock::new(&self.world));
        let call = async move { pair.sync(clock.sleep(patience)).await };
        let Some(synced) = self.maybe(LONGEST, call).await else {
            return Err(Error::new(Kind::Timeout, "left"));
        };
        match &synced {
            Ok(()) => {
                self.world.mark("synced");
                let ledger = self.ledger.borrow();
                for blob in ledger.kept_before(called) {
                    let blob = &ledger.blobs[blob];
                    if !self.remote.holds(&blob.pointer) {
                        self.world.fail(format_args!(
                            "synced, and {} is not remote: {}",
                            blob.pointer,
                            blob.history()
                        ));
                    }
                }
                if let Some((name, to)) = ledger.roots.awaited(called).first() {
                    self.world
                        .fail(format_args!("synced, and {name} was never moved to {to}"));
                }
            }
            Err(error) if error.kind() == Kind::Timeout => {}
            Err(error) => {
                if self.remote.ever_refused() {
                    self.world.mark("synced but for what was refused");
                } else if error.kind() != Kind::Conflict {
                    self.excuse_reading("sync", error);
                }
            }
        }
        synced
    }

    async fn pin(&mut self) {
        let blob = self.draw();
        let (pointer, _) = self.blob(blob);
        let pair = self.pair.clone();
        let pins = self.chance.percent(50);
        let call = async move {
            match pins {
                true => pair.pin(&pointer).await,
                false => pair.unpin(&pointer).await,
            }
        };
        if let Some(Err(error)) = self.maybe(LONGEST, call).await {
            self.excuse("pin", &error);
        }
    }

    async fn repair(&mut self) {
        let pair = self.pair.clone();
        match self
            .maybe(LONGEST, async move { pair.repair().await })
            .await
        {
            Some(Ok(checked)) if checked.damaged > 0 => self
                .world
                .fail(format_args!("damage where there is none: {checked:?}")),
            Some(Ok(checked)) if checked.requeued > 0 => self
                .world
                .fail("a blob that was taken to be remote was not"),
            Some(Err(error)) => self.excuse_reading("repair", &error),
            _ => {}
        }
    }

    async fn retry(&mut self) {
        let pair = self.pair.clone();
        let call = async move { pair.retry_failed().await };
        if let Some(Err(error)) = self.maybe(LONGEST, call).await {
            self.excuse("retry_failed", &error);
        }
    }

    /// Waits for it, or goes away in the middle, or after a while.
    async fn maybe<T>(&mut self, patience: Duration, future: impl Future<Output = T>) -> Option<T> {
        let polls = 1 << self.chance.below(8);
        let leaves = self.chance.percent(self.plan.dropped);
        let future = async move {
            match leaves {
                true => at_most(polls, future).await,
                false => Some(future.await),
            }
        };
        let clock = SimClock::new(&self.world);
        let (future, sleep) = (pin!(future), pin!(clock.sleep(patience)));
        match select(future, sleep).await {
            Either::Left((Some(value), _)) => Some(value),
            Either::Left((None, _)) => {
                self.world.mark("change dropped");
                None
            }
            Either::Right(_) => {
                let hung = self.faults.borrow().any(&["sync never returned"]);
                if patience == LONGEST && !leaves && !hung {
                    self.world.fail("a call that never ends");
                }
                None
            }
        }
    }

    fn draw(&mut self) -> usize {
        self.chance.below(self.plan.blobs) as usize
    }

    fn blob(&self, blob: usize) -> (Pointer, Bytes) {
        let ledger = self.ledger.borrow();
        let blob = &ledger.blobs[blob];
        (blob.pointer, blob.bytes.clone())
    }

    fn note(&self, asking: Asking, what: &str, blob: usize) {
        let pointer = self.ledger.borrow().blobs[blob].pointer;
        self.world
            .note(format_args!("user asks to {what} {pointer}: {asking:?}"));
    }

    fn answered(&self, asking: Asking, answer: Answer) {
        self.world.note(format_args!("{asking:?}: {answer:?}"));
        self.ledger.borrow_mut().answer(asking, answer);
    }

    fn saw(&self, blob: usize, from: u64, there: bool) {
        let seen = self.ledger.borrow_mut().see(blob, from, there);
        seen.unwrap_or_else(|wrong| self.world.fail(wrong));
    }

    fn not_read(&self, what: &str, blob: usize, from: u64, error: &Error) {
        match error.kind() {
            Kind::NotFound => {
                self.world.mark("not found");
                self.saw(blob, from, false);
            }
            _ => self.excuse_reading(what, error),
        }
    }

    /// An error of a call that may ask the remote.
    fn excuse_reading(&self, what: &str, error: &Error) {
        let excused = match error.kind() {
            Kind::Transient => {
                self.remote
                    .any(&["remote unreachable", "answer lost", "remote could not sync"])
            }
            Kind::Timeout => self.remote.any(&["remote never answered", "answer lost"]),
            Kind::Busy => self.remote.any(&["remote busy"]),
            Kind::Auth => self.remote.any(&["remote wanted other credentials"]),
            Kind::Corrupt => self.remote.any(&["remote lied", "upload garbled"]),
            Kind::InvalidInput | Kind::ReadOnly => self.remote.any(&["remote refused"]),
            _ => false,
        };
        match excused {
            true => self.mark(error),
            false => self.excuse(what, error),
        }
    }

    /// An error is only right if something went wrong that explains it.
    fn excuse(&self, what: &str, error: &Error) {
        let excused = match error.kind() {
            Kind::Closed => self.closing.get(),
            _ => self.faults.borrow().explain(error),
        };
        if !excused {
            self.world.fail(format_args!(
                "{what} says {error:?}, and nothing explains it"
            ));
        }
        self.mark(error);
    }

    fn mark(&self, error: &Error) {
        match error.kind() {
            Kind::Poisoned => self.world.mark("poisoned"),
            Kind::Quota => self.world.mark("quota reported"),
            Kind::Corrupt => self.world.mark("corruption reported"),
            Kind::Transient => self.world.mark("transient reported"),
            _ => {}
        }
    }
}

fn of(durability: Durability) -> Answer {
    match durability {
        Durability::Memory => Answer::None,
        Durability::Local => Answer::Local,
        _ => Answer::Strict,
    }
}
