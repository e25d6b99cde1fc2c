//! One fetch for all who ask for the same blob at the same time.
//!
//! Who comes first fetches, the others wait. A fetcher whose future is dropped hands over to the next one who
//! waits. A deletion dooms the flights of its blob: they leave the table at once, so that nobody joins them
//! any more, and what they bring is not kept.

use crate::{Result, blob::Pointer, sync::Mutex};
use alloc::sync::Arc;
use bytes::Bytes;
use event_listener::{Event, EventListener};
use hashbrown::HashMap;

/// The fetches in progress.
#[derive(Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<Pointer, Arc<Flight>>>>);

/// What a fetch brought.
#[derive(Clone, Debug)]
pub(super) enum Fetched {
    /// These bytes, checked.
    Bytes(Bytes),
    /// The blob is in fast now.
    Filled,
    /// It is too large to be passed on, and fast could not take it.
    Unfilled,
}

struct Flight {
    state: Mutex<State>,
    landed: Event,
}

#[derive(Default)]
struct State {
    phase: Phase,
    doomed: bool,
}

#[derive(Default)]
enum Phase {
    /// Nobody fetches: whoever looks next does.
    #[default]
    Idle,
    Flying,
    Landed(Result<Fetched>),
}

impl Flights {
    /// Joins the flight of `pointer`, or starts one.
    pub fn board(&self, pointer: &Pointer) -> Passenger {
        let mut flights = self.0.lock();
        let flight = flights
            .entry(*pointer)
            .or_insert_with(|| {
                Arc::new(Flight {
                    state: Mutex::default(),
                    landed: Event::new(),
                })
            })
            .clone();
        Passenger {
            flights: Flights(self.0.clone()),
            pointer: *pointer,
            flight,
        }
    }

    /// Nobody joins the present flight of `pointer` any more, and what it brings is not kept.
    pub fn doom(&self, pointer: &Pointer) {
        if let Some(flight) = self.0.lock().remove(pointer) {
            flight.state.lock().doomed = true;
        }
    }
}

/// Somebody who wants the blob of a flight.
pub(super) struct Passenger {
    flights: Flights,
    pointer: Pointer,
    flight: Arc<Flight>,
}

/// What a passenger is to do.
pub(super) enum Turn {
    /// Fetch it.
    Fly(Pilot),
    /// Wait, then ask again.
    Wait(EventListener),
    /// It was fetched.
    Landed(Result<Fetched>),
}

impl Passenger {
    /// Whose turn it is.
    pub fn turn(&self) -> Turn {
        let listener = self.flight.landed.listen();
        let mut state = self.flight.state.lock();
        match &state.phase {
            Phase::Landed(outcome) => Turn::Landed(outcome.clone()),
            Phase::Flying => Turn::Wait(listener),
            Phase::Idle => {
                state.phase = Phase::Flying;
                Turn::Fly(Pilot {
                    flights: Flights(self.flights.0.clone()),
                    pointer: self.pointer,
                    flight: self.flight.clone(),
                })
            }
        }
    }
}

impl Drop for Passenger {
    fn drop(&mut self) {
        // The last one takes an idle flight off the table.
        let mut flights = self.flights.0.lock();
        let listed = flights
            .get(&self.pointer)
            .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight));
        // The table's own and this one.
        if listed && Arc::strong_count(&self.flight) <= 2 {
            flights.remove(&self.pointer);
        }
    }
}

/// The one who fetches. Dropped without landing, the next passenger takes over.
pub(super) struct Pilot {
    flights: Flights,
    pointer: Pointer,
    flight: Arc<Flight>,
}

impl Pilot {
    /// Whether the blob was deleted since the flight began.
    pub fn is_doomed(&self) -> bool {
        self.flight.state.lock().doomed
    }

    /// Gives every passenger the outcome. Whoever asks from now on starts anew.
    pub fn land(self, outcome: Result<Fetched>) {
        {
            let mut flights = self.flights.0.lock();
            let listed = flights
                .get(&self.pointer)
                .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight));
            if listed {
                flights.remove(&self.pointer);
            }
        }
        self.flight.state.lock().phase = Phase::Landed(outcome);
        self.flight.landed.notify(usize::MAX);
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        let mut state = self.flight.state.lock();
        if let Phase::Flying = state.phase {
            state.phase = Phase::Idle;
            drop(state);
            self.flight.landed.notify(usize::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Kind};

    fn fly(passenger: &Passenger) -> Pilot {
        match passenger.turn() {
            Turn::Fly(pilot) => pilot,
            _ => panic!("it is this passenger's turn"),
        }
    }

    #[test]
    fn when_the_one_who_fetches_is_dropped_the_next_takes_over() {
        let flights = Flights::default();
        let p = Pointer::of(b"p");
        let (a, b) = (flights.board(&p), flights.board(&p));
        let pilot = fly(&a);
        assert!(matches!(b.turn(), Turn::Wait(_)));
        drop(pilot);
        drop(a);
        fly(&b).land(Err(Error::new(Kind::NotFound, "")));
        assert!(matches!(b.turn(), Turn::Landed(Err(_))));
        assert!(flights.0.lock().is_empty());
    }

    #[test]
    fn nobody_joins_a_doomed_flight() {
        let flights = Flights::default();
        let p = Pointer::of(b"p");
        let before = flights.board(&p);
        let pilot = fly(&before);
        flights.doom(&p);
        assert!(pilot.is_doomed());
        let after = flights.board(&p);
        assert!(!fly(&after).is_doomed());
        pilot.land(Ok(Fetched::Filled));
        assert!(matches!(before.turn(), Turn::Landed(Ok(_))));
    }

    #[test]
    fn a_table_without_passengers_is_empty() {
        let flights = Flights::default();
        let p = Pointer::of(b"p");
        let (a, b) = (flights.board(&p), flights.board(&p));
        let pilot = fly(&a);
        drop(a);
        drop(pilot);
        drop(b);
        assert!(flights.0.lock().is_empty());
    }
}
