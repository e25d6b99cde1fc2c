//! Documents in a simulated host: every state that is kept is the fold of its patches, whatever crashed, was compacted, or happened in scopes.
//!
//! The model is naive: the list of all states, of the document and of each scope. What a crash leaves must be one of the moments since the
//! last strict acknowledgement, as a whole: tree, log, scopes.

use crate::{
    seeds::Report,
    sim::{
        Chance, Disk, Executor, Faults, Loss, SimClock, SimEntropy, SimVolume, Stopped, World,
        yield_now,
    },
};
use littoral_core::{
    Kind, Result,
    doc::{
        Documents, Event, Op, Options, Patch, Pattern, Remove, Retention, Scope, Step, Value, apply,
    },
    engine::{self, Durability, Sabotage, Store},
};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

/// What a run of some hundred seeds must have reached, or it says nothing about it.
pub const RARE: &[&str] = &[
    "a commit in flight survived",
    "a patch was refused",
    "a scope was dropped",
    "a scope was made",
    "a scope was promoted",
    "a scope could not be promoted",
    "commits were thinned out",
    "crashed in a snapshot",
    "out of range",
    "relaxed commits are gone",
    "retention removed rows",
    "the past of a scope was read",
    "the watch began anew",
];

const MOST_STEPS: u64 = 2_000_000;

type Document = Documents<SimVolume, SimClock>;

/// All there is at one moment.
#[derive(Clone, Debug, Default)]
struct Moment {
    /// The document's states, from the empty one on.
    states: Vec<Rc<Value>>,
    scopes: BTreeMap<String, Branch>,
}

/// A scope: the states up to its base, and its own; and what was done in it.
#[derive(Clone, Debug)]
struct Branch {
    states: Vec<Rc<Value>>,
    patches: Vec<Patch>,
}

struct Model {
    /// Each moment since the last one that is certain, which is the first.
    moments: Vec<Moment>,
    /// Nobody asked for the removal of this commit, or a later one.
    most_horizon: u64,
}

impl Model {
    fn now(&self) -> &Moment {
        self.moments.last().expect("there is always one")
    }

    fn attempt(&mut self, next: Moment) {
        self.moments.push(next);
    }

    fn certain(&mut self) {
        let now = self.now().clone();
        self.moments = vec![now];
    }
}

/// Runs one seed; `sabotage` breaks the document on purpose.
pub fn run(seed: u64, sabotage: Option<Sabotage>) -> Report {
    simulate(seed, sabotage, false)
}

/// Runs one seed, and prints its trace if it is to be `loud`.
pub fn simulate(seed: u64, sabotage: Option<Sabotage>, loud: bool) -> Report {
    let mut chance = Chance::new(seed);
    let world = World::new(chance.fork());
    if loud {
        world.speak();
    }
    world.set_patience(*chance.pick(&[0, 2, 6]));
    let disk = Disk::new();
    let first = Moment {
        states: vec![Rc::new(Value::object::<&str>([]))],
        ..Moment::default()
    };
    let model = Rc::new(RefCell::new(Model {
        moments: vec![first],
        most_horizon: 0,
    }));
    let remove = match chance.percent(70) {
        true => Remove::KeepLast(chance.within(2..12)),
        false => Remove::Thin,
    };
    let mut failure = None;
    let mut lives = 0;
    for _ in 0..chance.within(1..6) {
        lives += 1;
        world.revive();
        let crash = chance.percent(75);
        let crash = crash.then(|| 1 << chance.below(13));
        world.crash_in(crash.map(|most| chance.below(most)));
        let life = Life {
            world: world.clone(),
            model: model.clone(),
            chance: Rc::new(RefCell::new(chance.fork())),
            executor: Executor::new(&world),
            remove,
            sabotage,
        };
        let volume = SimVolume::new(&world, &disk, Faults::default());
        let executor = life.executor.clone();
        let entropy = SimEntropy::new(chance.fork());
        let ended = executor.run(MOST_STEPS, life.live(volume, entropy));
        let outcome = match ended {
            Ok(Ok(())) | Err(Stopped::Crashed) => Ok(()),
            Ok(Err(error)) => Err(format!("{error:?}")),
            Err(stopped) => Err(stopped.to_string()),
        };
        let loss = *chance.pick(&Loss::ALL);
        disk.crash(&world, loss);
        failure = world.failure().or(outcome.err());
        if failure.is_some() {
            break;
        }
    }
    Report {
        seed,
        trace: world.trace(),
        marks: world.marks(),
        lives,
        failure,
    }
}

struct Life {
    world: World,
    model: Rc<RefCell<Model>>,
    chance: Rc<RefCell<Chance>>,
    executor: Executor,
    remove: Remove,
    sabotage: Option<Sabotage>,
}

impl Life {
    async fn live(self, volume: SimVolume, entropy: SimEntropy) -> Result<()> {
        let mut options = engine::Options::default();
        options.log_size = 64 << 10;
        options.alignment = 512;
        options.memory_budget = 1 << 20;
        let store = Store::open(volume, &entropy, options).await?;
        let mut options = Options::default();
        options.retention = Retention {
            remove: self.remove,
            ..Retention::default()
        };
        options.sabotage = self.sabotage;
        let clock = SimClock::new(&self.world);
        let doc = Documents::open(store.clone(), clock, options).await?;
        self.recovered(&doc).await?;
        let driven = store.clone();
        self.executor
            .spawn("drive", async move { driven.drive().await });
        let watcher = watch(self.world.clone(), doc.clone());
        self.executor.spawn("watch", watcher);
        let reader = read(self.world.clone(), self.model.clone(), doc.clone());
        self.executor.spawn("reader", reader);
        for _ in 0..self.draw(|chance| chance.within(5..60)) {
            self.turn(&doc).await?;
            if self.draw(|chance| chance.percent(20)) {
                self.look(&doc).await?;
            }
        }
        self.look_at_all(&doc).await?;
        doc.close().await
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut self.chance.borrow_mut())
    }

    /// What the last life left is one of the moments that it may have left.
    async fn recovered(&self, doc: &Document) -> Result<()> {
        let moments = self.model.borrow().moments.clone();
        let value = doc.read("").await?;
        for (position, moment) in moments.iter().enumerate().rev() {
            if !same(doc, &value, moment).await? {
                continue;
            }
            if position + 1 < moments.len() {
                self.world.mark("relaxed commits are gone");
            } else if position > 0 {
                self.world.mark("a commit in flight survived");
            }
            self.model.borrow_mut().moments = vec![moment.clone()];
            return self.look_at_all(doc).await;
        }
        self.world.fail(format_args!(
            "after a crash: commit {} with {value}, scopes {:?}; it was one of {:?}",
            doc.current_commit(),
            doc.scopes(),
            moments
                .iter()
                .map(|moment| (moment.states.len() - 1, moment.scopes.keys().collect()))
                .collect::<Vec<(usize, Vec<_>)>>()
        ));
        Ok(())
    }

    /// One thing that a user does.
    async fn turn(&self, doc: &Document) -> Result<()> {
        let scopes: Vec<String> = self.model.borrow().now().scopes.keys().cloned().collect();
        let scope = match scopes.is_empty() {
            true => None,
            false => Some(self.draw(|chance| chance.pick(&scopes).clone())),
        };
        match (self.draw(|chance| chance.below(20)), scope) {
            (0, _) => self.snapshot(doc).await,
            (1, _) if scopes.len() < 3 => self.create_scope(doc).await,
            (2, Some(name)) => self.drop_scope(doc, &name).await,
            (3, Some(name)) => self.promote(doc, &name).await,
            (4..10, Some(name)) => self.patch_scope(doc, &name).await,
            _ => self.patch(doc).await,
        }
    }

    async fn patch(&self, doc: &Document) -> Result<()> {
        let mut moment = self.model.borrow().now().clone();
        let state = last(&moment.states);
        let patch = self.draw(|chance| change(chance, &state));
        let durability = self.draw(|chance| {
            *chance.pick(&[Durability::Memory, Durability::Local, Durability::Strict])
        });
        let expected = apply(&state, &patch);
        if let Ok(next) = &expected {
            moment.states.push(Rc::new(next.clone()));
            self.model.borrow_mut().attempt(moment);
        }
        let found = doc.patch_with("", patch.clone(), None, durability).await;
        match (expected, found) {
            (Ok(_), Ok(commit)) => {
                let now = self.model.borrow().now().states.len() as u64 - 1;
                if commit != now {
                    self.world
                        .fail(format_args!("commit {commit} instead of {now}"));
                }
                if durability == Durability::Strict {
                    self.model.borrow_mut().certain();
                }
            }
            (Err(expected), Err(found)) if expected.to_string() == found.to_string() => {
                self.world.mark("a patch was refused");
            }
            (expected, found) => self.world.fail(format_args!(
                "{patch:?} of {state}: {found:?} instead of {expected:?}"
            )),
        }
        Ok(())
    }

    async fn patch_scope(&self, doc: &Document, name: &str) -> Result<()> {
        let mut moment = self.model.borrow().now().clone();
        let Some(branch) = moment.scopes.get_mut(name) else {
            return Ok(());
        };
        let state = last(&branch.states);
        let patch = self.draw(|chance| change(chance, &state));
        let expected = apply(&state, &patch);
        if let Ok(next) = &expected {
            branch.states.push(Rc::new(next.clone()));
            branch.patches.push(patch.clone());
            self.model.borrow_mut().attempt(moment);
        }
        match (
            expected,
            doc.scope(name)?.patch("", patch.clone(), None).await,
        ) {
            (Ok(_), Ok(_)) => self.model.borrow_mut().certain(),
            (Err(expected), Err(found)) if expected.to_string() == found.to_string() => {}
            (expected, found) => self.world.fail(format_args!(
                "{patch:?} of {state} in a scope: {found:?} instead of {expected:?}"
            )),
        }
        Ok(())
    }

    async fn create_scope(&self, doc: &Document) -> Result<()> {
        let mut moment = self.model.borrow().now().clone();
        let name = self.draw(|chance| format!("s{}", chance.below(1000)));
        if moment.scopes.contains_key(&name) {
            return Ok(());
        }
        let branch = Branch {
            states: moment.states.clone(),
            patches: Vec::new(),
        };
        moment.scopes.insert(name.clone(), branch);
        self.model.borrow_mut().attempt(moment);
        doc.create_scope(&name).await?;
        self.model.borrow_mut().certain();
        self.world.mark("a scope was made");
        Ok(())
    }

    async fn drop_scope(&self, doc: &Document, name: &str) -> Result<()> {
        let mut moment = self.model.borrow().now().clone();
        moment.scopes.remove(name);
        self.model.borrow_mut().attempt(moment);
        doc.scope(name)?.drop().await?;
        self.model.borrow_mut().certain();
        self.world.mark("a scope was dropped");
        Ok(())
    }

    async fn promote(&self, doc: &Document, name: &str) -> Result<()> {
        let mut moment = self.model.borrow().now().clone();
        let Some(branch) = moment.scopes.remove(name) else {
            return Ok(());
        };
        let mut state = last(&moment.states);
        let mut refused = None;
        for patch in &branch.patches {
            match apply(&state, patch) {
                Ok(next) => state = Rc::new(next),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        if refused.is_none() {
            if !branch.patches.is_empty() {
                moment.states.push(state);
            }
            self.model.borrow_mut().attempt(moment);
        }
        match (refused, doc.scope(name)?.promote().await) {
            (None, Ok(_)) => {
                self.model.borrow_mut().certain();
                self.world.mark("a scope was promoted");
            }
            (Some(expected), Err(found)) if expected.to_string() == found.to_string() => {
                self.world.mark("a scope could not be promoted");
            }
            (expected, found) => self
                .world
                .fail(format_args!("promoting: {found:?} instead of {expected:?}")),
        }
        Ok(())
    }

    async fn snapshot(&self, doc: &Document) -> Result<()> {
        let last = doc.current_commit();
        {
            let mut model = self.model.borrow_mut();
            let keeps = match self.remove {
                Remove::KeepLast(count) => count,
                // Thinning leaves those alone.
                _ => 64,
            };
            let horizon = (last + 1).saturating_sub(keeps);
            model.most_horizon = model.most_horizon.max(horizon);
        }
        let crashing = Crashing(&self.world);
        let snapshot = doc.switch_and_snapshot().await?;
        std::mem::forget(crashing);
        if snapshot.removed_rows > 0 {
            self.world.mark(match self.remove {
                Remove::Thin => "commits were thinned out",
                _ => "retention removed rows",
            });
        }
        Ok(())
    }

    /// Some place at some time.
    async fn look(&self, doc: &Document) -> Result<()> {
        let (moment, most) = {
            let model = self.model.borrow();
            (model.now().clone(), model.most_horizon)
        };
        let commit = self.draw(|chance| chance.below(moment.states.len() as u64));
        check(&self.world, doc, &moment, commit, most).await
    }

    async fn look_at_all(&self, doc: &Document) -> Result<()> {
        let (moment, most) = {
            let model = self.model.borrow();
            (model.now().clone(), model.most_horizon)
        };
        for commit in 0..moment.states.len() as u64 {
            check(&self.world, doc, &moment, commit, most).await?;
        }
        for (name, branch) in &moment.scopes {
            let scope: Scope<_, _> = doc.scope(name)?;
            for (commit, state) in branch.states.iter().enumerate() {
                match scope.read_at("", commit as u64).await {
                    Ok(found) if found == **state => {
                        self.world.mark("the past of a scope was read")
                    }
                    Err(error)
                        if error.kind() == Kind::OutOfRange && (commit as u64) < scope.base() => {}
                    found => self.world.fail(format_args!(
                        "scope {name} at {commit}: {found:?} instead of {state}"
                    )),
                }
            }
        }
        Ok(())
    }
}

fn last(states: &[Rc<Value>]) -> Rc<Value> {
    states.last().expect("there is always one").clone()
}

/// Marks that it was never disarmed.
struct Crashing<'a>(&'a World);

impl Drop for Crashing<'_> {
    fn drop(&mut self) {
        self.0.mark("crashed in a snapshot");
    }
}

async fn same(doc: &Document, value: &Value, moment: &Moment) -> Result<bool> {
    let names: Vec<&String> = moment.scopes.keys().collect();
    let now = last(&moment.states);
    if doc.current_commit() != moment.states.len() as u64 - 1
        || *value != *now
        || doc.scopes().iter().collect::<Vec<_>>() != names
    {
        return Ok(false);
    }
    for (name, branch) in &moment.scopes {
        let scope = doc.scope(name)?;
        let now = last(&branch.states);
        if scope.current_commit()? != branch.states.len() as u64 - 1
            || scope.read("").await? != *now
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The rule that decides: a state that is kept is the fold, at the root and at every place below.
async fn check(
    world: &World,
    doc: &Document,
    moment: &Moment,
    commit: u64,
    most: u64,
) -> Result<()> {
    let Some(state) = moment.states.get(commit as usize) else {
        return Ok(());
    };
    match doc.read_at("", commit).await {
        Ok(found) if found == **state => {}
        Err(error) if error.kind() == Kind::OutOfRange && commit < most => {
            world.mark("out of range");
            return Ok(());
        }
        found => {
            world.fail(format_args!("at {commit}: {found:?} instead of {state}"));
            return Ok(());
        }
    }
    for path in places(state) {
        let found = doc.read_at(&path, commit).await;
        let expected = state.at(&path.parse()?);
        match found {
            Err(error) if error.kind() == Kind::OutOfRange && commit < most => return Ok(()),
            found if found.as_ref().ok() == expected => {}
            found => world.fail(format_args!(
                "{path} at {commit}: {found:?} instead of {expected:?}"
            )),
        }
    }
    Ok(())
}

/// Sees every commit once and in order, or is told that it could not.
async fn watch(world: World, doc: Document) {
    let Ok(pattern) = "".parse::<Pattern>() else {
        return;
    };
    let Ok(mut watch) = doc.watch(&pattern, None) else {
        return;
    };
    let mut last = None;
    loop {
        match watch.next().await {
            Ok(Event::State { commit, missed, .. }) => {
                if last.is_some() {
                    world.mark("the watch began anew");
                    if missed == 0 {
                        world.fail("a watch that began anew does not say what it missed");
                    }
                }
                last = Some(commit);
            }
            Ok(Event::Change { commit, .. }) => {
                if last != commit.number.checked_sub(1) {
                    world.fail(format_args!("after {last:?} came {}", commit.number));
                }
                last = Some(commit.number);
            }
            Ok(_) => {}
            Err(_) => return,
        }
        // A slow one, now and then.
        for _ in 0..world.chance(|chance| 1 << chance.below(8)) {
            yield_now().await;
        }
    }
}

/// Reads at any commit while others write and remove.
async fn read(world: World, model: Rc<RefCell<Model>>, doc: Document) {
    for _ in 0..30 {
        let current = doc.current_commit();
        let commit = world.chance(|chance| chance.below(current + 1));
        let found = doc.read_at("", commit).await;
        let (state, most) = {
            let model = model.borrow();
            let state = model.now().states.get(commit as usize).cloned();
            (state, model.most_horizon)
        };
        match (found, state) {
            (_, None) => {}
            (Ok(found), Some(state)) if found == *state => {}
            (Err(error), _) if error.kind() == Kind::OutOfRange && commit < most => {}
            (Err(error), _) if error.kind() == Kind::Closed => return,
            (found, state) => world.fail(format_args!(
                "a reader at {commit}: {found:?} instead of {state:?}"
            )),
        }
        yield_now().await;
    }
}

/// The paths of all places below the root.
fn places(value: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let mut todo = vec![(littoral_core::doc::Path::ROOT, value)];
    while let Some((path, value)) = todo.pop() {
        let mut push = |step, value| {
            if let Ok(path) = path.child(step) {
                todo.push((path, value));
            }
        };
        match value {
            Value::Object(fields) => fields
                .iter()
                .for_each(|(name, value)| push(Step::Field(name.clone()), value)),
            Value::Sparse(values) => values
                .iter()
                .for_each(|(index, value)| push(Step::Sparse(*index), value)),
            Value::List(values) => values
                .iter()
                .enumerate()
                .for_each(|(index, value)| push(Step::Index(index as u64), value)),
            _ => {}
        }
        if !path.is_root() {
            all.push(path.to_string());
        }
    }
    all
}

/// A patch of one to three operations, most of which can be applied.
fn change(chance: &mut Chance, state: &Value) -> Patch {
    let mut ops = Vec::new();
    let mut state = state.clone();
    for _ in 0..chance.within(1..4) {
        let op = operation(chance, &state);
        if let Ok(next) = apply(&state, &Patch::ops([op.clone()])) {
            state = next;
        } else if chance.percent(80) {
            continue;
        }
        ops.push(op);
    }
    match ops.is_empty() {
        true => Patch::set(state),
        false => Patch::ops(ops),
    }
}

fn operation(chance: &mut Chance, state: &Value) -> Op {
    let all = places(state);
    let there = match all.is_empty() {
        true => String::new(),
        false => chance.pick(&all).clone(),
    };
    let name = *chance.pick(&["a", "b", "c", "l"]);
    let near = match there.is_empty() {
        true => name.to_owned(),
        false => format!("{there}.{name}"),
    };
    let value = value(chance, 2);
    let made = match chance.below(9) {
        0 | 1 => Op::set(name, value),
        2 => Op::set(near, value),
        3 => Op::set(there, value),
        4 => Op::delete(there),
        5 => Op::append(there, value),
        6 => Op::splice(there, chance.below(3), chance.below(2), vec![value]),
        7 => Op::increment(near, 1),
        _ => Op::shift(there, near),
    };
    made.unwrap_or(Op::Delete {
        path: littoral_core::doc::Path::ROOT,
    })
}

fn value(chance: &mut Chance, depth: u64) -> Value {
    match chance.below(if depth == 0 { 4 } else { 8 }) {
        0 => Value::Null,
        1 => Value::Int(chance.below(10) as i64),
        2 => Value::from("x".repeat(chance.below(40) as usize)),
        3 => Value::Bytes(vec![7; chance.below(2000) as usize].into()),
        4 | 5 => Value::list(
            (0..chance.below(4))
                .map(|_| value(chance, depth - 1))
                .collect::<Vec<_>>(),
        ),
        6 => Value::object(["a", "b", "l"].map(|name| (name, value(chance, depth - 1)))),
        _ => Value::sparse(
            (0..chance.below(3))
                .map(|index| (index * 7, value(chance, depth - 1)))
                .collect::<Vec<_>>(),
        ),
    }
}
