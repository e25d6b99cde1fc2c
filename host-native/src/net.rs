//! The one thread on which sockets and timers live.
//!
//! hyper needs a tokio reactor, and callers come with any executor or none. So there is one reactor
//! of our own, on one thread, started at first use; futures that need it are polled by
//! whoever awaits them, inside its context.

use crate::core::{Result, sync::Mutex};
use pin_project_lite::pin_project;
use std::{
    io,
    pin::Pin,
    sync::{OnceLock, mpsc},
    task::{Context, Poll},
    thread,
    time::Duration,
};
use tokio::{
    runtime::{self, Handle, Runtime},
    time::Sleep,
};

/// The reactor, started if it is not running yet.
///
/// # Errors
/// `Transient` when the system gives no thread or no more descriptors.
pub(crate) fn reactor() -> Result<&'static Handle> {
    static REACTOR: OnceLock<Handle> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::new(());
    if let Some(handle) = REACTOR.get() {
        return Ok(handle);
    }
    let _starting = STARTING.lock();
    if let Some(handle) = REACTOR.get() {
        return Ok(handle);
    }
    let started = start(
        "littoral-net",
        runtime::Builder::new_current_thread(),
        || Ok(()),
        |runtime, ()| runtime.block_on(std::future::pending::<()>()),
    )?;
    Ok(REACTOR.get_or_init(|| started.handle))
}

/// A runtime on a thread of its own.
pub(crate) struct Started {
    pub(crate) handle: Handle,
    pub(crate) thread: thread::JoinHandle<()>,
}

/// Makes a runtime on a thread of its own, calls `prepare` in its context, and then `main` with what that gave.
///
/// Where a runtime is made is where it is dropped: dropping one inside of another's asynchronous code would panic.
///
/// # Errors
/// `Transient` when the system gives no thread or descriptor; those of `prepare`.
pub(crate) fn start<T>(
    name: &str,
    mut runtime: runtime::Builder,
    prepare: impl FnOnce() -> io::Result<T> + Send + 'static,
    main: impl FnOnce(Runtime, T) + Send + 'static,
) -> Result<Started> {
    let (tell, told) = mpsc::channel();
    let thread = thread::Builder::new().name(name.into()).spawn(move || {
        let begin = || {
            let runtime = runtime.enable_all().build()?;
            let prepared = {
                let _context = runtime.enter();
                prepare()?
            };
            Ok((runtime, prepared))
        };
        match begin() {
            Ok((runtime, prepared)) => {
                // Whoever starts it waits for this.
                let _ = tell.send(Ok(runtime.handle().clone()));
                main(runtime, prepared);
            }
            Err(error) => {
                let _ = tell.send(Err(error));
            }
        }
    })?;
    let ended = |_| io::Error::other("the network thread ended before it began");
    let handle = told.recv().map_err(ended).flatten()?;
    Ok(Started { handle, thread })
}

/// A timer that works on any executor.
pub(crate) fn timer(duration: Duration) -> Result<Sleep> {
    let _context = reactor()?.enter();
    Ok(tokio::time::sleep(duration))
}

pin_project! {
    /// A future that is polled in the reactor's context, wherever it is polled.
    pub(crate) struct InReactor<F> {
        #[pin]
        future: F,
        reactor: &'static Handle,
    }
}

impl<F> InReactor<F> {
    pub(crate) fn new(future: F) -> Result<Self> {
        Ok(InReactor {
            future,
            reactor: reactor()?,
        })
    }
}

impl<F: Future> Future for InReactor<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.reactor.enter();
        this.future.poll(context)
    }
}

/// Runs hyper's background work on the reactor, also when it is begun outside of its context.
#[derive(Clone, Copy)]
pub(crate) struct OnReactor;

impl<F> hyper::rt::Executor<F> for OnReactor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        // A request got this far, so the reactor runs.
        if let Ok(reactor) = reactor() {
            reactor.spawn(future);
        }
    }
}
