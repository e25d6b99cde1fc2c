//! A document in memory, and the naive model of one: the list of its states.

use crate::{
    Error, Kind, Result,
    doc::{Documents, Match, Options, Patch, Path, Value, keys::Keys},
    engine::{self, Durability, Store},
    port::{Clock, Entropy, MemoryVolume},
    sync::Mutex,
};
use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;
use futures::FutureExt;

pub type Doc = Documents<MemoryVolume, Time>;

/// A clock that goes when it is told to, and wakes who sleeps then.
#[derive(Clone, Default)]
pub struct Time(Arc<Mutex<Duration>>, Arc<event_listener::Event>);

impl Time {
    pub fn pass(&self, time: Duration) {
        *self.0.lock() += time;
        self.1.notify(usize::MAX);
    }
}

impl Clock for Time {
    fn now(&self) -> Duration {
        *self.0.lock()
    }

    async fn sleep(&self, time: Duration) {
        let until = self.now() + time;
        loop {
            let passed = self.1.listen();
            if self.now() >= until {
                return;
            }
            passed.await;
        }
    }
}

pub struct Dice;

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill(7);
        Ok(())
    }
}

pub fn options() -> Options {
    Options {
        durability: Durability::Memory,
        ..Options::default()
    }
}

pub async fn open(volume: &MemoryVolume, clock: &Time) -> Doc {
    let small = engine::Options {
        log_size: 64 << 10,
        alignment: 8,
        ..engine::Options::default()
    };
    let store = Store::open(volume.clone(), &Dice, small).await.unwrap();
    Documents::open(store, clock.clone(), options())
        .await
        .unwrap()
}

pub async fn new() -> Doc {
    open(&MemoryVolume::new(), &Time::default()).await
}

pub async fn with(json: &str) -> Doc {
    let doc = new().await;
    doc.patch("", Patch::set(value(json)), None).await.unwrap();
    doc
}

/// What was read, if something was there.
pub fn there(read: Result<Value>) -> Option<Value> {
    match read {
        Ok(value) => Some(value),
        Err(error) if error.kind() == Kind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}

pub fn value(json: &str) -> Value {
    Value::from_json(json).unwrap()
}

/// All states of a tree.
#[derive(Clone)]
pub struct Model {
    pub states: Vec<Value>,
    pub keys: Keys,
}

impl Default for Model {
    fn default() -> Self {
        Model {
            states: Vec::from([value("{}")]),
            keys: Keys::default(),
        }
    }
}

impl Model {
    pub fn now(&self) -> &Value {
        self.states.last().unwrap()
    }

    pub fn commit(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    /// What a patch has to answer.
    pub fn patch(&mut self, path: &Path, patch: &Patch, matching: Option<&Match>) -> Result<u64> {
        let path = self.keys.resolve(path)?;
        if let Some(pattern) = matching
            && !pattern.matches(self.now().at(&path))
        {
            return Err(Error::new(Kind::Conflict, "does not match"));
        }
        let (base, patch) = self.keys.resolve_patch(&path, patch)?;
        let mut memory = crate::doc::apply::Memory(self.now().clone());
        let ops = crate::doc::normal::normalize(&mut memory, &base, &patch)
            .now_or_never()
            .unwrap()?;
        let changes = |op: &crate::doc::Op| !matches!(op, crate::doc::Op::Test { .. });
        if ops.iter().any(changes) {
            self.states.push(memory.0);
        }
        Ok(self.commit())
    }
}
