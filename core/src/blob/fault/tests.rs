use super::*;
use crate::{
    Error, Kind,
    blob::{MemoryBlobs, conformance::noise, copy, open},
    sync::Mutex,
};
use alloc::{sync::Arc, vec};
use futures::{FutureExt, executor::block_on};

fn failure() -> Error {
    Error::new(Kind::Timeout, "told to")
}

#[test]
fn the_nth_call_fails_and_no_other() {
    block_on(async {
        let store = FaultBlobs::new(MemoryBlobs::new());
        let script = store.script();
        script.nth(Operation::Put, 2, Fault::Fail(failure()));
        script.next(Operation::Stat, Fault::Fail(failure()));
        let mut kinds = Vec::new();
        for i in 0..3 {
            kinds.push(store.put(noise(i, 10)).await.err().map(|e| e.kind()));
        }
        assert_eq!(kinds, [None, Some(Kind::Timeout), None]);
        assert_eq!(store.inner().list(None, 10).await.unwrap().len(), 2);
        assert!(store.stat(&Pointer::NULL).await.is_err());
        assert!(store.stat(&Pointer::NULL).await.is_ok());
        let calls = script.calls();
        assert_eq!(calls.len(), 5);
        assert_eq!(calls[1].pointers, [Pointer::of(&noise(1, 10))]);
        assert_eq!(calls[1].bytes, 10);
        assert_eq!(calls[1].outcome, Some(Outcome::Failed(Kind::Timeout)));
        assert_eq!(calls[2].outcome, Some(Outcome::Ok));
        assert_eq!(script.count(Operation::Put), 3);
        assert_eq!(
            script.count_of(Operation::Put, &Pointer::of(&noise(2, 10))),
            1
        );
        script.forget();
        assert_eq!(script.count(Operation::Put), 0);
    });
}

#[test]
fn a_lost_answer_is_of_something_that_happened() {
    block_on(async {
        let store = FaultBlobs::new(MemoryBlobs::new());
        let put = Fault::FailAfter(failure());
        store.script().next(Operation::Put, put);
        assert!(store.put("tide".into()).await.is_err());
        let there = store.has(&[Pointer::of(b"tide")]).await.unwrap();
        assert_eq!(there, [true]);
    });
}

#[test]
fn a_store_that_is_offline_answers_nothing_until_it_is_healed() {
    block_on(async {
        let store = FaultBlobs::new(MemoryBlobs::new());
        let pointer = store.put("tide".into()).await.unwrap();
        store.script().offline();
        assert_eq!(
            store.get(&pointer).await.unwrap_err().kind(),
            Kind::Transient
        );
        assert_eq!(store.root("a").await.unwrap_err().kind(), Kind::Transient);
        assert_eq!(
            store.list(None, 1).await.unwrap_err().kind(),
            Kind::Transient
        );
        store.script().heal();
        assert_eq!(&store.get(&pointer).await.unwrap()[..], b"tide");
    });
}

#[test]
fn a_held_call_waits_for_its_gate_and_its_dropped_future_has_no_outcome() {
    block_on(async {
        let store = FaultBlobs::new(MemoryBlobs::new());
        let gate = Gate::new();
        let hold = Fault::Hold(gate.clone());
        store.script().every(Operation::Put, hold);
        {
            let mut put = core::pin::pin!(store.put("tide".into()));
            assert!(put.as_mut().now_or_never().is_none());
        }
        assert_eq!(store.script().calls()[0].outcome, None);
        let mut put = core::pin::pin!(store.put("tide".into()));
        assert!(put.as_mut().now_or_never().is_none());
        assert!(store.inner().list(None, 1).await.unwrap().is_empty());
        gate.open();
        put.await.unwrap();
        assert_eq!(store.inner().list(None, 1).await.unwrap().len(), 1);
    });
}

#[test]
fn a_delayed_call_sleeps_by_the_clock_that_was_given() {
    #[derive(Clone, Default)]
    struct Slept(Arc<Mutex<Duration>>);
    impl Clock for Slept {
        fn now(&self) -> Duration {
            *self.0.lock()
        }
        async fn sleep(&self, duration: Duration) {
            *self.0.lock() += duration;
        }
    }
    block_on(async {
        let clock = Slept::default();
        let store = FaultBlobs::new(MemoryBlobs::new()).with_clock(clock.clone());
        let delay = Fault::Delay(Duration::from_secs(3));
        store.script().every(Operation::Put, delay);
        store.put("high".into()).await.unwrap();
        store.put("tide".into()).await.unwrap();
        assert_eq!(clock.now(), Duration::from_secs(6));
    });
}

/// Every way to read `pointer` from a store that lies: none may end well.
async fn reads_of_a_liar(store: &FaultBlobs<MemoryBlobs>, pointer: Pointer) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let mut reader = open(store, pointer).await.unwrap();
    loop {
        match reader.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a lie was believed"),
            Err(error) => break kinds.push(error.kind()),
        }
    }
    assert_eq!(
        reader.next().await.unwrap(),
        None,
        "something came after an error"
    );
    let target = MemoryBlobs::new();
    kinds.push(copy(store, &target, &pointer).await.unwrap_err().kind());
    assert!(target.list(None, 1).await.unwrap().is_empty());
    kinds
}

#[test]
fn what_a_lying_store_returns_is_corrupt_in_a_stream_and_in_a_copy() {
    block_on(async {
        for size in [0, 1, 100, 3_000_000] {
            for lie in [Fault::Flip, Fault::Cut] {
                let store = FaultBlobs::new(MemoryBlobs::new());
                let pointer = store.put(noise(5, size)).await.unwrap();
                for operation in [Operation::Get, Operation::GetChunk, Operation::GetRange] {
                    store.script().every(operation, lie.clone());
                }
                let kinds = match size {
                    // Nothing is read of an empty blob.
                    0 => continue,
                    _ => reads_of_a_liar(&store, pointer).await,
                };
                assert_eq!(kinds, vec![Kind::Corrupt; 2], "{lie:?} of {size} bytes");
            }
        }
    });
}

#[test]
fn a_stream_whose_next_is_dropped_goes_on_where_it_was() {
    block_on(async {
        let store = FaultBlobs::new(MemoryBlobs::new());
        let data = noise(6, 9_000_000);
        let pointer = store.put(data.clone()).await.unwrap();
        store
            .script()
            .every(Operation::GetChunk, Fault::Delay(Duration::ZERO));
        let mut reader = open(&store, pointer).await.unwrap();
        let mut all = Vec::new();
        let mut dropped = 0;
        loop {
            // Every other future is dropped in the middle.
            if reader.next().now_or_never().is_none() {
                dropped += 1;
            } else {
                panic!("no call was in flight");
            }
            match reader.next().await.unwrap() {
                Some(piece) => all.extend_from_slice(&piece),
                None => break,
            }
            // The rest of the window is there already.
            while all.len() < data.len()
                && let Some(piece) = reader.next().now_or_never()
            {
                all.extend_from_slice(&piece.unwrap().unwrap());
            }
            if all.len() == data.len() {
                assert_eq!(reader.next().await.unwrap(), None);
                break;
            }
        }
        assert!(dropped > 1);
        assert_eq!(all, data);
    });
}

#[test]
fn a_listing_that_failed_goes_on_where_it_was() {
    block_on(async {
        let store = FaultBlobs::new(MemoryBlobs::new());
        for i in 0..5 {
            store.put(noise(i, 10)).await.unwrap();
        }
        store
            .script()
            .nth(Operation::List, 2, Fault::Fail(failure()));
        let mut all = crate::blob::list_all(&store);
        let mut found = 0;
        let mut failed = 0;
        loop {
            match all.next().await {
                Ok(Some(_)) => found += 1,
                Ok(None) => break,
                Err(_) => failed += 1,
            }
        }
        assert_eq!((found, failed), (5, 1));
    });
}

#[test]
fn a_copy_that_is_interrupted_goes_on_with_what_has_arrived() {
    block_on(async {
        let source = MemoryBlobs::new();
        let data = noise(7, 6_000_000);
        let pointer = source.put(data.clone()).await.unwrap();
        let target = FaultBlobs::new(MemoryBlobs::new());
        let script = target.script();
        script.nth(Operation::PutChunk, 10, Fault::Fail(failure()));
        assert!(copy(&source, &target, &pointer).await.is_err());
        let sent: u64 = script.calls().iter().map(|call| call.bytes).sum();
        script.forget();
        let rest = copy(&source, &target, &pointer).await.unwrap();
        assert!(rest < data.len() as u64, "{rest} after {sent}");
        assert_eq!(target.get(&pointer).await.unwrap(), data);
    });
}
