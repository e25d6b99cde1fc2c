//! The contenders, one file each.

mod directory;
mod fjall;
mod floor;
mod littoral;
mod lmdb;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sqlite;

use super::contender::Contender;
use crate::data::{Key, key_of};
use anyhow::{Context, Result};
use bytes::Bytes;
use std::thread;

/// Bytes of cache that each of them may use: the same for all, so that none reads from its own
/// memory what another must read from the system's.
pub const CACHE: usize = 32 << 20;

pub use littoral::open as open_littoral;

pub const LITTORAL: &str = "littoral";
pub const MAPPED: &str = "mapped";
pub const FLOOR: &str = "floor";

/// All of them, Littoral first and the floor last.
pub fn all() -> Vec<&'static dyn Contender> {
    vec![
        &littoral::Littoral,
        &littoral::Mapped,
        &redb::Redb,
        &fjall::Fjall,
        &sqlite::Sqlite,
        &lmdb::Lmdb,
        #[cfg(feature = "rocksdb")]
        &rocksdb::Rocksdb,
        &directory::Directory,
        &floor::Floor,
    ]
}

/// Threads that load: hashing is most of the work, and what each takes is the same for everybody.
pub const LOADERS: usize = 2;

/// The values in as many parts as there are loaders.
fn parts(values: &[Bytes]) -> std::slice::Chunks<'_, Bytes> {
    values.chunks(values.len().div_ceil(LOADERS).max(1))
}

/// Values with their hashes in key order: every sorted structure loads fastest that way.
fn hashed_in_order(values: Vec<Bytes>) -> Result<Vec<(Key, Bytes)>> {
    let mut hashed = Vec::with_capacity(values.len());
    thread::scope(|scope| {
        let hash = |value: &Bytes| (key_of(value), value.clone());
        let threads: Vec<_> = parts(&values)
            .map(|part| scope.spawn(move || part.iter().map(hash).collect::<Vec<_>>()))
            .collect();
        for thread in threads {
            hashed.append(&mut thread.join().ok().context("a loader panicked")?);
        }
        Ok::<_, anyhow::Error>(())
    })?;
    hashed.sort_unstable_by_key(|(key, _)| *key);
    Ok(hashed)
}

/// Pairs in key order.
fn in_order(mut pairs: Vec<(Bytes, Bytes)>) -> Vec<(Bytes, Bytes)> {
    pairs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::contender::{Entry, Store, Table};

    /// All that can be opened again.
    fn stores() -> Vec<&'static dyn Contender> {
        let mut all = all();
        all.retain(|contender| contender.name() != FLOOR);
        all
    }

    fn found(store: &dyn Store, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut found = None;
        let (nth, len) = (0, 0);
        let mut reader = store.reader()?;
        let is_there = reader.get(table, Entry { key, nth, len }, &mut |value| {
            found = Some(value.to_vec());
        })?;
        assert_eq!(is_there, found.is_some());
        Ok(found)
    }

    #[test]
    fn what_was_put_is_there_when_the_store_is_opened_again() -> Result<()> {
        for contender in stores() {
            let dir = tempfile::tempdir()?;
            let store = contender.open(dir.path())?;
            store.commit(b"0123456789abcdef", Bytes::from_static(b"a record"))?;
            let put = store.put(Bytes::from_static(b"a blob"))?;
            let large = store.put(Bytes::from(vec![7; 3 << 20]))?;
            let loaded = Bytes::from_static(b"loaded");
            store.load_blobs(vec![loaded.clone()])?;
            store.close()?;

            let name = contender.name();
            let store = contender.open(dir.path())?;
            let record = found(&*store, Table::Records, b"0123456789abcdef")?;
            assert_eq!(record.as_deref(), Some(&b"a record"[..]), "{name}");
            let blob = found(&*store, Table::Blobs, &put)?;
            assert_eq!(blob.as_deref(), Some(&b"a blob"[..]), "{name}");
            assert_eq!(
                found(&*store, Table::Blobs, &large)?.map(|v| v.len()),
                Some(3 << 20),
                "{name}"
            );
            assert_eq!(
                found(&*store, Table::Blobs, &key_of(&loaded))?,
                Some(loaded.to_vec()),
                "{name}"
            );
            assert_eq!(found(&*store, Table::Blobs, &[9; 32])?, None, "{name}");
            store.close()?;
        }
        Ok(())
    }

    #[test]
    fn a_scan_gives_everything_in_key_order() -> Result<()> {
        for contender in stores() {
            if contender.leaves_out("small").is_some() {
                continue;
            }
            let dir = tempfile::tempdir()?;
            let mut store = contender.open(dir.path())?;
            let pair = |n: u8| (Bytes::from(vec![n; 16]), Bytes::from(vec![n; 100]));
            store.load_pairs(vec![pair(3), pair(1), pair(2)])?;
            store.settle()?;
            let mut keys = Vec::new();
            store.reader()?.scan(Table::Pairs, 100, &mut |key, value| {
                assert_eq!(value, [key[0]; 100]);
                keys.push(key[0]);
            })?;
            assert_eq!(keys, [1, 2, 3], "{}", contender.name());
            store.close()?;
        }
        Ok(())
    }
}
