//! Running futures on a thread of one's own, and where blocking file work happens.
//!
//! A thread inside [`block_on`] has nothing else to do: file work is done right there, with no
//! hand-over to another thread. On any other thread (a tokio worker, a UI thread, somebody
//! else's executor) it is handed to a pool of threads, so that no reactor ever stalls.

use crate::core::Result;
use std::{
    cell::Cell,
    pin::pin,
    task::{Context, Poll, Waker},
};

thread_local! {
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// Runs `future` to its end on this thread, which sleeps while there is nothing to do.
///
/// Needs no runtime. File work of the futures polled in here is done on this thread, which is
/// the fastest way for one caller; call it from a thread that may block, never from inside an
/// asynchronous runtime. Calls may be nested.
///
/// ```
/// assert_eq!(littoral::block_on(async { 2 + 2 }), 4);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let _restore = Restore(MAY_BLOCK.replace(true));
    let mut future = pin!(future);
    // Most are ready at once, with all their work done right here: those need nobody to wake them.
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => output,
        Poll::Pending => futures_lite::future::block_on(future),
    }
}

/// Puts the flag back, also when the future panics.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        MAY_BLOCK.set(self.0);
    }
}

/// Whether this thread has nothing better to do than to wait for a file.
pub(crate) fn may_block() -> bool {
    MAY_BLOCK.get()
}

/// Does blocking work: here if this thread may block, else on the pool.
///
/// If the future is dropped, work that has begun on the pool runs on to its end.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if may_block() {
        work()
    } else {
        blocking::unblock(work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_calls_may_block_and_leave_the_outer_one_as_it_was() {
        assert!(!may_block());
        block_on(async {
            assert!(block_on(async { may_block() }));
            assert!(may_block());
        });
        assert!(!may_block());
    }

    #[test]
    fn a_panic_inside_leaves_the_thread_as_it_was() {
        let result = std::panic::catch_unwind(|| block_on(async { panic!("on purpose") }));
        assert!(result.is_err());
        assert!(!may_block());
    }

    #[test]
    fn a_future_woken_from_another_thread_goes_on() {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let thread = std::thread::spawn(move || sender.send(7));
        assert_eq!(block_on(receiver), Ok(7));
        assert_eq!(thread.join().unwrap(), Ok(()));
    }
}
