//! A Bloom filter over the keys below an index block: 10 bits a key, 6 probes, under 1 % false
//! answers (Kirsch and Mitzenmacher, 2006: two hashes make all probes).

use super::super::codec::checksum;
use alloc::{vec, vec::Vec};

const BITS_PER_KEY: usize = 10;
const PROBES: u64 = 6;

pub(crate) fn hash(key: &[u8]) -> u64 {
    checksum(0x6c69_7474, key)
}

pub(crate) fn build(hashes: &[u64]) -> Vec<u8> {
    let mut bits = vec![0u8; (hashes.len() * BITS_PER_KEY).div_ceil(8).max(8)];
    let len = bits.len() as u64 * 8;
    for &hash in hashes {
        for bit in probes(hash, len) {
            if let Some(byte) = bits.get_mut((bit / 8) as usize) {
                *byte |= 1 << (bit % 8);
            }
        }
    }
    bits
}

/// `false` only if the key is not below this block.
pub(crate) fn may_contain(filter: &[u8], hash: u64) -> bool {
    let len = filter.len() as u64 * 8;
    len == 0
        || probes(hash, len).all(|bit| {
            filter
                .get((bit / 8) as usize)
                .is_some_and(|byte| byte & (1 << (bit % 8)) != 0)
        })
}

fn probes(hash: u64, len: u64) -> impl Iterator<Item = u64> {
    let step = hash.rotate_left(32) | 1;
    (0..PROBES).map(move |i| {
        let mixed = hash.wrapping_add(step.wrapping_mul(i));
        ((u128::from(mixed) * u128::from(len)) >> 64) as u64
    })
}
