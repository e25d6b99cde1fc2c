//! A store of a blob that is made when it is read.

use bytes::Bytes;
use littoral::core::{
    Kind, Result,
    blob::{BlobStore, Capabilities, Listed, Pointer, RootStore, Stat},
    port::{Body, Clock},
};
use std::{
    ops::Range,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// A store that no thread but one can use at a time, with a blob that is made when it is read.
#[derive(Default)]
pub struct Made {
    pub read: Arc<AtomicU64>,
}

pub const MADE: u64 = 1 << 30;

impl BlobStore for Made {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }
    async fn put(&self, _: Bytes) -> Result<Pointer> {
        panic!("on purpose")
    }
    async fn put_stream<B: Body>(&self, _: B) -> Result<Pointer> {
        panic!("on purpose")
    }
    async fn get(&self, _: &Pointer) -> Result<Bytes> {
        panic!("it is never read whole")
    }
    async fn get_range(&self, _: &Pointer, range: Range<u64>) -> Result<Bytes> {
        let not_send = Rc::new(range);
        littoral::SystemClock.sleep(Duration::from_millis(1)).await;
        let len = not_send.end - not_send.start;
        self.read.fetch_add(len, Ordering::SeqCst);
        Ok(vec![0; len as usize].into())
    }
    async fn stat(&self, _: &Pointer) -> Result<Option<Stat>> {
        Ok(Some(Stat::whole(MADE)))
    }
    async fn has(&self, _: &[Pointer]) -> Result<Vec<bool>> {
        Ok(Vec::new())
    }
    async fn delete(&self, _: &Pointer) -> Result<bool> {
        std::future::pending().await
    }
    async fn list(&self, _: Option<Pointer>, _: usize) -> Result<Vec<Listed>> {
        Ok(Vec::new())
    }
}

impl RootStore for Made {
    async fn root(&self, _: &str) -> Result<Option<Pointer>> {
        Err(littoral::core::Error::new(Kind::Busy, "later")
            .with_retry_after(Duration::from_secs(7)))
    }
    async fn move_root(&self, _: &str, _: Option<Pointer>, _: Option<Pointer>) -> Result<()> {
        Ok(())
    }
    async fn roots(&self, _: Option<&str>, _: usize) -> Result<Vec<(String, Pointer)>> {
        Ok(Vec::new())
    }
}
