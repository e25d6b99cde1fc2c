use super::support::{Env, World};
use crate::{
    Result,
    blob::{MemoryBlobs, Pointer},
    pair::Pair,
    port::{Body, Clock, MemoryVolume},
};
use bytes::Bytes;
use core::time::Duration;

type Plain = Pair<MemoryVolume, MemoryBlobs, Env>;

fn spawnable<F: Future + Send + 'static>(_: F) {}

fn is_send_and_sync<T: Send + Sync + Clone + 'static>(_: &T) {}

/// Compiling this is the test: every future of a pair over `Send` hosts can be spawned on many threads.
fn every_future_can_be_spawned(pair: Plain, pointer: Pointer) {
    is_send_and_sync(&pair);
    let p = pair.clone();
    spawnable(async move { p.drive().await });
    let p = pair.clone();
    spawnable(async move {
        let receipt = p.put(Bytes::new()).await?;
        receipt.wait(crate::engine::Durability::Remote).await?;
        receipt.reached().await
    });
    let p = pair.clone();
    spawnable(async move { p.put_stream(Pieces(0)).await.map(drop) });
    let p = pair.clone();
    spawnable(async move {
        p.get(&pointer).await?;
        p.get_range(&pointer, 0..1).await?;
        p.stat(&pointer).await?;
        p.has(&[pointer]).await?;
        p.list(None, 1).await
    });
    let p = pair.clone();
    spawnable(async move {
        p.delete(&pointer).await?;
        p.move_root("head", None, Some(pointer)).await?;
        p.refresh_root("head").await?;
        p.roots(None, 1).await
    });
    let p = pair.clone();
    spawnable(async move {
        p.verify().await?;
        p.repair().await?;
        p.retry_failed().await?;
        p.queue(None, 1).await?;
        p.pending().await
    });
    let p = pair.clone();
    spawnable(async move {
        p.status().changed().await;
        p.buffer().list(None, 1).await?;
        p.pin(&pointer).await?;
        p.sync(core::future::pending()).await?;
        p.close(Duration::ZERO).await
    });
}

struct Pieces(u8);

impl Body for Pieces {
    fn len(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        self.0 += 1;
        Ok((self.0 < 3).then(|| Bytes::from_static(b"piece")))
    }
}

#[test]
fn a_pair_over_send_hosts_is_send() {
    let _ = every_future_can_be_spawned;
    let world = World::new();
    is_send_and_sync(&world.pair);
    world.env.advance(Duration::ZERO);
    assert_eq!(world.env.now(), Duration::ZERO);
}
