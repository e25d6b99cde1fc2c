//! Making a store.
//!
//! The first thing that is written, and synced, is a mark in the place of the first superblock; the first superblock is the
//! last. So whatever a crash leaves of it says what it is, and nothing else is ever taken for it and overwritten: not a
//! file of zeros, which may be what is left of a store.

use super::{
    codec::{Ref, checksum},
    device::Device,
    extent::PAGE,
    open::seed,
    superblock::{LOGS, SLOT, Superblock},
    types::Options,
};
use crate::{Error, Kind, Result, port::Volume};
use bytes::Bytes;

/// What stands where a superblock belongs until everything else of a new store is durable.
const UNFINISHED: &[u8] = b"Littoral store, unfinished\n";

/// Whether a volume of `len` bytes that begins with `head` is what a crash left of a store that was being made: nothing
/// was ever acknowledged there.
pub(super) fn is_unfinished(len: u64, head: &[u8]) -> bool {
    if head.starts_with(UNFINISHED) {
        return true;
    }
    // The mark itself was being written.
    len <= UNFINISHED.len() as u64
        && head
            .iter()
            .zip(UNFINISHED)
            .all(|(byte, whole)| *byte == 0 || byte == whole)
}

pub(super) async fn create<V: Volume>(
    device: &Device<V>,
    random: &[u8; 24],
    options: &Options,
) -> Result<Superblock> {
    if !options.alignment.is_power_of_two()
        || !(8..=65_536).contains(&options.alignment)
        || !(super::MIN_LOG..=super::MAX_LOG).contains(&options.log_size)
        || !options.log_size.is_multiple_of(PAGE)
    {
        return Err(Error::new(
            Kind::InvalidInput,
            alloc::format!(
                "log_size must be a multiple of {PAGE} from {} to {}, alignment a power of two from 8 to 65536",
                super::MIN_LOG,
                super::MAX_LOG
            ),
        ));
    }
    let mut superblock = Superblock {
        alignment: options.alignment,
        store_id: [0; 16],
        generation: 1,
        log_size: options.log_size,
        log_epoch: 0,
        log_seed: seed(random),
        last_commit: 0,
        manifest: Ref {
            offset: 0,
            len: 0,
            checksum: checksum(0, &[]),
        },
        file_len: 0,
        chain: 0,
    };
    superblock
        .store_id
        .copy_from_slice(random.get(..16).unwrap_or_default());
    superblock.file_len = superblock.extents();
    if superblock.file_len > options.max_size {
        return Err(Error::new(
            Kind::Quota,
            alloc::format!("a new store takes {} bytes", superblock.file_len),
        ));
    }
    device.set_len(0).await?;
    device.set_len(UNFINISHED.len() as u64).await?;
    device
        .write_fresh(0, Bytes::from_static(UNFINISHED))
        .await?;
    device.sync().await?;
    device.set_len(superblock.file_len).await?;
    // Real zeros: a later write into the logs then changes no metadata, and a sync is half as long.
    let zeros = Bytes::from(alloc::vec![0; (256 << 10).min(options.log_size as usize)]);
    let mut at = LOGS;
    while at < superblock.file_len {
        let len = (superblock.file_len - at).min(zeros.len() as u64);
        device.write_fresh(at, zeros.slice(..len as usize)).await?;
        at += len;
    }
    device.sync().await?;
    // The mark goes last.
    for slot in [1, 0] {
        device.discard(slot * SLOT..(slot + 1) * SLOT).await?;
        device
            .write(slot * SLOT, superblock.encode().into())
            .await?;
        device.sync().await?;
    }
    Ok(superblock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mark_or_a_part_of_it_is_a_store_that_was_being_made() {
        let mut torn = UNFINISHED.to_vec();
        torn[3..9].fill(0);
        for (bytes, is) in [
            (UNFINISHED, true),
            (&torn, true),
            (&UNFINISHED[..5], true),
            (&[0; 5], true),
            (&[0; 4096], false),
            (b"Lithography", false),
            (b"\x89LITTORAL", false),
        ] {
            assert_eq!(is_unfinished(bytes.len() as u64, bytes), is, "{bytes:?}");
        }
        let mut made = UNFINISHED.to_vec();
        made.resize(8192, 0);
        assert!(is_unfinished(1 << 20, &made));
        // A part of the mark, and more behind it, was never left by a crash.
        torn.resize(8192, 0);
        assert!(!is_unfinished(1 << 20, &torn));
    }
}
