//! What the engine must keep small, and what must hold while its file becomes longer or shorter.

use super::support::{S, entropy, put, small};
use bytes::Bytes;
use futures::{executor::block_on, future::join, future::select, pin_mut};
use littoral_core::{
    Result,
    engine::{Batch, Durability, KeyRange, Options, Store},
    port::{MemoryVolume, Volume},
};
use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
};

/// Lets others run.
async fn pause() {
    let mut yielded = false;
    futures::future::poll_fn(|context| match std::mem::replace(&mut yielded, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// A volume that sees what happens to it. Whoever syncs it lets others run first.
#[derive(Clone, Default)]
struct Watched {
    bytes: MemoryVolume,
    written: Arc<AtomicU64>,
    durable: Arc<Mutex<Vec<u8>>>,
    /// Where writes ended that no sync has covered.
    ends: Arc<Mutex<Vec<u64>>>,
    /// Writes that share a page with bytes that were synced before.
    touching: Arc<Mutex<Vec<u64>>>,
    /// What a crash leaves right after the file became shorter.
    shortened: Arc<Mutex<Vec<Vec<u8>>>>,
    syncs: Arc<AtomicU64>,
}

impl Watched {
    fn wrote(&self, offset: u64, len: u64) {
        let mut ends = self.ends.lock().unwrap();
        if !offset.is_multiple_of(4096) && !ends.contains(&offset) {
            self.touching.lock().unwrap().push(offset);
        }
        ends.push(offset + len);
    }
}

impl Volume for Watched {
    async fn len(&self) -> Result<u64> {
        self.bytes.len().await
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        if len < self.bytes.len().await? {
            let mut left = self.durable.lock().unwrap().clone();
            left.truncate(len as usize);
            self.shortened.lock().unwrap().push(left);
        }
        self.bytes.set_len(len).await
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        self.bytes.read_at(offset, len).await
    }

    async fn write_at(&self, offset: u64, bytes: Bytes) -> Result<()> {
        self.written
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.wrote(offset, bytes.len() as u64);
        self.bytes.write_at(offset, bytes).await
    }

    async fn discard(&self, range: Range<u64>) -> Result<()> {
        self.bytes.discard(range).await
    }

    async fn sync(&self) -> Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        let covered = self.bytes.to_bytes();
        self.ends.lock().unwrap().clear();
        for _ in 0..20 {
            pause().await;
        }
        *self.durable.lock().unwrap() = covered;
        Ok(())
    }

    async fn gather(&self) {
        pause().await;
    }
}

#[test]
fn commits_that_come_one_after_another_before_the_group_is_closed_share_one_sync() {
    block_on(async {
        let (volume, entropy) = (Watched::default(), entropy());
        let store = Store::open(volume.clone(), &entropy, small())
            .await
            .unwrap();
        let before = volume.syncs.load(Ordering::Relaxed);
        let commits = (0..100u8).map(|i| store.commit(put(&[i], vec![i; 20]), Durability::Strict));
        for done in futures::future::join_all(commits).await {
            assert_eq!(done.unwrap().reached(), Durability::Strict);
        }
        assert_eq!(volume.syncs.load(Ordering::Relaxed) - before, 1);
        // A leader that goes while the others come leaves its commit to them.
        let mut first = Box::pin(store.commit(put(b"x", "first"), Durability::Strict));
        assert!(futures::poll!(&mut first).is_pending());
        drop(first);
        store
            .commit(put(b"y", "second"), Durability::Strict)
            .await
            .unwrap();
        assert_eq!(store.get(S, b"x").await.unwrap().unwrap(), "first");
        assert_eq!(volume.syncs.load(Ordering::Relaxed) - before, 2);
    });
}

#[test]
fn a_file_that_grows_while_it_is_trimmed_is_never_shorter_than_its_superblock_says() {
    block_on(async {
        let (volume, entropy) = (Watched::default(), entropy());
        let store = Store::open(volume.clone(), &entropy, small())
            .await
            .unwrap();
        for round in 0..8u8 {
            store
                .commit(put(&[round], vec![round; 1 << 20]), Durability::Strict)
                .await
                .unwrap();
        }
        let mut batch = Batch::new();
        for round in 0..8u8 {
            batch.delete(S, [round]);
        }
        store.commit(batch, Durability::Strict).await.unwrap();
        let writing = async {
            for round in 0..60u8 {
                let value = vec![round; 300 << 10];
                store
                    .commit(put(&[100, round], value), Durability::Strict)
                    .await
                    .unwrap();
            }
        };
        let (reclaimed, ()) = join(store.reclaim(), writing).await;
        reclaimed.unwrap();
        let left = std::mem::take(&mut *volume.shortened.lock().unwrap());
        assert!(!left.is_empty());
        for image in left {
            let image = MemoryVolume::from_bytes(image);
            Store::open(image, &entropy, small()).await.unwrap();
        }
    });
}

#[test]
fn relaxed_commits_of_large_values_do_not_pile_up_in_memory() {
    block_on(async {
        let (volume, entropy) = (Watched::default(), entropy());
        let store = Store::open(volume.clone(), &entropy, small())
            .await
            .unwrap();
        let before = volume.written.load(Ordering::Relaxed);
        for round in 0..64u64 {
            store
                .commit(put(&[round as u8], vec![1; 256 << 10]), Durability::Memory)
                .await
                .unwrap();
            let written = volume.written.load(Ordering::Relaxed) - before;
            let waiting = ((round + 1) << 18).saturating_sub(written);
            assert!(waiting <= 1 << 20, "{waiting} bytes wait after {round}");
        }
    });
}

#[test]
fn a_key_that_is_changed_often_under_a_view_can_be_forgotten() {
    block_on(async {
        let store = Store::open(MemoryVolume::new(), &entropy(), Options::default())
            .await
            .unwrap();
        let view = store.view();
        for round in 0..50_000u32 {
            store
                .commit(put(b"k", round.to_be_bytes().to_vec()), Durability::Memory)
                .await
                .unwrap();
        }
        assert_eq!(view.get(S, b"k").await.unwrap(), None);
        drop(view);
        store.close().await.unwrap();
    });
}

#[test]
fn values_that_are_replaced_before_they_are_in_a_table_are_reclaimed_too() {
    block_on(async {
        let store = Store::open(MemoryVolume::new(), &entropy(), small())
            .await
            .unwrap();
        let work = async {
            for round in 0..1000u32 {
                store
                    .commit(put(b"k", vec![round as u8; 100 << 10]), Durability::Strict)
                    .await
                    .unwrap();
                pause().await;
            }
        };
        {
            let drive = store.drive();
            pin_mut!(work, drive);
            let _ = select(work, drive).await;
        }
        let stats = store.stats();
        assert!(stats.size < 64 << 20, "{stats:?}");
    });
}

#[test]
fn large_values_that_are_all_deleted_before_they_are_in_a_table_are_reclaimed() {
    block_on(async {
        let store = Store::open(MemoryVolume::new(), &entropy(), small())
            .await
            .unwrap();
        let empty = store.size();
        for round in 0..8u8 {
            store
                .commit(put(&[round], vec![round; 1 << 20]), Durability::Strict)
                .await
                .unwrap();
        }
        let mut batch = Batch::new();
        batch.delete_range(S, KeyRange::all());
        store.commit(batch, Durability::Strict).await.unwrap();
        store.reclaim().await.unwrap();
        assert!(store.size() < empty + (64 << 10), "{:?}", store.stats());
    });
}

#[test]
fn small_changes_take_no_more_memory_than_the_budget_when_nobody_drives() {
    block_on(async {
        let mut options = small();
        options.log_size = 4 << 20;
        let budget = options.memory_budget;
        let store = Store::open(MemoryVolume::new(), &entropy(), options)
            .await
            .unwrap();
        for round in 0..500u32 {
            let mut batch = Batch::new();
            for key in round * 500..(round + 1) * 500 {
                batch.put(S, key.to_be_bytes(), "");
            }
            store.commit(batch, Durability::Memory).await.unwrap();
            let memory = store.stats().memory;
            assert!(memory <= budget, "{memory} bytes after {round}");
        }
    });
}

#[test]
fn no_write_touches_a_page_that_holds_acknowledged_bytes() {
    block_on(async {
        let volume = Watched::default();
        let store = Store::open(volume.clone(), &entropy(), small())
            .await
            .unwrap();
        for round in 0..40u8 {
            let len = [50, 900, 70_000, 9_001][usize::from(round) % 4];
            store
                .commit(put(&[round], vec![round; len]), Durability::Strict)
                .await
                .unwrap();
        }
        store.reclaim().await.unwrap();
        store.close().await.unwrap();
        let touching = volume.touching.lock().unwrap().clone();
        assert!(touching.is_empty(), "writes at {touching:?}");
    });
}
