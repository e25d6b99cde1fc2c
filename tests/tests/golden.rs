//! Store files of every format version that there was still open and hold what they held.

use bytes::Bytes;
use futures::executor::block_on;
use littoral_core::{
    engine::{Batch, Durability, Space, Store},
    port::MemoryVolume,
};
use littoral_tests::{
    golden::{FILES, FOLDER, closed, options, recovered, with_log},
    model::Recovered,
    sim::{Chance, SimEntropy},
    workload::dump_spaces,
};
use std::path::Path;

const SPACES: [u8; 3] = [0x80, 0x81, 0x82];

async fn open(volume: &MemoryVolume) -> Store<MemoryVolume> {
    let entropy = SimEntropy::new(Chance::new(1));
    Store::open(volume.clone(), &entropy, options())
        .await
        .unwrap()
}

/// Opens it, compares, writes to it, and opens it again.
#[track_caller]
fn holds(bytes: Vec<u8>, expected: Recovered) {
    let volume = MemoryVolume::from_bytes(bytes);
    block_on(async {
        let store = open(&volume).await;
        assert_eq!(dump_spaces(&store, &SPACES).await.unwrap(), expected);
        assert!(store.verify().await.unwrap().damage.is_empty());
        let mut batch = Batch::new();
        batch.put(Space(0x80), "zz", Bytes::from_static(b"later"));
        store.commit(batch, Durability::Strict).await.unwrap();
        store.close().await.unwrap();
        let again = dump_spaces(&open(&volume).await, &SPACES).await.unwrap();
        assert_eq!(again.last, expected.last + 1);
        assert_eq!(again.state.len(), expected.state.len() + 1);
    });
}

fn kept(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(FOLDER).join(name)).unwrap()
}

#[test]
fn a_store_of_version_1_that_was_closed_opens() {
    holds(kept(FILES[0].0), recovered(0));
}

#[test]
fn a_store_of_version_1_with_a_log_opens() {
    holds(kept(FILES[1].0), recovered(5));
}

#[test]
fn a_new_store_of_the_same_inputs_opens_and_is_the_same() {
    holds(closed().unwrap(), recovered(0));
    holds(with_log().unwrap(), recovered(5));
}
