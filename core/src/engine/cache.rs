//! Table blocks that were read lately, within a budget: the CLOCK algorithm over a few shards.

use super::{codec::Ref, table::Block};
use crate::sync::Mutex;
use alloc::{sync::Arc, vec::Vec};
use hashbrown::HashMap;

const SHARDS: usize = 16;

pub(crate) struct Cache {
    shards: Vec<Mutex<Shard>>,
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
    touched: bool,
}

impl Cache {
    /// A cache of at most `budget` bytes.
    pub(crate) fn new(budget: usize) -> Self {
        let shard = || {
            Mutex::new(Shard {
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
        let mut shard = self.shard(key)?.lock();
        let at = *shard.index.get(key)?;
        let slot = shard.slots.get_mut(at)?;
        slot.touched = true;
        Some(slot.block.clone())
    }

    pub(crate) fn insert(&self, key: Ref, block: Arc<Block>) {
        if let Some(shard) = self.shard(&key) {
            shard.lock().insert(key, block);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().used).sum()
    }

    fn shard(&self, key: &Ref) -> Option<&Mutex<Shard>> {
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
            touched: false,
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
            if slot.touched {
                slot.touched = false;
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
