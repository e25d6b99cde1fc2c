//! Changes that go on although nobody waits for them any more.
//!
//! Work on another thread cannot be stopped when its future is dropped. The volume's contract
//! is that such a change has happened when the next `sync` returns, or never will: so the next
//! change and the next sync wait for its end.

use crate::core::sync::Mutex;
use event_listener::Event;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Changes(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Changes that are running and whose future was dropped.
    abandoned: Mutex<usize>,
    none_left: Event,
}

impl Changes {
    /// A change of which one half goes with the work and the other with its future.
    pub(super) fn begin(&self) -> (Waiter, Running) {
        let change = Arc::new(Change {
            shared: self.0.clone(),
            state: Mutex::new(State::Running),
        });
        (Waiter(change.clone()), Running(change))
    }

    /// Returns once no change is running whose future was dropped.
    pub(super) async fn none_abandoned(&self) {
        loop {
            if *self.0.abandoned.lock() == 0 {
                return;
            }
            let listener = self.0.none_left.listen();
            if *self.0.abandoned.lock() == 0 {
                return;
            }
            listener.await;
        }
    }
}

struct Change {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(PartialEq)]
enum State {
    Running,
    Abandoned,
    Over,
}

/// Held by the future: dropped before the work is over, it leaves the work abandoned.
pub(super) struct Waiter(Arc<Change>);

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if *state == State::Running {
            *state = State::Abandoned;
            *self.0.shared.abandoned.lock() += 1;
        }
    }
}

/// Held by the work: dropped when it is over, or was cancelled before it began.
pub(super) struct Running(Arc<Change>);

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if std::mem::replace(&mut *state, State::Over) == State::Abandoned {
            let mut abandoned = self.0.shared.abandoned.lock();
            *abandoned -= 1;
            if *abandoned == 0 {
                self.0.shared.none_left.notify(usize::MAX);
            }
        }
    }
}
