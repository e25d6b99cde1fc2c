//! A store over a volume of one's own: `cargo run --example volume`.
//!
//! This one keeps its bytes in memory, in blocks that are made when they are first written, and counts what the store asks of it.
//! Another may stand for a raw partition, an object in a database, or a file in an enclave: six methods are all a store needs.

use bytes::Bytes;
use littoral::core::{
    Error, Kind, Result,
    engine::{Batch, Durability, Options, Space, Store},
    port::Volume,
    sync::Mutex,
};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

const BLOCK: u64 = 4096;

/// Clones are the same volume, so that the store can be opened again over it.
#[derive(Clone, Default)]
struct Blocks(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    len: u64,
    blocks: BTreeMap<u64, [u8; BLOCK as usize]>,
    reads: usize,
    writes: usize,
    syncs: usize,
}

/// The parts of `range` in its blocks: which block, and which of its bytes.
fn parts(range: Range<u64>) -> impl Iterator<Item = (u64, Range<usize>)> {
    let blocks = range.start / BLOCK..range.end.div_ceil(BLOCK);
    blocks.map(move |block| {
        let start = block * BLOCK;
        let from = range.start.max(start) - start;
        let to = range.end.min(start + BLOCK) - start;
        (block, from as usize..to as usize)
    })
}

impl Volume for Blocks {
    async fn len(&self) -> Result<u64> {
        Ok(self.0.lock().len)
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        let mut inside = self.0.lock();
        // What is cut off reads as zeros when the volume grows again.
        let _ = inside.blocks.split_off(&len.div_ceil(BLOCK));
        if let Some(last) = inside.blocks.get_mut(&(len / BLOCK)) {
            last[(len % BLOCK) as usize..].fill(0);
        }
        inside.len = len;
        Ok(())
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        let mut inside = self.0.lock();
        inside.reads += 1;
        let end = offset
            .checked_add(len as u64)
            .filter(|end| *end <= inside.len);
        let Some(end) = end else {
            let message = format!("{len} bytes at {offset} of {}", inside.len);
            return Err(Error::new(Kind::OutOfRange, message));
        };
        let mut bytes = Vec::with_capacity(len);
        for (block, part) in parts(offset..end) {
            match inside.blocks.get(&block) {
                Some(block) => bytes.extend_from_slice(&block[part]),
                None => bytes.resize(bytes.len() + part.len(), 0),
            }
        }
        Ok(bytes.into())
    }

    async fn write_at(&self, offset: u64, mut bytes: Bytes) -> Result<()> {
        let mut inside = self.0.lock();
        inside.writes += 1;
        let end = offset + bytes.len() as u64;
        inside.len = inside.len.max(end);
        for (block, part) in parts(offset..end) {
            let target = inside.blocks.entry(block).or_insert([0; BLOCK as usize]);
            let piece = bytes.split_to(part.len());
            target[part].copy_from_slice(&piece);
        }
        Ok(())
    }

    /// Only a hint; memory could be given back here.
    async fn discard(&self, _range: Range<u64>) -> Result<()> {
        Ok(())
    }

    /// Memory does not survive power loss, so there is nothing to wait for: such a store is only as durable as that.
    async fn sync(&self) -> Result<()> {
        self.0.lock().syncs += 1;
        Ok(())
    }
}

pub fn main() -> Result<()> {
    let volume = Blocks::default();
    let mut options = Options::default();
    options.log_size = 1 << 20;
    littoral::block_on(async {
        let store = Store::open(volume.clone(), &littoral::OsEntropy, options.clone()).await?;
        let driver = littoral::spawn_driver(store.clone())?;
        for tide in 0..1000 {
            let mut batch = Batch::new();
            batch.put(Space(0x80), format!("{tide:04}"), "high");
            store.commit(batch, Durability::Strict).await?;
        }
        store.close().await?;
        driver.stop()?;

        let store = Store::open(volume.clone(), &littoral::OsEntropy, options).await?;
        let last = store.get(Space(0x80), b"0999").await?;
        assert_eq!(last.as_deref(), Some(&b"high"[..]));
        let inside = volume.0.lock();
        println!(
            "1,000 commits: {} writes, {} syncs, {} reads, {} KiB",
            inside.writes,
            inside.syncs,
            inside.reads,
            inside.blocks.len() as u64 * BLOCK / 1024
        );
        Ok(())
    })
}
