//! The same on many threads, where commits of several callers really interleave.

use super::support::{Disk, Env, open_plain, secs};
use crate::{
    Kind,
    blob::{BlobStore, MemoryBlobs, Pointer},
    pair::Options,
};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
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
        let pair = block_on(open_plain(&Disk::default(), &remote, &env, &options));
        let blobs: Vec<Vec<u8>> = (0..4_u8).map(|i| alloc::vec![i; 8]).collect();
        let over = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| block_on(pair.drive()));
            threads.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    env.advance(secs(1));
                    std::thread::yield_now();
                }
            });
            let workers: Vec<_> = (0..4_u64)
                .map(|worker| {
                    let (pair, blobs) = (&pair, &blobs);
                    threads.spawn(move || {
                        let mut state = worker + 10 * round + 1;
                        for _ in 0..300 {
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
            block_on(pair.close(secs(1))).unwrap();
            over.store(true, Ordering::Relaxed);
        });
    }
}
