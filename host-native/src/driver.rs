//! Background work, for programs that have no runtime to run it on.

use crate::{
    block_on,
    core::{Error, Kind, Result, engine::Store, port::Volume},
};
use futures::{channel::oneshot, future::select};
use std::{pin::pin, thread};

/// Runs `store.drive()` on a thread of its own until the store is closed or the driver is dropped.
///
/// # Errors
/// `Transient` when the system gives no thread.
pub fn spawn_driver<V>(store: Store<V>) -> Result<Driver>
where
    V: Volume + Send + Sync + 'static,
{
    Driver::spawn(move || async move { store.drive().await })
}

/// A thread that does background work, of a store or of a pair.
///
/// Dropping it stops the work at a place where it can be taken up again, and waits for the thread to end. The store
/// stays open: commits then wait once both logs are full, until another driver runs.
#[derive(Debug)]
#[must_use = "dropping the driver stops the background work"]
pub struct Driver {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Driver {
    /// Runs the future that `work` makes on a thread of its own, inside [`block_on`], until it ends or the driver is dropped. A
    /// pair's: `Driver::spawn(move || async move { pair.drive().await })`, which does its store's work too.
    ///
    /// The future never leaves its thread, so it need not be `Send`.
    ///
    /// # Errors
    /// `Transient` when the system gives no thread.
    pub fn spawn<W, F>(work: W) -> Result<Self>
    where
        W: FnOnce() -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("littoral-driver".into())
            .spawn(move || {
                block_on(async {
                    // Either the work ends, or it is told to.
                    select(pin!(work()), stopped).await;
                });
            })?;
        Ok(Driver {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

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
                "the background work panicked; reopen the store",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileVolume, OsEntropy, core::engine::Options};
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    #[test]
    fn a_driver_ends_with_its_store_and_when_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let volume = FileVolume::open(directory.path().join("store")).unwrap();
        let store = block_on(Store::open(volume, &OsEntropy, Options::default())).unwrap();
        drop(spawn_driver(store.clone()).unwrap());
        let driver = spawn_driver(store.clone()).unwrap();
        block_on(store.close()).unwrap();
        driver.stop().unwrap();
    }

    #[test]
    fn work_that_never_ends_is_dropped_with_its_driver() {
        struct Dropped(Arc<AtomicBool>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let dropped = Arc::new(AtomicBool::new(false));
        let work = Dropped(dropped.clone());
        let driver = Driver::spawn(move || async move {
            let _work = work;
            std::future::pending().await
        });
        driver.unwrap().stop().unwrap();
        assert!(dropped.load(Ordering::SeqCst));
    }

    #[test]
    fn a_panic_in_the_work_is_told_when_it_is_stopped() {
        let driver = Driver::spawn(|| async { panic!("on purpose") }).unwrap();
        let error = driver.stop().unwrap_err();
        assert_eq!(error.kind(), Kind::Poisoned);
    }
}
