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
