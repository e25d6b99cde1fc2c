//! Table blocks that were read lately, within a budget: the CLOCK algorithm over a few shards.

use super::{codec::Ref, table::Block};
use crate::sync::RwLock;
use alloc::{sync::Arc, vec::Vec};
use core::{
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::atomic::Ordering,
};
use hashbrown::HashMap;

const SHARDS: usize = 16;

pub(crate) struct Cache {
    shards: Vec<RwLock<Shard>>,
}

struct Shard {
    budget: usize,
    used: usize,
    blocks: HashMap<Ref, Arc<Block>, BuildHasherDefault<ByChecksum>>,
    round: Vec<Ref>,
    hand: usize,
}

/// A reference is hashed already: by its checksum.
#[derive(Default)]
struct ByChecksum(u64);

impl Hasher for ByChecksum {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

impl Hash for Ref {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.checksum);
    }
}

impl Cache {
    /// A cache of at most `budget` bytes.
    pub(crate) fn new(budget: usize) -> Self {
        let shard = || {
            RwLock::new(Shard {
                budget: budget / SHARDS,
                used: 0,
                blocks: HashMap::default(),
                round: Vec::new(),
                hand: 0,
            })
        };
        Cache {
            shards: (0..SHARDS).map(|_| shard()).collect(),
        }
    }

    /// The block behind a reference. The reference's checksum is part of the key, so bytes that a
    /// reused extent held before are never found.
    pub(crate) fn find(&self, key: &Ref) -> Option<Arc<Block>> {
        let shard = self.shard(key)?.read();
        let block = shard.blocks.get(key)?;
        // Written once in a round only: readers on other processors then share the line.
        if !block.touched.load(Ordering::Relaxed) {
            block.touched.store(true, Ordering::Relaxed);
        }
        Some(block.clone())
    }

    pub(crate) fn insert(&self, key: Ref, block: Arc<Block>) {
        if let Some(shard) = self.shard(&key) {
            shard.write().insert(key, block);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().used).sum()
    }

    fn shard(&self, key: &Ref) -> Option<&RwLock<Shard>> {
        // Bits that the map of a shard makes no use of, or hardly.
        self.shards.get((key.checksum >> 40) as usize % SHARDS)
    }
}

impl Shard {
    fn insert(&mut self, key: Ref, block: Arc<Block>) {
        let size = block.size();
        if size > self.budget || self.blocks.contains_key(&key) {
            return;
        }
        while self.used + size > self.budget && !self.round.is_empty() {
            self.evict_one();
        }
        self.used += size;
        self.blocks.insert(key, block);
        self.round.push(key);
    }

    /// Goes round: what was touched since the last round stays once more.
    fn evict_one(&mut self) {
        loop {
            if self.hand >= self.round.len() {
                self.hand = 0;
            }
            let Some(key) = self.round.get(self.hand) else {
                return;
            };
            if let Some(block) = self.blocks.get(key)
                && block.touched.swap(false, Ordering::Relaxed)
            {
                self.hand += 1;
                continue;
            }
            let gone = self.round.swap_remove(self.hand);
            if let Some(block) = self.blocks.remove(&gone) {
                self.used = self.used.saturating_sub(block.size());
            }
            return;
        }
    }
}
