//! The same on many threads, where commits of several callers really interleave.

use super::support::{Choosy, Disk, Env, TestPair, World, open_plain, secs};
use crate::{
    Kind,
    blob::{BlobStore, MemoryBlobs, Pointer},
    engine::Durability,
    pair::Options,
    sync::Mutex,
};
use alloc::{sync::Arc, task::Wake, vec::Vec};
use core::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    task::Context,
};
use futures::executor::block_on;

#[test]
fn callers_on_many_threads_leave_both_sides_agreeing() {
    for round in 0..6_u64 {
        let env = Env::default();
        let remote = MemoryBlobs::new();
        let options = Options {
            uploads: 4,
            cache: (round % 2 == 0).then_some(10),
            ..Options::default()
        };
        // One of the blobs is refused for good every other time.
        let slow = Choosy::new(remote.clone());
        let pair = block_on(open_plain(&Disk::default(), &slow, &env, &options));
        let blobs: Vec<Vec<u8>> = (0..4_u8).map(|i| alloc::vec![i; 8]).collect();
        let over = AtomicBool::new(false);
        std::thread::scope(|threads| {
            // Whatever fails, the others end.
            let _end = End(&over, || pair.0.account.close());
            threads.spawn(|| block_on(pair.drive()));
            threads.spawn(|| {
                let mut refused = false;
                while !over.load(Ordering::Relaxed) {
                    env.advance(secs(1));
                    match refused {
                        true => slow.relent(),
                        false => slow.turn_down(Pointer::of(&[3; 8]), Kind::InvalidInput),
                    }
                    refused = !refused;
                    std::thread::yield_now();
                }
            });
            let workers: Vec<_> = (0..4_u64)
                .map(|worker| {
                    let (pair, blobs) = (&pair, &blobs);
                    threads.spawn(move || {
                        let mut state = worker + 10 * round + 1;
                        for _ in 0..1000 {
                            state = state
                                .wrapping_mul(6364136223846793005)
                                .wrapping_add(1442695040888963407);
                            let bytes = &blobs[(state >> 40) as usize % blobs.len()];
                            let pointer = Pointer::of(bytes);
                            match (state >> 33) % 4 {
                                0 => block_on(pair.put(bytes.clone())).map(drop).unwrap(),
                                1 => block_on(pair.delete(&pointer)).map(drop).unwrap(),
                                _ => match block_on(pair.get(&pointer)) {
                                    Ok(got) => assert_eq!(got, bytes),
                                    Err(error) => assert_eq!(error.kind(), Kind::NotFound),
                                },
                            }
                        }
                    })
                })
                .collect();
            for worker in workers {
                worker.join().unwrap();
            }
            // What was refused by then is tried until it is not.
            while pair.status().current().queued > 0 {
                block_on(pair.retry_failed()).unwrap();
                let _ = block_on(pair.sync(core::future::pending()));
            }
            assert!(block_on(pair.failed(None, 9)).unwrap().is_empty());
            block_on(pair.sync(core::future::pending())).unwrap();
            for bytes in &blobs {
                let pointer = Pointer::of(bytes);
                let there = block_on(remote.has(&[pointer])).unwrap()[0];
                let here = block_on(pair.fast().has(&[pointer])).unwrap()[0];
                assert!(there || !here, "{pointer} came back into fast");
                assert_eq!(block_on(pair.get(&pointer)).is_ok(), there);
            }
            let status = pair.status().current();
            assert_eq!((status.queued, status.queued_bytes), (0, 0));
            assert_eq!((status.failed, status.missing), (0, 0));
            block_on(pair.close(secs(1))).unwrap();
        });
    }
}

struct End<'a, F: Fn()>(&'a AtomicBool, F);

impl<F: Fn()> Drop for End<'_, F> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1();
    }
}

/// Looks at the totals at the very time when it is woken, as a waiter on another thread may.
struct Watching {
    pair: TestPair,
    seen: Mutex<Vec<(u64, u64)>>,
}

impl Wake for Watching {
    fn wake(self: Arc<Self>) {
        let now = self.pair.now();
        self.seen.lock().push((now.queued, now.uploaded));
    }
}

#[test]
fn whoever_sees_the_queue_empty_sees_what_was_uploaded() {
    let mut world = World::new();
    world.script.offline();
    let receipt = world.put(b"counted");
    let watching = Arc::new(Watching {
        pair: world.pair.clone(),
        seen: Mutex::default(),
    });
    let waker = watching.clone().into();
    let mut wait = pin!(receipt.wait(Durability::Remote));
    let poll = wait.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll.is_pending());
    world.script.heal();
    world.pair.wake();
    world.pass(secs(60));
    let seen = watching.seen.lock().clone();
    assert!(seen.contains(&(0, 1)), "{seen:?}");
    assert!(!seen.contains(&(0, 0)), "{seen:?}");
}
