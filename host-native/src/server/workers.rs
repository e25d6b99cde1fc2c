//! The threads on which the store's futures run.
//!
//! A store's futures are `Send` only when its type says so, which a server for any store cannot know. So
//! they never leave the thread they are made on: a request sends a closure there and awaits its
//! result. These threads may block, so file work is done in place, without another hand-over.

use crate::{
    block_on,
    core::{Error, Kind, Result},
};
use futures::{
    FutureExt, StreamExt,
    channel::{mpsc, oneshot},
    future::{Either, LocalBoxFuture, select},
    select_biased,
    stream::FuturesUnordered,
};
use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

type Job<S> = Box<dyn FnOnce(Arc<S>) -> LocalBoxFuture<'static, ()> + Send>;

pub(super) struct Workers<S>(Vec<Worker<S>>);

struct Worker<S> {
    jobs: mpsc::UnboundedSender<Job<S>>,
    /// Jobs that were given to it and are not over.
    load: Arc<AtomicUsize>,
}

/// The threads themselves, for whoever waits for their end.
pub(super) struct Threads(Vec<thread::JoinHandle<()>>);

impl<S: Send + Sync + 'static> Workers<S> {
    /// Starts `count` threads over `store`. They end when the workers are dropped.
    pub(super) fn start(store: S, count: usize) -> Result<(Self, Threads)> {
        let store = Arc::new(store);
        let mut workers = Vec::with_capacity(count);
        let mut handles = Vec::with_capacity(count);
        for _ in 0..count {
            let (jobs, queue) = mpsc::unbounded();
            let store = store.clone();
            let thread = thread::Builder::new().name("littoral-store".into());
            handles.push(thread.spawn(move || block_on(work(store, queue)))?);
            workers.push(Worker {
                jobs,
                load: Arc::default(),
            });
        }
        Ok((Workers(workers), Threads(handles)))
    }

    /// Does `work` with the store, on the thread that has least to do. If the future is dropped, so is the work.
    ///
    /// # Errors
    /// What `work` says; `Closed` after the end of the threads, `Poisoned` when `work` panicked.
    pub(super) async fn run<T, W, F>(&self, work: W) -> Result<T>
    where
        W: FnOnce(Arc<S>) -> F + Send + 'static,
        F: Future<Output = Result<T>> + 'static,
        T: Send + 'static,
    {
        let worker = self
            .0
            .iter()
            .min_by_key(|worker| worker.load.load(Ordering::Relaxed))
            .ok_or_else(closed)?;
        let (mut reply, answer) = oneshot::channel();
        let load = Load::one_more(&worker.load);
        let job: Job<S> = Box::new(move |store| {
            async move {
                let _load = load;
                let work = pin!(AssertUnwindSafe(work(store)).catch_unwind());
                let result = match select(work, reply.cancellation()).await {
                    Either::Left((result, _)) => result,
                    // Nobody waits for it any more.
                    Either::Right(_) => return,
                };
                // The message of the panic was printed where it happened.
                let _ = reply.send(result.unwrap_or_else(|_| Err(panicked())));
            }
            .boxed_local()
        });
        worker.jobs.unbounded_send(job).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

/// Does jobs as they come, beside each other.
async fn work<S>(store: Arc<S>, mut queue: mpsc::UnboundedReceiver<Job<S>>) {
    let mut running = FuturesUnordered::new();
    loop {
        select_biased! {
            job = queue.next() => match job {
                Some(job) => running.push(job(store.clone())),
                None => break,
            },
            () = running.select_next_some() => {}
        }
    }
    while running.next().await.is_some() {}
}

impl Threads {
    /// Returns when every job is over. The [`Workers`] must have been dropped.
    pub(super) fn join(self) {
        for handle in self.0 {
            // A thread ends by panic only if dropping a job panics; it is over all the same.
            let _ = handle.join();
        }
    }
}

struct Load(Arc<AtomicUsize>);

impl Load {
    fn one_more(load: &Arc<AtomicUsize>) -> Self {
        load.fetch_add(1, Ordering::Relaxed);
        Load(load.clone())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn closed() -> Error {
    Error::new(Kind::Closed, "the server is shutting down")
}

fn panicked() -> Error {
    Error::new(
        Kind::Poisoned,
        "the store failed in the middle of this request",
    )
}
