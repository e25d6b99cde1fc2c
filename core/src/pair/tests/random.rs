//! Random changes, faults, drops and crashes beside a model: what was acknowledged is there, what was deleted stays
//! away, and in the end both sides agree. A failing seed is printed; `LITTORAL_SEED=n` runs that one alone,
//! `LITTORAL_SEED=n-m` those from n to m.

use super::{
    drops::cut,
    support::{World, error, noise},
};
use crate::{
    Error, Kind,
    blob::{Fault, Operation, Pointer, RootStore},
    pair::{Options, QueueBound},
};
use alloc::{collections::BTreeMap, vec::Vec};
use bytes::Bytes;
use core::time::Duration;

const BLOBS: u64 = 6;
const OPERATIONS: [Operation; 8] = [
    Operation::Put,
    Operation::PutChunk,
    Operation::PutList,
    Operation::Has,
    Operation::HasChunks,
    Operation::Delete,
    Operation::MoveRoot,
    Operation::GetRange,
];

struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

/// What is known of a blob.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    There,
    Gone,
    /// A change of it was cut off: either.
    Unknown,
}

struct Run {
    world: World,
    chance: Chance,
    blobs: Vec<Bytes>,
    model: BTreeMap<Pointer, Known>,
    root: Option<Pointer>,
}

#[test]
fn whatever_happens_both_sides_agree_in_the_end() {
    let asked = std::env::var("LITTORAL_SEED").unwrap_or("0-150".into());
    let (from, to) = asked.split_once('-').unwrap_or((&asked, ""));
    let from: u64 = from.parse().unwrap();
    let seeds = from..to.parse().unwrap_or(from + 1);
    for seed in seeds {
        std::eprintln!("LITTORAL_SEED={seed}");
        run(seed);
    }
}

fn run(seed: u64) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xabcdef);
    let mut blobs = Vec::new();
    let mut model = BTreeMap::new();
    for i in 0..BLOBS {
        // One of them travels in chunks.
        let len = if i == 0 { 1_300_000 } else { 10 + i as usize };
        let bytes = noise(i + 1, len);
        model.insert(Pointer::of(&bytes), Known::Gone);
        blobs.push(bytes);
    }
    let world = World::with(options(&mut chance));
    let mut run = Run {
        world,
        chance,
        blobs,
        model,
        root: None,
    };
    for _ in 0..60 {
        run.step();
    }
    run.finish();
}

fn options(chance: &mut Chance) -> Options {
    Options {
        uploads: 1 + chance.below(4) as usize,
        cache: (chance.below(3) == 0).then(|| chance.below(2_000_000)),
        queue: Some(QueueBound {
            entries: 20,
            bytes: 10 << 20,
        }),
        ..Options::default()
    }
}

impl Run {
    fn pick(&mut self) -> (Bytes, Pointer) {
        let i = self.chance.below(BLOBS) as usize;
        let bytes = self.blobs[i].clone();
        let pointer = Pointer::of(&bytes);
        (bytes, pointer)
    }

    fn step(&mut self) {
        match self.chance.below(20) {
            0..5 => self.put(),
            5..9 => self.delete(),
            9..12 => self.get(),
            12 => self.move_root(),
            13 => {
                let time = Duration::from_millis(self.chance.below(3_000));
                self.world.pass(time);
            }
            14 => self.world.settle(),
            15 => self.fault(),
            16 => self.world.script.heal(),
            17 => self.world.script.offline(),
            18 => {
                let options = options(&mut self.chance);
                self.world.crash_into(options);
            }
            _ => {
                self.world.stop_driving();
                self.world.drive();
            }
        }
    }

    fn fault(&mut self) {
        let operation = OPERATIONS[self.chance.below(8) as usize];
        let transient = error(Kind::Transient);
        let fault = match self.chance.below(4) {
            0 => Fault::Fail(transient),
            1 => Fault::FailAfter(transient),
            2 => Fault::Delay(Duration::from_millis(self.chance.below(2_000))),
            _ => Fault::Fail(
                Error::new(Kind::Transient, "busy")
                    .with_retry_after(Duration::from_secs(self.chance.below(5))),
            ),
        };
        self.world.script.next(operation, fault);
    }

    /// Mostly never cut off.
    fn polls(&mut self) -> usize {
        match self.chance.below(3) {
            0 => self.chance.below(40) as usize,
            _ => usize::MAX,
        }
    }

    fn put(&mut self) {
        let (bytes, pointer) = self.pick();
        let polls = self.polls();
        let pair = self.world.pair.clone();
        let out = self
            .world
            .run(cut(async move { pair.put(bytes).await.map(drop) }, polls));
        match out {
            Some(Ok(())) => self.set(pointer, Known::There),
            Some(Err(error)) => panic!("{error:?}"),
            None => self.unless(pointer, Known::There),
        }
    }

    fn delete(&mut self) {
        let (_, pointer) = self.pick();
        let polls = self.polls();
        let pair = self.world.pair.clone();
        let out = self
            .world
            .run(cut(async move { pair.delete(&pointer).await }, polls));
        match out {
            Some(Ok(was_there)) => {
                if self.model[&pointer] == Known::There {
                    assert!(was_there);
                }
                self.set(pointer, Known::Gone);
            }
            Some(Err(error)) => panic!("{error:?}"),
            None => self.unless(pointer, Known::Gone),
        }
    }

    fn get(&mut self) {
        let (bytes, pointer) = self.pick();
        let polls = self.polls();
        let pair = self.world.pair.clone();
        let out = self
            .world
            .run(cut(async move { pair.get(&pointer).await }, polls));
        match out {
            None => {}
            Some(Ok(got)) => {
                assert_eq!(got, bytes);
                assert_ne!(self.model[&pointer], Known::Gone, "it came back");
                self.set(pointer, Known::There);
            }
            Some(Err(error)) if error.kind() == Kind::NotFound => {
                assert_ne!(self.model[&pointer], Known::There, "it is lost");
                self.set(pointer, Known::Gone);
            }
            Some(Err(error)) => assert_eq!(error.kind(), Kind::Transient),
        }
    }

    fn move_root(&mut self) {
        let (_, to) = self.pick();
        let from = self.root;
        let pair = self.world.pair.clone();
        self.world
            .run(async move { pair.move_root("head", from, Some(to)).await.map(drop) })
            .unwrap();
        self.root = Some(to);
    }

    fn set(&mut self, pointer: Pointer, known: Known) {
        self.model.insert(pointer, known);
    }

    /// A change that was cut off: what it would have made, or what was before.
    fn unless(&mut self, pointer: Pointer, made: Known) {
        if self.model[&pointer] != made {
            self.set(pointer, Known::Unknown);
        }
    }

    fn finish(&mut self) {
        self.world.script.heal();
        self.world.pair.wake();
        self.world.sync().unwrap();
        assert_eq!(self.world.queued(), 0);
        self.world.check_books();
        for (pointer, known) in self.model.clone() {
            let there = self.world.get(pointer).is_ok();
            assert_eq!(there, self.world.remote_has(pointer), "{pointer}");
            if known != Known::Unknown {
                assert_eq!(there, known == Known::There, "{pointer}");
            }
        }
        let remote = self.world.remote.clone();
        let root = self.world.run(async move { remote.root("head").await });
        assert_eq!(root.unwrap(), self.root);
    }
}
