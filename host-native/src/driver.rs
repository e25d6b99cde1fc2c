//! A store's background work, for programs that have no runtime to run it on.

use crate::{
    block_on,
    core::{Error, Kind, Result, engine::Store, port::Volume},
};
use futures::{
    channel::oneshot,
    future::{Either, select},
};
use std::{pin::pin, thread};

/// Runs `store.drive()` on a thread of its own until the store is closed or the driver is dropped.
///
/// # Errors
/// `Transient` when the system gives no thread.
pub fn spawn_driver<V>(store: Store<V>) -> Result<Driver>
where
    V: Volume + Send + Sync + 'static,
{
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = thread::Builder::new()
        .name("littoral-driver".into())
        .spawn(move || {
            block_on(async {
                let drive = pin!(store.drive());
                match select(drive, stopped).await {
                    Either::Left(((), _)) | Either::Right(_) => {}
                }
            });
        })?;
    Ok(Driver {
        stop: Some(stop),
        thread: Some(thread),
    })
}

/// The thread that does a store's background work.
///
/// Dropping it stops the work at a place where it can be taken up again, and waits for the thread to end. The store
/// itself stays open: commits then wait once both logs are full, until another driver runs.
#[derive(Debug)]
#[must_use = "dropping the driver stops the store's background work"]
pub struct Driver {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Driver {
    /// Stops the work and waits for the thread to end.
    ///
    /// # Errors
    /// `Poisoned` if the work had panicked.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        drop(self.stop.take());
        match self.thread.take().map(thread::JoinHandle::join) {
            Some(Err(_)) => Err(Error::new(
                Kind::Poisoned,
                "the store's background work panicked; reopen the store",
            )),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A panic in the thread was printed there; nobody is left to be told again.
        let _ = self.end();
    }
}
