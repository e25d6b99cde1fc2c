//! The log: two areas that take turns, each a row of records.
//!
//! One flush writes exactly one record, which holds one group of commits: atomic by one checksum.
//! A record is 64 bytes of head, the payload (see `batch.rs`), and zeros up to the alignment.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `LREC` |
//! | 4 | 4 | zero |
//! | 8 | 4 | length of the payload |
//! | 12 | 4 | number of commits |
//! | 16 | 8 | number of the first commit |
//! | 24 | 8 | last commit that was durable when this record was written |
//! | 32 | 8 | checksum of the head of the record before this one, in whichever area |
//! | 40 | 8 | XXH3-64 of the payload, seeded with the salt |
//! | 48 | 8 | epoch |
//! | 56 | 8 | XXH3-64 of bytes 0..56, seeded with the salt |
//!
//! The salt of an epoch is XXH3-64 of its number, seeded with the superblock's log seed. A seed is
//! used from one opening to the next, an epoch for one round of one area, so bytes of an earlier
//! round never verify. A record verifies alone, and is tied to the one before it.
//!
//! **Torn tail or damage?** A record may be lost only if no later sync has returned. Every record
//! names the last commit that was durable when it was written; so a bad record is a torn tail
//! unless some later record says that the commits in its place were durable.

use super::codec::{Put, Take, align, checksum, verifies};
use crate::{Damage, Error, Result};
use alloc::vec::Vec;
use bytes::Bytes;

pub(crate) const HEAD: usize = 64;
const MAGIC: u32 = u32::from_le_bytes(*b"LREC");

/// The seed of a store that is broken on purpose: all rounds have one salt.
pub(crate) const NO_SEED: u64 = u64::MAX;

/// The salt of one round of one area.
pub(crate) fn salt(seed: u64, epoch: u64) -> u64 {
    #[cfg(feature = "sabotage")]
    if seed == NO_SEED {
        return 0;
    }
    checksum(seed, &epoch.to_le_bytes())
}

/// Bytes that a record with this payload takes in its area.
pub(crate) fn record_len(payload: u64, alignment: u32) -> u64 {
    align(payload.saturating_add(HEAD as u64), u64::from(alignment))
}

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub payload_len: u32,
    pub commits: u32,
    pub first: u64,
    pub durable: u64,
    pub previous: u64,
    pub payload_sum: u64,
    pub epoch: u64,
    /// The head's own checksum.
    pub sum: u64,
}

/// A whole record: head, payload, padding. Returns it with its checksum.
pub(crate) fn encode(salt: u64, alignment: u32, mut head: Head, payload: &[Bytes]) -> (Bytes, u64) {
    let len: usize = payload.iter().map(Bytes::len).sum();
    let whole = record_len(len as u64, alignment) as usize;
    let mut out = Vec::with_capacity(whole);
    out.resize(HEAD, 0);
    for part in payload {
        out.extend_from_slice(part);
    }
    head.payload_len = len as u32;
    head.payload_sum = checksum(salt, out.get(HEAD..).unwrap_or_default());
    out.resize(whole, 0);
    let (bytes, sum) = encode_head(salt, &head);
    if let Some(target) = out.get_mut(..HEAD) {
        target.copy_from_slice(&bytes);
    }
    (out.into(), sum)
}

fn encode_head(salt: u64, head: &Head) -> ([u8; HEAD], u64) {
    let mut out = Vec::with_capacity(HEAD);
    out.put_u32(MAGIC);
    out.put_u32(0);
    out.put_u32(head.payload_len);
    out.put_u32(head.commits);
    out.put_u64(head.first);
    out.put_u64(head.durable);
    out.put_u64(head.previous);
    out.put_u64(head.payload_sum);
    out.put_u64(head.epoch);
    let sum = checksum(salt, &out);
    out.put_u64(sum);
    let mut bytes = [0; HEAD];
    bytes.copy_from_slice(&out);
    (bytes, sum)
}

/// The head at the beginning of `bytes`, if there is a whole one of this round.
pub(crate) fn parse_head(salt: u64, epoch: Option<u64>, bytes: &[u8]) -> Option<Head> {
    let mut take = Take::new(bytes.get(..HEAD)?);
    if take.u32().ok()? != MAGIC || take.u32().ok()? != 0 {
        return None;
    }
    let mut head = Head {
        payload_len: take.u32().ok()?,
        commits: take.u32().ok()?,
        first: take.u64().ok()?,
        durable: take.u64().ok()?,
        previous: take.u64().ok()?,
        payload_sum: take.u64().ok()?,
        epoch: take.u64().ok()?,
        sum: 0,
    };
    head.sum = take.u64().ok()?;
    let covered = bytes.get(..HEAD - 8)?;
    (verifies(salt, covered, head.sum)
        && epoch.is_none_or(|epoch| head.epoch == epoch)
        && head.first < u64::MAX / 2)
        .then_some(head)
}

/// A record that verifies.
pub(crate) struct Record {
    pub head: Head,
    pub payload: Bytes,
    /// Where it is in the file.
    pub offset: u64,
    /// Bytes that it takes.
    pub len: u64,
}

impl Record {
    /// The number of its last commit.
    pub(crate) fn last(&self) -> u64 {
        (self.head.first + u64::from(self.head.commits)).saturating_sub(1)
    }

    fn damage(&self, what: &str) -> Error {
        Error::corrupt(Damage::new(self.offset..self.offset + self.len, what))
    }
}

/// One area as it was found.
pub(crate) struct Area {
    /// A store that is broken on purpose takes records of any round, wherever they are.
    pub any_round: bool,
    pub bytes: Bytes,
    /// Where it begins in the file.
    pub offset: u64,
    pub epoch: u64,
    pub salt: u64,
}

/// Reads the records of both areas, in order. What comes after the first bad record is cut, if
/// that can be a torn tail.
///
/// The records before the damage are there in any case; the damage, `Corrupt`, is told when
/// records are missing that were durable.
pub(crate) fn replay(
    areas: &[Area],
    alignment: u32,
    next: u64,
    chain: u64,
) -> (Vec<Record>, Result<()>) {
    let mut records = Vec::new();
    let result = read_areas(areas, alignment, next, chain, &mut records);
    (records, result)
}

fn read_areas(
    areas: &[Area],
    alignment: u32,
    mut next: u64,
    mut chain: u64,
    records: &mut Vec<Record>,
) -> Result<()> {
    let mut gap: Option<(u64, u64)> = None;
    for area in areas {
        let mut at = 0u64;
        while gap.is_none() {
            match record_at(area, at, alignment) {
                Some(record)
                    if area.any_round
                        || record.head.previous == chain && record.head.first == next =>
                {
                    chain = record.head.sum;
                    next = record.last() + 1;
                    at += record.len;
                    records.push(record);
                }
                // It verifies and does not belong here: what should be before it is gone.
                Some(record) => {
                    return Err(record.damage(&alloc::format!(
                        "the log before a record (commit {next} is missing)"
                    )));
                }
                None => break,
            }
        }
        // Look behind the first bad place for records that say it had been durable.
        let mut probe = at;
        while probe + HEAD as u64 <= area.bytes.len() as u64 {
            let Some(record) = record_at(area, probe, alignment) else {
                // A head that verifies tells how long its record was, so no byte is summed twice.
                probe += head_at(area, probe).map_or(u64::from(alignment), |head| {
                    record_len(u64::from(head.payload_len), alignment)
                });
                continue;
            };
            if record.head.durable >= next {
                let (start, end) = gap.unwrap_or((area.offset + at, record.offset));
                return Err(Error::corrupt(Damage::new(
                    start..end.max(start),
                    alloc::format!(
                        "the log behind commit {} (commit {} is intact at {})",
                        next.saturating_sub(1),
                        record.head.first,
                        record.offset
                    ),
                )));
            }
            gap = Some((area.offset + at, record.offset));
            probe += record.len;
        }
    }
    Ok(())
}

fn head_at(area: &Area, at: u64) -> Option<Head> {
    let start = usize::try_from(at).ok()?;
    let epoch = (!area.any_round).then_some(area.epoch);
    parse_head(area.salt, epoch, area.bytes.get(start..)?)
}

fn record_at(area: &Area, at: u64, alignment: u32) -> Option<Record> {
    let head = head_at(area, at)?;
    let from = usize::try_from(at).ok()?.checked_add(HEAD)?;
    let to = from.checked_add(head.payload_len as usize)?;
    let payload = area.bytes.get(from..to)?;
    if !verifies(area.salt, payload, head.payload_sum) || head.commits == 0 {
        return None;
    }
    Some(Record {
        head,
        payload: area.bytes.slice(from..to),
        offset: area.offset + at,
        len: record_len(u64::from(head.payload_len), alignment),
    })
}
