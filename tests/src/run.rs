//! One seed: a store lives, crashes, is opened again, and is held against the model each time.

use crate::{
    model::{Damaged, End, Fate, LEDGER, Model, Recovered, mark_of},
    seeds::Report,
    sim::{Chance, Disk, Executor, Faults, Loss, SimEntropy, SimVolume, Stopped, World},
    workload::{Client, Profile, dump},
};
use littoral_core::{Error, Kind, engine::Store};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

/// What a run of a few thousand seeds must have reached, or it says nothing about it.
pub const RARE: &[&str] = &[
    "backup",
    "bit flipped",
    "commit dropped",
    "commit waited before it was handed over",
    "conflict",
    "corruption reported",
    "crashed while opening",
    "damage found by a read",
    "damage found by open",
    "damage was harmless",
    "drive dropped",
    "file became shorter",
    "handle revoked",
    "logs took turns",
    "no space",
    "open failed",
    "pack emptied",
    "pack made",
    "poisoned",
    "power lost",
    "power lost after a clean close",
    "process died",
    "quota reported",
    "read failed",
    "reclaim shortened the file",
    "relaxed commit is gone",
    "sync failed",
    "sync never returned",
    "table made",
    "tables merged",
    "unacknowledged commit is gone",
    "unacknowledged commit survived",
    "unreadable range",
    "write dropped in flight",
    "write failed",
    "write misdirected",
];

/// Steps of the executor that no honest life needs.
const MOST_STEPS: u64 = 3_000_000;

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
    let mut run = Run {
        world: world.clone(),
        disk: Disk::new(),
        model: Rc::default(),
        chance,
        plan,
        lives: 0,
    };
    let outcome = run.lives();
    Report::of(seed, &world, run.lives, outcome)
}

/// What a seed decides before anything runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What users do.
    pub profile: Profile,
    /// How often the store is opened.
    pub lives: u64,
    /// Of a hundred lives, how many have faults besides the crash.
    pub faulty: u64,
    /// Of a hundred lives that end cleanly, how many leave a flipped bit.
    pub rotten: u64,
    /// At most how often a port call lets others run.
    pub patience: u64,
    /// Whether the process only ever dies, and the machine never.
    pub only_process: bool,
    /// Prints the trace.
    pub loud: bool,
}

impl Plan {
    fn draw(chance: &mut Chance) -> Plan {
        Plan {
            profile: Profile::draw(chance),
            lives: chance.within(1..7),
            faulty: *chance.pick(&[0, 0, 30, 60]),
            rotten: *chance.pick(&[0, 0, 0, 20]),
            patience: *chance.pick(&[0, 2, 6]),
            only_process: chance.percent(10),
            loud: false,
        }
    }
}

struct Run {
    world: World,
    disk: Disk,
    model: Rc<RefCell<Model>>,
    chance: Chance,
    plan: Plan,
    lives: u64,
}

impl Run {
    fn lives(&mut self) -> Result<(), String> {
        for _ in 0..self.plan.lives {
            self.lives += 1;
            let end = self.life()?;
            let Some((end, tainted)) = end else {
                return Ok(());
            };
            if tainted {
                return self.after_damage(end);
            }
            if self.chance.percent(self.plan.rotten) {
                return self.after_rot(end);
            }
            let recovered = inspect(&self.world, &self.disk, &self.plan, &mut self.chance)?;
            self.mark_unacknowledged(&recovered);
            self.model.borrow_mut().settle(end, &recovered)?;
        }
        Ok(())
    }

    fn mark_unacknowledged(&self, recovered: &Recovered) {
        for commit in &self.model.borrow().commits {
            if commit.fate == Fate::Unknown {
                let there = recovered.state.contains_key(&mark_of(commit.id));
                self.world.mark(match there {
                    true => "unacknowledged commit survived",
                    false => "unacknowledged commit is gone",
                });
            }
            if commit.number.is_some_and(|number| number > recovered.last) {
                self.world.mark("relaxed commit is gone");
            }
        }
    }

    /// One life, up to its end. `None` if nothing can be said after it.
    fn life(&mut self) -> Result<Option<(End, bool)>, String> {
        let world = self.world.clone();
        world.revive();
        let faults = match self.chance.percent(self.plan.faulty) {
            true => Faults::draw(&mut self.chance, 400),
            false => Faults::default(),
        };
        let crash = match self.chance.percent(70) {
            true => Some(1 << self.chance.below(15)).map(|most| self.chance.below(most)),
            false => None,
        };
        world.note(format_args!(
            "life {} with {faults:?}, crash in {crash:?}",
            self.lives
        ));
        world.crash_in(crash);
        let volume = SimVolume::new(&world, &self.disk, faults);
        let faults = volume.faults();
        let executor = Executor::new(&world);
        let life = Life {
            executor: executor.clone(),
            world: world.clone(),
            model: self.model.clone(),
            faults: faults.clone(),
            profile: self.plan.profile.clone(),
            entropy: SimEntropy::new(self.chance.fork()),
            chance: self.chance.fork(),
            opened: Rc::default(),
        };
        let opened = life.opened.clone();
        let ended = executor.run(MOST_STEPS, life.live(volume));
        if ended == Err(Stopped::Crashed) && !opened.get() {
            world.mark("crashed while opening");
        }
        let happened = faults.borrow().clone();
        let stuck_is_fine = happened.any(&["sync never returned"]);
        let closed = match ended {
            Ok(closed) => closed,
            Err(Stopped::Crashed) => false,
            Err(Stopped::Stuck(_)) if stuck_is_fine => false,
            Err(stopped) => return Err(stopped.to_string()),
        };
        let loss = match self.plan.only_process {
            true => Loss::Process,
            false => *self.chance.pick(&Loss::ALL),
        };
        world.mark(match loss {
            Loss::Process => "process died",
            _ if closed => "power lost after a clean close",
            _ => "power lost",
        });
        // After a failed sync the host shows what it will never write: a machine that goes on
        // without power loss keeps showing it.
        self.disk.crash(&world, loss);
        let end = match (closed, loss) {
            (true, _) => End::Closed,
            (false, Loss::Process) => End::Process,
            (false, _) => End::Power,
        };
        Ok(Some((end, happened.any(&["write misdirected"]))))
    }

    /// A bit turned over while nobody looked.
    fn after_rot(&mut self, end: End) -> Result<(), String> {
        let size = self.disk.size();
        if size == 0 {
            return Ok(());
        }
        for _ in 0..self.chance.within(1..4) {
            let byte = self.chance.below(size);
            let bit = self.chance.below(8) as u8;
            self.world
                .note(format_args!("bit {bit} of byte {byte} flips"));
            self.disk.flip(byte, bit);
        }
        self.world.mark("bit flipped");
        self.after_damage(end)
    }

    /// Bytes on disk are wrong: no wrong data may come out, and nothing may be lost silently.
    fn after_damage(&mut self, end: End) -> Result<(), String> {
        let world = World::new(self.chance.fork());
        world.set_patience(0);
        let before = self.disk.bytes();
        let executor = Executor::new(&world);
        let volume = SimVolume::new(&world, &self.disk, Faults::default());
        let entropy = SimEntropy::new(self.chance.fork());
        let options = self.plan.profile.options.clone();
        let model = self.model.borrow().clone();
        let found = executor.run(MOST_STEPS, async move {
            let store = Store::open(volume, &entropy, options).await?;
            Ok::<_, Error>(examine(&store, &model).await)
        });
        if let Some(failure) = world.failure() {
            return Err(failure);
        }
        let found = found.map_err(|stopped| format!("opening a damaged store: {stopped:?}"))?;
        let damaged = match found {
            Ok(damaged) => damaged?,
            Err(error) if matches!(error.kind(), Kind::Corrupt | Kind::InvalidInput) => {
                self.world.mark("damage found by open");
                if self.disk.bytes() != before {
                    return Err("a store that does not open was changed".into());
                }
                return Ok(());
            }
            Err(error) => return Err(format!("a damaged store says {error:?}")),
        };
        self.world.mark(match damaged.lost.len() {
            0 => "damage was harmless",
            _ => "damage found by a read",
        });
        self.model.borrow().settle_damaged(end, &damaged)
    }
}

/// Asks for every key that there ever was.
async fn examine(store: &Store<SimVolume>, model: &Model) -> Result<Damaged, String> {
    let view = store.view();
    let mut damaged = Damaged::default();
    damaged.recovered.last = view.commit();
    let corrupt = |error: Error| match error.kind() {
        Kind::Corrupt => Ok(()),
        _ => Err(format!("a damaged store says {error:?}")),
    };
    for key in model.universe() {
        match view.get(littoral_core::engine::Space(key.0), &key.1).await {
            Ok(Some(value)) => {
                damaged.recovered.state.insert(key, value);
            }
            Ok(None) => {}
            Err(error) => {
                corrupt(error)?;
                damaged.lost.insert(key);
            }
        }
    }
    // A scan may stop at the damage; what it gives until then is true and nothing else.
    match dump(store).await {
        Ok(whole) if damaged.lost.is_empty() => {
            if whole != damaged.recovered {
                return Err("a scan of a damaged store gives something else than its keys".into());
            }
        }
        Ok(_) => return Err("a scan reads what a get cannot".into()),
        Err(error) => corrupt(error)?,
    }
    let verified = store.verify().await;
    match verified {
        Ok(verified) if !damaged.lost.is_empty() && verified.damage.is_empty() => {
            Err("verify finds nothing in a store with damage".into())
        }
        Ok(_) => Ok(damaged),
        Err(error) => corrupt(error).map(|()| damaged),
    }
}

/// Opens the disk quietly, twice, and says what is there.
///
/// # Errors
/// It does not open, or the two times differ.
pub fn inspect(
    world: &World,
    disk: &Disk,
    plan: &Plan,
    chance: &mut Chance,
) -> Result<Recovered, String> {
    let first = open_and_dump(disk, plan, chance, world)?;
    let second = open_and_dump(disk, plan, chance, world)?;
    if first != second {
        let differ = crate::model::difference(&first.state, &second.state);
        return Err(format!(
            "opening a second time gives commit {} instead of {}: {differ:?}",
            second.last, first.last
        ));
    }
    Ok(second)
}

fn open_and_dump(
    disk: &Disk,
    plan: &Plan,
    chance: &mut Chance,
    outer: &World,
) -> Result<Recovered, String> {
    let world = World::new(chance.fork());
    if plan.loud {
        world.speak();
    }
    world.set_patience(0);
    let volume = SimVolume::new(&world, disk, Faults::default());
    let entropy = SimEntropy::new(chance.fork());
    let options = plan.profile.options.clone();
    let ended = Executor::new(&world).run(MOST_STEPS, async move {
        let store = Store::open(volume, &entropy, options).await?;
        dump(&store).await
    });
    outer.note(world.trace());
    if let Some(failure) = world.failure() {
        return Err(failure);
    }
    // The handle is gone; what it wrote is with the host.
    disk.crash(&world, Loss::Process);
    ended
        .map_err(|stopped| format!("opening again: {stopped:?}"))?
        .map_err(|error| format!("it does not open again: {error:?}"))
}

/// One life of a store, from inside.
struct Life {
    executor: Executor,
    world: World,
    model: Rc<RefCell<Model>>,
    faults: Rc<RefCell<Faults>>,
    profile: Profile,
    entropy: SimEntropy,
    chance: Chance,
    opened: Rc<Cell<bool>>,
}

impl Life {
    /// Whether the store was closed well.
    async fn live(mut self, volume: SimVolume) -> bool {
        let store = match Store::open(volume, &self.entropy, self.profile.options.clone()).await {
            Ok(store) => store,
            Err(error) => {
                self.opening_failed(&error);
                return false;
            }
        };
        self.opened.set(true);
        let (base, found) = (self.model.borrow().base, store.view().commit());
        if found != base {
            let model = self.model.borrow();
            let marks = model.state.contains_key(&mark_of(found));
            self.world.fail(format_args!(
                "the store was at commit {base} and opens at {found} ({marks})"
            ));
        }
        let closing = Rc::new(RefCell::new(false));
        self.keep_driving(&store);
        let mut clients = Vec::new();
        for number in 0..self.profile.clients {
            let client = Client::new(
                &store,
                &self.model,
                &self.world,
                &self.faults,
                &self.profile,
                &closing,
            );
            clients.push(
                self.executor
                    .spawn(format!("client {number}"), client.run()),
            );
        }
        let early = self.chance.percent(15);
        if !early {
            for client in clients.drain(..) {
                client.join().await;
            }
        }
        if self.chance.percent(30) {
            return false;
        }
        *closing.borrow_mut() = true;
        let mut closed = None;
        if self.chance.percent(self.profile.dropped) {
            let polls = 1 << self.chance.below(8);
            closed = crate::sim::at_most(polls, store.close()).await;
        }
        let closed = match closed {
            Some(closed) => closed,
            None => store.close().await,
        };
        for client in clients {
            client.join().await;
        }
        self.after_close(&store, closed).await
    }

    async fn after_close(&self, store: &Store<SimVolume>, closed: Result<(), Error>) -> bool {
        match store.get(littoral_core::engine::Space(LEDGER), b"").await {
            Err(error) if error.kind() == Kind::Closed => {}
            other => self
                .world
                .fail(format_args!("a closed store answers {other:?}")),
        }
        match closed {
            Ok(()) => {
                self.world.mark("closed");
                true
            }
            Err(error) => {
                let faults = self.faults.borrow();
                if faults.happened.is_empty() {
                    self.world.fail(format_args!("close says {error:?}"));
                }
                false
            }
        }
    }

    fn opening_failed(&self, error: &Error) {
        self.world.note(format_args!("open: {error:?}"));
        self.world.mark("open failed");
        if !self.faults.borrow().explain(error) {
            self.world
                .fail(format_args!("open says {error:?}, and nothing explains it"));
        }
    }

    /// The host polls `drive`; now and then it drops the future and starts another.
    fn keep_driving(&mut self, store: &Store<SimVolume>) {
        let (store, world) = (store.clone(), self.world.clone());
        let restless = self.chance.percent(self.profile.dropped);
        self.executor.spawn("drive", async move {
            loop {
                if !restless {
                    return store.drive().await;
                }
                let polls = world.chance(|c| 1 << c.below(8));
                if crate::sim::at_most(polls, store.drive()).await.is_some() {
                    return;
                }
                world.mark("drive dropped");
            }
        });
    }
}
