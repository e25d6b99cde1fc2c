//! Table blocks that were read lately, within a budget: the CLOCK algorithm over a few shards.

use super::{codec::Ref, table::Block};
use crate::sync::RwLock;
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicBool, Ordering};
use hashbrown::HashMap;

const SHARDS: usize = 16;

pub(crate) struct Cache {
    shards: Vec<RwLock<Shard>>,
}

struct Shard {
    budget: usize,
    used: usize,
    index: HashMap<Ref, usize>,
    slots: Vec<Slot>,
    hand: usize,
}

struct Slot {
    key: Ref,
    block: Arc<Block>,
    touched: AtomicBool,
}

impl Cache {
    /// A cache of at most `budget` bytes.
    pub(crate) fn new(budget: usize) -> Self {
        let shard = || {
            RwLock::new(Shard {
                budget: budget / SHARDS,
                used: 0,
                index: HashMap::new(),
                slots: Vec::new(),
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
        let slot = shard.slots.get(*shard.index.get(key)?)?;
        // Written once in a round only: readers on other processors then share the line.
        if !slot.touched.load(Ordering::Relaxed) {
            slot.touched.store(true, Ordering::Relaxed);
        }
        Some(slot.block.clone())
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
        self.shards.get((key.checksum % SHARDS as u64) as usize)
    }
}

impl Shard {
    fn insert(&mut self, key: Ref, block: Arc<Block>) {
        let size = block.size();
        if size > self.budget || self.index.contains_key(&key) {
            return;
        }
        while self.used + size > self.budget && !self.slots.is_empty() {
            self.evict_one();
        }
        self.used += size;
        self.index.insert(key, self.slots.len());
        self.slots.push(Slot {
            key,
            block,
            touched: AtomicBool::new(false),
        });
    }

    /// Goes round: what was touched since the last round stays once more.
    fn evict_one(&mut self) {
        loop {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            let Some(slot) = self.slots.get_mut(self.hand) else {
                return;
            };
            if core::mem::take(slot.touched.get_mut()) {
                self.hand += 1;
                continue;
            }
            let gone = self.slots.swap_remove(self.hand);
            self.index.remove(&gone.key);
            self.used = self.used.saturating_sub(gone.block.size());
            if let Some(moved) = self.slots.get(self.hand) {
                self.index.insert(moved.key, self.hand);
            }
            return;
        }
    }
}
