//! The parsers of what is in the file, for fuzz targets: none may panic, hang, or allocate by a
//! length that it has not checked. Behind the feature `fuzzing`; no part of the API.

use super::{
    batch, codec, log,
    manifest::Manifest,
    superblock::Superblock,
    table::{Block, Ranges},
};
use alloc::vec;
use bytes::Bytes;

pub use codec::blind::ignore_checksums;

/// A superblock's slot. Returns whether it is one.
pub fn superblock(bytes: &[u8]) -> bool {
    Superblock::parse(bytes).is_ok_and(|block| Superblock::parse(&block.encode()) == Ok(block))
}

/// A manifest. What is accepted is written back as it was.
pub fn manifest(bytes: &[u8]) -> bool {
    Manifest::parse(bytes).is_ok()
}

/// Both log areas: the first eight bytes are the salt, the rest is cut in two.
pub fn log(bytes: &[u8]) -> usize {
    let Some((salt, rest)) = bytes.split_at_checked(8) else {
        return 0;
    };
    let salt = salt.try_into().map_or(0, u64::from_le_bytes);
    let half = rest.len() / 2;
    let area = |epoch: u64, bytes: &[u8]| log::Area {
        any_round: false,
        bytes: Bytes::copy_from_slice(bytes),
        offset: 0,
        epoch,
        salt,
    };
    let (first, second) = rest.split_at_checked(half).unwrap_or_default();
    let (records, _) = log::replay(&[area(0, first), area(1, second)], 8, 1, 0);
    for record in &records {
        let _ = batch::decode(&record.payload, |_| Ok(()));
    }
    records.len()
}

/// A log record around `payload` that verifies, so that what is behind the checksum is reached.
pub fn sealed_log(payload: &[u8]) -> usize {
    let head = log::Head {
        payload_len: 0,
        commits: 1,
        first: 1,
        durable: 0,
        previous: 0,
        payload_sum: 0,
        epoch: 0,
        sum: 0,
    };
    let (record, _) = log::encode(7, 8, head, &[Bytes::copy_from_slice(payload)]);
    let area = log::Area {
        any_round: false,
        bytes: record,
        offset: 0,
        epoch: 0,
        salt: 7,
    };
    let (records, _) = log::replay(core::slice::from_ref(&area), 8, 1, 0);
    let mut operations = 0;
    for record in &records {
        let _ = batch::decode(&record.payload, |_| {
            operations += 1;
            Ok(())
        });
    }
    operations
}

/// A table's block, and every way to look into it.
pub fn block(bytes: &[u8]) -> usize {
    let Ok(block) = Block::parse(Bytes::copy_from_slice(bytes)) else {
        return 0;
    };
    let mut items = 0;
    for index in 0..block.len().min(10_000) {
        if let Ok(item) = block.item(index) {
            items += 1;
            let _ = block.search(&item.key);
            let _ = block.child_for(&item.key);
        }
    }
    let _ = block.search(bytes);
    let ranges = Ranges(block);
    let _ = ranges.cover(bytes);
    let _ = ranges.all();
    items
}

/// A valid superblock for a corpus.
pub fn superblock_seed() -> alloc::vec::Vec<u8> {
    let manifest = codec::Ref {
        offset: 0,
        len: 0,
        checksum: 0,
    };
    let block = Superblock {
        alignment: 4096,
        store_id: [1; 16],
        generation: 1,
        log_size: 65_536,
        log_epoch: 0,
        log_seed: 0,
        last_commit: 0,
        manifest,
        file_len: 139_264,
        chain: 0,
    };
    let mut bytes = vec![];
    bytes.extend_from_slice(&block.encode());
    bytes
}
