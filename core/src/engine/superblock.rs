//! The first two pages of the file: where everything else is. Written twice, slot after slot, so
//! that a torn write or a flipped bit in one leaves the other.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 16 | magic: `89 "LITTORAL" 0D 0A 1A 0A 00 00 00` (finds text-mode damage) |
//! | 16 | 4 | format version, 1 |
//! | 20 | 4 | alignment of log records |
//! | 24 | 16 | store id |
//! | 40 | 8 | generation; the larger valid one wins |
//! | 48 | 8 | bytes of each log area |
//! | 56 | 8 | epoch of the first log that is not in tables |
//! | 64 | 8 | seed of the log's salts, new at each opening |
//! | 72 | 8 | last commit that is in tables |
//! | 80 | 20 | reference to the manifest |
//! | 100 | 8 | length that the file has at least |
//! | 108 | 8 | checksum that the first log record names as its predecessor's |
//! | 116 | 8 | XXH3-64 of bytes 0..116 |

use super::codec::{Put, Ref, Take, checksum, verifies};
use crate::Error;
use alloc::vec::Vec;

pub(crate) const MAGIC: [u8; 16] = *b"\x89LITTORAL\r\n\x1a\n\0\0\0";
pub(crate) const VERSION: u32 = 1;
/// Bytes of a slot.
pub(crate) const SLOT: u64 = 4096;
/// Where the first log area begins.
pub(crate) const LOGS: u64 = 2 * SLOT;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub alignment: u32,
    pub store_id: [u8; 16],
    pub generation: u64,
    pub log_size: u64,
    pub log_epoch: u64,
    pub log_seed: u64,
    pub last_commit: u64,
    pub manifest: Ref,
    pub file_len: u64,
    pub chain: u64,
}

/// Why a slot is not a superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Its magic is missing.
    NotAStore,
    /// It has another format version.
    Newer(u32),
    /// Its checksum or a field is wrong.
    Damaged,
}

impl Superblock {
    /// Where log area of `epoch` begins.
    pub(crate) fn area(&self, epoch: u64) -> u64 {
        LOGS + (epoch & 1) * self.log_size
    }

    /// Where extents begin.
    pub(crate) fn extents(&self) -> u64 {
        LOGS + 2 * self.log_size
    }

    /// A whole slot.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SLOT as usize);
        out.extend_from_slice(&MAGIC);
        out.put_u32(VERSION);
        out.put_u32(self.alignment);
        out.extend_from_slice(&self.store_id);
        out.put_u64(self.generation);
        out.put_u64(self.log_size);
        out.put_u64(self.log_epoch);
        out.put_u64(self.log_seed);
        out.put_u64(self.last_commit);
        out.put_ref(&self.manifest);
        out.put_u64(self.file_len);
        out.put_u64(self.chain);
        let sum = checksum(0, &out);
        out.put_u64(sum);
        out.resize(SLOT as usize, 0);
        out
    }

    /// Reads one slot.
    pub(crate) fn parse(slot: &[u8]) -> Result<Superblock, Unreadable> {
        if !slot.starts_with(&MAGIC) {
            return Err(Unreadable::NotAStore);
        }
        Self::fields(slot).unwrap_or(Err(Unreadable::Damaged))
    }

    fn fields(slot: &[u8]) -> Result<Result<Superblock, Unreadable>, Error> {
        let mut take = Take::new(slot);
        take.slice(MAGIC.len())?;
        let version = take.u32()?;
        let block = Superblock {
            alignment: take.u32()?,
            store_id: take.array()?,
            generation: take.u64()?,
            log_size: take.u64()?,
            log_epoch: take.u64()?,
            log_seed: take.u64()?,
            last_commit: take.u64()?,
            manifest: take.reference()?,
            file_len: take.u64()?,
            chain: take.u64()?,
        };
        let covered = take.position();
        let sum = take.u64()?;
        let whole = verifies(0, slot.get(..covered).unwrap_or_default(), sum);
        Ok(match version {
            VERSION if whole && block.is_sound() => Ok(block),
            // Every later format keeps these fields and this checksum where they are.
            version if version != VERSION && whole => Err(Unreadable::Newer(version)),
            _ => Err(Unreadable::Damaged),
        })
    }

    fn is_sound(&self) -> bool {
        self.alignment.is_power_of_two()
            && (8..=65_536).contains(&self.alignment)
            && self.log_size.is_multiple_of(SLOT)
            && (super::MIN_LOG..=super::MAX_LOG).contains(&self.log_size)
            && self.file_len >= self.extents()
            && self.log_epoch < u64::MAX / 2
            && self.generation < u64::MAX / 2
            && self.last_commit < u64::MAX / 2
    }
}
