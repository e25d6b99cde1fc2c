use super::{
    Plan, Weather,
    ledger::Ledger,
    remote::{SimHost, SimPair, SimRemote},
    user::{NAMES, User},
};
use crate::sim::{
    Chance, Executor, Faults, Handle, SimClock, SimEntropy, SimVolume, World, at_most,
};
use littoral_core::{Error, Kind, Result, blob::Pointer, engine::Store, pair::Pair, port::Clock};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

/// One life of a pair, from inside.
pub(super) struct Life {
    pub executor: Executor,
    pub world: World,
    pub remote: SimRemote,
    pub ledger: Rc<RefCell<Ledger>>,
    pub faults: Rc<RefCell<Faults>>,
    pub plan: Plan,
    pub entropy: SimEntropy,
    pub chance: Chance,
    pub opened: Rc<Cell<bool>>,
    pub settled: Rc<Cell<bool>>,
}

/// How a life ended that did not crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was left as it was.
    Left,
    /// The pair was closed, with so many changes left.
    Closed(u64),
}

impl Life {
    pub async fn live(mut self, volume: SimVolume) -> Ended {
        let host = SimHost {
            clock: SimClock::new(&self.world),
            entropy: self.entropy.clone(),
        };
        let pair = match open(volume, &self.remote, host, &self.plan).await {
            Ok(pair) => pair,
            Err(error) => {
                self.opening_failed(&error);
                return Ended::Left;
            }
        };
        self.opened.set(true);
        if pair.status().current().queued > 0 {
            self.world.mark("queue taken up again");
        }
        let drive = self.keep_driving(&pair);
        self.let_the_weather_change();
        self.let_others_move_roots();
        let closing = Rc::new(Cell::new(false));
        let mut users = Vec::new();
        for number in 0..self.plan.users {
            let user = self.user(&pair, &closing);
            users.push(self.executor.spawn(format!("user {number}"), user.run()));
        }
        if self.chance.percent(85) {
            for user in users.drain(..) {
                user.join().await;
            }
        }
        if self.chance.percent(35) {
            return Ended::Left;
        }
        let syncs = self.chance.percent(40);
        // Users who are still there might pause it again.
        if syncs && users.is_empty() {
            self.sync_in_good_weather(&pair, &closing).await;
        }
        closing.set(true);
        let ended = self.close(&pair).await;
        for user in users {
            user.join().await;
        }
        if let Ended::Closed(_) = ended {
            drive.join().await;
        }
        self.look_at(&pair);
        ended
    }

    fn user(&mut self, pair: &SimPair, closing: &Rc<Cell<bool>>) -> User {
        User {
            pair: pair.clone(),
            remote: self.remote.clone(),
            ledger: self.ledger.clone(),
            world: self.world.clone(),
            faults: self.faults.clone(),
            chance: self.chance.fork(),
            plan: self.plan.clone(),
            closing: closing.clone(),
            receipts: Vec::new(),
        }
    }

    /// Once nothing goes wrong any more but what was refused, a sync comes to an end.
    async fn sync_in_good_weather(&mut self, pair: &SimPair, closing: &Rc<Cell<bool>>) {
        if !self.faults.borrow().happened.is_empty() {
            return;
        }
        let faults = std::mem::take(&mut *self.faults.borrow_mut());
        self.settled.set(true);
        self.remote.change(|weather| {
            let refused = std::mem::take(&mut weather.refused);
            *weather = Weather {
                refused,
                ..Weather::default()
            };
        });
        pair.resume();
        let mut user = self.user(pair, closing);
        user.plan.dropped = 0;
        let synced = user.sync_within(Duration::from_secs(3 * 60 * 60)).await;
        let held = self.waiting_roots(pair).await;
        if matches!(&synced, Err(error) if error.kind() == Kind::Timeout) {
            let status = pair.status().current();
            let queue = pair.queue(None, usize::MAX).await;
            self.world.fail(format_args!(
                "nothing goes wrong, and a sync never ends: {status:?}, {queue:?}"
            ));
        }
        if held {
            self.world.mark("root waits behind a refused blob");
        }
        *self.faults.borrow_mut() = faults;
    }

    /// Whether a root that nobody refused is still queued.
    async fn waiting_roots(&self, pair: &SimPair) -> bool {
        let Ok(items) = pair.queue(None, usize::MAX).await else {
            return false;
        };
        items.iter().any(|item| {
            let moves = matches!(item.change, littoral_core::pair::Change::MoveRoot { .. });
            moves && item.trouble.is_none()
        })
    }

    async fn close(&mut self, pair: &SimPair) -> Ended {
        let deadline = Duration::from_millis(self.chance.below(20_000));
        let clock = SimClock::new(&self.world);
        let mut started = clock.now();
        let mut closed = None;
        if self.chance.percent(self.plan.dropped) {
            let polls = 1 << self.chance.below(8);
            closed = at_most(polls, pair.close(deadline)).await;
        }
        let closed = match closed {
            Some(closed) => closed,
            None => {
                started = clock.now();
                pair.close(deadline).await
            }
        };
        let took = clock.now() - started;
        if took > deadline + Duration::from_secs(2) {
            self.world.fail(format_args!(
                "close took {took:?} and was to take {deadline:?}"
            ));
        }
        let left = match closed {
            Ok(left) => left.count,
            // The first try went on although its caller left.
            Err(error) if error.kind() == Kind::Closed => return Ended::Left,
            Err(error) => {
                if self.faults.borrow().happened.is_empty() {
                    self.world.fail(format_args!("close says {error:?}"));
                }
                return Ended::Left;
            }
        };
        match pair.get(&Pointer::of(b"anything")).await {
            Err(error) if error.kind() == Kind::Closed => {}
            other => self
                .world
                .fail(format_args!("a closed pair answers {other:?}")),
        }
        self.world.mark(match left {
            0 => "closed with nothing left",
            _ => "closed with changes left",
        });
        match took < deadline {
            true => Ended::Closed(left),
            // Perhaps the store was not closed by then.
            false => Ended::Left,
        }
    }

    fn look_at(&self, pair: &SimPair) {
        let status = pair.status().current();
        if status.evicted > 0 {
            self.world.mark("evicted");
        }
        if status.uploaded_bytes > 1_000_000 && self.plan.large {
            self.world.mark("blob in chunks is remote");
        }
    }

    fn opening_failed(&self, error: &Error) {
        self.world.note(format_args!("open: {error:?}"));
        if !self.faults.borrow().explain(error) {
            self.world
                .fail(format_args!("open says {error:?}, and nothing explains it"));
        }
    }

    /// The host polls `drive`; now and then it drops the future and starts another.
    fn keep_driving(&mut self, pair: &SimPair) -> Handle<()> {
        let (pair, world) = (pair.clone(), self.world.clone());
        let restless = self.chance.percent(self.plan.dropped);
        let mut chance = self.chance.fork();
        self.executor.spawn("drive", async move {
            loop {
                if !restless {
                    return pair.drive().await;
                }
                let polls = 1 << chance.below(10);
                if at_most(polls, pair.drive()).await.is_some() {
                    return;
                }
                world.mark("drive dropped");
                if chance.percent(20) {
                    // Nobody drives for a while.
                    let time = Duration::from_millis(chance.below(3_000));
                    SimClock::new(&world).sleep(time).await;
                }
            }
        })
    }

    fn let_the_weather_change(&mut self) {
        let (remote, ledger, world) =
            (self.remote.clone(), self.ledger.clone(), self.world.clone());
        let (trouble, mut chance) = (self.plan.trouble, self.chance.fork());
        let settled = self.settled.clone();
        if trouble == 0 {
            return;
        }
        self.executor.spawn("weather", async move {
            // It settles in the end.
            for _ in 0..chance.within(2..12) {
                let most = *chance.pick(&[10, 1_000, 60_000]);
                let time = Duration::from_millis(chance.below(most));
                SimClock::new(&world).sleep(time).await;
                if settled.get() {
                    return;
                }
                let mut weather = Weather::draw(&mut chance, trouble);
                if chance.percent(25) {
                    let blobs = &ledger.borrow().blobs;
                    for _ in 0..chance.within(1..3) {
                        let blob = chance.below(blobs.len() as u64) as usize;
                        let kind = *chance.pick(&[Kind::InvalidInput, Kind::ReadOnly]);
                        weather.refused.insert(blobs[blob].pointer, kind);
                    }
                }
                world.note(format_args!("{weather:?}"));
                remote.change(|now| *now = weather);
                if chance.percent(15) {
                    remote.lose_power();
                }
            }
        });
    }

    fn let_others_move_roots(&mut self) {
        if !self.chance.percent(30) {
            return;
        }
        let (remote, world) = (self.remote.clone(), self.world.clone());
        let mut chance = self.chance.fork();
        self.executor.spawn("somebody else", async move {
            for _ in 0..chance.within(1..4) {
                let time = Duration::from_millis(chance.below(5_000));
                SimClock::new(&world).sleep(time).await;
                let mut value = [0; 32];
                chance.fill(&mut value);
                let name = *chance.pick(&NAMES);
                remote.move_elsewhere(name, Pointer::from_bytes(value));
            }
        });
    }
}

/// Opens the pair of this run.
pub(super) async fn open(
    volume: SimVolume,
    remote: &SimRemote,
    host: SimHost,
    plan: &Plan,
) -> Result<SimPair> {
    let store = Store::open(volume, &host.entropy, plan.store.clone()).await?;
    Pair::open(store, remote.clone(), host, plan.pair.clone()).await
}
