use super::{Chance, Marks};
use littoral_core::port::Clock;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt::Display,
    hash::{DefaultHasher, Hash, Hasher},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// What everything in one run shares: the chance that decides, the time, the trace, and whether
/// the machine has crashed by now. Clones are the same world.
#[derive(Clone)]
pub struct World(Rc<Inner>);

struct Inner {
    chance: RefCell<Chance>,
    now: Cell<Duration>,
    timers: RefCell<BTreeMap<(Duration, u64), Waker>>,
    timer_ids: Cell<u64>,
    patience: Cell<u64>,
    crash_in: Cell<Option<u64>>,
    crashed: Cell<bool>,
    failure: RefCell<Option<String>>,
    marks: RefCell<Marks>,
    trace: RefCell<DefaultHasher>,
    loud: Cell<bool>,
}

impl World {
    /// A world decided by `chance`, at a fixed point in time.
    pub fn new(chance: Chance) -> Self {
        World(Rc::new(Inner {
            chance: RefCell::new(chance),
            now: Cell::new(Duration::from_secs(1_800_000_000)),
            timers: RefCell::default(),
            timer_ids: Cell::new(0),
            patience: Cell::new(3),
            crash_in: Cell::new(None),
            crashed: Cell::new(false),
            failure: RefCell::new(None),
            marks: RefCell::default(),
            trace: RefCell::default(),
            loud: Cell::new(false),
        }))
    }

    /// Prints every line of the trace to standard error from now on.
    pub fn speak(&self) {
        self.0.loud.set(true);
    }

    /// Draws from the world's chance.
    pub fn chance<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut self.0.chance.borrow_mut())
    }

    /// At most how often a port call lets others run before and after it happens.
    pub fn set_patience(&self, most: u64) {
        self.0.patience.set(most);
    }

    /// The machine stops at the `count`-th point from now where it can; `None` keeps it running.
    pub fn crash_in(&self, count: Option<u64>) {
        self.0.crash_in.set(count);
    }

    /// Whether the machine has stopped. Nothing is polled any more then.
    pub fn crashed(&self) -> bool {
        self.0.crashed.get()
    }

    /// A new life of the same world: the clock goes on, nothing else runs.
    pub fn revive(&self) {
        self.0.crashed.set(false);
        self.0.crash_in.set(None);
        self.0.timers.borrow_mut().clear();
    }

    /// Lets others run a few times. Every port call goes through here, and each time may be where
    /// the machine stops: then this never returns.
    pub async fn pause(&self) {
        let times = self.chance(|c| c.below(self.0.patience.get() + 1));
        self.point().await;
        for _ in 0..times {
            yield_now().await;
            self.point().await;
        }
    }

    async fn point(&self) {
        if let Some(left) = self.0.crash_in.get() {
            self.0.crash_in.set(Some(left.saturating_sub(1)));
            if left == 0 {
                self.note("crash");
                self.0.crashed.set(true);
            }
        }
        if self.crashed() {
            futures::future::pending::<()>().await;
        }
    }

    /// Adds one line to the trace.
    pub fn note(&self, line: impl Display) {
        if self.0.loud.get() {
            eprintln!("{:>12} {line}", self.0.now.get().subsec_micros());
            line.to_string().hash(&mut *self.0.trace.borrow_mut());
        } else {
            use std::fmt::Write;
            // Hashes without building a string: the trace is long.
            struct Into<'a>(&'a mut DefaultHasher);
            impl Write for Into<'_> {
                fn write_str(&mut self, s: &str) -> std::fmt::Result {
                    self.0.write(s.as_bytes());
                    Ok(())
                }
            }
            let mut trace = self.0.trace.borrow_mut();
            let _ = write!(Into(&mut trace), "{line}");
            trace.write_u8(0xff);
        }
    }

    /// The hash of the trace so far: equal seeds give equal traces.
    pub fn trace(&self) -> u64 {
        self.0.trace.borrow().finish()
    }

    /// A rare thing happened.
    pub fn mark(&self, mark: &'static str) {
        self.0.marks.borrow_mut().add(mark);
    }

    /// What happened so far.
    pub fn marks(&self) -> Marks {
        self.0.marks.borrow().clone()
    }

    /// A promise was broken. The first one is kept.
    pub fn fail(&self, message: impl Display) {
        self.note(format_args!("failure: {message}"));
        self.0
            .failure
            .borrow_mut()
            .get_or_insert_with(|| message.to_string());
    }

    /// The first broken promise.
    pub fn failure(&self) -> Option<String> {
        self.0.failure.borrow().clone()
    }

    /// Time passes; due sleepers wake up.
    pub(super) fn pass(&self, time: Duration) {
        self.0.now.set(self.0.now.get() + time);
        let later = (self.0.now.get() + Duration::from_nanos(1), 0);
        let mut timers = self.0.timers.borrow_mut();
        let rest = timers.split_off(&later);
        for (_, waker) in std::mem::replace(&mut *timers, rest) {
            waker.wake();
        }
    }

    /// Jumps to the next sleeper's time; false if nobody sleeps.
    pub(super) fn jump(&self) -> bool {
        let next = self.0.timers.borrow().keys().next().map(|(at, _)| *at);
        if let Some(at) = next {
            self.pass(at.saturating_sub(self.0.now.get()));
        }
        next.is_some()
    }
}

/// Lets every other ready task run first, if the executor draws them.
pub async fn yield_now() {
    let mut yielded = false;
    futures::future::poll_fn(move |context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Virtual time.
#[derive(Clone)]
pub struct SimClock(World);

impl SimClock {
    /// The world's clock.
    pub fn new(world: &World) -> Self {
        SimClock(world.clone())
    }
}

impl Clock for SimClock {
    fn now(&self) -> Duration {
        self.0.0.now.get()
    }

    async fn sleep(&self, duration: Duration) {
        let ids = &self.0.0.timer_ids;
        ids.set(ids.get() + 1);
        Sleep {
            world: &self.0,
            at: self.now() + duration,
            id: ids.get(),
        }
        .await;
    }
}

struct Sleep<'a> {
    world: &'a World,
    at: Duration,
    id: u64,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.world.0.now.get() >= self.at {
            return Poll::Ready(());
        }
        let mut timers = self.world.0.timers.borrow_mut();
        timers.insert((self.at, self.id), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        self.world.0.timers.borrow_mut().remove(&(self.at, self.id));
    }
}
