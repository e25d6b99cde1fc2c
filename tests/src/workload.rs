//! What the simulated users of a store do.

use crate::{
    model::{Called, Change, Key, LEDGER, Model, Observed, Recovered, Requirement, Seen},
    sim::{Chance, Disk, Faults, SimEntropy, SimVolume, World, at_most, yield_now},
};
use bytes::Bytes;
use littoral_core::{
    Error, Kind,
    engine::{Batch, Direction, Durability, KeyRange, Options, Receipt, Space, Stats, Store, View},
    port::Volume,
};
use std::{cell::RefCell, rc::Rc, task::Poll};

/// The spaces that users write to.
pub const SPACES: [u8; 2] = [0x80, 0x81];

/// What one run does, drawn from its seed.
#[derive(Clone, Debug)]
pub struct Profile {
    /// How the store is opened.
    pub options: Options,
    /// Different keys in use.
    pub keys: u64,
    /// Users at a time.
    pub clients: u64,
    /// What each does in one life.
    pub operations: u64,
    /// Of a hundred futures, how many are dropped in the middle.
    pub dropped: u64,
    /// Of a hundred commits, how many ask for less than `Strict`.
    pub relaxed: u64,
    /// Of a hundred values, how many are large.
    pub large: u64,
    /// So little is written, and nobody asks for a checkpoint, that every conflict must be real.
    pub calm: bool,
}

impl Profile {
    /// What this seed does.
    pub fn draw(chance: &mut Chance) -> Profile {
        let mut options = Options::default();
        options.memory_budget = 1 << 20;
        options.log_size = *chance.pick(&[64 << 10, 64 << 10, 128 << 10, 256 << 10]);
        options.alignment = *chance.pick(&[8, 512, 4096]);
        let mut profile = Profile {
            options,
            keys: *chance.pick(&[6, 40, 300]),
            clients: chance.within(1..6),
            operations: *chance.pick(&[4, 12, 40]),
            dropped: *chance.pick(&[0, 0, 10, 30]),
            relaxed: *chance.pick(&[0, 20, 60]),
            large: *chance.pick(&[0, 3, 15]),
            calm: chance.percent(15),
        };
        if profile.calm {
            profile.options.log_size = 1 << 20;
            profile.operations = profile.operations.min(12);
            profile.large = 0;
        }
        profile
    }
}

/// One user of a store.
pub struct Client {
    /// The store.
    pub store: Store<SimVolume>,
    /// What it must be.
    pub model: Rc<RefCell<Model>>,
    /// Where it is.
    pub world: World,
    /// What goes wrong there.
    pub faults: Rc<RefCell<Faults>>,
    /// What this user decides.
    pub chance: Chance,
    /// What this run does.
    pub profile: Profile,
    /// Set once somebody closes the store.
    pub closing: Rc<RefCell<bool>>,
    views: Vec<View<SimVolume>>,
    receipts: Vec<(Called, Receipt<SimVolume>)>,
    stats: Option<Stats>,
}

impl Client {
    /// A user who has done nothing yet.
    pub fn new(
        store: &Store<SimVolume>,
        model: &Rc<RefCell<Model>>,
        world: &World,
        faults: &Rc<RefCell<Faults>>,
        profile: &Profile,
        closing: &Rc<RefCell<bool>>,
    ) -> Self {
        Client {
            store: store.clone(),
            model: model.clone(),
            world: world.clone(),
            faults: faults.clone(),
            chance: world.chance(Chance::fork),
            profile: profile.clone(),
            closing: closing.clone(),
            views: Vec::new(),
            receipts: Vec::new(),
            stats: None,
        }
    }

    /// Does what it does in one life.
    pub async fn run(mut self) {
        for _ in 0..self.profile.operations {
            if *self.closing.borrow() && self.chance.percent(70) {
                break;
            }
            match self.chance.below(100) {
                0..50 => self.commit().await,
                50..60 => self.read_now().await,
                60..68 => self.open_view(),
                68..84 => self.read_view().await,
                84..87 => drop(self.chance.percent(50).then(|| self.views.pop())),
                87..91 => self.ask_receipt().await,
                91..95 if self.profile.calm => self.read_view().await,
                91..93 => self.checkpoint().await,
                93..95 => self.reclaim().await,
                95..96 => self.verify().await,
                96..97 => self.backup().await,
                _ => {
                    for _ in 0..self.chance.below(30) {
                        yield_now().await;
                    }
                }
            }
            self.look_at_stats();
        }
    }

    async fn commit(&mut self) {
        let after = self.store.view().commit();
        let (changes, requirements, fresh) = self.draw_changes();
        let durability = match self.chance.percent(self.profile.relaxed) {
            true => *self.chance.pick(&[Durability::Memory, Durability::Local]),
            false => Durability::Strict,
        };
        let mut batch = Batch::new();
        for requirement in &requirements {
            let view = self.views.iter().find(|v| v.commit() == requirement.since);
            let (space, key) = (Space(requirement.key.0), requirement.key.1.clone());
            if let Some(view) = view {
                batch.require_unchanged(space, key, view);
            }
        }
        let called = self.model.borrow_mut().call(changes, requirements, after);
        for change in &self.model.borrow().commit(called).changes {
            match change.clone() {
                Change::Put(key, value) => batch.put(Space(key.0), key.1, value),
                Change::Delete(key) => batch.delete(Space(key.0), key.1),
                Change::DeleteRange(space, range) => batch.delete_range(Space(space), range),
            }
        }
        let id = self.model.borrow().commit(called).id;
        self.world.note(format_args!("commit {id} {durability:?}"));
        let polls = self.polls();
        let store = self.store.clone();
        let mut future = Box::pin(store.commit(batch, durability));
        let before = self.store.stats().last_commit;
        let first = futures::poll!(&mut future);
        if first.is_pending() && self.store.stats().last_commit == before {
            self.world.mark("commit waited before it was handed over");
        }
        let result = match (first, polls) {
            (Poll::Ready(result), _) => Some(result),
            (Poll::Pending, Some(polls)) => at_most(polls, future).await,
            (Poll::Pending, None) => Some(future.await),
        };
        match result {
            Some(Ok(receipt)) => {
                let reached = receipt.reached();
                if reached < durability {
                    self.world.fail(format_args!(
                        "commit {} came back as {durability:?} and its receipt says {reached:?}",
                        receipt.commit()
                    ));
                }
                self.acknowledged(called, &receipt, reached);
                self.receipts.push((called, receipt));
            }
            Some(Err(error)) => {
                self.world.note(format_args!("commit {id}: {error:?}"));
                let too_long = error.kind() == Kind::InvalidInput
                    && self.model.borrow().commit(called).bytes()
                        > self.profile.options.log_size / 4;
                if !too_long {
                    self.excuse("commit", &error, true);
                }
                let mut model = self.model.borrow_mut();
                match error.kind() {
                    Kind::Conflict => model.conflict(called, fresh),
                    Kind::Quota | Kind::Closed | Kind::InvalidInput => model.refuse(called),
                    _ => {}
                }
            }
            None => {
                self.world.mark("commit dropped");
                self.find_out(called).await;
            }
        }
    }

    /// After a caller went away: is its commit there?
    async fn find_out(&mut self, called: Called) {
        let view = self.store.view();
        let mark = self.model.borrow().commit(called).changes.last().cloned();
        let Some(Change::Put(key, _)) = mark else {
            return;
        };
        match view.get(Space(LEDGER), &key.1).await {
            Ok(value) => {
                let bound = self
                    .model
                    .borrow_mut()
                    .bound(called, view.commit(), value.is_some());
                bound.unwrap_or_else(|wrong| self.world.fail(wrong));
            }
            Err(error) => self.excuse("get", &error, false),
        }
    }

    fn acknowledged(&self, called: Called, receipt: &Receipt<SimVolume>, reached: Durability) {
        let number = receipt.commit();
        self.world.note(format_args!("commit {number} {reached:?}"));
        let told = self.model.borrow_mut().acknowledge(called, number, reached);
        told.unwrap_or_else(|wrong| self.world.fail(wrong));
        if self.store.view().commit() < number {
            self.world.fail(format_args!(
                "commit {number} is acknowledged and readers do not see it"
            ));
        }
    }

    async fn ask_receipt(&mut self) {
        if self.receipts.is_empty() {
            return;
        }
        let index = self.chance.below(self.receipts.len() as u64) as usize;
        let (called, receipt) = &self.receipts[index];
        self.acknowledged(*called, receipt, receipt.reached());
        let durability = *self.chance.pick(&[Durability::Local, Durability::Strict]);
        let polls = self
            .chance
            .percent(self.profile.dropped)
            .then(|| self.chance.within(1..4));
        let result = match polls {
            Some(polls) => at_most(polls, receipt.wait(durability)).await,
            None => Some(receipt.wait(durability).await),
        };
        match result {
            Some(Ok(())) if receipt.reached() < durability => self.world.fail(format_args!(
                "the wait for {durability:?} of commit {} is over and it has reached {:?}",
                receipt.commit(),
                receipt.reached()
            )),
            Some(Ok(())) => self.acknowledged(*called, receipt, receipt.reached()),
            Some(Err(error)) => self.excuse("receipt", &error, true),
            None => {}
        }
    }

    async fn read_now(&mut self) {
        let key = self.draw_key();
        let from = self.store.view().commit();
        match self.store.get(Space(key.0), &key.1).await {
            Ok(value) => {
                let until = self.store.view().commit();
                self.observe(from, until, Seen::Value(key, value));
            }
            Err(error) => self.excuse("get", &error, false),
        }
    }

    fn open_view(&mut self) {
        if self.views.len() < 4 {
            self.views.push(self.store.view());
        }
    }

    async fn read_view(&mut self) {
        if self.views.is_empty() {
            self.open_view();
        }
        let index = self.chance.below(self.views.len() as u64) as usize;
        let polls = self.polls();
        let view = self.views.swap_remove(index);
        let result = match polls {
            Some(polls) => at_most(polls, self.read(&view)).await,
            None => Some(self.read(&view).await),
        };
        if let Some(Err(error)) = result {
            self.excuse("read", &error, false);
        }
        self.views.push(view);
    }

    async fn read(&mut self, view: &View<SimVolume>) -> Result<(), Error> {
        let at = view.commit();
        match self.chance.below(10) {
            0..3 => {
                let key = self.draw_key();
                let value = view.get(Space(key.0), &key.1).await?;
                self.observe(at, at, Seen::Value(key, value));
            }
            3 => {
                let key = self.draw_key();
                let len = view.len(Space(key.0), &key.1).await?;
                self.observe(at, at, Seen::Length(key, len));
            }
            4 => {
                let space = *self.chance.pick(&SPACES);
                let count = self.chance.below(8);
                let keys: Vec<Bytes> = (0..count).map(|_| self.draw_key().1).collect();
                let values = view.get_many(Space(space), &keys).await?;
                if values.len() != keys.len() {
                    self.world
                        .fail("get_many answers for other keys than it was asked");
                }
                for (key, value) in keys.into_iter().zip(values) {
                    self.observe(at, at, Seen::Value((space, key), value));
                }
            }
            _ => {
                let space = match self.chance.once_in(8) {
                    true => LEDGER,
                    false => *self.chance.pick(&SPACES),
                };
                let range = self.draw_range();
                let direction = *self.chance.pick(&[Direction::Forward, Direction::Backward]);
                let most = match self.chance.percent(60) {
                    true => u64::MAX,
                    false => self.chance.below(12),
                };
                let seen = self.scan(view, space, range, direction, most).await?;
                self.observe(at, at, seen);
            }
        }
        Ok(())
    }

    async fn scan(
        &mut self,
        view: &View<SimVolume>,
        space: u8,
        range: KeyRange,
        direction: Direction,
        most: u64,
    ) -> Result<Seen, Error> {
        let mut scan = view.scan(Space(space), range.clone(), direction);
        let (mut rows, mut ended) = (Vec::new(), false);
        while (rows.len() as u64) < most {
            let Some(entry) = scan.next().await? else {
                ended = true;
                break;
            };
            let value = match self.chance.percent(50) {
                true => Some(scan.value().await?),
                false => None,
            };
            rows.push((entry.key, entry.len, value));
        }
        Ok(Seen::Scan {
            space,
            range,
            direction,
            rows,
            ended,
        })
    }

    async fn checkpoint(&mut self) {
        let store = self.store.clone();
        let done = self.maybe(store.checkpoint()).await;
        if let Some(Err(error)) = done {
            self.excuse("checkpoint", &error, true);
        }
    }

    async fn reclaim(&mut self) {
        let store = self.store.clone();
        match self.maybe(store.reclaim()).await {
            Some(Ok(reclaimed)) if reclaimed.bytes_shortened > 0 => {
                self.world.mark("reclaim shortened the file");
            }
            Some(Err(error)) => self.excuse("reclaim", &error, true),
            _ => {}
        }
    }

    async fn verify(&mut self) {
        let store = self.store.clone();
        match self.maybe(store.verify()).await {
            Some(Ok(verified)) => {
                let corrupts = ["write misdirected", "bit flipped"];
                if !verified.damage.is_empty() && !self.faults.borrow().any(&corrupts) {
                    self.world.fail(format_args!(
                        "verify finds damage where there is none: {:?}",
                        verified.damage
                    ));
                }
            }
            Some(Err(error)) => self.excuse("verify", &error, false),
            None => {}
        }
    }

    async fn backup(&mut self) {
        let target = Disk::new();
        let entropy = SimEntropy::new(self.chance.fork());
        let from = self.store.view().commit();
        let store = self.store.clone();
        let volume = SimVolume::new(&self.world, &target, Faults::default());
        let entries = match self.maybe(store.backup(volume, &entropy)).await {
            Some(Ok(entries)) => entries,
            Some(Err(error)) => return self.excuse("backup", &error, false),
            None => return,
        };
        let until = self.store.view().commit();
        self.world.mark("backup");
        // What a backup returned for survives power loss at once.
        target.crash(&self.world, crate::sim::Loss::All);
        let volume = SimVolume::new(&self.world, &target, Faults::default());
        let copy = match Store::open(volume, &entropy, self.profile.options.clone()).await {
            Ok(copy) => copy,
            Err(error) => {
                return self
                    .world
                    .fail(format_args!("a backup does not open: {error:?}"));
            }
        };
        match dump(&copy).await {
            Ok(whole) if whole.state.len() as u64 != entries => self.world.fail(format_args!(
                "a backup of {entries} entries has {}",
                whole.state.len()
            )),
            Ok(whole) => self.observe(from, until, Seen::Whole(whole.state)),
            Err(error) => self
                .world
                .fail(format_args!("a backup is not readable: {error:?}")),
        }
    }

    fn look_at_stats(&mut self) {
        let stats = self.store.stats();
        let before = self.stats.replace(stats.clone()).unwrap_or_default();
        for (happened, mark) in [
            (stats.tables > before.tables, "table made"),
            (stats.tables < before.tables, "tables merged"),
            (stats.packs > before.packs, "pack made"),
            (stats.packs < before.packs, "pack emptied"),
            (stats.log_used < before.log_used, "logs took turns"),
            (stats.size < before.size, "file became shorter"),
        ] {
            if happened {
                self.world.mark(mark);
            }
        }
        let mut model = self.model.borrow_mut();
        model.said_durable(stats.durable_commit);
        if stats.durable_commit > stats.last_commit || stats.size_in_use > stats.size {
            self.world
                .fail(format_args!("stats cannot be true: {stats:?}"));
        }
        if stats.views == 0 && !self.views.is_empty() {
            self.world
                .fail("views are open and stats say that there is none");
        }
    }

    /// Waits for it, or goes away in the middle.
    async fn maybe<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        match self.polls() {
            Some(polls) => at_most(polls, future).await,
            None => Some(future.await),
        }
    }

    fn polls(&mut self) -> Option<u64> {
        let dropped = self.chance.percent(self.profile.dropped);
        dropped.then(|| 1 << self.chance.below(7))
    }

    fn observe(&self, from: u64, until: u64, seen: Seen) {
        let mut model = self.model.borrow_mut();
        model.observe(Observed { from, until, seen });
    }

    /// An error is only right if something went wrong that explains it.
    fn excuse(&self, what: &str, error: &Error, writes: bool) {
        let excused = match error.kind() {
            Kind::Closed => *self.closing.borrow(),
            Kind::Poisoned if !writes => false,
            Kind::Conflict => what == "commit",
            Kind::InvalidInput => false,
            _ => self.faults.borrow().explain(error),
        };
        if !excused {
            self.world.fail(format_args!(
                "{what} says {error:?}, and nothing explains it"
            ));
        }
        match error.kind() {
            Kind::Poisoned => self.world.mark("poisoned"),
            Kind::Quota => self.world.mark("quota reported"),
            Kind::Conflict => self.world.mark("conflict"),
            Kind::Corrupt => self.world.mark("corruption reported"),
            _ => {}
        }
    }

    fn draw_changes(&mut self) -> (Vec<Change>, Vec<Requirement>, bool) {
        let count = match self.chance.below(20) {
            0 => self.chance.within(20..200),
            1..8 => self.chance.within(2..8),
            _ => 1,
        };
        let mut changes = Vec::new();
        for _ in 0..count {
            let key = self.draw_key();
            changes.push(match self.chance.below(20) {
                0..14 => Change::Put(key, self.draw_value(count)),
                14..19 => Change::Delete(key),
                _ => Change::DeleteRange(key.0, self.draw_range()),
            });
        }
        if self.chance.once_in(60) {
            // Marks of lives before this one are history.
            let end = self.model.borrow().first_id().to_be_bytes().to_vec();
            changes.push(Change::DeleteRange(
                LEDGER,
                KeyRange::between(Bytes::new(), end),
            ));
        }
        let (mut requirements, mut fresh) = (Vec::new(), true);
        if !self.views.is_empty() && self.chance.percent(25) {
            let index = self.chance.below(self.views.len() as u64) as usize;
            let since = self.views[index].commit();
            fresh = self.profile.calm;
            for _ in 0..self.chance.within(1..3) {
                let key = self.draw_key();
                requirements.push(Requirement { key, since });
            }
        }
        (changes, requirements, fresh)
    }

    fn draw_key(&mut self) -> Key {
        let space = *self.chance.pick(&SPACES);
        let number = self.chance.below(self.profile.keys);
        (space, key(number))
    }

    fn draw_range(&mut self) -> KeyRange {
        let a = key(self.chance.below(self.profile.keys));
        let b = key(self.chance.below(self.profile.keys));
        match self.chance.below(6) {
            0 => KeyRange::all(),
            1 => KeyRange::from(a),
            2 => KeyRange::after(&a),
            3 => KeyRange::prefix(a.slice(..a.len().min(2))),
            4 => KeyRange::between(a, b),
            _ => KeyRange::between(a.clone().min(b.clone()), a.max(b)),
        }
    }

    fn draw_value(&mut self, count: u64) -> Bytes {
        let large = self.chance.percent(self.profile.large) && count < 20;
        let len = match self.chance.below(100) {
            _ if large && self.chance.once_in(12) => 1 << 20,
            _ if large => self.chance.within(16_000..100_000),
            0..4 => 0,
            4..70 => self.chance.below(64),
            70..92 => self.chance.below(2_000),
            _ => self.chance.below(9_000),
        };
        let mut value = vec![0; len as usize];
        self.chance.fill(&mut value);
        value.into()
    }
}

/// The key with this number: short and long ones, with bytes that sort first and last.
pub fn key(number: u64) -> Bytes {
    let text = format!("{number:03}");
    let mut key = match number % 11 {
        0 => vec![b'a'],
        1 => vec![0xff],
        2 => vec![0],
        3 => vec![0xff, 0xff],
        4 => b"a\0".to_vec(),
        _ => b"key/".to_vec(),
    };
    key.extend_from_slice(text.as_bytes());
    match number % 13 {
        5 => key.resize(200, b'x'),
        6 if number.is_multiple_of(5) => key.resize(4096, b'y'),
        _ => {}
    }
    key.into()
}

/// Everything that the simulation keeps in a store.
///
/// # Errors
/// Whatever stops the reading.
pub async fn dump<V: Volume>(store: &Store<V>) -> Result<Recovered, Error> {
    dump_spaces(store, &[SPACES[0], SPACES[1], LEDGER]).await
}

/// Everything that is in these spaces of a store.
///
/// # Errors
/// Whatever stops the reading.
pub async fn dump_spaces<V: Volume>(store: &Store<V>, spaces: &[u8]) -> Result<Recovered, Error> {
    let view = store.view();
    let mut recovered = Recovered {
        last: view.commit(),
        ..Recovered::default()
    };
    for space in spaces {
        let mut scan = view.scan(Space(*space), KeyRange::all(), Direction::Forward);
        while let Some(entry) = scan.next().await? {
            let value = scan.value().await?;
            recovered.state.insert((*space, entry.key), value);
        }
    }
    Ok(recovered)
}
