//! A disk that is full: a typed error, a store that can be opened, and deletions that make room again.

use super::support::{S, delete, entropy, put, small};
use bytes::Bytes;
use futures::executor::block_on;
use littoral_core::{
    Error, Kind, Result,
    engine::{Batch, Durability, KeyRange, Store},
    port::{MemoryVolume, Volume},
};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// A volume that can become only so long.
#[derive(Clone)]
struct Bounded {
    bytes: MemoryVolume,
    most: Arc<AtomicU64>,
    /// Also where it is long enough there is no room for what is written behind this.
    thin: Arc<AtomicBool>,
}

/// Where tables and packs begin in a small store.
const EXTENTS: u64 = (8 << 10) + (128 << 10);

impl Bounded {
    fn new(most: u64) -> Self {
        Bounded {
            bytes: MemoryVolume::new(),
            most: Arc::new(most.into()),
            thin: Arc::default(),
        }
    }

    async fn open(&self) -> Result<Store<Bounded>> {
        Store::open(self.clone(), &entropy(), small()).await
    }
}

fn full() -> Error {
    Error::new(Kind::Quota, "the disk is full")
}

impl Volume for Bounded {
    async fn len(&self) -> Result<u64> {
        self.bytes.len().await
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        match len > self.most.load(Ordering::Relaxed) && len > self.len().await? {
            true => Err(full()),
            false => self.bytes.set_len(len).await,
        }
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        self.bytes.read_at(offset, len).await
    }

    async fn write_at(&self, offset: u64, bytes: Bytes) -> Result<()> {
        let thin = self.thin.load(Ordering::Relaxed) && offset >= EXTENTS;
        match thin || offset + bytes.len() as u64 > self.len().await? {
            true => Err(full()),
            false => self.bytes.write_at(offset, bytes).await,
        }
    }

    async fn discard(&self, range: Range<u64>) -> Result<()> {
        self.bytes.discard(range).await
    }

    async fn sync(&self) -> Result<()> {
        self.bytes.sync().await
    }
}

/// What a user does, by chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (self.0 >> 33) % most
    }

    fn within(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least)
    }

    fn key(&mut self) -> Vec<u8> {
        let len = [4, 4, 40, 300, 3000][self.below(5) as usize];
        let mut key = (self.below(1 << 32) as u32).to_be_bytes().to_vec();
        key.resize(len, 7);
        key
    }

    fn value(&mut self, longest: u64) -> Vec<u8> {
        let most = [10, 900, 8_000, longest][self.below(4) as usize];
        vec![1; self.below(most) as usize]
    }
}

/// Commits until the disk is full; returns what is in the store then.
async fn fill(
    store: &Store<Bounded>,
    chance: &mut Chance,
    longest: u64,
) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut model = BTreeMap::new();
    // One that does not fit is followed by others that might.
    let mut refused = 0;
    while refused < 20 {
        let (key, value) = (chance.key(), chance.value(longest >> (refused / 2)));
        match store
            .commit(put(&key, value.clone()), Durability::Strict)
            .await
        {
            Ok(_) => drop(model.insert(key, value)),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Quota, "{error}");
                refused += 1;
            }
        }
    }
    model
}

async fn check(store: &Store<Bounded>, model: &BTreeMap<Vec<u8>, Vec<u8>>) {
    let mut scan = store.view().scan(
        S,
        KeyRange::all(),
        littoral_core::engine::Direction::Forward,
    );
    for (key, value) in model {
        let entry = scan.next().await.unwrap().unwrap();
        assert!(entry.key == key && scan.value().await.unwrap() == value);
    }
    assert!(scan.next().await.unwrap().is_none());
}

#[test]
fn a_store_can_be_opened_whatever_it_held_when_the_disk_became_full() {
    for seed in 0..24 {
        block_on(async {
            let mut chance = Chance(seed);
            let volume = Bounded::new(EXTENTS + 4096 * chance.within(30, 700));
            let longest = [1_000, 20_000, 60_000, 200_000][seed as usize % 4];
            let Ok(store) = volume.open().await else {
                panic!("seed {seed} has no room for a new store");
            };
            let model = fill(&store, &mut chance, longest).await;
            assert!(store.stats().upkeep_error.is_none());
            drop(store);
            for again in 0..3 {
                let store = volume.open().await;
                let store = store.unwrap_or_else(|error| panic!("seed {seed}, {again}: {error}"));
                check(&store, &model).await;
            }
        });
    }
}

#[test]
fn what_is_deleted_on_a_full_disk_makes_room() {
    for seed in 0..8 {
        block_on(async {
            let mut chance = Chance(1000 + seed);
            let volume = Bounded::new(EXTENTS + (4 << 20));
            let mut store = volume.open().await.unwrap();
            let mut model = fill(&store, &mut chance, 200_000).await;
            if seed % 2 == 0 {
                drop(store);
                store = volume.open().await.unwrap();
            }
            // The longest first: what one wants to be rid of.
            let mut keys: Vec<_> = model.keys().cloned().collect();
            keys.sort_by_key(|key| std::cmp::Reverse(model[key].len()));
            for key in keys.into_iter().take(20) {
                store
                    .commit(delete(&key), Durability::Strict)
                    .await
                    .unwrap();
                model.remove(&key);
            }
            check(&store, &model).await;
            // Packs of which something is still read, and the index, may find no room to be written anew.
            let _ = store.reclaim().await;
            check(&store, &model).await;
            let mut batch = Batch::new();
            batch.delete_range(S, KeyRange::all());
            store.commit(batch, Durability::Strict).await.unwrap();
            if seed % 3 == 0 {
                drop(store);
                store = volume.open().await.unwrap();
            }
            store.reclaim().await.unwrap();
            assert!(store.verify().await.unwrap().damage.is_empty());
            store
                .commit(put(b"new", vec![2; 2 << 20]), Durability::Strict)
                .await
                .unwrap();
        });
    }
}

#[test]
fn packs_that_nobody_reads_are_given_back_although_no_table_can_be_rewritten() {
    block_on(async {
        let volume = Bounded::new(u64::MAX);
        let store = volume.open().await.unwrap();
        // An index that is longer than the room that will be left.
        for key in 0..4000u32 {
            let batch = put(&key.to_be_bytes(), vec![1; 500]);
            store.commit(batch, Durability::Memory).await.unwrap();
        }
        for key in 0..10u8 {
            let batch = put(&[key], vec![key; 1 << 20]);
            store.commit(batch, Durability::Strict).await.unwrap();
        }
        store.checkpoint().await.unwrap();
        volume.most.store(store.size(), Ordering::Relaxed);
        while store
            .commit(put(b"rest", vec![1; 100_000]), Durability::Strict)
            .await
            .is_ok()
        {}
        for key in 0..9u8 {
            store
                .commit(delete(&[key]), Durability::Strict)
                .await
                .unwrap();
        }
        let before = store.size_in_use();
        let _ = store.reclaim().await;
        assert!(before - store.size_in_use() > 8 << 20);
        assert!(store.verify().await.unwrap().damage.is_empty());
        drop(store);
        let store = volume.open().await.unwrap();
        assert_eq!(store.get(S, &[0]).await.unwrap(), None);
        assert!(store.get(S, &[9]).await.unwrap().unwrap() == vec![9; 1 << 20]);
        assert!(store.verify().await.unwrap().damage.is_empty());
    });
}

#[test]
fn what_a_checkpoint_took_that_found_no_room_is_used_by_the_next_one() {
    block_on(async {
        let volume = Bounded::new(u64::MAX);
        let store = volume.open().await.unwrap();
        let mut batch = Batch::new();
        for key in 0..60u32 {
            batch.put(S, key.to_be_bytes(), vec![3; 400]);
        }
        store.commit(batch, Durability::Strict).await.unwrap();
        volume.thin.store(true, Ordering::Relaxed);
        volume.most.store(store.size(), Ordering::Relaxed);
        for _ in 0..200 {
            let error = store.checkpoint().await.unwrap_err();
            assert_eq!(error.kind(), Kind::Quota, "{error}");
        }
        volume.thin.store(false, Ordering::Relaxed);
        store.checkpoint().await.unwrap();
        let used = store.size_in_use();
        assert!(used < EXTENTS + (256 << 10), "{used} bytes are in use");
    });
}
