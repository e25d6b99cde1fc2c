use super::*;
use crate::{Error, blob::conformance::Pieces};
use futures::{FutureExt, poll};

/// A stream that gives `bytes` and then never ends.
struct Endless(Bytes);

impl Body for Endless {
    fn len(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.0.is_empty() {
            futures::future::pending::<()>().await;
        }
        Ok(Some(self.0.split_to(self.0.len().min(100_000))))
    }
}

#[test]
fn a_stream_whose_future_is_dropped_leaves_nothing_after_a_sweep() {
    block_on(async {
        let blobs = blobs().await;
        let whole = noise(1, 6_000_000);
        let kept = blobs.put(whole.slice(..3_000_000)).await.unwrap();
        let before = all_of(&blobs, CHUNKS).await.len();
        {
            let mut put = core::pin::pin!(blobs.put_stream(Endless(whole.clone())));
            for _ in 0..200 {
                assert!(poll!(&mut put).is_pending());
            }
            assert!(all_of(&blobs, CHUNKS).await.len() > before);
            // What is being written is not swept.
            blobs.sweep().await.unwrap();
            assert!(all_of(&blobs, CHUNKS).await.len() > before);
            consistent(&blobs).await;
        }
        blobs.sweep().await.unwrap();
        consistent(&blobs).await;
        assert_eq!(all_of(&blobs, CHUNKS).await.len(), before);
        assert_eq!(blobs.get(&kept).await.unwrap(), whole.slice(..3_000_000));
        blobs.delete(&kept).await.unwrap();
        empty(&blobs).await;
    });
}

#[test]
fn what_a_crash_left_of_a_stream_is_swept_after_reopening() {
    block_on(async {
        let volume = MemoryVolume::new();
        let kept = {
            let blobs = open(volume.clone()).await;
            let put = blobs.put_stream(Endless(noise(2, 6_000_000)));
            let mut put = core::pin::pin!(put);
            for _ in 0..200 {
                assert!(poll!(&mut put).is_pending());
            }
            let kept = blobs.put(noise(3, 100)).await.unwrap();
            // The process ends here: nothing is closed, nothing dropped.
            let image = volume.to_bytes();
            let after = open(MemoryVolume::from_bytes(image)).await;
            consistent(&after).await;
            assert!(!all_of(&after, CHUNKS).await.is_empty());
            after.sweep().await.unwrap();
            assert!(after.has(&[kept]).await.unwrap()[0]);
            after.delete(&kept).await.unwrap();
            empty(&after).await;
            // The number of the lost list is not given away again.
            let large = after.put(noise(4, 2_000_000)).await.unwrap();
            assert_eq!(after.get(&large).await.unwrap(), noise(4, 2_000_000));
            kept
        };
        assert_eq!(kept, Pointer::of(&noise(3, 100)));
    });
}

#[test]
fn a_stream_that_fails_leaves_nothing_without_a_sweep() {
    block_on(async {
        let blobs = blobs().await;
        for size in [MAX_AND_ONE, 5_000_000] {
            let broken = Error::new(Kind::Timeout, "broken");
            let body = Pieces::new(noise(5, size), 70_000).then_fails(broken);
            assert!(blobs.put_stream(body).await.is_err());
            empty(&blobs).await;
        }
    });
}

const MAX_AND_ONE: usize = chunk::MAX + 1;

#[test]
fn a_second_put_of_a_large_blob_leaves_only_the_first() {
    block_on(async {
        let blobs = blobs().await;
        let data = noise(6, 4_000_000);
        let pointer = blobs.put(data.clone()).await.unwrap();
        let parts = all_of(&blobs, space::PARTS).await;
        let counts = all_of(&blobs, REFERENCES).await;
        blobs.put(data.clone()).await.unwrap();
        assert_eq!(all_of(&blobs, space::PARTS).await, parts);
        assert_eq!(all_of(&blobs, REFERENCES).await, counts);
        blobs.delete(&pointer).await.unwrap();
        empty(&blobs).await;
    });
}

#[test]
fn a_staged_blob_is_invisible_before_its_batch_and_swept_after_it_is_dropped() {
    block_on(async {
        let blobs = blobs().await;
        let mut batch = Batch::new();
        let staged = blobs.stage(noise(7, 3_000_000), &mut batch).await.unwrap();
        let pointer = staged.pointer;
        assert_eq!(staged.size, 3_000_000);
        assert!(staged.chunks > 2);
        assert_eq!(blobs.stat(&pointer).await.unwrap(), None);
        blobs.sweep().await.unwrap();
        blobs.sweep().await.unwrap();
        let commit = blobs.store().commit(batch, Durability::Strict);
        commit.await.unwrap();
        drop(staged);
        blobs.sweep().await.unwrap();
        assert_eq!(blobs.get(&pointer).await.unwrap(), noise(7, 3_000_000));

        let mut batch = Batch::new();
        let staged = blobs.stage(noise(8, 3_000_000), &mut batch).await.unwrap();
        let lost = staged.pointer;
        drop(staged);
        blobs.sweep().await.unwrap();
        let commit = blobs.store().commit(batch, Durability::Strict).await;
        assert_eq!(commit.err().unwrap().kind(), Kind::Conflict);
        assert!(!blobs.has(&[lost]).await.unwrap()[0]);
        blobs.delete(&pointer).await.unwrap();
        empty(&blobs).await;
    });
}

#[test]
fn a_sweep_of_somebody_who_does_not_know_a_stream_fails_it_and_loses_nothing_else() {
    block_on(async {
        let blobs = blobs().await;
        let stranger = EngineBlobs::new(blobs.store().clone());
        let mut batch = Batch::new();
        let staged = blobs.stage(noise(9, 3_000_000), &mut batch).await.unwrap();
        stranger.sweep().await.unwrap();
        let commit = blobs.store().commit(batch, Durability::Strict).await;
        assert_eq!(commit.err().unwrap().kind(), Kind::Conflict);
        let again = blobs.publish_in(&staged, &mut Batch::new()).await;
        assert_eq!(again.unwrap_err().kind(), Kind::Conflict);
        drop(staged);
        consistent(&blobs).await;
        empty(&blobs).await;
    });
}

#[test]
fn a_chunk_without_a_list_stays_for_one_sweep_and_goes_with_the_next() {
    block_on(async {
        let blobs = blobs().await;
        let (old, kept, listed) = (noise(10, 1000), noise(11, 1000), noise(12, 1000));
        let old = blobs.put_chunk(old).await.unwrap();
        let kept_pointer = blobs.put_chunk(kept.clone()).await.unwrap();
        let listed_pointer = blobs.put_chunk(listed.clone()).await.unwrap();
        consistent(&blobs).await;
        blobs.sweep().await.unwrap();
        let all = [old, kept_pointer, listed_pointer];
        assert_eq!(blobs.has_chunks(&all).await.unwrap(), [true; 3]);
        // One comes again, one gets a list.
        blobs.put_chunk(kept).await.unwrap();
        let list = ChunkList(alloc::vec![Chunk {
            pointer: listed_pointer,
            len: 1000
        }]);
        blobs.put_list(&listed_pointer, list).await.unwrap();
        blobs.sweep().await.unwrap();
        consistent(&blobs).await;
        assert_eq!(blobs.has_chunks(&all).await.unwrap(), [false, true, true]);
        blobs.sweep().await.unwrap();
        assert_eq!(blobs.has_chunks(&all).await.unwrap(), [false, false, true]);
        consistent(&blobs).await;
        assert_eq!(blobs.get(&listed_pointer).await.unwrap(), listed);
        blobs.delete(&listed_pointer).await.unwrap();
        blobs.sweep().await.unwrap();
        empty(&blobs).await;
    });
}

#[test]
fn a_chunk_that_comes_again_during_a_sweep_stays() {
    block_on(async {
        for polls in 0..12 {
            let blobs = blobs().await;
            let bytes = noise(15, 1000);
            let chunk = blobs.put_chunk(bytes.clone()).await.unwrap();
            blobs.sweep().await.unwrap();
            let mut sweep = core::pin::pin!(blobs.sweep());
            let mut swept = false;
            for _ in 0..polls {
                swept = swept || poll!(&mut sweep).is_ready();
            }
            blobs.put_chunk(bytes).await.unwrap();
            if !swept {
                sweep.await.unwrap();
            }
            assert_eq!(blobs.has_chunks(&[chunk]).await.unwrap(), [true], "{polls}");
            consistent(&blobs).await;
        }
    });
}

#[test]
fn a_deletion_that_was_dropped_half_way_is_finished_by_the_next_release() {
    block_on(async {
        let blobs = blobs().await;
        let data = noise(13, 5_000_000);
        for polls in 1..8 {
            let pointer = blobs.put(data.clone()).await.unwrap();
            {
                let mut delete = core::pin::pin!(blobs.delete(&pointer));
                for _ in 0..polls {
                    if delete.as_mut().now_or_never().is_some() {
                        break;
                    }
                }
            }
            consistent(&blobs).await;
            if blobs.has(&[pointer]).await.unwrap()[0] {
                assert_eq!(blobs.get(&pointer).await.unwrap(), data);
                blobs.delete(&pointer).await.unwrap();
            }
            blobs.release().await.unwrap();
            empty(&blobs).await;
        }
    });
}

#[test]
fn blobs_removed_in_one_batch_free_the_chunks_that_they_share() {
    block_on(async {
        let blobs = blobs().await;
        let data = noise(14, 4_000_000);
        let one = blobs.put(data.clone()).await.unwrap();
        let other = blobs.put(data.slice(..3_500_000)).await.unwrap();
        let small = blobs.put(data.slice(..10)).await.unwrap();
        let view = blobs.store().view();
        let mut batch = Batch::new();
        for pointer in [one, other, small] {
            assert!(blobs.remove_in(&mut batch, &pointer, &view).await.unwrap());
        }
        let none = Pointer::of(b"none");
        assert!(!blobs.remove_in(&mut batch, &none, &view).await.unwrap());
        blobs
            .store()
            .commit(batch, Durability::Strict)
            .await
            .unwrap();
        consistent(&blobs).await;
        blobs.release().await.unwrap();
        empty(&blobs).await;
    });
}
