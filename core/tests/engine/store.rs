//! The engine over a volume in memory: what its API says, and a model beside it.

use super::support::{Counter, S, entropy, small};
use bytes::Bytes;
use futures::{FutureExt, executor::block_on, future::select, pin_mut};
use littoral_core::{
    Error, Kind, Result,
    engine::{Batch, Direction, Durability, KeyRange, Options, Space, Store},
    port::{MemoryVolume, Volume},
};
use std::collections::BTreeMap;

async fn open(volume: &MemoryVolume, entropy: &Counter) -> Store<MemoryVolume> {
    Store::open(volume.clone(), entropy, small()).await.unwrap()
}

/// Runs `work` with the store's background work beside it.
async fn driven<T>(store: &Store<MemoryVolume>, work: impl Future<Output = T>) -> T {
    let drive = store.drive();
    pin_mut!(work, drive);
    match select(work, drive).await {
        futures::future::Either::Left((out, _)) => out,
        futures::future::Either::Right(_) => panic!("the driver ended"),
    }
}

#[test]
fn what_was_committed_is_there_after_reopening_without_close() {
    block_on(async {
        let (volume, entropy) = (MemoryVolume::new(), entropy());
        let store = open(&volume, &entropy).await;
        for i in 0..10u32 {
            let mut batch = Batch::new();
            batch.put(S, i.to_be_bytes(), vec![i as u8; 100]);
            assert_eq!(
                store
                    .commit(batch, Durability::Strict)
                    .await
                    .unwrap()
                    .commit(),
                u64::from(i) + 1
            );
        }
        drop(store);
        let store = open(&volume, &entropy).await;
        for i in 0..10u32 {
            assert_eq!(
                store.get(S, &i.to_be_bytes()).await.unwrap().unwrap(),
                vec![i as u8; 100]
            );
        }
        assert_eq!(store.stats().last_commit, 10);
    });
}

#[test]
fn futures_of_a_store_over_a_send_volume_are_send() {
    fn is_send<T: Send>(_: &T) {}
    let store = block_on(async { open(&MemoryVolume::new(), &entropy()).await });
    is_send(&store.commit(Batch::new(), Durability::Strict));
    is_send(&store.drive());
    is_send(&store.reclaim());
    is_send(&store.verify());
    is_send(&store.get(S, b""));
    is_send(&store.close());
    is_send(&store.backup(MemoryVolume::new(), &entropy()));
    let mut scan = store.view().scan(S, KeyRange::all(), Direction::Forward);
    is_send(&scan.next());
    let entropy = entropy();
    is_send(&Store::open(
        MemoryVolume::new(),
        &entropy,
        Options::default(),
    ));
    is_send(&Store::salvage(
        MemoryVolume::new(),
        MemoryVolume::new(),
        &entropy,
    ));
}

#[test]
fn a_condition_on_a_key_changed_since_is_a_conflict() {
    block_on(async {
        let store = open(&MemoryVolume::new(), &entropy()).await;
        let view = store.view();
        let mut first = Batch::new();
        first.put(S, "k", "1");
        first.require_unchanged(S, "k", &view);
        let mut second = first.clone();
        second.put(S, "k", "2");
        store.commit(first, Durability::Strict).await.unwrap();
        assert_eq!(
            store
                .commit(second, Durability::Strict)
                .await
                .err()
                .unwrap()
                .kind(),
            Kind::Conflict
        );
        assert_eq!(store.get(S, b"k").await.unwrap().unwrap(), "1");
    });
}

#[test]
fn a_store_agrees_with_a_sorted_map_through_everything() {
    for seed in 0..20u64 {
        block_on(run(seed));
    }
}

async fn run(seed: u64) {
    let mut random = seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let (volume, entropy) = (MemoryVolume::new(), entropy());
    let mut store = open(&volume, &entropy).await;
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut views = Vec::new();
    for step in 0..600u64 {
        let what = next() % 20;
        match what {
            0..12 => {
                let mut batch = Batch::new();
                for _ in 0..next() % 20 + 1 {
                    let key = format!("{:03}", next() % 300).into_bytes();
                    match next() % 12 {
                        0..3 => {
                            batch.delete(S, &key);
                            model.remove(&key);
                        }
                        3 => {
                            let end = format!("{:03}", next() % 300).into_bytes();
                            batch.delete_range(S, KeyRange::between(key.clone(), end.clone()));
                            model.retain(|k, _| *k < key || *k >= end);
                        }
                        n => {
                            let len = [0, 10, 100, 900, 1200, 3000, 9000, 200_000]
                                [(next() % if n > 10 { 8 } else { 6 }) as usize];
                            let value = vec![(next() % 256) as u8; len];
                            batch.put(S, &key, value.clone());
                            model.insert(key, value);
                        }
                    }
                }
                let durability = [Durability::Memory, Durability::Local, Durability::Strict]
                    [(next() % 3) as usize];
                driven(&store, store.commit(batch, durability))
                    .await
                    .unwrap();
            }
            12 => {
                driven(&store, store.checkpoint()).await.unwrap();
            }
            13 => views.push((store.view(), model.clone())),
            14 => {
                if !views.is_empty() {
                    views.remove((next() % views.len() as u64) as usize);
                }
            }
            15 => {
                views.clear();
                let last = store.stats().last_commit;
                if next() % 2 == 0 {
                    driven(&store, store.close()).await.ok();
                } else if last > 0 {
                    store
                        .commit(
                            {
                                let mut b = Batch::new();
                                b.put(S, "zzz", "z");
                                model.insert(b"zzz".to_vec(), b"z".to_vec());
                                b
                            },
                            Durability::Strict,
                        )
                        .await
                        .unwrap();
                }
                store = open(&volume, &entropy).await;
            }
            16 if next() % 4 == 0 => {
                driven(&store, store.reclaim()).await.unwrap();
            }
            17 if next() % 8 == 0 => {
                let copy = MemoryVolume::new();
                store.backup(copy.clone(), &entropy).await.unwrap();
                let copy = open(&copy, &entropy).await;
                check(&copy.view(), &model, &mut next).await;
            }
            18 => {
                let verified = store.verify().await.unwrap();
                assert!(verified.damage.is_empty(), "{verified:?}");
            }
            _ => {
                // Poll a while and drop: nothing may be lost by it.
                let mut drive = Box::pin(store.drive());
                for _ in 0..next() % 5 {
                    let _ = (&mut drive).now_or_never();
                }
            }
        }
        if step % 10 == 0 {
            check(&store.view(), &model, &mut next).await;
            for (view, model) in &views {
                check(view, model, &mut next).await;
            }
        }
    }
    check(&store.view(), &model, &mut next).await;
    views.clear();
    driven(&store, store.reclaim()).await.unwrap();
    check(&store.view(), &model, &mut next).await;
    let alive: usize = model.iter().map(|(k, v)| k.len() + v.len()).sum();
    let stats = store.stats();
    assert!(
        stats.size_in_use < alive as u64 * 5 / 4 + 400_000,
        "{alive} {stats:?}"
    );
    assert!(
        stats.size < stats.size_in_use + 1_300_000,
        "{alive} {stats:?}"
    );
}

async fn check(
    view: &littoral_core::engine::View<MemoryVolume>,
    model: &BTreeMap<Vec<u8>, Vec<u8>>,
    next: &mut impl FnMut() -> u64,
) {
    for _ in 0..10 {
        let key = format!("{:03}", next() % 300).into_bytes();
        assert_eq!(
            view.get(S, &key).await.unwrap().as_deref(),
            model.get(&key).map(|v| &v[..])
        );
    }
    let (a, b) = (
        format!("{:03}", next() % 300),
        format!("{:03}", next() % 300),
    );
    let ranges = [
        KeyRange::all(),
        KeyRange::between(Bytes::from(a.clone()), Bytes::from(b.clone())),
    ];
    for range in ranges {
        for direction in [Direction::Forward, Direction::Backward] {
            let mut scan = view.scan(S, range.clone(), direction);
            let mut found = Vec::new();
            while let Some(entry) = scan.next().await.unwrap() {
                let value = scan.value().await.unwrap();
                assert_eq!(entry.len, value.len() as u64);
                found.push((entry.key.to_vec(), value.to_vec()));
            }
            let mut wanted: Vec<_> = model
                .iter()
                .filter(|(k, _)| range.contains(k))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            if direction == Direction::Backward {
                wanted.reverse();
            }
            let keys = |list: &[(Vec<u8>, Vec<u8>)]| {
                list.iter()
                    .map(|(k, _)| String::from_utf8_lossy(k).into_owned())
                    .collect::<Vec<_>>()
            };
            assert_eq!(keys(&found), keys(&wanted), "{direction:?} {range:?}");
            assert!(found == wanted);
        }
    }
}

/// Twenty strict commits, not closed, and where the log is.
async fn unclean(volume: &MemoryVolume, entropy: &Counter) -> Vec<u8> {
    let store = open(volume, entropy).await;
    for i in 0..20u8 {
        let mut batch = Batch::new();
        batch.put(S, [i], vec![i; 50]);
        store.commit(batch, Durability::Strict).await.unwrap();
    }
    volume.to_bytes()
}

/// Where the record of commit `first` stands.
fn record_of(bytes: &[u8], first: u64) -> usize {
    (0..bytes.len() / 8)
        .map(|i| i * 8)
        .find(|at| {
            bytes[*at..].starts_with(b"LREC") && bytes[at + 16..at + 24] == first.to_le_bytes()
        })
        .unwrap()
}

#[test]
fn damage_in_the_middle_of_the_log_is_reported_and_nothing_is_changed() {
    block_on(async {
        let (volume, entropy) = (MemoryVolume::new(), entropy());
        let mut bytes = unclean(&volume, &entropy).await;
        let at = record_of(&bytes, 11);
        bytes[at + 80] ^= 1;
        let damaged = MemoryVolume::from_bytes(bytes.clone());
        let error = Store::open(damaged.clone(), &entropy, small())
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind(), Kind::Corrupt, "{error}");
        assert_eq!(error.damage().unwrap().range.start, at as u64);
        assert!(damaged.to_bytes() == bytes);
    });
}

#[test]
fn a_damaged_log_can_be_cut_where_the_damage_begins() {
    block_on(async {
        let (volume, entropy) = (MemoryVolume::new(), entropy());
        let mut bytes = unclean(&volume, &entropy).await;
        let at = record_of(&bytes, 11);
        bytes[at + 80] ^= 1;
        let mut options = small();
        options.damaged_log = littoral_core::engine::DamagedLog::Cut;
        let store = Store::open(MemoryVolume::from_bytes(bytes), &entropy, options)
            .await
            .unwrap();
        assert_eq!(store.stats().salvaged.unwrap().kind(), Kind::Corrupt);
        assert_eq!(store.stats().last_commit, 10);
        assert!(store.get(S, &[9]).await.unwrap().is_some());
        assert!(store.get(S, &[10]).await.unwrap().is_none());
    });
}

#[test]
fn a_torn_last_record_is_cut_and_never_comes_back() {
    block_on(async {
        let (volume, entropy) = (MemoryVolume::new(), entropy());
        let mut bytes = unclean(&volume, &entropy).await;
        let at = record_of(&bytes, 20);
        let whole = bytes[at + 80];
        bytes[at + 80] ^= 1;
        let volume = MemoryVolume::from_bytes(bytes);
        let store = open(&volume, &entropy).await;
        assert_eq!(store.stats().last_commit, 19);
        drop(store);
        let mut bytes = volume.to_bytes();
        bytes[at + 80] = whole;
        let store = open(&MemoryVolume::from_bytes(bytes), &entropy).await;
        assert_eq!(store.stats().last_commit, 19);
        assert!(store.get(S, &[19]).await.unwrap().is_none());
    });
}

#[test]
fn commits_go_on_when_nobody_drives() {
    block_on(async {
        let store = open(&MemoryVolume::new(), &entropy()).await;
        for i in 0..3000u32 {
            let mut batch = Batch::new();
            batch.put(S, i.to_be_bytes(), vec![i as u8; 2000]);
            store.commit(batch, Durability::Strict).await.unwrap();
        }
        let stats = store.stats();
        assert!(stats.tables < 26, "{stats:?}");
        assert_eq!(
            store.get(S, &7u32.to_be_bytes()).await.unwrap().unwrap(),
            vec![7; 2000]
        );
    });
}

#[test]
fn what_a_view_kept_is_given_back_by_the_first_reclaim_after_it_was_closed() {
    block_on(async {
        let (volume, entropy) = (MemoryVolume::new(), entropy());
        let store = open(&volume, &entropy).await;
        for i in 0..40u32 {
            let mut batch = Batch::new();
            batch.put(S, i.to_be_bytes(), vec![i as u8; 100_000]);
            store.commit(batch, Durability::Strict).await.unwrap();
        }
        let view = store.view();
        let mut batch = Batch::new();
        batch.delete_range(S, KeyRange::all());
        store.commit(batch, Durability::Strict).await.unwrap();
        driven(&store, store.reclaim()).await.unwrap();
        assert!(store.stats().size_in_use > 4_000_000);
        assert_eq!(view.get(S, &[0; 4]).await.unwrap().unwrap().len(), 100_000);
        drop(view);
        driven(&store, store.reclaim()).await.unwrap();
        let stats = store.stats();
        assert!(stats.size_in_use < 500_000, "{stats:?}");
        assert!(stats.size < 1_000_000, "{stats:?}");
    });
}

#[test]
fn a_reclaim_gives_everything_back_wherever_background_work_was_when_it_began() {
    block_on(async {
        for polls in 0..24 {
            let (volume, entropy) = (MemoryVolume::new(), entropy());
            let store = open(&volume, &entropy).await;
            // In every second round something is left, so that looking for what is alive takes a while.
            for first in (0..(polls % 2) * 5000u32).step_by(1000) {
                let mut batch = Batch::new();
                for i in first..first + 1000 {
                    batch.put(Space(0x81), i.to_be_bytes(), "alive");
                }
                store.commit(batch, Durability::Strict).await.unwrap();
            }
            for i in 0..20u32 {
                let mut batch = Batch::new();
                batch.put(S, i.to_be_bytes(), vec![i as u8; 1 << 20]);
                store.commit(batch, Durability::Strict).await.unwrap();
            }
            store.checkpoint().await.unwrap();
            let mut batch = Batch::new();
            batch.delete_range(S, KeyRange::all());
            store.commit(batch, Durability::Strict).await.unwrap();
            store.checkpoint().await.unwrap();
            // So much garbage that background work begins to reclaim it unasked.
            let mut drive = Box::pin(store.drive());
            for _ in 0..polls / 2 {
                let _ = (&mut drive).now_or_never();
            }
            let reclaim = store.reclaim();
            pin_mut!(reclaim);
            select(reclaim, drive).await;
            let stats = store.stats();
            assert!(stats.size < 1_000_000, "after {polls} polls: {stats:?}");
        }
    });
}

/// Counts what was read from one volume and not yet written to another.
#[derive(Clone, Default)]
struct OnItsWay {
    read: std::sync::Arc<std::sync::atomic::AtomicU64>,
    written: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

struct Counted(MemoryVolume, OnItsWay);

impl Volume for Counted {
    async fn len(&self) -> Result<u64> {
        self.0.len().await
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        self.0.set_len(len).await
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        use std::sync::atomic::Ordering::SeqCst;
        let read = self.1.read.fetch_add(len as u64, SeqCst);
        let waiting = read.saturating_sub(self.1.written.load(SeqCst));
        assert!(waiting < 16 << 20, "{waiting} bytes wait in memory");
        self.0.read_at(offset, len).await
    }

    async fn write_at(&self, offset: u64, bytes: Bytes) -> Result<()> {
        use std::sync::atomic::Ordering::SeqCst;
        self.1.written.fetch_add(bytes.len() as u64, SeqCst);
        self.0.write_at(offset, bytes).await
    }

    async fn discard(&self, range: std::ops::Range<u64>) -> Result<()> {
        self.0.discard(range).await
    }

    async fn sync(&self) -> Result<()> {
        self.0.sync().await
    }
}

#[test]
fn a_backup_takes_a_bounded_amount_of_memory() {
    block_on(async {
        let (volume, entropy) = (MemoryVolume::new(), entropy());
        let store = open(&volume, &entropy).await;
        for i in 0..40u32 {
            let mut batch = Batch::new();
            batch.put(S, i.to_be_bytes(), vec![i as u8; 1 << 20]);
            store.commit(batch, Durability::Strict).await.unwrap();
        }
        store.close().await.unwrap();
        drop(store);
        let way = OnItsWay::default();
        let source = Store::open(Counted(volume, way.clone()), &entropy, small())
            .await
            .unwrap();
        let target = Counted(MemoryVolume::new(), way);
        assert_eq!(source.backup(target, &entropy).await.unwrap(), 40);
    });
}

#[test]
fn a_backup_that_was_not_finished_is_no_store_wherever_it_ended() {
    block_on(async {
        let (volume, entropy) = (MemoryVolume::new(), entropy());
        let store = open(&volume, &entropy).await;
        for i in 0..300u32 {
            let mut batch = Batch::new();
            batch.put(S, i.to_be_bytes(), vec![i as u8; 2000]);
            store.commit(batch, Durability::Memory).await.unwrap();
        }
        let (mut ends, mut told) = (0, 0);
        for calls in 0.. {
            let target = MemoryVolume::new();
            let left = std::sync::atomic::AtomicUsize::new(calls);
            let whole = store.backup(Ending(target.clone(), left), &entropy).await;
            if whole.is_ok() {
                break;
            }
            ends += 1;
            if target.len().await.unwrap() == 0 {
                continue;
            }
            match Store::open(target, &entropy, small()).await {
                // Only the second copy of the superblock is missing.
                Ok(copy) => assert_eq!(copy.stats().table_entries, 300, "after {calls} calls"),
                Err(error) => {
                    told +=
                        usize::from(error.to_string().contains("a backup that was not finished"));
                    let kind = error.kind();
                    assert!(
                        matches!(kind, Kind::InvalidInput | Kind::Corrupt),
                        "{error}"
                    );
                }
            }
        }
        assert!(ends > 20, "{ends}");
        assert!(told > ends / 2, "{told} of {ends} say what they are");
    });
}

/// A volume of which every change fails after so many.
struct Ending(MemoryVolume, std::sync::atomic::AtomicUsize);

impl Ending {
    fn change(&self) -> Result<()> {
        use std::sync::atomic::Ordering::SeqCst;
        let left = |left: usize| left.checked_sub(1);
        match self.1.fetch_update(SeqCst, SeqCst, left) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::new(Kind::Transient, "the cable was pulled")),
        }
    }
}

impl Volume for Ending {
    async fn len(&self) -> Result<u64> {
        self.0.len().await
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        self.change()?;
        self.0.set_len(len).await
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        self.0.read_at(offset, len).await
    }

    async fn write_at(&self, offset: u64, bytes: Bytes) -> Result<()> {
        self.change()?;
        self.0.write_at(offset, bytes).await
    }

    async fn discard(&self, range: std::ops::Range<u64>) -> Result<()> {
        self.0.discard(range).await
    }

    async fn sync(&self) -> Result<()> {
        self.change()?;
        self.0.sync().await
    }
}

#[test]
fn reclaim_leaves_a_file_that_is_hardly_longer_than_what_is_in_use() {
    block_on(async {
        let (volume, entropy) = (MemoryVolume::new(), entropy());
        let store = open(&volume, &entropy).await;
        for round in 0..120u32 {
            let mut batch = Batch::new();
            for i in 0..100u32 {
                let key = (i * 120 + round).wrapping_mul(0x9e37_79b1).to_be_bytes();
                batch.put(S, key, vec![round as u8; 200]);
            }
            driven(&store, store.commit(batch, Durability::Strict))
                .await
                .unwrap();
        }
        driven(&store, store.reclaim()).await.unwrap();
        let (size, used) = (store.size(), store.size_in_use());
        assert!(size - used <= size / 64 + (256 << 10), "{used} of {size}");
        assert_eq!(volume.len().await.unwrap(), size);
        let again = driven(&store, store.reclaim()).await.unwrap();
        assert_eq!(again.bytes_shortened, 0);
    });
}
