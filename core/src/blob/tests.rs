//! Every store of this crate under the public suites.

use super::{conformance::*, engine::tests::blobs, *};
use futures::executor::block_on;

#[test]
fn the_engine_conforms() {
    block_on(all(async || blobs().await)).unwrap();
    block_on(roots(async || {
        EngineRoots::new(blobs().await.store().clone())
    }))
    .unwrap();
}

#[test]
fn the_engine_keeps_what_was_put() {
    let volume = crate::port::MemoryVolume::new();
    block_on(reopens(async || engine::tests::open(volume.clone()).await)).unwrap();
}

#[test]
fn a_store_that_breaks_a_promise_fails_by_name() {
    // A remote that is full from the third put on.
    let full = async || {
        let store = FaultBlobs::new(MemoryBlobs::new());
        let error = crate::Error::new(crate::Kind::Quota, "full");
        store.script().nth(Operation::Put, 3, Fault::Fail(error));
        store
    };
    let failure = block_on(all(full)).unwrap_err();
    assert_eq!(failure.check, "sizes_around_every_bound_come_back");
    assert!(failure.found.contains("full"), "{failure}");
    // A store that returns other bytes.
    let lies = async || {
        let store = FaultBlobs::new(MemoryBlobs::new());
        store.script().every(Operation::GetRange, Fault::Flip);
        store
    };
    let failure = block_on(all(lies)).unwrap_err();
    assert!(failure.found.contains("range"), "{failure}");
    // Roots that are moved and say that they were not.
    let lost = async || {
        let store = FaultBlobs::new(MemoryBlobs::new());
        let error = crate::Error::new(crate::Kind::Conflict, "lost");
        store
            .script()
            .every(Operation::MoveRoot, Fault::FailAfter(error));
        store
    };
    assert!(block_on(roots(lost)).is_err());
}

#[test]
fn memory_conforms() {
    block_on(all(async || MemoryBlobs::new())).unwrap();
    block_on(roots(async || MemoryBlobs::new())).unwrap();
}

#[test]
fn a_store_behind_a_pointer_conforms() {
    block_on(all(async || alloc::sync::Arc::new(MemoryBlobs::new()))).unwrap();
}

#[test]
fn no_store_conforms() {
    block_on(all(async || NullBlobs)).unwrap();
}

#[test]
fn a_read_only_store_conforms_and_reads_what_is_there() {
    block_on(all(async || ReadOnlyBlobs::new(MemoryBlobs::new()))).unwrap();
    block_on(async {
        let store = MemoryBlobs::new();
        let blobs = [noise(1, 0), noise(2, 100), noise(3, 3_000_000)];
        for blob in &blobs {
            store.put(blob.clone()).await.unwrap();
        }
        holds(&ReadOnlyBlobs::new(store), &blobs).await.unwrap();
    });
}

#[test]
fn a_fault_wrapper_without_faults_conforms() {
    block_on(all(async || FaultBlobs::new(MemoryBlobs::new()))).unwrap();
    block_on(roots(async || FaultBlobs::new(MemoryBlobs::new()))).unwrap();
}
