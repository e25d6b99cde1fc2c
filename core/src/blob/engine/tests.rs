use super::*;
use crate::{
    blob::{EngineRoots, RootStore},
    engine::Options,
    port::{Entropy, MemoryVolume},
};
use futures::executor::block_on;

pub(super) struct Seven;

impl Entropy for Seven {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill(7);
        Ok(())
    }
}

pub(in crate::blob) async fn blobs() -> EngineBlobs<MemoryVolume> {
    let store = Store::open(MemoryVolume::new(), &Seven, Options::default()).await;
    EngineBlobs::new(store.unwrap())
}

/// Bytes that look random, the same for the same seed.
pub(super) fn noise(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

// Without std a store is confined to one thread.
#[cfg(feature = "std")]
#[test]
fn every_future_of_a_store_over_a_sendable_volume_is_sendable() {
    fn is_send<T: Send>(_: &T) {}
    block_on(async {
        let blobs = blobs().await;
        let roots = EngineRoots::new(blobs.store().clone());
        let view = blobs.store().view();
        let pointer = Pointer::NULL;
        let mut batch = Batch::new();
        is_send(&blobs);
        is_send(&blobs.put(Bytes::new()));
        is_send(&blobs.put_stream(Bytes::new()));
        is_send(&blobs.get(&pointer));
        is_send(&blobs.get_range(&pointer, 0..1));
        is_send(&blobs.stat(&pointer));
        is_send(&blobs.has(&[]));
        is_send(&blobs.delete(&pointer));
        is_send(&blobs.list(None, 1));
        is_send(&blobs.chunks(&pointer));
        is_send(&blobs.has_chunks(&[]));
        is_send(&blobs.put_chunk(Bytes::new()));
        is_send(&blobs.get_chunk(&pointer));
        is_send(&blobs.put_list(&pointer, ChunkList::default()));
        is_send(&blobs.stage(Bytes::new(), &mut batch));
        is_send(&blobs.remove_in(&mut batch, &pointer, &view));
        is_send(&blobs.sweep());
        is_send(&roots.move_root("a", None, None));
        is_send(&roots.move_in(&mut batch, &view, "a", None, None));
        is_send(&roots.roots(None, 1));
    });
}

#[test]
fn a_large_blob_comes_back_whole_and_leaves_nothing_once_deleted() {
    block_on(async {
        let blobs = blobs().await;
        let data = noise(1, 5_000_000);
        let pointer = blobs.put(data.clone()).await.unwrap();
        assert_eq!(pointer, Pointer::of(&data));
        assert_eq!(blobs.get(&pointer).await.unwrap(), data);
        let stat = blobs.stat(&pointer).await.unwrap().unwrap();
        assert_eq!(stat.size, 5_000_000);
        assert!(stat.chunks > 4);
        for range in [
            0..1,
            0..5_000_000,
            4_999_999..6_000_000,
            1_000_000..3_000_001,
        ] {
            let cut = range.start as usize..(range.end as usize).min(data.len());
            let got = blobs.get_range(&pointer, range).await.unwrap();
            assert_eq!(got, data.slice(cut));
        }
        let again = blobs.put(data).await.unwrap();
        assert_eq!(again, pointer);
        assert_eq!(blobs.list(None, 10).await.unwrap().len(), 1);
        assert!(blobs.delete(&pointer).await.unwrap());
        for space in [WHOLE, LISTED, CHUNKS, space::REFERENCES, space::PARTS] {
            let view = blobs.store().view();
            let mut scan = view.scan(space, KeyRange::all(), Direction::Forward);
            assert_eq!(scan.next().await.unwrap(), None, "{space:?}");
        }
    });
}
