//! What opening takes for a store, what it makes, and what it costs.

use super::support::{S, entropy, put, small};
use bytes::Bytes;
use futures::executor::block_on;
use littoral_core::{
    Kind, Result,
    engine::{Durability, NoStore, Options, Store},
    port::{MemoryVolume, Volume},
};
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

#[test]
fn a_file_of_zeros_is_no_store_and_stays_as_it_is() {
    block_on(async {
        // Among them the length that a new store has.
        for len in [100, 8192, 8192 + (128 << 10), 1 << 20, 8192 + (8 << 20)] {
            let volume = MemoryVolume::from_bytes(vec![0; len]);
            for options in [small(), Options::default()] {
                let opened = Store::open(volume.clone(), &entropy(), options).await;
                assert_eq!(opened.err().unwrap().kind(), Kind::InvalidInput, "{len}");
                assert!(volume.to_bytes() == vec![0; len]);
            }
        }
    });
}

#[test]
fn where_a_store_is_expected_none_is_made() {
    block_on(async {
        for left in [&b""[..], b"Littoral store, unfinished\n"] {
            let volume = MemoryVolume::from_bytes(left.to_vec());
            let mut expecting = small();
            expecting.no_store = NoStore::Refuse;
            let opened = Store::open(volume.clone(), &entropy(), expecting).await;
            assert_eq!(opened.err().unwrap().kind(), Kind::NotFound);
            assert!(volume.to_bytes() == left);
            Store::open(volume, &entropy(), small()).await.unwrap();
        }
    });
}

/// Counts what is written.
#[derive(Clone, Default)]
struct Counted {
    bytes: MemoryVolume,
    written: Arc<AtomicU64>,
}

impl Volume for Counted {
    async fn len(&self) -> Result<u64> {
        self.bytes.len().await
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        self.bytes.set_len(len).await
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        self.bytes.read_at(offset, len).await
    }

    async fn write_at(&self, offset: u64, bytes: Bytes) -> Result<()> {
        let len = bytes.len() as u64;
        self.written.fetch_add(len, Ordering::Relaxed);
        self.bytes.write_at(offset, bytes).await
    }

    async fn discard(&self, range: Range<u64>) -> Result<()> {
        self.bytes.discard(range).await
    }

    async fn sync(&self) -> Result<()> {
        self.bytes.sync().await
    }
}

#[test]
fn what_opening_writes_anew_after_a_crash_is_bounded_by_the_memory_budget() {
    block_on(async {
        let mut options = Options::default();
        options.memory_budget = 6 << 20;
        let (volume, entropy) = (Counted::default(), entropy());
        let store = Store::open(volume.clone(), &entropy, options.clone())
            .await
            .unwrap();
        for i in 0..64u8 {
            let batch = put(&[i], vec![i; 1 << 20]);
            store.commit(batch, Durability::Local).await.unwrap();
        }
        // The process ends, and nobody has driven.
        drop(store);
        let before = volume.written.load(Ordering::Relaxed);
        let store = Store::open(volume.clone(), &entropy, options)
            .await
            .unwrap();
        let written = volume.written.load(Ordering::Relaxed) - before;
        assert!(written < 10 << 20, "{written} bytes");
        for i in 0..64u8 {
            assert!(store.get(S, &[i]).await.unwrap().unwrap() == vec![i; 1 << 20]);
        }
    });
}
