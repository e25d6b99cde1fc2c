//! Store files of every format version that there was still open and hold what they held.

use bytes::Bytes;
use futures::executor::block_on;
use littoral_core::{
    Kind,
    blob::Pointer,
    doc::{Patch, Value, ValueKind},
    engine::{Batch, Direction, Durability, Space, Store},
    port::{Clock, MemoryVolume},
};
use littoral_tests::{
    golden::{
        FILES, FOLDER, KEPT, Noon, closed, document, open_document, options, patches, recovered,
        with_log,
    },
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

/// Every state that is kept, the scope and the transaction are what they were, and go on.
#[track_caller]
fn document_holds(bytes: Vec<u8>) {
    let volume = MemoryVolume::from_bytes(bytes);
    block_on(async {
        let doc = open_document(&volume).await.unwrap();
        let patches = patches().unwrap();
        let last = patches.len() as u64;
        assert_eq!(
            (doc.current_commit(), doc.horizon()),
            (last, last + 1 - KEPT)
        );
        let keys = doc.declared_keys();
        assert_eq!(
            (keys[0].0.to_string().as_str(), keys[0].1.as_str()),
            ("boats", "name")
        );
        let now = r#"{"boats":[{"afloat":true,"key":{"/":{"bytes":"AAH/"}},"length":9.25,"log":["low","mid","high"],"name":"Ebb","owner":"Ann","photo":{"/":"PHOTO"}},{"berth":6,"name":"Flow"},{"name":"Slack"}],"tides":{"3":"neap","1099511627776":"spring"}}"#;
        let now = now.replace("PHOTO", &Pointer::of(b"a photo").to_cid());
        assert_eq!(doc.read("").await.unwrap().to_json(), now);
        assert_eq!(doc.read("tides{3}").await.unwrap(), Value::from("neap"));
        let then = doc.read_at("boats(Ebb)", last - 3).await.unwrap();
        assert_eq!(
            then.field("tides").map(Value::kind),
            Some(ValueKind::Sparse)
        );
        assert_eq!(
            doc.read_at("boats(Flow).berth", last - 1).await.unwrap(),
            Value::from(8)
        );
        let gone = doc.read_at("", last - KEPT).await.unwrap_err();
        assert_eq!(gone.kind(), Kind::OutOfRange);
        let mut history = doc
            .history("boats(Flow)", 0..=99, Direction::Backward)
            .unwrap();
        let commit = history.next().await.unwrap().unwrap();
        assert_eq!((commit.number, commit.time), (last, Noon.now()));

        let draft = doc.scope("draft").unwrap();
        assert_eq!(draft.read("flags").await.unwrap(), Value::from(7));
        assert!(draft.read("boats(Ebb).log").await.is_err());
        let transaction = doc.transaction(1).unwrap();
        assert_eq!(transaction.joined().unwrap(), (1, 2));
        assert_eq!(transaction.meta().unwrap().to_json(), r#"{"why":"trade"}"#);
        let outcome = transaction.join("two", Patch::set(2), None).await.unwrap();
        assert!(outcome.committed);
        assert_eq!(draft.promote().await.unwrap(), last + 2);
        assert_eq!(doc.read("one").await.unwrap(), Value::from(1));
        assert!(doc.store().verify().await.unwrap().damage.is_empty());
    });
}

#[test]
fn a_document_of_version_1_opens_with_all_its_history() {
    document_holds(kept(FILES[2].0));
}

#[test]
fn a_new_document_of_the_same_inputs_opens_and_is_the_same() {
    document_holds(document().unwrap());
}

#[test]
fn a_new_store_of_the_same_inputs_opens_and_is_the_same() {
    holds(closed().unwrap(), recovered(0));
    holds(with_log().unwrap(), recovered(5));
}
