//! What is stored: the same bytes in every run, and bytes that no compression makes smaller.

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// A blob's key: the SHA-256 of its bytes.
pub type Key = [u8; 32];

/// The key that `value` is stored under. The same hash for every contender.
pub fn key_of(value: &[u8]) -> Key {
    Sha256::digest(value).into()
}

/// A sum over every byte, cheap enough not to hide the cost of reading: what a reader checks.
pub fn sum(value: &[u8]) -> u64 {
    let (words, rest) = value.as_chunks::<8>();
    let sum = words.iter().fold(0u64, |sum, word| {
        sum.wrapping_add(u64::from_le_bytes(*word))
    });
    rest.iter().fold(sum, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
    })
}

/// Random numbers from a seed (xoshiro256++).
pub struct Random([u64; 4]);

impl Random {
    /// The numbers of stream `stream` of `seed`.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut state = seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95);
        Random(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }))
    }

    pub fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let t = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(45);
        result
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for word in words {
            *word = self.next().to_le_bytes();
        }
        let last = self.next().to_le_bytes();
        rest.copy_from_slice(&last[..rest.len()]);
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// Value number `nth` of `seed`, `len` bytes long.
pub fn value(seed: u64, nth: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    Random::new(seed, nth).fill(&mut bytes);
    bytes.into()
}

/// Entries that are made before the clock starts, and what a reader must find.
pub struct DataSet {
    /// Key and value in the order of loading.
    pub entries: Vec<(Bytes, Bytes)>,
    sums: Vec<u64>,
    total: u64,
}

impl DataSet {
    /// `count` blobs of `len` bytes. Loading them includes hashing them: the keys here are for readers.
    pub fn blobs(count: usize, len: usize) -> Self {
        Self::of((0..count as u64).map(|nth| {
            let value = value(BLOBS, nth, len);
            (Bytes::copy_from_slice(&key_of(&value)), value)
        }))
    }

    /// `count` values of 100 bytes under ordered keys of 16 bytes, which arrive in no order.
    pub fn pairs(count: usize) -> Self {
        Self::of((0..count as u64).map(|nth| (pair_key(nth), value(PAIRS, nth, 100))))
    }

    fn of(entries: impl Iterator<Item = (Bytes, Bytes)>) -> Self {
        let entries: Vec<_> = entries.collect();
        let sums: Vec<_> = entries.iter().map(|(_, value)| sum(value)).collect();
        let total = sums.iter().fold(0u64, |a, b| a.wrapping_add(*b));
        DataSet {
            entries,
            sums,
            total,
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes in all values.
    pub fn value_bytes(&self) -> u64 {
        self.entries
            .iter()
            .map(|(_, value)| value.len() as u64)
            .sum()
    }

    /// The values alone, in the order of loading.
    pub fn values(&self) -> Vec<Bytes> {
        self.entries
            .iter()
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// Whether `found` is value number `nth`, to its last byte.
    pub fn is_value(&self, nth: usize, found: &[u8]) -> bool {
        self.entries[nth].1.len() == found.len() && self.sums[nth] == sum(found)
    }

    /// The sum over all values, whatever their order.
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// A 16-byte key: 8 bytes that scatter `nth` over the whole order, and `nth`.
fn pair_key(nth: u64) -> Bytes {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&nth.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    key[8..].copy_from_slice(&nth.to_be_bytes());
    Bytes::copy_from_slice(&key)
}

/// Seeds, one for each kind of data.
pub const BLOBS: u64 = 1;
pub const PAIRS: u64 = 2;
pub const RECORDS: u64 = 3;
pub const RECORD_KEYS: u64 = 8;
pub const PUTS: u64 = 4;
pub const LARGE: u64 = 5;
pub const MANY: u64 = 6;
pub const ORDER: u64 = 7;
pub const STREAM: u64 = 9;
