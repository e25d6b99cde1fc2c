//! Documents stopped at every place: the machine crashes at each call of a snapshot, futures are dropped at each await.

use futures::{executor::block_on, future::FutureExt};
use littoral_core::{
    Kind, Result,
    doc::{Documents, Match, Op, Options, Patch, Remove, Retention, Value},
    engine::{self, Direction, Durability, KeyRange, Space, Store},
};
use littoral_tests::sim::{
    Chance, Disk, Executor, Faults, Loss, SimClock, SimEntropy, SimVolume, Stopped, World,
};
use std::{
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Waker},
    time::Duration,
};

type Document = Documents<SimVolume, SimClock>;

const STEPS: u64 = 1_000_000;
const HEAD: Space = Space(0x30);
const PAST: Space = Space(0x31);
const LOG: Space = Space(0x32);

async fn open(world: &World, disk: &Disk, retention: Retention) -> Result<Document> {
    let mut options = engine::Options::default();
    options.log_size = 64 << 10;
    options.alignment = 512;
    options.memory_budget = 1 << 20;
    let volume = SimVolume::new(world, disk, Faults::default());
    let store = Store::open(volume, &SimEntropy::new(Chance::new(1)), options).await?;
    let mut options = Options::default();
    options.retention = retention;
    Documents::open(store, SimClock::new(world), options).await
}

fn json(text: &str) -> Value {
    Value::from_json(text).unwrap()
}

/// A patch that replaces, moves, appends and removes containers in its turn.
fn change(number: i64) -> Patch {
    let list = json(&format!(r#"[{{"n": {number}}}, [{number}], "x"]"#));
    let op = match number % 6 {
        0 => Op::set("l", list),
        1 => Op::set("a.b.c", number),
        2 => Op::append("l", json(r#"{"x": {"y": 1}}"#)),
        3 => Op::shift("l[0]", "a.b.moved"),
        4 => Op::delete("l[1]"),
        _ => Op::set("a", json(r#"{"b": {"c": 0, "d": [1, 2, 3]}}"#)),
    };
    Patch::ops([op.unwrap()])
}

/// Every state of a document of some commits, from the empty one on; its commits lie on the disk.
async fn made(doc: &Document, commits: i64) -> Result<Vec<Value>> {
    let mut states = vec![doc.read("").await?];
    for number in 0..commits {
        doc.patch_with("", change(number), None, Durability::Memory)
            .await?;
        states.push(doc.read("").await?);
    }
    doc.close().await?;
    Ok(states)
}

/// Rows of the document in each space.
async fn rows(doc: &Document) -> Result<[usize; 3]> {
    let mut counts = [0; 3];
    for (space, count) in [HEAD, PAST, LOG].into_iter().zip(&mut counts) {
        let view = doc.store().view();
        let mut scan = view.scan(space, KeyRange::all(), Direction::Forward);
        while scan.next().await?.is_some() {
            *count += 1;
        }
    }
    Ok(counts)
}

/// Which commits can still be read; each that can must be what it was.
async fn kept(doc: &Document, states: &[Value]) -> Result<Vec<bool>> {
    let mut kept = Vec::new();
    for (commit, state) in states.iter().enumerate() {
        match doc.read_at("", commit as u64).await {
            Ok(found) => assert_eq!(found, *state, "at {commit}"),
            Err(error) => assert_eq!(error.kind(), Kind::OutOfRange, "{error:?}"),
        }
        kept.push(doc.read_at("", commit as u64).await.is_ok());
    }
    Ok(kept)
}

/// One snapshot, on a disk of its own, that the machine does not survive beyond call `crash`. Whether it got to the end, and what was left
/// after another one.
fn crashing(retention: Retention, crash: Option<u64>, loss: Loss) -> (bool, [usize; 3], Vec<bool>) {
    let world = World::new(Chance::new(7));
    world.set_patience(0);
    let disk = Disk::new();
    let life = |world: &World, disk: &Disk| (world.clone(), disk.clone(), Executor::new(world));
    let (w, d, executor) = life(&world, &disk);
    let first = async move { made(&open(&w, &d, retention).await?, 400).await };
    let states = Rc::new(executor.run(STEPS, first).unwrap().unwrap());

    world.revive();
    let (w, d, executor) = life(&world, &disk);
    let second = async move {
        let doc = open(&w, &d, retention).await?;
        doc.patch("last", Patch::set(1), None).await?;
        w.crash_in(crash);
        doc.switch_and_snapshot().await
    };
    let ended = executor.run(STEPS, second);
    let whole = match ended {
        Ok(done) => done.map(|_| true).unwrap(),
        Err(Stopped::Crashed) => false,
        Err(other) => panic!("{other:?}"),
    };
    disk.crash(&world, loss);

    world.revive();
    let (w, d, executor) = life(&world, &disk);
    let third = async move {
        let doc = open(&w, &d, retention).await?;
        let before = kept(&doc, &states).await?;
        doc.switch_and_snapshot().await?;
        let after = kept(&doc, &states).await?;
        let lost = before
            .iter()
            .zip(&after)
            .any(|(before, after)| after > before);
        assert!(!lost, "a commit that was out of range came back");
        Ok::<_, littoral_core::Error>((rows(&doc).await?, after))
    };
    let (rows, kept) = executor.run(STEPS, third).unwrap().unwrap();
    (whole, rows, kept)
}

fn every_crash(remove: Remove) {
    let retention = Retention { divisor: 2, remove };
    let (_, rows, kept) = crashing(retention, None, Loss::Process);
    assert!(kept.contains(&false) && kept.ends_with(&[true]));
    for (crash, loss) in (0..).zip(Loss::ALL.iter().cycle()) {
        let (whole, left, still) = crashing(retention, Some(crash), *loss);
        assert_eq!((left, &still), (rows, &kept), "crash {crash}, {loss:?}");
        if whole {
            assert!(crash > 10, "a snapshot of {crash} calls is none");
            println!("{remove:?}: {crash} places, {rows:?} rows left");
            return;
        }
    }
}

#[test]
fn a_crash_anywhere_in_a_snapshot_that_keeps_the_last_loses_and_leaves_nothing() {
    every_crash(Remove::KeepLast(5));
}

#[test]
fn a_crash_anywhere_in_a_snapshot_that_thins_out_loses_and_leaves_nothing() {
    every_crash(Remove::Thin);
}

/// What everybody can see of a document.
#[derive(Debug, PartialEq)]
struct Seen {
    commit: u64,
    root: Value,
    horizon: u64,
    scopes: Vec<(String, u64, Value)>,
    waiting: Vec<(u64, usize)>,
    keys: usize,
}

async fn seen(doc: &Document) -> Seen {
    let mut scopes = Vec::new();
    for name in doc.scopes() {
        let scope = doc.scope(&name).unwrap();
        let (root, commit) = scope.read_with_commit("").await.unwrap();
        scopes.push((name, commit, root.unwrap()));
    }
    let waiting = doc.transactions().into_iter().map(|id| {
        let joined = doc.transaction(id).unwrap().joined().unwrap();
        (id, joined.0)
    });
    Seen {
        commit: doc.current_commit(),
        root: doc.read("").await.unwrap(),
        horizon: doc.horizon(),
        scopes,
        waiting: waiting.collect(),
        keys: doc.declared_keys().len(),
    }
}

/// A document with some commits, a scope `s` with changes, and transaction 1 of two participants of whom one has joined.
async fn prepared(world: &World, disk: &Disk, log: Log) -> Document {
    let keep = Retention {
        divisor: 2,
        remove: Remove::KeepLast(4),
    };
    let doc = open(world, disk, keep).await.unwrap();
    for number in 0..12 {
        doc.patch("", change(number), None).await.unwrap();
    }
    let scope = doc.create_scope("s").await.unwrap();
    scope.patch("in", Patch::set(1), None).await.unwrap();
    let day = Duration::from_secs(86_400);
    let transaction = doc.begin(2, Value::Null, day).await.unwrap();
    let joined = {
        let mut join = pin!(transaction.join("one", Patch::set(1), None));
        poll(join.as_mut(), 10_000)
    };
    assert!(!joined && transaction.joined().unwrap().0 == 1);
    if let Log::Full = log {
        let (mut used, mut switched) = (0, false);
        loop {
            let stats = doc.store().stats();
            switched |= stats.log_used < used;
            used = stats.log_used;
            if switched && used + 512 > stats.log_size {
                break;
            }
            doc.patch("f", Patch::set(1), None).await.unwrap();
        }
    }
    doc
}

/// Whether there is room for a commit, or both logs are full: then it has to be made first.
#[derive(Clone, Copy, Debug)]
enum Log {
    Roomy,
    Full,
}

/// Polls up to so many times; whether it has ended.
fn poll<T>(mut future: Pin<&mut (impl Future<Output = T> + ?Sized)>, times: u64) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    (0..times).any(|_| future.as_mut().poll(&mut context).is_ready())
}

type Call = for<'a> fn(&'a Document) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Everything that changes a document, by its name.
const CALLS: &[(&str, Call)] = &[
    ("patch", |doc| {
        Box::pin(doc.patch("a.b", Patch::set(json("[1, 2]")), None).map(drop))
    }),
    ("patch with a match", |doc| {
        let fits = Match::from_json(r#"{"d": {"$exists": true}}"#).unwrap();
        Box::pin(doc.patch("a.b", change(1), fits).map(drop))
    }),
    ("patch of a scope", |doc| {
        let scope = doc.scope("s").unwrap();
        Box::pin(async move { drop(scope.patch("a.b.c", Patch::set(2), None).await) })
    }),
    ("create_scope", |doc| {
        Box::pin(doc.create_scope("t").map(drop))
    }),
    ("drop of a scope", |doc| {
        Box::pin(doc.scope("s").unwrap().drop().map(drop))
    }),
    ("promote", |doc| {
        Box::pin(doc.scope("s").unwrap().promote().map(drop))
    }),
    ("begin", |doc| {
        let minute = Duration::from_secs(60);
        Box::pin(doc.begin(3, Value::Null, minute).map(drop))
    }),
    ("the last to join", |doc| {
        let transaction = doc.transaction(1).unwrap();
        Box::pin(async move { drop(transaction.join("two", Patch::set(2), None).await) })
    }),
    ("abort", |doc| {
        let transaction = doc.transaction(1).unwrap();
        Box::pin(async move { drop(transaction.abort().await) })
    }),
    ("switch_and_snapshot", |doc| {
        Box::pin(doc.switch_and_snapshot().map(drop))
    }),
    ("declare_key", |doc| {
        Box::pin(doc.declare_key("l", "id").map(drop))
    }),
];

#[test]
fn a_future_that_is_dropped_anywhere_has_done_all_of_it_or_nothing() {
    for (name, call) in CALLS {
        let mut places = 0;
        // With few calls of ports in a future, other schedules show other places.
        for (seed, log) in [
            (0, Log::Roomy),
            (1, Log::Roomy),
            (2, Log::Full),
            (3, Log::Full),
        ] {
            let fresh = || {
                let world = World::new(Chance::new(seed));
                world.set_patience(2);
                let disk = Disk::new();
                let doc = block_on(prepared(&world, &disk, log));
                (world, disk, doc)
            };
            let (_, _, doc) = fresh();
            let before = block_on(seen(&doc));
            block_on(call(&doc));
            let after = block_on(seen(&doc));
            assert_ne!(before, after, "{name}");
            for polls in 1.. {
                let (world, disk, doc) = fresh();
                let ended = poll(call(&doc).as_mut(), polls);
                let now = block_on(seen(&doc));
                // What was begun is over or forgotten: the next one is not held up, and a snapshot goes on.
                let next = block_on(doc.patch("next", Patch::set(7), None)).unwrap();
                assert_eq!(next, now.commit + 1, "{name} after {polls} polls");
                block_on(doc.switch_and_snapshot()).unwrap();
                let last = block_on(seen(&doc));
                block_on(doc.close()).unwrap();
                let either = now == before || now == after;
                assert!(
                    either,
                    "{name} after {polls} polls: {now:?}, not {before:?} or {after:?}"
                );
                let again = block_on(open(&world, &disk, Retention::default())).unwrap();
                assert_eq!(block_on(seen(&again)), last, "{name} after {polls} polls");
                if ended {
                    assert_eq!(now, after, "{name}");
                    places += polls;
                    break;
                }
            }
        }
        println!("{name}: dropped at {places} places");
    }
}

#[test]
fn who_waits_for_the_writer_and_is_dropped_holds_up_nobody() {
    let world = World::new(Chance::new(3));
    world.set_patience(3);
    let disk = Disk::new();
    let doc = block_on(prepared(&world, &disk, Log::Roomy));
    let before = doc.current_commit();
    let mut first = Box::pin(doc.patch("x", Patch::set(1), None));
    let mut polls = 0;
    while !poll(first.as_mut(), 1) {
        let mut second = Box::pin(doc.patch("y", Patch::set(1), None));
        polls += 1;
        poll(second.as_mut(), polls);
    }
    let commits = doc.current_commit() - before;
    assert!((1..=polls + 1).contains(&commits), "{commits} of {polls}");
    drop(first);
    block_on(doc.patch("z", Patch::set(1), None)).unwrap();
    assert_eq!(doc.current_commit(), before + commits + 1);
}

#[test]
fn writers_go_on_wherever_a_snapshot_stands() {
    for remove in [
        Remove::KeepLast(5),
        Remove::KeepFor(Duration::ZERO),
        Remove::Thin,
    ] {
        let world = World::new(Chance::new(5));
        world.set_patience(2);
        let disk = Disk::new();
        let doc = block_on(open(&world, &disk, Retention::default())).unwrap();
        for number in 0..400 {
            let patch = doc.patch_with("", change(number), None, Durability::Memory);
            block_on(patch).unwrap();
        }
        let before = doc.current_commit();
        let mut snapshot = pin!(doc.snapshot_with(Retention { divisor: 2, remove }));
        let mut stood = 0;
        while !poll(snapshot.as_mut(), 1) {
            let patch = Patch::set(stood as i64);
            let mut patch = pin!(doc.patch_with("w", patch, None, Durability::Memory));
            assert!(poll(patch.as_mut(), 100_000), "{remove:?}, place {stood}");
            stood += 1;
        }
        assert!(stood > 20, "{remove:?}: {stood} places are none");
        assert!(doc.horizon() > 0 || remove == Remove::Thin);
        assert_eq!(doc.current_commit(), before + stood);
        println!("{remove:?}: wrote at {stood} places");
    }
}
