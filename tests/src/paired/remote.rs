use super::{
    ledger::Ledger,
    weather::{Call, Fate, Weather},
};
use crate::sim::{SimClock, SimEntropy, SimVolume, World};
use bytes::Bytes;
use littoral_core::{
    Error, Kind, Result,
    blob::{BlobStore, Capabilities, ChunkList, Listed, Pointer, RootStore, Stat, cut_range},
    pair::Pair,
    port::{Body, Clock, Entropy},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    future::Future,
    ops::Range,
    rc::Rc,
    time::Duration,
};

/// A pair in the simulation.
pub type SimPair = Pair<SimVolume, SimRemote, SimHost>;

/// Time and chance of the simulated host.
#[derive(Clone)]
pub struct SimHost {
    /// Time.
    pub clock: SimClock,
    /// Chance.
    pub entropy: SimEntropy,
}

impl Clock for SimHost {
    fn now(&self) -> Duration {
        self.clock.now()
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }
}

impl Entropy for SimHost {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        self.entropy.fill(bytes)
    }
}

/// The slow side. What it has acknowledged it keeps; what it has only done it shows, and loses with its power. The way there is
/// as its [`Weather`] says. A request whose caller goes away may still be done, at that very time. Clones are the same remote.
#[derive(Clone)]
pub struct SimRemote {
    world: World,
    /// What it knows now.
    kept: Rc<RefCell<Kept>>,
    /// What of it survives a loss of power.
    durable: Rc<RefCell<Durable>>,
    ledger: Rc<RefCell<Ledger>>,
    conditions: Rc<RefCell<Conditions>>,
}

/// What is on the remote's disk.
#[derive(Default)]
struct Durable {
    kept: Kept,
    /// How often the power went.
    losses: u64,
}

/// What the remote keeps.
#[derive(Clone, Default)]
struct Kept {
    blobs: BTreeMap<Pointer, Bytes>,
    lists: BTreeMap<Pointer, ChunkList>,
    chunks: BTreeMap<Pointer, Bytes>,
    roots: BTreeMap<String, Pointer>,
}

struct Conditions {
    weather: Weather,
    /// Whether blobs travel in chunks.
    chunks: bool,
    /// Whether it says that it has what is not on its disk.
    hasty: bool,
    happened: BTreeSet<&'static str>,
    /// Whether it ever refused something for good, in any life.
    refused: bool,
}

impl SimRemote {
    /// An empty remote.
    pub fn new(world: &World, ledger: &Rc<RefCell<Ledger>>) -> Self {
        SimRemote {
            world: world.clone(),
            kept: Rc::default(),
            durable: Rc::default(),
            ledger: ledger.clone(),
            conditions: Rc::new(RefCell::new(Conditions {
                weather: Weather::default(),
                chunks: true,
                hasty: false,
                happened: BTreeSet::new(),
                refused: false,
            })),
        }
    }

    /// The same remote from somewhere else, in weather of its own.
    pub fn seen_from(&self, world: &World, weather: Weather) -> Self {
        let chunks = self.conditions.borrow().chunks;
        SimRemote {
            world: world.clone(),
            kept: self.kept.clone(),
            durable: self.durable.clone(),
            ledger: self.ledger.clone(),
            conditions: Rc::new(RefCell::new(Conditions {
                weather,
                chunks,
                hasty: false,
                happened: BTreeSet::new(),
                refused: false,
            })),
        }
    }

    /// A new life of who asks: what went wrong before is forgotten.
    pub fn begin(&self, weather: Weather, chunks: bool) {
        let mut conditions = self.conditions.borrow_mut();
        conditions.weather = weather;
        conditions.chunks = chunks;
        conditions.happened.clear();
    }

    /// It is a broken one, which says that it has what it may lose. No pair keeps its promises with it.
    pub fn break_it(&self) {
        self.conditions.borrow_mut().hasty = true;
    }

    /// The weather changes.
    pub fn change(&self, change: impl FnOnce(&mut Weather)) {
        change(&mut self.conditions.borrow_mut().weather);
    }

    /// Whether one of these went wrong in this life.
    pub fn any(&self, what: &[&str]) -> bool {
        let happened = &self.conditions.borrow().happened;
        what.iter().any(|what| happened.contains(what))
    }

    /// Whether it refused anything for good, in this life or an earlier one.
    pub fn ever_refused(&self) -> bool {
        self.conditions.borrow().refused
    }

    /// Whether it has the blob for good.
    pub fn holds(&self, pointer: &Pointer) -> bool {
        self.durable.borrow().kept.blobs.contains_key(pointer)
    }

    /// Whether whoever asks now is told that it has the blob.
    pub fn shows(&self, pointer: &Pointer) -> bool {
        self.kept.borrow().blobs.contains_key(pointer)
    }

    /// Where a root points.
    pub fn points_at(&self, name: &str) -> Option<Pointer> {
        self.kept.borrow().roots.get(name).copied()
    }

    /// Somebody else puts a blob there.
    pub fn bring(&self, bytes: &Bytes) {
        self.kept
            .borrow_mut()
            .blobs
            .insert(Pointer::of(bytes), bytes.clone());
        self.settle();
    }

    /// Somebody else moves a root there, from wherever it is.
    pub fn move_elsewhere(&self, name: &str, to: Pointer) {
        self.world.note(format_args!("elsewhere: {name} to {to}"));
        self.kept.borrow_mut().roots.insert(name.into(), to);
        self.settle();
        self.ledger.borrow_mut().roots.moved_elsewhere(name, to);
    }

    /// The remote lets go of chunks that no list names.
    pub fn sweep(&self) {
        let kept = &mut *self.kept.borrow_mut();
        let named: BTreeSet<Pointer> = kept
            .lists
            .values()
            .flat_map(|list| list.0.iter().map(|chunk| chunk.pointer))
            .collect();
        let before = kept.chunks.len();
        kept.chunks.retain(|chunk, _| named.contains(chunk));
        if kept.chunks.len() < before {
            self.world.mark("remote swept chunks");
        }
    }

    /// The remote's machine stops and starts again: what was not on its disk is gone.
    pub fn lose_power(&self) {
        let mut durable = self.durable.borrow_mut();
        durable.losses += 1;
        let mut kept = self.kept.borrow_mut();
        if !kept.blobs.keys().eq(durable.kept.blobs.keys()) {
            self.world.mark("remote lost what it had not acknowledged");
            self.ledger.borrow_mut().remote_lost_power();
        }
        *kept = durable.kept.clone();
        self.world.note("remote: power lost");
    }

    /// Everything that was done there is on its disk.
    fn settle(&self) {
        self.durable.borrow_mut().kept = self.kept.borrow().clone();
    }

    /// Answers what `call` does once it is on the remote's disk, which may fail.
    async fn durably<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let losses = self.durable.borrow().losses;
        let answer = call.await?;
        self.sync(losses).await?;
        Ok(answer)
    }

    /// What was done while the power had gone `losses` times is on the disk, or this says that it is not.
    async fn sync(&self, losses: u64) -> Result<()> {
        self.world.pause().await;
        let unsynced = self.conditions.borrow().weather.unsynced;
        if self.durable.borrow().losses != losses || self.world.chance(|c| c.percent(unsynced)) {
            self.happens("remote could not sync");
            let message = "simulated: the remote could not make that durable";
            return Err(Error::new(Kind::Transient, message));
        }
        self.settle();
        Ok(())
    }

    fn happens(&self, what: &'static str) {
        self.world.mark(what);
        self.world.note(format_args!("remote: {what}"));
        let mut conditions = self.conditions.borrow_mut();
        conditions.refused |= matches!(what, "remote refused" | "upload garbled");
        conditions.happened.insert(what);
    }

    fn fate(&self, blob: Option<&Pointer>, call: Call) -> Fate {
        let weather = self.conditions.borrow().weather.clone();
        let fate = self.world.chance(|c| weather.fate(c, blob, call));
        match &fate {
            Fate::Done => {}
            Fate::Lied => self.happens("remote lied"),
            Fate::Garbled => self.happens("upload garbled"),
            Fate::Unanswered(_) => self.happens("answer lost"),
            Fate::Silent { .. } => self.happens("remote never answered"),
            Fate::Failed(error) => self.happens(match error.kind() {
                Kind::Transient => "remote unreachable",
                Kind::Auth => "remote wanted other credentials",
                Kind::Busy => "remote busy",
                Kind::Quota => "remote full",
                _ => "remote refused",
            }),
        }
        fate
    }

    /// Half of the way.
    async fn travel(&self) {
        let most = self.conditions.borrow().weather.latency;
        let time = Duration::from_millis(self.world.chance(|c| c.below(most + 1)));
        if !time.is_zero() {
            SimClock::new(&self.world).sleep(time).await;
        }
        self.world.pause().await;
    }

    /// One call: there, what it does, and back. The flag says that the call is to go wrong in its own way.
    async fn call<T>(
        &self,
        what: impl Display,
        blob: Option<&Pointer>,
        call: Call,
        effect: impl FnOnce(&mut Kept, Wrong) -> Result<T>,
    ) -> Result<T> {
        let fate = self.fate(blob, call);
        self.world.note(format_args!("remote {what}: {fate:?}"));
        let mut flight = Flight {
            remote: self,
            effect: Some(effect),
            lands: matches!(fate, Fate::Done | Fate::Unanswered(_)) && call != Call::Read,
        };
        self.travel().await;
        match fate {
            Fate::Failed(error) => {
                flight.effect = None;
                Err(error)
            }
            Fate::Silent { done } => {
                if done && call != Call::Read {
                    let _ = flight.land(Wrong::No);
                }
                flight.effect = None;
                futures::future::pending().await
            }
            Fate::Unanswered(error) => {
                let _ = flight.land(Wrong::No);
                self.travel().await;
                Err(error)
            }
            Fate::Done => {
                let outcome = flight.land(Wrong::No);
                if call == Call::Read && blob.is_some() {
                    // Whoever gets the blob takes it for remote: no pair can do without that.
                    self.settle();
                }
                self.travel().await;
                outcome
            }
            Fate::Lied | Fate::Garbled => {
                let outcome = flight.land(Wrong::Yes);
                self.travel().await;
                outcome
            }
        }
    }

    /// Something else than these bytes.
    fn other(&self, bytes: &Bytes) -> Bytes {
        let mut other = bytes.to_vec();
        self.world.chance(|c| match c.below(5) {
            0 if !other.is_empty() => other.truncate(c.below(other.len() as u64) as usize),
            1 => other.push(c.below(256) as u8),
            2 => c.fill(&mut other),
            3 if other.len() > 1 => {
                let at = c.within(1..other.len() as u64) as usize;
                other.rotate_left(at);
            }
            _ => match other.len() as u64 {
                0 => other.push(7),
                len => other[c.below(len) as usize] ^= 1 << c.below(8),
            },
        });
        other.into()
    }

    fn maybe_other(&self, bytes: Bytes, wrong: Wrong) -> Bytes {
        match wrong {
            Wrong::No => bytes,
            Wrong::Yes => self.other(&bytes),
        }
    }
}

/// Whether a call is to go wrong in its own way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    No,
    Yes,
}

/// A request on its way.
struct Flight<'a, F, T>
where
    F: FnOnce(&mut Kept, Wrong) -> Result<T>,
{
    remote: &'a SimRemote,
    effect: Option<F>,
    lands: bool,
}

impl<F, T> Flight<'_, F, T>
where
    F: FnOnce(&mut Kept, Wrong) -> Result<T>,
{
    fn land(&mut self, wrong: Wrong) -> Result<T> {
        match self.effect.take() {
            Some(effect) => effect(&mut self.remote.kept.borrow_mut(), wrong),
            None => Err(Error::new(Kind::Closed, "simulated: landed before")),
        }
    }
}

impl<F, T> Drop for Flight<'_, F, T>
where
    F: FnOnce(&mut Kept, Wrong) -> Result<T>,
{
    fn drop(&mut self) {
        if self.lands && self.effect.is_some() && self.remote.world.chance(|c| c.percent(40)) {
            self.remote.world.mark("request done after its caller left");
            self.remote.world.note("remote: done all the same");
            let _ = self.land(Wrong::No);
        }
    }
}

fn not_found(pointer: &Pointer) -> Error {
    Error::new(
        Kind::NotFound,
        format!("simulated: no {pointer} at the remote"),
    )
}

impl Kept {
    fn blob(&self, pointer: &Pointer) -> Result<Bytes> {
        let found = self.blobs.get(pointer).cloned();
        found.ok_or_else(|| not_found(pointer))
    }
}

impl BlobStore for SimRemote {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::new();
        capabilities.chunks = self.conditions.borrow().chunks;
        capabilities
    }

    async fn put(&self, bytes: Bytes) -> Result<Pointer> {
        let pointer = Pointer::of(&bytes);
        self.durably(self.call(
            format_args!("put {pointer}"),
            Some(&pointer),
            Call::Upload,
            |kept, wrong| {
                let garbled = wrong == Wrong::Yes;
                if garbled && self.world.chance(|c| c.percent(50)) {
                    return Err(Error::new(Kind::Corrupt, "simulated: damaged on the way"));
                }
                let arrived = self.maybe_other(bytes, wrong);
                let pointer = Pointer::of(&arrived);
                kept.blobs.insert(pointer, arrived);
                Ok(pointer)
            },
        ))
        .await
    }

    async fn put_stream<B: Body>(&self, body: B) -> Result<Pointer> {
        let bytes = body.collect(64 << 20).await?;
        self.put(bytes).await
    }

    async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        self.call(
            format_args!("get {pointer}"),
            Some(pointer),
            Call::Read,
            |kept, wrong| Ok(self.maybe_other(kept.blob(pointer)?, wrong)),
        )
        .await
    }

    async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        self.call(
            format_args!("get {pointer} {range:?}"),
            Some(pointer),
            Call::Read,
            |kept, wrong| {
                let bytes = kept.blob(pointer)?;
                let range = cut_range(range.clone(), bytes.len() as u64)?;
                let part = bytes.slice(range.start as usize..range.end as usize);
                Ok(self.maybe_other(part, wrong))
            },
        )
        .await
    }

    async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
        self.call(
            format_args!("stat {pointer}"),
            Some(pointer),
            Call::Read,
            |kept, _| {
                let size = kept.blobs.get(pointer).map(|bytes| bytes.len() as u64);
                Ok(size.map(Stat::whole))
            },
        )
        .await
    }

    async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        let losses = self.durable.borrow().losses;
        let has: Vec<bool> = self
            .call(
                format_args!("has {}", pointers.len()),
                None,
                Call::Read,
                |kept, _| {
                    let has = pointers.iter().map(|p| kept.blobs.contains_key(p));
                    Ok(has.collect())
                },
            )
            .await?;
        let hasty = self.conditions.borrow().hasty;
        if has.contains(&true) && !hasty {
            self.sync(losses).await?;
        }
        Ok(has)
    }

    async fn delete(&self, pointer: &Pointer) -> Result<bool> {
        self.durably(self.call(
            format_args!("delete {pointer}"),
            Some(pointer),
            Call::Change,
            |kept, _| {
                kept.lists.remove(pointer);
                Ok(kept.blobs.remove(pointer).is_some())
            },
        ))
        .await
    }

    async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
        self.call("list", None, Call::Read, |kept, _| {
            let behind = kept
                .blobs
                .iter()
                .filter(|(pointer, _)| after.is_none_or(|after| **pointer > after));
            let rows = behind.map(|(pointer, bytes)| Listed {
                pointer: *pointer,
                size: bytes.len() as u64,
            });
            Ok(rows.take(limit.max(1)).collect())
        })
        .await
    }

    async fn chunks(&self, pointer: &Pointer) -> Result<Option<ChunkList>> {
        self.call(
            format_args!("chunks of {pointer}"),
            Some(pointer),
            Call::Read,
            |kept, wrong| {
                let mut list = kept.lists.get(pointer).cloned();
                if let (Some(list), Wrong::Yes) = (&mut list, wrong) {
                    list.0.pop();
                }
                Ok(list)
            },
        )
        .await
    }

    async fn has_chunks(&self, chunks: &[Pointer]) -> Result<Vec<bool>> {
        self.call(
            format_args!("has {} chunks", chunks.len()),
            None,
            Call::Read,
            |kept, _| {
                let has = chunks.iter().map(|c| kept.chunks.contains_key(c));
                Ok(has.collect())
            },
        )
        .await
    }

    async fn put_chunk(&self, bytes: Bytes) -> Result<Pointer> {
        let chunk = Pointer::of(&bytes);
        self.call(
            format_args!("put chunk {chunk}"),
            None,
            Call::Upload,
            |kept, wrong| {
                let arrived = self.maybe_other(bytes, wrong);
                let chunk = Pointer::of(&arrived);
                kept.chunks.insert(chunk, arrived);
                Ok(chunk)
            },
        )
        .await
    }

    async fn get_chunk(&self, chunk: &Pointer) -> Result<Bytes> {
        self.call(
            format_args!("get chunk {chunk}"),
            None,
            Call::Read,
            |kept, wrong| {
                let bytes = kept.chunks.get(chunk).cloned();
                Ok(self.maybe_other(bytes.ok_or_else(|| not_found(chunk))?, wrong))
            },
        )
        .await
    }

    async fn put_list(&self, pointer: &Pointer, list: ChunkList) -> Result<()> {
        self.durably(self.call(
            format_args!("put list {pointer}"),
            Some(pointer),
            Call::Upload,
            |kept, _| {
                let mut whole = Vec::new();
                for chunk in &list.0 {
                    let bytes = kept.chunks.get(&chunk.pointer);
                    whole.extend_from_slice(bytes.ok_or_else(|| not_found(&chunk.pointer))?);
                }
                if Pointer::of(&whole) != *pointer {
                    return Err(Error::new(Kind::Corrupt, "simulated: not that blob"));
                }
                kept.blobs.insert(*pointer, whole.into());
                kept.lists.insert(*pointer, list);
                Ok(())
            },
        ))
        .await
    }
}

impl RootStore for SimRemote {
    async fn root(&self, name: &str) -> Result<Option<Pointer>> {
        self.call(format_args!("root {name}"), None, Call::Read, |kept, _| {
            Ok(kept.roots.get(name).copied())
        })
        .await
    }

    async fn move_root(
        &self,
        name: &str,
        from: Option<Pointer>,
        to: Option<Pointer>,
    ) -> Result<()> {
        self.call(
            format_args!("move {name} to {to:?}"),
            None,
            Call::Change,
            |kept, _| {
                let current = kept.roots.get(name).copied();
                if current == to {
                    return Ok(());
                }
                if current != from {
                    return Err(Error::new(Kind::Conflict, "simulated: it was moved"));
                }
                match to {
                    Some(to) => kept.roots.insert(name.into(), to),
                    None => kept.roots.remove(name),
                };
                // A move takes all that was done before to the disk.
                self.durable.borrow_mut().kept = kept.clone();
                let mut ledger = self.ledger.borrow_mut();
                let arrived = ledger.root_arrived(name, to, |p| kept.blobs.contains_key(p));
                arrived.unwrap_or_else(|wrong| self.world.fail(wrong));
                Ok(())
            },
        )
        .await
    }

    async fn roots(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Pointer)>> {
        self.call("roots", None, Call::Read, |kept, _| {
            let behind = kept
                .roots
                .iter()
                .filter(|(name, _)| after.is_none_or(|after| name.as_str() > after));
            let rows = behind.map(|(name, pointer)| (name.clone(), *pointer));
            Ok(rows.take(limit.max(1)).collect())
        })
        .await
    }
}
