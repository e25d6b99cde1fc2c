use super::{
    Plan, Weather,
    ledger::Ledger,
    life::{Ended, Life, open},
    remote::{SimHost, SimPair, SimRemote},
    rest::inspect,
    user::NAMES,
};
use crate::{
    seeds::Report,
    sim::{Chance, Disk, Executor, Faults, Loss, SimClock, SimEntropy, SimVolume, Stopped, World},
};
use littoral_core::{Error, Kind, Result, blob::RootStore, pair::Change, port::Clock};
use std::{cell::RefCell, rc::Rc, time::Duration};

/// Steps of the executor that no honest life needs.
const MOST_STEPS: u64 = 2_000_000;

/// Runs one seed; `adjust` may change what the seed decided.
pub fn run(seed: u64, adjust: impl Fn(&mut Plan)) -> Report {
    let mut chance = Chance::new(seed);
    let mut plan = Plan::draw(&mut chance);
    adjust(&mut plan);
    let world = World::new(chance.fork());
    if plan.loud {
        world.speak();
    }
    world.set_patience(plan.patience);
    world.note(format_args!("{plan:?}"));
    let ledger = Rc::new(RefCell::new(Ledger::default()));
    plan.fill(&mut ledger.borrow_mut(), &mut chance);
    let remote = SimRemote::new(&world, &ledger);
    if plan.hasty {
        remote.break_it();
    }
    for blob in &ledger.borrow().blobs {
        if blob.may_be(true, 0, 1) {
            remote.bring(&blob.bytes);
        }
    }
    let mut run = Run {
        world: world.clone(),
        disk: Disk::new(),
        remote,
        ledger,
        chance,
        plan,
        lives: 0,
    };
    let outcome = run.lives();
    Report::of(seed, &world, run.lives, outcome)
}

struct Run {
    world: World,
    disk: Disk,
    remote: SimRemote,
    ledger: Rc<RefCell<Ledger>>,
    chance: Chance,
    plan: Plan,
    lives: u64,
}

impl Run {
    fn lives(&mut self) -> Result<(), String> {
        for _ in 0..self.plan.lives {
            self.lives += 1;
            let (ended, power) = self.life()?;
            if self.chance.percent(self.plan.trouble / 2) {
                self.remote.lose_power();
            }
            self.ledger.borrow_mut().crash(power);
            let rest = inspect(
                &self.world,
                &self.disk,
                &self.remote,
                &self.ledger,
                &self.plan,
                &mut self.chance,
            )?;
            if ended == Some(Ended::Closed(0)) && !rest.queue.is_empty() {
                return Err(format!(
                    "closed with nothing left, and these are queued: {:?}",
                    rest.queue
                ));
            }
        }
        self.remote.lose_power();
        self.in_the_end()?;
        match self.plan.rotten {
            true => self.rot(),
            false => Ok(()),
        }
    }

    /// One life; how it ended if it did not crash, and whether power was lost then.
    fn life(&mut self) -> Result<(Option<Ended>, bool), String> {
        let world = self.world.clone();
        world.revive();
        let mut faults = match self.chance.percent(self.plan.faulty) {
            true => Faults::draw(&mut self.chance, 600),
            false => Faults::default(),
        };
        // The store's own simulation looks at these.
        faults.misdirected_in = None;
        let crash = match self.chance.percent(65) {
            true => Some(1 << self.chance.below(15)).map(|most| self.chance.below(most)),
            false => None,
        };
        world.note(format_args!(
            "life {} with {faults:?}, crash in {crash:?}",
            self.lives
        ));
        world.crash_in(crash);
        let weather = Weather::draw(&mut self.chance, self.plan.trouble);
        self.remote.begin(weather, self.chance.percent(80));
        let volume = SimVolume::new(&world, &self.disk, faults);
        let faults = volume.faults();
        let executor = Executor::new(&world);
        let life = Life {
            executor: executor.clone(),
            world: world.clone(),
            remote: self.remote.clone(),
            ledger: self.ledger.clone(),
            faults: faults.clone(),
            plan: self.plan.clone(),
            entropy: SimEntropy::new(self.chance.fork()),
            chance: self.chance.fork(),
            opened: Rc::default(),
            settled: Rc::default(),
        };
        let opened = life.opened.clone();
        let ended = executor.run(MOST_STEPS, life.live(volume));
        let stuck_is_fine = faults.borrow().any(&["sync never returned"]);
        let ended = match ended {
            Ok(ended) => Some(ended),
            Err(Stopped::Crashed) => {
                if !opened.get() {
                    world.mark("crashed while opening");
                }
                None
            }
            Err(_) if stuck_is_fine && world.failure().is_none() => None,
            Err(stopped) => return Err(stopped.to_string()),
        };
        let loss = match self.plan.only_process {
            true => Loss::Process,
            false => *self.chance.pick(&Loss::ALL),
        };
        let power = loss != Loss::Process && !matches!(ended, Some(Ended::Closed(_)));
        world.mark(match loss {
            Loss::Process => "process died",
            _ => "power lost",
        });
        self.disk.crash(&world, loss);
        Ok((ended, power))
    }

    /// Everything is well again: all that was acknowledged becomes remote, both sides agree, and another device
    /// sees the same.
    fn in_the_end(&mut self) -> Result<(), String> {
        self.world.revive();
        self.world.note("in the end");
        self.remote.begin(Weather::default(), true);
        let volume = SimVolume::new(&self.world, &self.disk, Faults::default());
        let (world, remote, ledger) =
            (self.world.clone(), self.remote.clone(), self.ledger.clone());
        let (executor, plan) = (Executor::new(&self.world), self.plan.clone());
        let host = self.host();
        let inner = executor.clone();
        let ended = executor.run(MOST_STEPS, async move {
            let pair = open(volume, &remote, host, &plan).await?;
            let driven = pair.clone();
            inner.spawn("drive", async move { driven.drive().await });
            let outcome = settle(&pair, &world, &remote, &ledger).await?;
            pair.close(Duration::from_secs(60)).await?;
            Ok::<_, Error>(outcome)
        });
        ended
            .map_err(|stopped| format!("in the end: {stopped:?}"))?
            .map_err(|error| format!("in the end: {error:?}"))??;
        self.disk.crash(&self.world, Loss::All);
        self.elsewhere()
    }

    /// Another device, with an empty disk, sees what is remote.
    fn elsewhere(&mut self) -> Result<(), String> {
        let disk = Disk::new();
        let volume = SimVolume::new(&self.world, &disk, Faults::default());
        let (remote, plan, host) = (self.remote.clone(), self.plan.clone(), self.host());
        let blobs: Vec<_> = {
            let ledger = self.ledger.borrow();
            let blobs = ledger.blobs.iter();
            blobs.map(|b| (b.pointer, b.bytes.clone())).collect()
        };
        let ended = Executor::new(&self.world).run(MOST_STEPS, async move {
            let pair = open(volume, &remote, host, &plan).await?;
            for (pointer, bytes) in blobs {
                let there = match pair.get(&pointer).await {
                    Ok(got) if got == bytes => true,
                    Err(error) if error.kind() == Kind::NotFound => false,
                    other => return Ok(Err(format!("elsewhere {pointer} is {other:?}"))),
                };
                if there != remote.holds(&pointer) {
                    return Ok(Err(format!("elsewhere {pointer} is there: {there}")));
                }
            }
            Ok::<_, Error>(Ok(()))
        });
        ended
            .map_err(|stopped| format!("elsewhere: {stopped:?}"))?
            .map_err(|error| format!("elsewhere: {error:?}"))?
    }

    /// Bits flip in the closed store: no wrong bytes come out, nothing is lost silently, and what the remote has is
    /// whole again after a repair.
    fn rot(&mut self) -> Result<(), String> {
        let size = self.disk.size();
        let flips = *self.chance.pick(&[2, 20, 200]);
        for _ in 0..flips {
            let byte = self.chance.below(size.max(1));
            let bit = self.chance.below(8) as u8;
            self.world
                .note(format_args!("bit {bit} of byte {byte} flips"));
            self.disk.flip(byte, bit);
        }
        self.world.revive();
        self.remote.begin(Weather::default(), true);
        let volume = SimVolume::new(&self.world, &self.disk, Faults::default());
        let (world, remote, ledger) =
            (self.world.clone(), self.remote.clone(), self.ledger.clone());
        let (executor, plan, host) = (Executor::new(&self.world), self.plan.clone(), self.host());
        let inner = executor.clone();
        let ended = executor.run(MOST_STEPS, async move {
            let pair = match open(volume, &remote, host, &plan).await {
                Ok(pair) => pair,
                Err(error) if matches!(error.kind(), Kind::Corrupt | Kind::InvalidInput) => {
                    world.mark("damage found by open");
                    return Ok(());
                }
                Err(error) => return Err(format!("a damaged store says {error:?}")),
            };
            let driven = pair.clone();
            inner.spawn("drive", async move { driven.drive().await });
            mend(&pair, &world, &remote, &ledger).await
        });
        ended.map_err(|stopped| format!("a damaged store: {stopped:?}"))?
    }

    fn host(&mut self) -> SimHost {
        SimHost {
            clock: SimClock::new(&self.world),
            entropy: SimEntropy::new(self.chance.fork()),
        }
    }
}

async fn settle(
    pair: &SimPair,
    world: &World,
    remote: &SimRemote,
    ledger: &Rc<RefCell<Ledger>>,
) -> Result<Result<(), String>> {
    let clock = SimClock::new(world);
    let day = Duration::from_secs(24 * 60 * 60);
    // What was refused or damaged on the way is tried again.
    pair.retry_failed().await?;
    let synced = pair.sync(clock.sleep(day)).await;
    for item in pair.queue(None, usize::MAX).await? {
        let conflict = item.trouble.as_ref().map(|t| t.reason().kind()) == Some(Kind::Conflict);
        if !(conflict && matches!(item.change, Change::MoveRoot { .. })) {
            return Ok(Err(format!(
                "all is well, {item:?} is still queued, and sync says {synced:?}: {:?}",
                pair.status().current()
            )));
        }
    }
    if let Err(error) = synced
        && error.kind() != Kind::Conflict
    {
        return Ok(Err(format!("all is well, and sync says {error:?}")));
    }
    for name in NAMES {
        let here = pair.refresh_root(name).await?;
        if here != remote.points_at(name) {
            return Ok(Err(format!("{name} is at {here:?} after a refresh")));
        }
        if RootStore::root(pair, name).await? != here {
            return Ok(Err(format!("{name} does not stay where it is")));
        }
    }
    pair.sync(clock.sleep(day)).await?;
    let left = pair.pending().await?;
    if left.count != 0 || left.bytes != 0 {
        return Ok(Err(format!("nothing is queued, and pending says {left:?}")));
    }
    let count = ledger.borrow().blobs.len();
    for place in 0..count {
        let (pointer, bytes, from) = {
            let mut ledger = ledger.borrow_mut();
            let from = ledger.tick();
            let blob = &ledger.blobs[place];
            (blob.pointer, blob.bytes.clone(), from)
        };
        let there = match pair.get(&pointer).await {
            Ok(got) if got == bytes => true,
            Err(error) if error.kind() == Kind::NotFound => false,
            other => return Ok(Err(format!("all is well, and {pointer} is {other:?}"))),
        };
        if there != remote.holds(&pointer) {
            return Ok(Err(format!("all is well, and {pointer} is there: {there}")));
        }
        if let Err(wrong) = ledger.borrow_mut().see(place, from, there) {
            return Ok(Err(wrong));
        }
    }
    Ok(Ok(()))
}

async fn mend(
    pair: &SimPair,
    world: &World,
    remote: &SimRemote,
    ledger: &Rc<RefCell<Ledger>>,
) -> Result<(), String> {
    let damaged = |error: &Error| error.kind() == Kind::Corrupt;
    let blobs: Vec<_> = {
        let ledger = ledger.borrow();
        let blobs = ledger.blobs.iter();
        blobs.map(|b| (b.pointer, b.bytes.clone())).collect()
    };
    let mut repaired = false;
    // A read mends what it meets: now and then the repair comes first, and finds it.
    let reads_first = world.chance(|chance| chance.percent(50));
    for round in 0..2 {
        let read = blobs.iter().filter(|_| round == 1 || reads_first);
        for (pointer, bytes) in read {
            match pair.get(pointer).await {
                Ok(got) if got == *bytes && remote.holds(pointer) => {}
                Err(error) if error.kind() == Kind::NotFound && !remote.holds(pointer) => {}
                Err(error) if damaged(&error) && !repaired => {
                    world.mark("damage found by a read");
                }
                other => return Err(format!("in round {round} damage made {pointer} {other:?}")),
            }
        }
        if round == 1 {
            break;
        }
        match pair.repair().await {
            Ok(checked) => {
                if checked.repaired > 0 {
                    world.mark("a damaged blob was mended");
                }
                repaired = checked.left.is_empty();
            }
            Err(error) if damaged(&error) => {}
            Err(error) => return Err(format!("repair says {error:?}")),
        }
    }
    Ok(())
}
