use super::{
    Checked, Failure, Pieces, checks, ensure, equal, fails, noise,
    reading::{absent, listing, reads},
};
use crate::{
    Error, Kind,
    blob::{BlobStore, Pointer},
    chunk::{MAX, MIN},
};
use alloc::{vec, vec::Vec};
use bytes::Bytes;

pub(super) async fn all<S: BlobStore>(make: &impl AsyncFn() -> S) -> Result<(), Failure> {
    checks!(make;
        an_empty_blob_is_a_blob,
        sizes_around_every_bound_come_back,
        a_blob_of_several_chunks_comes_back,
        a_stream_is_the_blob_of_its_bytes_however_it_is_cut,
        a_stream_that_fails_leaves_nothing,
        putting_twice_is_putting_once,
        a_deleted_blob_is_gone_and_can_be_put_again,
        a_blob_that_shares_bytes_with_a_deleted_one_stays,
        a_listing_is_in_order_whatever_the_page,
        has_answers_in_the_order_asked,
        a_buffer_that_changes_after_the_call_changes_nothing,
        puts_of_the_same_blob_at_once_make_one_blob,
        puts_and_deletes_at_once_leave_a_whole_blob_or_none,
        a_listing_goes_on_when_its_start_was_deleted,
    );
    Ok(())
}

/// A store that says it takes no writes takes none.
pub(super) async fn refused<S: BlobStore>(make: &impl AsyncFn() -> S) -> Result<(), Failure> {
    checks!(make; every_write_says_read_only);
    Ok(())
}

async fn every_write_says_read_only<S: BlobStore>(store: &S) -> Checked {
    let before = store.list(None, 1000).await?;
    let blob = Bytes::from_static(b"not to be put");
    fails!(store.put(blob.clone()).await, Kind::ReadOnly, "put");
    let large = Pieces::new(noise(1, MAX + 1), 1000);
    fails!(store.put_stream(large).await, Kind::ReadOnly, "put_stream");
    let deleted = store.delete(&Pointer::of(&blob)).await;
    fails!(deleted, Kind::ReadOnly, "delete of what is not there");
    if let Some(first) = before.first() {
        fails!(store.delete(&first.pointer).await, Kind::ReadOnly, "delete");
    }
    equal!(store.list(None, 1000).await?, before, "list afterwards");
    Ok(())
}

async fn put<S: BlobStore>(store: &S, blob: &Bytes) -> Checked {
    let pointer = store.put(blob.clone()).await?;
    equal!(
        pointer,
        Pointer::of(blob),
        "pointer of {} bytes",
        blob.len()
    );
    Ok(())
}

async fn an_empty_blob_is_a_blob<S: BlobStore>(store: &S) -> Checked {
    let empty = Bytes::new();
    put(store, &empty).await?;
    reads(store, &empty).await?;
    ensure!(
        store.delete(&Pointer::of(b"")).await?,
        "delete says it was not there"
    );
    absent(store, &Pointer::of(b"")).await?;
    let pointer = store.put_stream(Bytes::new()).await?;
    equal!(pointer, Pointer::of(b""), "pointer of an empty stream");
    reads(store, &empty).await?;
    listing(store, &[empty]).await
}

async fn sizes_around_every_bound_come_back<S: BlobStore>(store: &S) -> Checked {
    let mut blobs = Vec::new();
    for size in [
        1,
        31,
        4095,
        4096,
        4097,
        MIN - 1,
        MIN,
        MIN + 1,
        MAX - 1,
        MAX,
        MAX + 1,
    ] {
        blobs.push(noise(size as u64, size));
    }
    // Content that has no cut in it: chunks of the longest length.
    blobs.push(vec![7; 2 * MAX].into());
    blobs.push(vec![7; 2 * MAX + 1].into());
    for blob in &blobs {
        put(store, blob).await?;
    }
    for blob in &blobs {
        reads(store, blob).await?;
    }
    listing(store, &blobs).await
}

async fn a_blob_of_several_chunks_comes_back<S: BlobStore>(store: &S) -> Checked {
    let blob = noise(2, 6_000_001);
    put(store, &blob).await?;
    reads(store, &blob).await?;
    listing(store, &[blob]).await
}

async fn a_stream_is_the_blob_of_its_bytes_however_it_is_cut<S: BlobStore>(store: &S) -> Checked {
    for (size, piece) in [
        (10, 1),
        (MAX, 65_537),
        (MAX + 1, MAX + 1),
        (3_000_000, 999),
        (3_000_000, 1_234_567),
    ] {
        let blob = noise(size as u64, size);
        let pointer = store.put_stream(Pieces::new(blob.clone(), piece)).await?;
        equal!(
            pointer,
            Pointer::of(&blob),
            "pointer of {size} bytes in pieces of {piece}"
        );
        reads(store, &blob).await?;
        ensure!(
            store.delete(&pointer).await?,
            "delete says it was not there"
        );
    }
    Ok(())
}

async fn a_stream_that_fails_leaves_nothing<S: BlobStore>(store: &S) -> Checked {
    for size in [0, 1, MAX, MAX + 1, 5_000_000] {
        let blob = noise(3, size);
        let broken = Error::new(Kind::Timeout, "the source broke");
        let body = Pieces::new(blob.clone(), 100_000).then_fails(broken);
        let put = store.put_stream(body).await;
        fails!(
            put,
            Kind::Timeout,
            "a stream that breaks after {size} bytes"
        );
        absent(store, &Pointer::of(&blob)).await?;
        listing(store, &[]).await?;
    }
    // And what was left behind is in nobody's way.
    let blob = noise(3, 5_000_000);
    put(store, &blob).await?;
    reads(store, &blob).await
}

async fn putting_twice_is_putting_once<S: BlobStore>(store: &S) -> Checked {
    let blobs = [noise(4, 100), noise(5, 2_000_000)];
    for blob in &blobs {
        put(store, blob).await?;
        put(store, blob).await?;
        store.put_stream(Pieces::new(blob.clone(), 4096)).await?;
    }
    listing(store, &blobs).await?;
    for blob in &blobs {
        reads(store, blob).await?;
        ensure!(
            store.delete(&Pointer::of(blob)).await?,
            "delete says it was not there"
        );
        absent(store, &Pointer::of(blob)).await?;
    }
    listing(store, &[]).await
}

async fn a_deleted_blob_is_gone_and_can_be_put_again<S: BlobStore>(store: &S) -> Checked {
    for blob in [noise(6, 100), noise(7, 2_000_000)] {
        let pointer = Pointer::of(&blob);
        for _ in 0..2 {
            put(store, &blob).await?;
            reads(store, &blob).await?;
            ensure!(
                store.delete(&pointer).await?,
                "delete says it was not there"
            );
            absent(store, &pointer).await?;
            ensure!(
                !store.delete(&pointer).await?,
                "delete says it was there twice"
            );
        }
    }
    listing(store, &[]).await
}

/// Two blobs with most of their bytes in common, longer than a chunk.
fn twins() -> [Bytes; 2] {
    let common = noise(8, 3_000_000);
    let mut other = common.to_vec();
    other.extend_from_slice(b"and some more");
    [common, other.into()]
}

async fn a_blob_that_shares_bytes_with_a_deleted_one_stays<S: BlobStore>(store: &S) -> Checked {
    let [one, other] = twins();
    for (deleted, kept) in [(&one, &other), (&other, &one)] {
        put(store, &one).await?;
        put(store, &other).await?;
        ensure!(
            store.delete(&Pointer::of(deleted)).await?,
            "delete says it was not there"
        );
        reads(store, kept).await?;
        absent(store, &Pointer::of(deleted)).await?;
        ensure!(
            store.delete(&Pointer::of(kept)).await?,
            "delete says it was not there"
        );
    }
    // A blob with the same chunk many times, and the same chunk in another.
    let zeros = Bytes::from(vec![0; 4 * MAX]);
    let fewer = zeros.slice(..3 * MAX);
    put(store, &zeros).await?;
    put(store, &fewer).await?;
    ensure!(
        store.delete(&Pointer::of(&zeros)).await?,
        "delete says it was not there"
    );
    reads(store, &fewer).await?;
    ensure!(
        store.delete(&Pointer::of(&fewer)).await?,
        "delete says it was not there"
    );
    listing(store, &[]).await
}

async fn a_listing_is_in_order_whatever_the_page<S: BlobStore>(store: &S) -> Checked {
    let mut blobs = vec![noise(9, 1_500_000), noise(10, 1_500_000)];
    for i in 0..20 {
        blobs.push(noise(100 + i, i as usize));
    }
    for blob in &blobs {
        put(store, blob).await?;
    }
    listing(store, &blobs).await
}

async fn a_listing_goes_on_when_its_start_was_deleted<S: BlobStore>(store: &S) -> Checked {
    for i in 0..5 {
        put(store, &noise(200 + i, 50)).await?;
    }
    let before = store.list(None, 10).await?;
    equal!(before.len(), 5, "rows");
    for (i, row) in before.iter().enumerate() {
        ensure!(
            store.delete(&row.pointer).await?,
            "delete says it was not there"
        );
        let behind = store.list(Some(row.pointer), 10).await?;
        equal!(
            behind,
            before.get(i + 1..).unwrap_or_default().to_vec(),
            "rows behind a deleted one"
        );
    }
    Ok(())
}

async fn has_answers_in_the_order_asked<S: BlobStore>(store: &S) -> Checked {
    let (here, there) = (noise(11, 10), noise(12, 1_500_000));
    put(store, &here).await?;
    put(store, &there).await?;
    let (here, there) = (Pointer::of(&here), Pointer::of(&there));
    let none = Pointer::of(b"none");
    let asked = [none, here, none, there, here, Pointer::NULL];
    let answer = vec![false, true, false, true, true, false];
    equal!(store.has(&asked).await?, answer, "has");
    let many: Vec<Pointer> = (0..25_000_u32)
        .map(|i| {
            if i % 1000 == 7 {
                here
            } else {
                Pointer::of(&i.to_le_bytes())
            }
        })
        .collect();
    let has = store.has(&many).await?;
    equal!(has.len(), many.len(), "answers");
    ensure!(
        has.iter()
            .enumerate()
            .all(|(i, has)| *has == (i % 1000 == 7)),
        "has of 25,000 is wrong"
    );
    Ok(())
}

/// Overwrites a buffer that nobody else should be looking at.
fn scribble(bytes: Bytes) {
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.fill(0xee);
    }
}

async fn a_buffer_that_changes_after_the_call_changes_nothing<S: BlobStore>(store: &S) -> Checked {
    for size in [100, 2_000_000] {
        let blob = noise(13, size);
        // One buffer for each call, so that a store that keeps it without owning it is found out.
        let given = Bytes::from(blob.to_vec());
        let pointer = store.put(given.clone()).await?;
        scribble(given);
        reads(store, &blob).await?;
        scribble(store.get(&pointer).await?);
        scribble(store.get_range(&pointer, 0..50).await?);
        reads(store, &blob).await?;
    }
    Ok(())
}

async fn puts_of_the_same_blob_at_once_make_one_blob<S: BlobStore>(store: &S) -> Checked {
    for blob in [noise(14, 1000), noise(15, 3_000_000)] {
        let mut puts = Vec::new();
        for _ in 0..4 {
            puts.push(store.put(blob.clone()));
        }
        for pointer in futures::future::join_all(puts).await {
            equal!(pointer?, Pointer::of(&blob), "pointer");
        }
        reads(store, &blob).await?;
        listing(store, core::slice::from_ref(&blob)).await?;
        ensure!(
            store.delete(&Pointer::of(&blob)).await?,
            "delete says it was not there"
        );
        absent(store, &Pointer::of(&blob)).await?;
    }
    Ok(())
}

async fn puts_and_deletes_at_once_leave_a_whole_blob_or_none<S: BlobStore>(store: &S) -> Checked {
    let [one, other] = twins();
    for _ in 0..3 {
        put(store, &one).await?;
        let pointer = Pointer::of(&one);
        let (deleted, put, again) = futures::future::join3(
            store.delete(&pointer),
            store.put(other.clone()),
            store.put(one.clone()),
        )
        .await;
        deleted?;
        put?;
        again?;
        reads(store, &other).await?;
        match store.has(&[pointer]).await?.as_slice() {
            [true] => reads(store, &one).await?,
            _ => absent(store, &pointer).await?,
        }
        ensure!(
            store.delete(&Pointer::of(&other)).await?,
            "delete says it was not there"
        );
    }
    Ok(())
}

pub(super) async fn reopens<S: BlobStore>(open: &impl AsyncFn() -> S) -> Checked {
    let blobs = [
        noise(40, 0),
        noise(41, 100),
        noise(42, MAX),
        noise(43, 3_000_000),
    ];
    let deleted = [noise(44, 100), noise(45, 2_000_000)];
    let store = open().await;
    for blob in blobs.iter().chain(&deleted) {
        put(&store, blob).await?;
    }
    for blob in &deleted {
        ensure!(
            store.delete(&Pointer::of(blob)).await?,
            "delete says it was not there"
        );
    }
    drop(store);
    let store = open().await;
    for blob in &blobs {
        reads(&store, blob).await?;
    }
    listing(&store, &blobs).await?;
    for blob in &deleted {
        absent(&store, &Pointer::of(blob)).await?;
    }
    Ok(())
}
