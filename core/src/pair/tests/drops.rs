//! Every future of a pair may be dropped at any await point: the change was made or it was not, as a whole, and
//! whatever comes next works.

use super::support::{World, noise, secs};
use crate::{
    Result,
    blob::{Fault, Operation, Pointer},
    pair::{Options, QueueBound},
    port::Body,
};
use alloc::boxed::Box;
use bytes::Bytes;
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// A future that is dropped after so many polls; `usize::MAX` is never.
pub struct Cut<F> {
    future: Option<Pin<Box<F>>>,
    polls: usize,
}

impl<F: Future> Future for Cut<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polls = self.polls;
        let Some(future) = &mut self.future else {
            return Poll::Ready(None);
        };
        if polls == 0 {
            self.future = None;
            return Poll::Ready(None);
        }
        let out = future.as_mut().poll(context);
        if polls == usize::MAX {
            return out.map(Some);
        }
        self.polls = polls - 1;
        match out {
            Poll::Ready(out) => Poll::Ready(Some(out)),
            Poll::Pending => {
                // Polled again although nothing may have happened: a future must bear that too.
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

pub fn cut<F: Future>(future: F, polls: usize) -> Cut<F> {
    Cut {
        future: Some(Box::pin(future)),
        polls,
    }
}

const MOST: usize = 400;

/// Runs the scenario with a cut after 0, 1, 2... polls, until it was not cut any more.
fn at_every_await(mut scenario: impl FnMut(usize) -> bool) {
    for polls in 0..MOST {
        if scenario(polls) {
            assert!(polls > 1, "it never waited");
            return;
        }
    }
    panic!("it never ended");
}

#[test]
fn a_put_that_is_dropped_happened_or_did_not() {
    at_every_await(|polls| {
        let mut world = World::new();
        world.put(b"before");
        let pair = world.pair.clone();
        let put = cut(async move { pair.put(&b"cut"[..]).await.map(drop) }, polls);
        let ended = world.run(put);
        let pointer = Pointer::of(b"cut");
        world.pass(secs(1));
        world.put(b"after");
        world.sync().unwrap();
        assert_eq!(world.remote_has(pointer), world.fast_has(pointer));
        world.check_books();
        world.crash();
        assert_eq!(world.remote_has(pointer), world.fast_has(pointer));
        ended.is_some()
    });
}

#[test]
fn a_put_that_is_dropped_offline_is_queued_with_its_bytes_or_leaves_nothing() {
    at_every_await(|polls| {
        let mut world = World::with(Options {
            queue: Some(QueueBound {
                entries: 2,
                bytes: 1000,
            }),
            ..Options::default()
        });
        world.script.offline();
        let pair = world.pair.clone();
        let put = cut(async move { pair.put(&b"cut"[..]).await.map(drop) }, polls);
        let ended = world.run(put);
        world.pass(secs(1));
        let queued = world.queued();
        assert_eq!(queued == 1, world.fast_has(Pointer::of(b"cut")));
        // The room that it held is free or really taken.
        for i in queued..2 {
            let pair = world.pair.clone();
            world
                .run(async move { pair.try_put(alloc::vec![i as u8]).await.map(drop) })
                .unwrap();
        }
        world.check_books();
        ended.is_some()
    });
}

struct Pieces(usize);

impl Body for Pieces {
    fn len(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        super::support::turn().await;
        self.0 += 1;
        Ok((self.0 < 6).then(|| noise(self.0 as u64, 500_000)))
    }
}

#[test]
fn a_stream_that_is_dropped_happened_or_did_not() {
    at_every_await(|polls| {
        let mut world = World::new();
        let pair = world.pair.clone();
        let put = cut(
            async move { pair.put_stream(Pieces(0)).await.map(drop) },
            polls,
        );
        let ended = world.run(put);
        world.pass(secs(1));
        world.sync().unwrap();
        let mut hasher = crate::blob::Hasher::new();
        for i in 1..6 {
            hasher.update(&noise(i, 500_000));
        }
        let pointer = hasher.finish();
        assert_eq!(world.remote_has(pointer), world.fast_has(pointer));
        if ended.is_some() {
            assert!(world.remote_has(pointer));
        }
        ended.is_some()
    });
}

#[test]
fn a_delete_that_is_dropped_happened_or_did_not() {
    at_every_await(|polls| {
        let mut world = World::new();
        let pointer = world.put(b"cut").pointer();
        world.sync().unwrap();
        let pair = world.pair.clone();
        let delete = cut(async move { pair.delete(&pointer).await }, polls);
        let ended = world.run(delete);
        world.pass(secs(1));
        world.sync().unwrap();
        let there = world.fast_has(pointer);
        assert_eq!(there, world.remote_has(pointer));
        assert_eq!(there, world.get(pointer).is_ok());
        assert!(!(there && ended.is_some()));
        ended.is_some()
    });
}

#[test]
fn a_root_move_that_is_dropped_happened_or_did_not() {
    at_every_await(|polls| {
        let mut world = World::new();
        let a = Pointer::of(b"a");
        let pair = world.pair.clone();
        let moving = cut(
            async move { pair.move_root("head", None, Some(a)).await.map(drop) },
            polls,
        );
        let ended = world.run(moving);
        world.pass(secs(1));
        world.sync().unwrap();
        let pair = world.pair.clone();
        let here = world.run(async move { pair.root("head").await }).unwrap();
        assert_eq!(here, world.remote_root("head"));
        ended.is_some()
    });
}

#[test]
fn a_get_that_is_dropped_leaves_a_pair_that_still_gets() {
    at_every_await(|polls| {
        let mut world = World::new();
        world
            .script
            .every(Operation::GetRange, Fault::Delay(secs(1)));
        let bytes = noise(5, 2 << 20);
        let pointer = world.remote_put(&bytes);
        let pair = world.pair.clone();
        let first = world.spawn(cut(async move { pair.get(&pointer).await }, polls));
        let pair = world.pair.clone();
        let second = world.spawn(async move { pair.get(&pointer).await });
        let ended = world.run(first).is_some();
        assert_eq!(world.run(second).unwrap(), bytes);
        assert_eq!(world.get(pointer).unwrap(), bytes);
        // One that waits for a second is polled for as long as that takes: enough is enough.
        ended || polls > 60
    });
}

#[test]
fn background_work_that_is_dropped_at_any_point_is_taken_up() {
    for polls in 0..60 {
        let mut world = World::undriven(Options::default());
        let kept = world.put(b"kept").pointer();
        let gone = world.put(b"gone").pointer();
        world.delete(gone);
        let large = noise(6, 2 << 20);
        let large = world.put(&large).pointer();
        let pair = world.pair.clone();
        world
            .run(async move { pair.move_root("head", None, Some(kept)).await.map(drop) })
            .unwrap();
        let pair = world.pair.clone();
        world.run(cut(async move { pair.drive().await }, polls));
        world.drive();
        world.sync().unwrap();
        assert!(world.remote_has(kept) && world.remote_has(large));
        assert!(!world.remote_has(gone) && !world.fast_has(gone));
        assert_eq!(world.remote_root("head"), Some(kept));
        assert_eq!(world.queued(), 0);
        world.check_books();
    }
}

#[test]
fn a_crash_at_any_point_of_the_background_work_loses_nothing() {
    for polls in 0..60 {
        let mut world = World::undriven(Options::default());
        let kept = world.put(b"kept").pointer();
        let gone = world.put(b"gone").pointer();
        world.delete(gone);
        let large = noise(6, 2 << 20);
        let large = world.put(&large).pointer();
        let pair = world.pair.clone();
        world.run(cut(async move { pair.drive().await }, polls));
        world.crash();
        world.sync().unwrap();
        assert!(world.remote_has(kept) && world.remote_has(large));
        assert!(!world.remote_has(gone) && !world.fast_has(gone));
        assert_eq!(world.queued(), 0);
    }
}
