//! Copying what can be read of a damaged store.

use super::support::{S, delete, entropy, put, small};
use bytes::Bytes;
use futures::executor::block_on;
use littoral_core::{
    Kind,
    engine::{Direction, Durability, KeyRange, Salvaged, Store},
    port::MemoryVolume,
};
use std::collections::BTreeMap;

fn key(i: u32) -> [u8; 4] {
    i.to_be_bytes()
}

/// Small and long values, made of their key.
fn value(i: u32) -> Vec<u8> {
    key(i + 1).repeat(if i.is_multiple_of(10) { 700 } else { 25 })
}

const KEYS: u32 = 1000;
const EXTENTS: usize = 8192 + (128 << 10);

/// A store in which every third key was deleted again, closed or left with a log.
async fn filled(closed: bool) -> Vec<u8> {
    let volume = MemoryVolume::new();
    let store = Store::open(volume.clone(), &entropy(), small())
        .await
        .unwrap();
    for i in 0..KEYS {
        let batch = put(&key(i), value(i));
        store.commit(batch, Durability::Memory).await.unwrap();
    }
    store.checkpoint().await.unwrap();
    for i in (0..KEYS).step_by(3) {
        let batch = delete(&key(i));
        store.commit(batch, Durability::Strict).await.unwrap();
    }
    if closed {
        store.close().await.unwrap();
    }
    volume.to_bytes()
}

async fn open(bytes: &[u8]) -> littoral_core::Result<Store<MemoryVolume>> {
    Store::open(
        MemoryVolume::from_bytes(bytes.to_vec()),
        &entropy(),
        small(),
    )
    .await
}

async fn salvage(bytes: &[u8]) -> (Salvaged, BTreeMap<Vec<u8>, Bytes>) {
    let (damaged, target) = (
        MemoryVolume::from_bytes(bytes.to_vec()),
        MemoryVolume::new(),
    );
    let salvaged = Store::salvage(damaged.clone(), target.clone(), &entropy())
        .await
        .unwrap();
    assert!(damaged.to_bytes() == bytes, "the damaged store was changed");
    let store = Store::open(target, &entropy(), small()).await.unwrap();
    assert!(store.verify().await.unwrap().damage.is_empty());
    let view = store.view();
    let mut scan = view.scan(S, KeyRange::all(), Direction::Forward);
    let mut found = BTreeMap::new();
    while let Some(entry) = scan.next().await.unwrap() {
        found.insert(entry.key.to_vec(), scan.value().await.unwrap());
    }
    (salvaged, found)
}

/// How many values are there; each has to be the one that was put.
fn count(found: &BTreeMap<Vec<u8>, Bytes>) -> u32 {
    for (key, found) in found {
        let i = u32::from_be_bytes(key.as_slice().try_into().unwrap());
        assert!(*found == value(i), "{i}");
    }
    found.len() as u32
}

const LIVING: u32 = KEYS - KEYS.div_ceil(3);

#[test]
fn a_store_that_is_whole_is_salvaged_whole() {
    block_on(async {
        for closed in [false, true] {
            let (salvaged, found) = salvage(&filled(closed).await).await;
            assert_eq!(salvaged.damage, []);
            assert_eq!(
                (count(&found), salvaged.values),
                (LIVING, u64::from(LIVING))
            );
        }
    });
}

#[test]
fn what_a_damaged_block_does_not_hold_is_salvaged() {
    block_on(async {
        let bytes = filled(true).await;
        let (mut damages, mut mostly, mut all) = (0, 0, 0);
        for at in (EXTENTS..bytes.len()).step_by(4096 * 5) {
            let mut damaged = bytes.clone();
            for byte in &mut damaged[at..at + 8] {
                *byte ^= 1;
            }
            let Ok(store) = open(&damaged).await else {
                // The manifest: what only it knows of is lost.
                assert_eq!(salvage(&damaged).await.0.damage.len(), 1);
                continue;
            };
            let verified = store.verify().await.unwrap();
            let (salvaged, found) = salvage(&damaged).await;
            assert_eq!(salvaged.damage, verified.damage);
            let found = count(&found);
            // Fewer values; or, where it was said that they are deleted, more.
            assert_eq!(salvaged.damage.is_empty(), found == LIVING, "{found}");
            damages += salvaged.damage.len();
            mostly += u32::from(found > LIVING / 2);
            all += 1;
        }
        // Whatever hangs on a table's root is lost with it.
        assert!(
            damages > 5 && mostly * 10 > all * 7,
            "{damages}, {mostly} of {all}"
        );
    });
}

#[test]
fn a_damaged_block_is_named_with_the_first_key_in_it() {
    block_on(async {
        let mut bytes = filled(true).await;
        let needle = value(502);
        let mut at = EXTENTS;
        while let Some(next) = bytes[at..].windows(100).position(|part| part == needle) {
            bytes[at + next + 50] ^= 2;
            at += next + 100;
        }
        let store = open(&bytes).await.unwrap();
        let damage = store.verify().await.unwrap().damage;
        assert_eq!(damage.len(), 1, "{damage:?}");
        let (space, first) = damage[0].key.as_ref().unwrap();
        assert!((*space, &first[..]) <= (S.0, &key(502)[..]), "{damage:?}");
        assert!((*space, &first[..]) > (S.0, &key(400)[..]), "{damage:?}");
    });
}

#[test]
fn the_log_is_salvaged_up_to_where_it_is_damaged() {
    block_on(async {
        let mut bytes = filled(false).await;
        let whole = salvage(&bytes).await.1;
        let records: Vec<_> = (8192..EXTENTS)
            .step_by(4096)
            .filter(|at| bytes[*at..].starts_with(b"LREC"))
            .collect();
        let at = records[records.len() / 2];
        bytes[at + 70] ^= 1;
        assert_eq!(open(&bytes).await.err().unwrap().kind(), Kind::Corrupt);
        let (salvaged, found) = salvage(&bytes).await;
        assert_eq!(salvaged.damage.len(), 1);
        // Deletions behind the damage are what was lost.
        assert!(found.len() > whole.len());
        count(&found);
    });
}

#[test]
fn of_a_file_that_was_cut_short_what_is_left_is_salvaged() {
    block_on(async {
        let volume = MemoryVolume::from_bytes(filled(true).await);
        let store = Store::open(volume.clone(), &entropy(), small())
            .await
            .unwrap();
        for i in KEYS..KEYS + 20 {
            let batch = put(&key(i), value(i).repeat(1000));
            store.commit(batch, Durability::Strict).await.unwrap();
        }
        let bytes = volume.to_bytes();
        let kept = &bytes[..bytes.len() - (1 << 20)];
        assert_eq!(open(kept).await.err().unwrap().kind(), Kind::Corrupt);
        let (salvaged, mut found) = salvage(kept).await;
        let lost = salvaged.damage.iter().filter(|d| d.key.is_some()).count();
        found.retain(|_, value| value.len() < 10_000);
        assert_eq!(count(&found), LIVING);
        assert!((2..20).contains(&lost), "{lost}: {:?}", salvaged.damage);
        // The last one cannot be told from one that was never finished.
        let told = u64::from(LIVING) + 20 - lost as u64;
        assert!([told, told - 1].contains(&salvaged.values), "{salvaged:?}");
    });
}

#[test]
fn what_is_no_store_cannot_be_salvaged() {
    block_on(async {
        let mut headless = filled(true).await;
        headless[16] ^= 1;
        headless[4096 + 16] ^= 1;
        for (bytes, kind) in [
            (Vec::new(), Kind::NotFound),
            (vec![0; 1 << 20], Kind::InvalidInput),
            (headless, Kind::Corrupt),
        ] {
            let target = MemoryVolume::new();
            let damaged = MemoryVolume::from_bytes(bytes);
            let salvaged = Store::salvage(damaged, target.clone(), &entropy()).await;
            assert_eq!(salvaged.unwrap_err().kind(), kind);
            assert!(target.to_bytes().is_empty());
        }
    });
}
