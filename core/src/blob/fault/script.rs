//! What a test tells a [`FaultBlobs`](super::FaultBlobs) to do, and what it learns from it.

use super::super::Pointer;
use crate::{Error, Kind, sync::Mutex};
use alloc::{string::String, sync::Arc, vec::Vec};
use bytes::Bytes;
use core::time::Duration;
use event_listener::Event;

/// The calls of [`BlobStore`](super::BlobStore) and [`RootStore`](super::RootStore).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Operation {
    Put,
    PutStream,
    Get,
    GetRange,
    Stat,
    Has,
    Delete,
    List,
    Chunks,
    HasChunks,
    PutChunk,
    GetChunk,
    PutList,
    Root,
    MoveRoot,
    Roots,
}

/// What goes wrong with a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It fails and does not reach the store.
    Fail(Error),
    /// The store does it, and the answer gets lost.
    FailAfter(Error),
    /// It reaches the store later.
    Delay(Duration),
    /// It reaches the store when the gate opens.
    Hold(Gate),
    /// The bytes that are returned have a flipped bit. Only where bytes are returned.
    Flip,
    /// The bytes that are returned lack the last one. Only where bytes are returned.
    Cut,
}

impl Fault {
    /// What a lying store returns instead of `bytes`.
    pub(super) fn lie(self, bytes: Bytes) -> Bytes {
        let mut bytes = bytes.to_vec();
        match (self, bytes.first_mut()) {
            (Fault::Flip, Some(first)) => *first ^= 1,
            (Fault::Cut, Some(_)) => drop(bytes.pop()),
            _ => bytes.push(0),
        }
        bytes.into()
    }
}

/// Holds calls back until it is opened. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<bool>, Event)>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody through, from now on.
    pub fn open(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify(usize::MAX);
    }

    /// Returns once it is open.
    pub async fn wait(&self) {
        loop {
            let listener = self.0.1.listen();
            if *self.0.0.lock() {
                return;
            }
            listener.await;
        }
    }
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which one.
    pub operation: Operation,
    /// The blobs or chunks that it was about.
    pub pointers: Vec<Pointer>,
    /// The root that it was about.
    pub name: Option<String>,
    /// Bytes that it brought.
    pub bytes: u64,
    /// How it ended; `None` while it runs, and for good when its future was dropped.
    pub outcome: Option<Outcome>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Outcome {
    Ok,
    Failed(Kind),
}

impl Call {
    pub(super) fn new(operation: Operation) -> Self {
        Call {
            operation,
            pointers: Vec::new(),
            name: None,
            bytes: 0,
            outcome: None,
        }
    }

    pub(super) fn many(operation: Operation, pointers: &[Pointer]) -> Self {
        Call {
            pointers: pointers.to_vec(),
            ..Call::new(operation)
        }
    }

    pub(super) fn of(operation: Operation, pointer: Pointer) -> Self {
        Call::many(operation, &[pointer])
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(super) fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes as u64;
        self
    }
}

/// What is to go wrong, and what was called. Clones are the same script.
#[derive(Clone, Debug, Default)]
pub struct Script(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    calls: Vec<Call>,
    /// One call of an operation, counted from 1.
    once: Vec<(Operation, usize, Fault)>,
    /// Every call of an operation, or of all.
    always: Vec<(Option<Operation>, Fault)>,
}

impl Script {
    /// Nothing goes wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// Call number `n` of `operation` (the first one ever is 1) gets `fault`.
    pub fn nth(&self, operation: Operation, n: usize, fault: Fault) {
        self.0.lock().once.push((operation, n, fault));
    }

    /// The next call of `operation` gets `fault`.
    pub fn next(&self, operation: Operation, fault: Fault) {
        let n = self.count(operation) + 1;
        self.nth(operation, n, fault);
    }

    /// Every call of `operation` gets `fault`, until [`heal`](Self::heal).
    pub fn every(&self, operation: Operation, fault: Fault) {
        self.0.lock().always.push((Some(operation), fault));
    }

    /// Every call gets `fault`, until [`heal`](Self::heal).
    pub fn all(&self, fault: Fault) {
        self.0.lock().always.push((None, fault));
    }

    /// Every call fails as that of a remote that cannot be reached, until [`heal`](Self::heal).
    pub fn offline(&self) {
        self.all(Fault::Fail(Error::new(
            Kind::Transient,
            "the store cannot be reached",
        )));
    }

    /// Nothing goes wrong from now on.
    pub fn heal(&self) {
        let mut plan = self.0.lock();
        plan.once.clear();
        plan.always.clear();
    }

    /// Every call so far, in order of their beginning.
    pub fn calls(&self) -> Vec<Call> {
        self.0.lock().calls.clone()
    }

    /// How often `operation` was called.
    pub fn count(&self, operation: Operation) -> usize {
        self.0.lock().count(operation)
    }

    /// How often `operation` was called about `pointer`.
    pub fn count_of(&self, operation: Operation, pointer: &Pointer) -> usize {
        let plan = self.0.lock();
        plan.calls
            .iter()
            .filter(|call| call.operation == operation && call.pointers.contains(pointer))
            .count()
    }

    /// Forgets the calls so far; [`nth`](Self::nth) counts anew.
    pub fn forget(&self) {
        self.0.lock().calls.clear();
    }

    /// Writes a call down: its number, and what goes wrong with it.
    pub(super) fn begin(&self, call: Call) -> (usize, Option<Fault>) {
        let mut plan = self.0.lock();
        let operation = call.operation;
        let number = plan.calls.len();
        plan.calls.push(call);
        let n = plan.count(operation);
        if let Some(i) = plan
            .once
            .iter()
            .position(|(of, at, _)| (*of, *at) == (operation, n))
        {
            return (number, Some(plan.once.remove(i).2));
        }
        let fault = plan
            .always
            .iter()
            .rfind(|(of, _)| of.is_none_or(|of| of == operation))
            .map(|(_, fault)| fault.clone());
        (number, fault)
    }

    pub(super) fn end(&self, number: usize, outcome: Outcome) {
        if let Some(call) = self.0.lock().calls.get_mut(number) {
            call.outcome = Some(outcome);
        }
    }
}

impl Plan {
    fn count(&self, operation: Operation) -> usize {
        self.calls
            .iter()
            .filter(|call| call.operation == operation)
            .count()
    }
}
