use super::*;
use alloc::{boxed::Box, collections::BTreeSet};
use core::{pin::Pin, task::Context};

type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What a seed decides.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

/// Runs tasks to their end, a step of one and a step of another, as the seed decides, and the store's own work beside them.
fn run(blobs: &EngineBlobs<MemoryVolume>, mut tasks: Vec<Task<'_>>, seed: u64) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let waker = futures::task::noop_waker();
    let mut context = Context::from_waker(&waker);
    let mut steps = 0;
    let mut drive = Box::pin(blobs.store().drive());
    while !tasks.is_empty() {
        let i = chance.below(tasks.len() + 1);
        if i == tasks.len() {
            assert!(drive.as_mut().poll(&mut context).is_pending());
        } else if tasks[i].as_mut().poll(&mut context).is_ready() {
            drop(tasks.swap_remove(i));
        }
        steps += 1;
        assert!(steps < 1_000_000, "seed {seed} does not end");
    }
}

/// A few small chunks that every task makes its blobs of.
fn chunks() -> Vec<Bytes> {
    (0..5).map(|i| noise(i, 10 + i as usize)).collect()
}

/// Puts, checks and deletes blobs that are this task's own, of chunks that are everybody's.
async fn work(blobs: &EngineBlobs<MemoryVolume>, task: u8, seed: u64, kept: &Kept) {
    let mut chance = Chance(seed.wrapping_mul(31).wrapping_add(u64::from(task)) | 1);
    let chunks = chunks();
    let mine = Bytes::from(alloc::vec![task]);
    for _ in 0..6 {
        let mut parts = alloc::vec![mine.clone()];
        for _ in 0..1 + chance.below(4) {
            parts.push(chunks[chance.below(chunks.len())].clone());
        }
        let blob = Bytes::from(parts.concat());
        let pointer = Pointer::of(&blob);
        match chance.below(5) {
            0 | 1 => {
                put(blobs, &pointer, &parts).await;
                kept.lock().insert(blob.clone());
                assert_eq!(blobs.get(&pointer).await.unwrap(), blob, "after its put");
            }
            2 => {
                put(blobs, &pointer, &parts).await;
                assert!(blobs.delete(&pointer).await.unwrap());
                kept.lock().remove(&blob);
            }
            3 => {
                let own = kept.lock().iter().find(|blob| blob[0] == task).cloned();
                if let Some(own) = own {
                    assert!(blobs.delete(&Pointer::of(&own)).await.unwrap());
                    kept.lock().remove(&own);
                }
            }
            _ => blobs.sweep().await.unwrap(),
        }
        let all = kept.lock().clone();
        for blob in all {
            match blobs.get(&Pointer::of(&blob)).await {
                Ok(got) => assert_eq!(got, blob),
                // Its owner may have deleted it.
                Err(error) => assert_eq!(error.kind(), Kind::NotFound, "{error:?}"),
            }
        }
    }
}

type Kept = crate::sync::Mutex<BTreeSet<Bytes>>;

/// As a remote does: chunks, then the list, and again while sweeps or deletions take chunks away.
async fn put(blobs: &EngineBlobs<MemoryVolume>, pointer: &Pointer, parts: &[Bytes]) {
    let mut list = ChunkList::default();
    for part in parts {
        list.0.push(Chunk {
            pointer: Pointer::of(part),
            len: part.len() as u32,
        });
    }
    loop {
        for part in parts {
            if !blobs.has_chunks(&[Pointer::of(part)]).await.unwrap()[0] {
                blobs.put_chunk(part.clone()).await.unwrap();
            }
        }
        match blobs.put_list(pointer, list.clone()).await {
            Ok(()) => return,
            Err(error) => assert_eq!(error.kind(), Kind::NotFound, "{error:?}"),
        }
    }
}

#[test]
fn puts_deletes_and_sweeps_in_any_order_lose_no_chunk_that_a_visible_list_names() {
    for seed in 0..150 {
        let blobs = block_on(small_blobs());
        let kept = Kept::default();
        let mut tasks: Vec<Task<'_>> = Vec::new();
        for task in 0..4 {
            tasks.push(Box::pin(work(&blobs, task, seed, &kept)));
        }
        run(&blobs, tasks, seed);
        run(
            &blobs,
            alloc::vec![Box::pin(afterwards(&blobs, &kept))],
            seed,
        );
    }
}

async fn afterwards(blobs: &EngineBlobs<MemoryVolume>, kept: &Kept) {
    consistent(blobs).await;
    let kept = kept.lock().clone();
    let listed = blobs.list(None, 1000).await.unwrap();
    assert_eq!(listed.len(), kept.len());
    for blob in &kept {
        assert_eq!(blobs.get(&Pointer::of(blob)).await.unwrap(), *blob);
    }
    for blob in &kept {
        blobs.delete(&Pointer::of(blob)).await.unwrap();
    }
    blobs.sweep().await.unwrap();
    blobs.sweep().await.unwrap();
    consistent(blobs).await;
    empty(blobs).await;
}

#[test]
fn streams_and_deletes_of_the_same_large_blobs_in_any_order_leave_them_whole_or_gone() {
    let data = noise(9, 2_200_000);
    let parts = [
        data.clone(),
        data.slice(..1_800_000),
        data.slice(..1_500_000),
    ];
    for seed in 0..12 {
        let blobs = block_on(small_blobs());
        let mut tasks: Vec<Task<'_>> = Vec::new();
        for part in &parts {
            for _ in 0..2 {
                tasks.push(Box::pin(async {
                    blobs.put(part.clone()).await.unwrap();
                }));
            }
            tasks.push(Box::pin(async {
                blobs.delete(&Pointer::of(part)).await.unwrap();
                blobs.sweep().await.unwrap();
            }));
        }
        run(&blobs, tasks, seed);
        let check: Task<'_> = Box::pin(async {
            for part in &parts {
                let pointer = Pointer::of(part);
                match blobs.get(&pointer).await {
                    Ok(got) => assert_eq!(got, *part),
                    Err(error) => assert_eq!(error.kind(), Kind::NotFound, "{error:?}"),
                }
                consistent(&blobs).await;
                blobs.delete(&pointer).await.unwrap();
            }
            blobs.release().await.unwrap();
            empty(&blobs).await;
        });
        run(&blobs, alloc::vec![check], seed);
    }
}

#[test]
fn of_two_batches_that_publish_or_remove_the_same_blob_the_second_conflicts_and_can_try_again() {
    block_on(async {
        let blobs = blobs().await;
        let store = blobs.store().clone();
        for size in [100, 2_000_000] {
            let data = noise(10, size);
            let commit = |batch| store.commit(batch, Durability::Local);
            let (mut one, mut two) = (Batch::new(), Batch::new());
            let first = blobs.stage(data.clone(), &mut one).await.unwrap();
            let second = blobs.stage(data.clone(), &mut two).await.unwrap();
            let pointer = first.pointer;
            commit(one).await.unwrap();
            if size > 100 {
                let error = commit(two).await.err().unwrap();
                assert_eq!(error.kind(), Kind::Conflict);
            }
            // There already: nothing but a condition.
            let mut again = Batch::new();
            blobs.publish_in(&second, &mut again).await.unwrap();
            assert!(again.is_empty());
            // Removed before that is committed: it has to be put after all.
            let view = store.view();
            let (mut remove, mut twice) = (Batch::new(), Batch::new());
            blobs.remove_in(&mut remove, &pointer, &view).await.unwrap();
            blobs.remove_in(&mut twice, &pointer, &view).await.unwrap();
            commit(remove).await.unwrap();
            assert_eq!(commit(twice).await.err().unwrap().kind(), Kind::Conflict);
            assert_eq!(commit(again).await.err().unwrap().kind(), Kind::Conflict);
            let mut again = Batch::new();
            blobs.publish_in(&second, &mut again).await.unwrap();
            assert!(!again.is_empty());
            commit(again).await.unwrap();
            assert_eq!(blobs.get(&pointer).await.unwrap(), data);
            drop((first, second));
            assert!(blobs.delete(&pointer).await.unwrap());
            blobs.sweep().await.unwrap();
            empty(&blobs).await;
        }
    });
}
