use super::*;
use crate::{Error, sync::Mutex};

/// A volume in memory whose syncs fail once it is told so.
#[derive(Clone, Default)]
struct Failing {
    bytes: MemoryVolume,
    broken: Arc<Mutex<bool>>,
}

impl Volume for Failing {
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
        self.bytes.write_at(offset, bytes).await
    }

    async fn discard(&self, range: Range<u64>) -> Result<()> {
        self.bytes.discard(range).await
    }

    async fn sync(&self) -> Result<()> {
        let broken = *self.broken.lock();
        match broken {
            true => Err(Error::new(Kind::Transient, "the disk does not sync")),
            false => self.bytes.sync().await,
        }
    }
}

#[test]
fn a_blob_whose_sync_failed_is_read_but_not_said_to_be_there() {
    block_on(async {
        let volume = Failing::default();
        let store = Store::open(volume.clone(), &Seven, Options::default()).await;
        let blobs = EngineBlobs::new(store.unwrap());
        let safe = blobs.put(noise(1, 1000)).await.unwrap();
        assert_eq!(blobs.has(&[safe]).await.unwrap(), [true]);
        *volume.broken.lock() = true;
        let data = noise(2, 1000);
        let pointer = Pointer::of(&data);
        blobs.put(data.clone()).await.unwrap_err();
        assert_eq!(blobs.get(&pointer).await.unwrap(), data);
        assert_eq!(blobs.visible(&[pointer]).await.unwrap(), [true]);
        let error = blobs.has(&[pointer]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Poisoned);
        assert_eq!(blobs.has(&[Pointer::NULL]).await.unwrap(), [false]);
    });
}

#[test]
fn a_yes_makes_what_was_put_with_less_durable_and_costs_nothing_then() {
    block_on(async {
        let blobs = blobs().await;
        let mut batch = Batch::new();
        let staged = blobs.stage(noise(1, 1000), &mut batch).await.unwrap();
        let commit = blobs.store().commit(batch, Durability::Memory).await;
        let commit = commit.unwrap().commit();
        assert!(blobs.store().stats().durable_commit < commit);
        assert_eq!(blobs.has(&[staged.pointer]).await.unwrap(), [true]);
        let after = blobs.store().stats();
        assert!(after.durable_commit >= commit);
        blobs.has(&[staged.pointer]).await.unwrap();
        assert_eq!(blobs.store().stats().last_commit, after.last_commit);
    });
}
