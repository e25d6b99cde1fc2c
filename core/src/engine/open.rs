//! Opening a store after whatever happened.
//!
//! Opening syncs first, takes the newer valid superblock, replays the logs that are not in tables,
//! and turns what it found into a table at once. The log then begins anew under a new seed, so
//! that whatever a crash left in the areas can never come back.

use super::{
    batch::{self, Change, Operation},
    codec::{Ref, checksum},
    create::{self, create},
    device::{Device, UNFINISHED},
    disk::Disk,
    extent::{Extent, PAGE, Space},
    log::{self, Area},
    manifest::Manifest,
    memtable::Memtable,
    state::State,
    store::{Inner, Store},
    superblock::{LOGS, MAGIC, SLOT, Superblock, Unreadable, VERSION},
    table::Table,
    types::{DamagedLog, NoStore, Options},
    upkeep::{Built, LogStart, Reason, Upkeep},
    version::{Current, Pack, Unwritten, Version},
};
use crate::{
    Damage, Error, Kind, Result,
    port::{Entropy, Volume},
    sorted::SortedMap,
    sync::{Mutex, OnceLock},
};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;
use core::{
    ops::Range,
    sync::atomic::{AtomicBool, AtomicUsize},
};
use event_listener::Event;

/// Behind the end of any file.
const FAR: u64 = 1 << 60;

pub(crate) fn open<V: Volume>(
    device: Device<V>,
    entropy: &impl Entropy,
    options: Options,
) -> impl Future<Output = Result<Store<V>>> {
    open_with(device, entropy, options, None)
}

/// Opens a store of which not everything has to be there, for reading: what is missing is noted in `damage`.
///
/// What is free in it may be what is missing: nothing may be written over it, so this is for volumes that are thrown away.
pub(super) async fn open_damaged<V: Volume>(
    volume: V,
    entropy: &impl Entropy,
    options: Options,
    damage: &mut Vec<Damage>,
) -> Result<Store<V>> {
    let options = Options {
        no_store: NoStore::Refuse,
        damaged_log: DamagedLog::Cut,
        ..options
    };
    let store = open_with(Device::new(volume), entropy, options, Some(damage)).await?;
    damage.extend(store.0.salvaged.as_ref().map(what_is));
    Ok(store)
}

async fn open_with<V: Volume>(
    #[allow(unused_mut)] mut device: Device<V>,
    entropy: &impl Entropy,
    options: Options,
    mut damage: Option<&mut Vec<Damage>>,
) -> Result<Store<V>> {
    #[cfg(feature = "sabotage")]
    {
        device.sabotage = options.sabotage;
    }
    let mut random = [0; 24];
    entropy.fill(&mut random)?;
    let len = device.len().await?;
    let found = if len == 0 {
        None
    } else {
        read_superblock(&device, len).await?
    };
    let (superblock, stale) = match (found, options.no_store) {
        (Some(found), _) => {
            let needed = found.0.file_len;
            if len < needed {
                pass(&mut damage, truncated(len, needed))?;
                device.set_len(needed).await?;
            }
            found
        }
        (None, NoStore::Make) => (create(&device, &random, &options).await?, None),
        (None, NoStore::Refuse) => return Err(nothing(len)),
    };
    recover(device, superblock, stale, &random, options, damage).await
}

/// The newer valid slot, and which slot does not have the same; `None` if a store was being made
/// here when a crash came, and nothing was ever acknowledged.
async fn read_superblock<V: Volume>(
    device: &Device<V>,
    len: u64,
) -> Result<Option<(Superblock, Option<u64>)>> {
    // What is read next must not be taken back by a crash.
    device.sync().await?;
    let head = device.read(0, len.min(LOGS) as usize).await?;
    let slot = |index: u64| {
        head.get((index * SLOT) as usize..((index + 1) * SLOT) as usize)
            .unwrap_or_default()
    };
    let found = match (Superblock::parse(slot(0)), Superblock::parse(slot(1))) {
        (Err(Unreadable::Newer(version)), _) | (_, Err(Unreadable::Newer(version))) => {
            return Err(newer(version));
        }
        (Ok(first), Ok(second)) if first == second => (first, None),
        (Ok(first), Ok(second)) if first.generation > second.generation => (first, Some(1)),
        (Ok(_), Ok(second)) => (second, Some(0)),
        (Ok(first), Err(_)) => (first, Some(1)),
        (Err(_), Ok(second)) => (second, Some(0)),
        _ if head.starts_with(UNFINISHED) => {
            return Err(Error::new(
                Kind::InvalidInput,
                "this is a backup that was not finished: remove it, and make another one",
            ));
        }
        (Err(first), Err(second)) => {
            if create::is_unfinished(len, &head) {
                return Ok(None);
            }
            return Err(match (first, second) {
                (Unreadable::NotAStore, Unreadable::NotAStore)
                    if len < LOGS && head.starts_with(&MAGIC) =>
                {
                    truncated(len, LOGS)
                }
                (Unreadable::NotAStore, Unreadable::NotAStore) => not_a_store(),
                _ if len < LOGS => truncated(len, LOGS),
                _ => Error::corrupt(Damage::new(0..LOGS, "both copies of the superblock")),
            });
        }
    };
    Ok(Some(found))
}

async fn recover<V: Volume>(
    device: Device<V>,
    superblock: Superblock,
    stale: Option<u64>,
    random: &[u8; 24],
    options: Options,
    mut damage: Option<&mut Vec<Damage>>,
) -> Result<Store<V>> {
    let found = device.len().await?;
    let mut len = super::codec::align(found, PAGE);
    let manifest = match read_manifest(&device, &superblock).await {
        Err(error) if error.kind() == Kind::Corrupt => {
            pass(&mut damage, error)?;
            Manifest::default()
        }
        read => read?,
    };
    let memtable = Memtable::new(superblock.last_commit + 1);
    // Where something may be missing, each value is looked for when it is read.
    let within = if damage.is_some() { FAR } else { len };
    let replayed = replay(&device, &superblock, &memtable, within, options.damaged_log).await?;

    let mut packs = manifest.packs.clone();
    packs.sort_by_key(|range| range.start);
    add_packs(&mut packs, replayed.externals);
    let mut used: Vec<Range<u64>> = Vec::new();
    used.push(0..superblock.extents());
    if superblock.manifest.len > 0 {
        used.push(pages(superblock.manifest.offset..superblock.manifest.end()));
    }
    used.extend(packs.iter().cloned());
    used.extend(
        manifest
            .tables
            .iter()
            .flat_map(|table| table.extents.iter().cloned()),
    );
    let end = used.iter().map(|range| range.end).max().unwrap_or(len);
    if end > len {
        pass(&mut damage, truncated(len, end))?;
        len = end;
    }
    let space = Space::new(len, used).map_err(|(first, second)| {
        Error::corrupt(Damage::new(
            second.clone(),
            alloc::format!("an extent, which overlaps {}..{},", first.start, first.end),
        ))
    })?;

    let extent = |range: &Range<u64>| -> Extent { space.adopt(range.clone()) };
    let version = Version {
        tables: manifest
            .tables
            .iter()
            .map(|table| {
                Arc::new(Table {
                    root: table.root,
                    root_block: OnceLock::new(),
                    height: table.height,
                    ranges: table.ranges,
                    entries: table.entries,
                    bytes: table.bytes,
                    extents: table.extents.iter().map(extent).collect(),
                })
            })
            .collect(),
        packs: packs
            .iter()
            .map(|range| Pack::full(extent(range)))
            .collect(),
    };
    let mut upkeep = Upkeep {
        garbage: manifest.garbage.saturating_add(memtable.garbage()),
        suspect: stale,
        ..Upkeep::default()
    };
    if superblock.manifest.len > 0 {
        upkeep.manifest =
            Some(space.adopt(pages(superblock.manifest.offset..superblock.manifest.end())));
    }
    // Two memtables may take up to a quarter each, and a batch more.
    let cache = options.memory_budget / 16 * 7;
    let disk = Disk::new(device, space, cache, options.max_size);
    if stale.is_some() {
        // Before anything is overwritten that the older superblock refers to.
        disk.write_superblock(&mut upkeep.suspect, &superblock)
            .await?;
    }

    if len > found {
        // A crash left a file that ends within a page, and the map of space knows whole pages.
        disk.device.set_len(len).await?;
    }
    // Whatever an earlier process left in free space goes before anything is written over it.
    for range in disk.space.free() {
        disk.device.discard(range).await?;
    }

    // What was in the logs becomes a table; the log begins anew, in another epoch, under a new seed.
    let (table, new_packs) = if memtable.is_empty() {
        (None, Vec::new())
    } else {
        let bottom = version.tables.is_empty();
        build(&disk, &memtable, bottom, &replayed.unsure).await?
    };
    let version = version.with(table.as_ref(), &new_packs);
    let start = LogStart {
        epoch: superblock.log_epoch + 2,
        seed: seed(random),
        last_commit: replayed.last_commit,
        chain: checksum(0, random),
    };
    let current = Current {
        active: Arc::new(Memtable::new(start.last_commit + 1)),
        sealed: None,
        version: Arc::new(version.clone()),
    };
    let start = if disk.device.takes_stale_logs() {
        LogStart {
            seed: log::NO_SEED,
            ..start
        }
    } else {
        start
    };
    let state = State::new(current, superblock);
    let mut inner = Inner {
        readers: state.readers.clone(),
        disk,
        // What the store was made with counts.
        options: Options {
            log_size: superblock.log_size,
            alignment: superblock.alignment,
            ..options
        },
        state: Mutex::new(state),
        unwritten: Unwritten::default(),
        salvaged: replayed.damage,
        upkeep: async_lock::Mutex::new(Upkeep::default()),
        reclaiming: async_lock::Mutex::new(()),
        work: Event::new(),
        views: AtomicUsize::new(0),
        closed: AtomicBool::new(false),
    };
    inner
        .publish(&mut upkeep, &version, Reason::Opening(start))
        .await?;
    inner.disk.space.checkpoint_ended(0);
    let area = inner.state.lock().superblock.extents();
    inner.disk.device.discard(LOGS..area).await?;
    {
        let mut state = inner.state.lock();
        let superblock = state.superblock;
        let current = super::version::Current::clone(&state.current);
        *state = State::new(current, superblock);
        inner.readers = state.readers.clone();
    }
    *inner.upkeep.lock().await = upkeep;
    Ok(Store(Arc::new(inner)))
}

/// The table of what was in the logs.
///
/// The values of a record whose sync may have failed are written once more: the host may show them, and have given up
/// writing them, so that the next power loss would take them from under an index that is durable.
async fn build<V: Volume>(
    disk: &Disk<V>,
    memtable: &Memtable,
    bottom: bool,
    unsure: &SortedMap<u64, Bytes>,
) -> Result<Built> {
    match disk.build(memtable, bottom, unsure).await {
        // A full disk is no reason not to open.
        Err(error) if error.kind() == Kind::Quota && !unsure.is_empty() => {
            disk.build(memtable, bottom, &SortedMap::new()).await
        }
        built => built,
    }
}

async fn read_manifest<V: Volume>(device: &Device<V>, superblock: &Superblock) -> Result<Manifest> {
    let at = superblock.manifest;
    if at.len == 0 {
        return Ok(Manifest::default());
    }
    if at.offset < superblock.extents() || at.end() > superblock.file_len {
        return Err(Error::corrupt(Damage::new(
            at.offset..at.end(),
            "the manifest's place",
        )));
    }
    let bytes = device.read_ref(&at, "the manifest").await?;
    Manifest::parse(&bytes).map_err(|error| {
        Error::corrupt(Damage::new(at.offset..at.end(), "the manifest")).with_source(error)
    })
}

struct Replayed {
    externals: Vec<Ref>,
    /// Values in packs of which nobody knows whether they survive power loss, by their place.
    unsure: SortedMap<u64, Bytes>,
    last_commit: u64,
    damage: Option<Error>,
}

/// Applies what is in the logs and not in tables.
async fn replay<V: Volume>(
    device: &Device<V>,
    superblock: &Superblock,
    memtable: &Memtable,
    len: u64,
    damaged_log: DamagedLog,
) -> Result<Replayed> {
    let mut areas = Vec::new();
    for epoch in [superblock.log_epoch, superblock.log_epoch + 1] {
        let offset = superblock.area(epoch);
        let bytes = device.read(offset, superblock.log_size as usize).await?;
        areas.push(Area {
            any_round: device.takes_stale_logs(),
            bytes,
            offset,
            epoch,
            salt: log::salt(superblock.log_seed, epoch),
        });
    }
    let next = superblock.last_commit + 1;
    let (records, whole) = log::replay(&areas, superblock.alignment, next, superblock.chain);
    let mut replayed = Replayed {
        externals: Vec::new(),
        unsure: SortedMap::new(),
        last_commit: superblock.last_commit,
        damage: None,
    };
    let mut result = whole;
    let durable = records
        .iter()
        .map(|record| record.head.durable)
        .max()
        .unwrap_or(superblock.last_commit);
    for record in records {
        match replay_record(device, superblock, memtable, len, &record, durable).await {
            Ok((externals, unsure)) => {
                replayed.externals.extend(externals);
                for (place, value) in unsure {
                    replayed.unsure.insert(place, value);
                }
                replayed.last_commit = record.last();
            }
            // The record came through and a value that it points at did not: a torn tail.
            Err(error) if error.kind() == Kind::Corrupt && record.last() > durable => break,
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    match result {
        Err(error) if error.kind() == Kind::Corrupt && damaged_log == DamagedLog::Cut => {
            replayed.damage = Some(error);
            Ok(replayed)
        }
        Err(error) => Err(error),
        Ok(()) => Ok(replayed),
    }
}

/// Applies one record; returns the values in packs that it names, and those that may not be durable.
async fn replay_record<V: Volume>(
    device: &Device<V>,
    superblock: &Superblock,
    memtable: &Memtable,
    len: u64,
    record: &log::Record,
    durable: u64,
) -> Result<(Vec<Ref>, Vec<(u64, Bytes)>)> {
    let damaged = |error: Error| {
        Error::corrupt(Damage::new(
            record.offset..record.offset + record.len,
            "a log record's content",
        ))
        .with_source(error)
    };
    let mut externals = Vec::new();
    let mut unsure = Vec::new();
    batch::decode(&record.payload, |operation| {
        if let Operation::Change(_, Change::External(at)) = operation {
            externals.push(at);
        }
        Ok(())
    })
    .map_err(damaged)?;
    for at in &externals {
        if at.offset < superblock.extents() || at.end() > len {
            return Err(Error::corrupt(Damage::new(
                at.offset..at.end(),
                "a value that the log refers to",
            )));
        }
        // Values of durable records were synced with them; they are checked when they are read.
        if record.last() > durable {
            let value = device
                .read_ref(at, "a value that the log refers to")
                .await?;
            unsure.push((at.offset, value));
        }
    }
    let externals = memtable
        .apply(&record.payload, record.head.first, false)
        .map_err(damaged)?;
    Ok((externals, unsure))
}

/// Adds the pages that values from the log are in: to the pack that they were appended to, or as new packs.
fn add_packs(packs: &mut Vec<Range<u64>>, mut values: Vec<Ref>) {
    values.sort_by_key(|at| at.offset);
    let mut fresh: Option<Range<u64>> = None;
    for at in values {
        let range = pages(at.offset..at.end());
        let index = packs.partition_point(|pack| pack.start <= at.offset);
        if let Some(pack) = index.checked_sub(1).and_then(|index| packs.get_mut(index))
            && at.offset < pack.end
        {
            pack.end = pack.end.max(range.end);
            continue;
        }
        // Only now: a pack may begin right where new values end.
        if let Some(last) = fresh.as_mut().filter(|last| at.offset <= last.end) {
            last.end = last.end.max(range.end);
            continue;
        }
        if let Some(done) = fresh.replace(range) {
            insert(packs, done);
        }
    }
    if let Some(done) = fresh {
        insert(packs, done);
    }
}

fn insert(packs: &mut Vec<Range<u64>>, range: Range<u64>) {
    let index = packs.partition_point(|pack| pack.start <= range.start);
    packs.insert(index, range);
}

fn pages(range: Range<u64>) -> Range<u64> {
    range.start & !(PAGE - 1)..super::codec::align(range.end, PAGE)
}

pub(super) fn seed(random: &[u8; 24]) -> u64 {
    checksum(1, random)
}

fn nothing(len: u64) -> Error {
    Error::new(
        Kind::NotFound,
        match len {
            0 => "there is no store in it: it is empty",
            _ => "there is no store in it: one was being made, and not finished",
        },
    )
}

fn newer(version: u32) -> Error {
    Error::new(
        Kind::InvalidInput,
        alloc::format!(
            "this store has format version {version}, this program knows version {VERSION}: use a newer program"
        ),
    )
}

/// Damage ends the opening, unless there is somebody who notes it, and it is not out of all bounds.
fn pass(damage: &mut Option<&mut Vec<Damage>>, error: Error) -> Result<()> {
    let far = error.damage().is_some_and(|damage| damage.range.end > FAR);
    match damage {
        Some(damage) if !far => {
            damage.push(what_is(&error));
            Ok(())
        }
        _ => Err(error),
    }
}

fn what_is(error: &Error) -> Damage {
    let damage = error.damage().cloned();
    damage.unwrap_or_else(|| Damage::new(0..0, alloc::format!("{error}")))
}

fn truncated(len: u64, needed: u64) -> Error {
    Error::corrupt(Damage::new(
        len..needed,
        alloc::format!("the store's end ({needed} bytes, of which {len} are there)"),
    ))
}

fn not_a_store() -> Error {
    Error::new(
        Kind::InvalidInput,
        "this is not a Littoral store: name another file, or one that does not exist yet",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_that_begins_where_values_from_the_log_end_stays_a_pack_of_its_own() {
        let value = |offset, len| Ref {
            offset,
            len,
            checksum: 0,
        };
        let mut packs = alloc::vec![2 * PAGE..3 * PAGE];
        // The first two in a pack that the manifest does not know, the others in the one that it does.
        let values = [
            value(2 * PAGE, 5000),
            value(0, 100),
            value(100, 2 * PAGE as u32 - 100),
            value(2 * PAGE + 5000, 10),
        ];
        add_packs(&mut packs, values.into());
        assert_eq!(packs, [0..2 * PAGE, 2 * PAGE..4 * PAGE]);
    }
}
