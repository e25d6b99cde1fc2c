use super::World;
use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Runs tasks on one thread, in an order that the world's chance decides.
#[derive(Clone)]
pub struct Executor(Rc<Inner>);

struct Inner {
    world: World,
    spawned: RefCell<VecDeque<(String, Task)>>,
}

/// Why a run came back without its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The machine stopped. Every task is gone.
    Crashed,
    /// Nobody can run and nobody sleeps: these tasks wait for ever.
    Stuck(Vec<String>),
    /// Far more steps than any honest run needs.
    Livelock,
    /// A promise was broken; the world has the message.
    Failed,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::Crashed => f.write_str("the machine stopped"),
            Stopped::Stuck(tasks) => {
                write!(f, "nobody can go on, and {} wait", tasks.join(", "))
            }
            Stopped::Livelock => f.write_str("it never comes to an end"),
            Stopped::Failed => f.write_str("failed"),
        }
    }
}

impl Executor {
    /// An executor of this world.
    pub fn new(world: &World) -> Self {
        Executor(Rc::new(Inner {
            world: world.clone(),
            spawned: RefCell::default(),
        }))
    }

    /// Starts `future` as a task of its own. Dropping the handle lets it go on.
    pub fn spawn<T: 'static>(
        &self,
        name: impl Into<String>,
        future: impl Future<Output = T> + 'static,
    ) -> Handle<T> {
        let slot = Rc::new(RefCell::new(Slot {
            value: None,
            aborted: false,
            waiter: None,
            task: None,
        }));
        let handle = Handle(slot.clone());
        let task = Box::pin(async move {
            let mut future = std::pin::pin!(future);
            let value = futures::future::poll_fn(|context| {
                if slot.borrow().aborted {
                    return Poll::Ready(None);
                }
                slot.borrow_mut().task = Some(context.waker().clone());
                future.as_mut().poll(context).map(Some)
            })
            .await;
            let mut slot = slot.borrow_mut();
            slot.value = value;
            slot.task = None;
            if let Some(waiter) = slot.waiter.take() {
                waiter.wake();
            }
        });
        self.0.spawned.borrow_mut().push_back((name.into(), task));
        handle
    }

    /// Polls `future` and everything spawned until `future` is done. All other tasks are dropped then.
    ///
    /// # Errors
    /// The reason, when it never will be.
    pub fn run<T: 'static>(
        &self,
        steps: u64,
        future: impl Future<Output = T> + 'static,
    ) -> Result<T, Stopped> {
        let main = self.spawn("main", future);
        let mut tasks = Tasks::default();
        let result = self.run_tasks(steps, &main, &mut tasks);
        // What a task's drop wakes or spawns finds nobody.
        drop(tasks);
        self.0.spawned.borrow_mut().clear();
        result
    }

    fn run_tasks<T>(&self, steps: u64, main: &Handle<T>, tasks: &mut Tasks) -> Result<T, Stopped> {
        let world = &self.0.world;
        for _ in 0..steps {
            while let Some((name, task)) = self.0.spawned.borrow_mut().pop_front() {
                tasks.add(name, task);
            }
            let Some(id) = tasks.draw(world) else {
                if world.jump() {
                    continue;
                }
                return Err(Stopped::Stuck(tasks.names()));
            };
            world.note(format_args!("poll {id}"));
            tasks.poll(id);
            if world.failure().is_some() {
                return Err(Stopped::Failed);
            }
            if world.crashed() {
                return Err(Stopped::Crashed);
            }
            if let Some(value) = main.0.borrow_mut().value.take() {
                return Ok(value);
            }
            let micros = world.chance(|c| c.within(1..40));
            world.pass(Duration::from_micros(micros));
        }
        Err(Stopped::Livelock)
    }
}

/// Waits for a spawned task's value.
pub struct Handle<T>(Rc<RefCell<Slot<T>>>);

struct Slot<T> {
    value: Option<T>,
    aborted: bool,
    waiter: Option<Waker>,
    task: Option<Waker>,
}

impl<T> Handle<T> {
    /// Drops the task's future at its next turn, wherever it is.
    pub fn abort(&self) {
        let mut slot = self.0.borrow_mut();
        slot.aborted = true;
        if let Some(task) = slot.task.take() {
            task.wake();
        }
    }

    /// The task's value. Never returns for an aborted task.
    pub async fn join(self) -> T {
        futures::future::poll_fn(|context| {
            let mut slot = self.0.borrow_mut();
            match slot.value.take() {
                Some(value) => Poll::Ready(value),
                None => {
                    slot.waiter = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

#[derive(Default)]
struct Tasks {
    all: Vec<Option<(String, Task, Arc<Ready>)>>,
    ready: Arc<Mutex<Vec<usize>>>,
}

struct Ready {
    id: usize,
    queued: AtomicBool,
    queue: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.queue.lock().unwrap().push(self.id);
        }
    }
}

impl Tasks {
    fn add(&mut self, name: String, task: Task) {
        let ready = Arc::new(Ready {
            id: self.all.len(),
            queued: AtomicBool::new(false),
            queue: self.ready.clone(),
        });
        self.all.push(Some((name, task, ready.clone())));
        ready.wake();
    }

    fn draw(&self, world: &World) -> Option<usize> {
        let mut ready = self.ready.lock().unwrap();
        if ready.is_empty() {
            return None;
        }
        let index = world.chance(|c| c.below(ready.len() as u64));
        Some(ready.swap_remove(index as usize))
    }

    fn poll(&mut self, id: usize) {
        let Some((_, task, ready)) = &mut self.all[id] else {
            return;
        };
        ready.queued.store(false, Ordering::Relaxed);
        let waker = Waker::from(ready.clone());
        if task
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            self.all[id] = None;
        }
    }

    fn names(&self) -> Vec<String> {
        self.all
            .iter()
            .flatten()
            .map(|(name, _, _)| name.clone())
            .collect()
    }
}

/// Polls `future` at most `polls` times and drops it then: `None`. This is how a caller goes away in the middle.
pub async fn at_most<F: Future>(polls: u64, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    futures::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            // The last poll has been: go away at the next turn even if nobody wakes this task.
            Poll::Pending if left == 0 => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
