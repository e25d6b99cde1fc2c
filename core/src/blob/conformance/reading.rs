use super::{Checked, Failure, checks, ensure, equal, fails, run};
use crate::{
    Kind,
    blob::{BlobStore, Listed, Pointer, Stat, ext},
    port::Body,
};
use alloc::{vec, vec::Vec};
use bytes::Bytes;
use core::ops::Range;

/// Checks that an existing store, a read-only one for example, has exactly `blobs` and reads them as documented.
///
/// # Errors
/// The check, and what was found.
pub async fn holds<S: BlobStore>(store: &S, blobs: &[Bytes]) -> Result<(), Failure> {
    run("every_blob_reads_as_it_is", async {
        for blob in blobs {
            reads(store, blob).await?;
        }
        listing(store, blobs).await
    })
    .await
}

/// What a store says of blobs that it has not.
pub(super) async fn missing<S: BlobStore>(make: &impl AsyncFn() -> S) -> Result<(), Failure> {
    checks!(make; what_is_not_there_is_not_found, null_resolves_to_nothing);
    Ok(())
}

async fn what_is_not_there_is_not_found<S: BlobStore>(store: &S) -> Checked {
    absent(store, &Pointer::of(b"never put")).await?;
    equal!(
        store.list(None, 10).await?,
        vec![],
        "list of an empty store"
    );
    equal!(store.has(&[]).await?, Vec::<bool>::new(), "has of nothing");
    Ok(())
}

async fn null_resolves_to_nothing<S: BlobStore>(store: &S) -> Checked {
    absent(store, &Pointer::NULL).await
}

/// The store has no such blob, by every way of asking.
pub(super) async fn absent<S: BlobStore>(store: &S, pointer: &Pointer) -> Checked {
    fails!(store.get(pointer).await, Kind::NotFound, "get");
    fails!(
        store.get_range(pointer, 0..1).await,
        Kind::NotFound,
        "get_range"
    );
    equal!(store.stat(pointer).await?, None, "stat");
    equal!(store.has(&[*pointer]).await?, vec![false], "has");
    equal!(store.chunks(pointer).await?, None, "chunks");
    fails!(ext::open(store, *pointer).await, Kind::NotFound, "open");
    if store.capabilities().writable {
        ensure!(
            !store.delete(pointer).await?,
            "delete says that it was there"
        );
    }
    Ok(())
}

/// The store has this blob, by every way of asking.
pub(super) async fn reads<S: BlobStore>(store: &S, blob: &Bytes) -> Checked {
    let pointer = Pointer::of(blob);
    let size = blob.len() as u64;
    equal!(store.get(&pointer).await?, *blob, "get of {size} bytes");
    let stat = store.stat(&pointer).await?;
    equal!(
        stat.map(|stat| stat.size),
        Some(size),
        "stat of {size} bytes"
    );
    equal!(
        store.has(&[pointer]).await?,
        vec![true],
        "has of {size} bytes"
    );
    ranges(store, &pointer, blob).await?;
    if let Some(list) = store.chunks(&pointer).await? {
        equal!(list.size(), size, "size of the chunks of {size} bytes");
        let chunks = stat.map_or(0, |stat: Stat| stat.chunks);
        equal!(
            list.0.len(),
            chunks as usize,
            "number of chunks of {size} bytes"
        );
        let mut whole = Vec::new();
        for chunk in &list.0 {
            let bytes = store.get_chunk(&chunk.pointer).await?;
            equal!(Pointer::of(&bytes), chunk.pointer, "a chunk's pointer");
            equal!(bytes.len(), chunk.len as usize, "a chunk's length");
            whole.extend_from_slice(&bytes);
        }
        equal!(Bytes::from(whole), *blob, "chunks of {size} bytes");
    }
    let mut reader = ext::open(store, pointer).await?;
    let mut left = blob.clone();
    while let Some(piece) = reader.next().await? {
        ensure!(!piece.is_empty(), "an empty piece of a stream");
        ensure!(left.starts_with(&piece), "a stream of other bytes");
        left = left.slice(piece.len()..);
    }
    ensure!(
        left.is_empty(),
        "a stream that ends {} bytes early",
        left.len()
    );
    Ok(())
}

async fn ranges<S: BlobStore>(store: &S, pointer: &Pointer, blob: &Bytes) -> Checked {
    let n = blob.len() as u64;
    let mut all: Vec<Range<u64>> = vec![
        0..0,
        0..1,
        0..n,
        0..n + 1,
        0..u64::MAX,
        n / 2..n / 2,
        n / 3..n / 2,
        n.saturating_sub(1)..n,
        n.saturating_sub(1)..u64::MAX,
        n..n,
        n..n + 9,
    ];
    if let Some(list) = store.chunks(pointer).await? {
        // One byte on each side of the first bounds, and one chunk as it is.
        let mut start = 0;
        for chunk in list.0.iter().take(3) {
            let end = start + u64::from(chunk.len);
            all.extend([start..end, end - 1..end + 1, end..end + 1]);
            start = end;
        }
    }
    for range in all {
        let from = range.start.min(n) as usize;
        let to = range.end.min(n) as usize;
        equal!(
            store.get_range(pointer, range.clone()).await?,
            blob.slice(from..to),
            "range {range:?} of {n} bytes"
        );
    }
    for start in [n + 1, u64::MAX] {
        let got = store.get_range(pointer, start..u64::MAX).await;
        fails!(got, Kind::OutOfRange, "a range from {start} of {n} bytes");
    }
    #[allow(clippy::reversed_empty_ranges)]
    let backwards = store.get_range(pointer, 1..0).await;
    fails!(backwards, Kind::InvalidInput, "a range from 1 to 0");
    Ok(())
}

/// The store lists exactly `blobs`, in order, whatever the size of the page.
pub(super) async fn listing<S: BlobStore>(store: &S, blobs: &[Bytes]) -> Checked {
    let mut expected: Vec<Listed> = Vec::with_capacity(blobs.len());
    for blob in blobs {
        expected.push(Listed {
            pointer: Pointer::of(blob),
            size: blob.len() as u64,
        });
    }
    expected.sort_by_key(|row| row.pointer);
    expected.dedup();
    for limit in [1, 2, 7, 1000, usize::MAX] {
        let mut found: Vec<Listed> = Vec::new();
        loop {
            let after = found.last().map(|row| row.pointer);
            let page = store.list(after, limit).await?;
            ensure!(
                page.len() <= limit,
                "a page of {} with limit {limit}",
                page.len()
            );
            if page.is_empty() {
                break;
            }
            found.extend(page);
            ensure!(
                found.len() <= expected.len(),
                "more rows than blobs: {found:?}"
            );
        }
        equal!(found, expected, "list with limit {limit}");
    }
    let mut lister = ext::list_all(store);
    for row in &expected {
        equal!(lister.next().await?, Some(*row), "a row of list_all");
        // A start that is there, and one just behind it that is not.
        let behind = store.list(Some(row.pointer), 1).await?;
        ensure!(
            behind.iter().all(|next| next.pointer > row.pointer),
            "a list that starts at its `after`"
        );
    }
    equal!(lister.next().await?, None, "the end of list_all");
    let last = Pointer::from_bytes([255; 32]);
    equal!(
        store.list(Some(last), 5).await?,
        vec![],
        "list behind the last"
    );
    ensure!(
        expected.is_empty() || !store.list(None, 0).await?.is_empty(),
        "limit 0 is less than 1"
    );
    Ok(())
}
