use super::{
    Checked, Failure, checks, ensure, equal, fails, noise,
    reading::{absent, listing, reads},
};
use crate::{
    Kind,
    blob::{BlobStore, Chunk, ChunkList, MemoryBlobs, Pointer, ext},
    chunk::{MAX_CHUNK, MIN},
};
use alloc::{vec, vec::Vec};
use bytes::Bytes;

pub(super) async fn all<S: BlobStore>(make: &impl AsyncFn() -> S) -> Result<(), Failure> {
    checks!(make;
        a_blob_can_be_sent_as_chunks,
        a_list_with_a_missing_chunk_is_not_found,
        a_list_of_another_blob_is_corrupt,
        a_list_that_is_none_is_refused,
        a_chunk_that_is_none_is_refused,
        a_blob_of_foreign_chunks_is_kept,
        deleting_one_of_two_blobs_of_the_same_chunks_leaves_the_other,
        copying_sends_only_what_is_missing,
    );
    Ok(())
}

/// A store without chunks says so.
pub(super) async fn refused<S: BlobStore>(make: &impl AsyncFn() -> S) -> Result<(), Failure> {
    checks!(make; without_chunks_their_methods_say_not_implemented);
    Ok(())
}

async fn without_chunks_their_methods_say_not_implemented<S: BlobStore>(store: &S) -> Checked {
    let chunk = Pointer::of(b"chunk");
    let kinds = [
        store.has_chunks(&[chunk]).await.err(),
        store.put_chunk(Bytes::from_static(b"chunk")).await.err(),
        store.get_chunk(&chunk).await.err(),
        store.put_list(&chunk, ChunkList::default()).await.err(),
    ]
    .map(|error| error.map(|error| error.kind()));
    let refusal = |kind: &Option<Kind>| {
        matches!(kind, Some(Kind::NotImplemented))
            || (*kind == Some(Kind::ReadOnly) && !store.capabilities().writable)
    };
    ensure!(kinds.iter().all(refusal), "{kinds:?}");
    Ok(())
}

/// A list of these chunks.
fn list(chunks: &[Bytes]) -> ChunkList {
    let row = |bytes: &Bytes| Chunk {
        pointer: Pointer::of(bytes),
        len: bytes.len() as u32,
    };
    ChunkList(chunks.iter().map(row).collect())
}

fn joined(chunks: &[Bytes]) -> Bytes {
    chunks.concat().into()
}

async fn send<S: BlobStore>(store: &S, chunks: &[Bytes]) -> Checked {
    for chunk in chunks {
        let pointer = store.put_chunk(chunk.clone()).await?;
        equal!(pointer, Pointer::of(chunk), "pointer of a chunk");
    }
    Ok(())
}

async fn a_blob_can_be_sent_as_chunks<S: BlobStore>(store: &S) -> Checked {
    let source = MemoryBlobs::new();
    let blob = noise(20, 4_000_000);
    let pointer = source.put(blob.clone()).await?;
    let list = source.chunks(&pointer).await?.unwrap_or_default();
    let chunks: Vec<Pointer> = list.0.iter().map(|chunk| chunk.pointer).collect();
    equal!(
        store.has_chunks(&chunks).await?,
        vec![false; chunks.len()],
        "has_chunks"
    );
    fails!(store.get_chunk(&pointer).await, Kind::NotFound, "get_chunk");
    for chunk in &chunks {
        let bytes = source.get_chunk(chunk).await?;
        equal!(
            store.put_chunk(bytes.clone()).await?,
            *chunk,
            "pointer of a chunk"
        );
        equal!(
            store.put_chunk(bytes.clone()).await?,
            *chunk,
            "pointer of a chunk again"
        );
        equal!(store.get_chunk(chunk).await?, bytes, "get_chunk");
    }
    equal!(
        store.has_chunks(&chunks).await?,
        vec![true; chunks.len()],
        "has_chunks"
    );
    listing(store, &[]).await?;
    absent(store, &pointer).await?;
    store.put_list(&pointer, list.clone()).await?;
    reads(store, &blob).await?;
    equal!(store.chunks(&pointer).await?, Some(list.clone()), "chunks");
    store.put_list(&pointer, list).await?;
    listing(store, core::slice::from_ref(&blob)).await?;
    ensure!(
        store.delete(&pointer).await?,
        "delete says it was not there"
    );
    absent(store, &pointer).await
}

async fn a_list_with_a_missing_chunk_is_not_found<S: BlobStore>(store: &S) -> Checked {
    let chunks = [noise(21, MIN), noise(22, MIN), noise(23, 100)];
    let pointer = Pointer::of(&joined(&chunks));
    send(store, chunks.get(..2).unwrap_or_default()).await?;
    let put = store.put_list(&pointer, list(&chunks)).await;
    fails!(put, Kind::NotFound, "put_list without a chunk");
    absent(store, &pointer).await?;
    // The chunks may have to be sent again.
    send(store, &chunks).await?;
    store.put_list(&pointer, list(&chunks)).await?;
    reads(store, &joined(&chunks)).await
}

async fn a_list_of_another_blob_is_corrupt<S: BlobStore>(store: &S) -> Checked {
    let chunks = [noise(24, MIN), noise(25, MIN)];
    let pointer = Pointer::of(b"something else");
    send(store, &chunks).await?;
    fails!(
        store.put_list(&pointer, list(&chunks)).await,
        Kind::Corrupt,
        "another blob"
    );
    absent(store, &pointer).await?;
    send(store, &chunks).await?;
    fails!(
        store.put_list(&Pointer::NULL, list(&chunks)).await,
        Kind::Corrupt,
        "no blob"
    );
    absent(store, &Pointer::NULL).await?;
    send(store, &chunks).await?;
    let turned = Pointer::of(&joined(&chunks));
    let mut wrong = list(&chunks);
    wrong.0.reverse();
    fails!(
        store.put_list(&turned, wrong).await,
        Kind::Corrupt,
        "another order"
    );
    absent(store, &turned).await?;
    listing(store, &[]).await
}

async fn a_list_that_is_none_is_refused<S: BlobStore>(store: &S) -> Checked {
    let chunk = noise(26, MIN);
    let pointer = Pointer::of(&chunk);
    let empty = store
        .put_list(&Pointer::of(b""), ChunkList::default())
        .await;
    fails!(empty, Kind::InvalidInput, "a list without chunks");
    for len in [0, MAX_CHUNK + 1, u32::MAX] {
        send(store, core::slice::from_ref(&chunk)).await?;
        let wrong = ChunkList(vec![Chunk { pointer, len }]);
        fails!(
            store.put_list(&pointer, wrong).await,
            Kind::InvalidInput,
            "a chunk of {len} bytes"
        );
    }
    // The right bytes, in lengths that are not theirs.
    for lens in [[MIN as u32 - 1, MIN as u32], [MIN as u32, MIN as u32 + 1]] {
        send(store, core::slice::from_ref(&chunk)).await?;
        let twice = joined(&[chunk.clone(), chunk.clone()]);
        let wrong = ChunkList(lens.map(|len| Chunk { pointer, len }).into());
        let put = store.put_list(&Pointer::of(&twice), wrong).await;
        fails!(put, Kind::Corrupt, "chunks of {lens:?} bytes");
        absent(store, &Pointer::of(&twice)).await?;
    }
    listing(store, &[]).await
}

async fn a_chunk_that_is_none_is_refused<S: BlobStore>(store: &S) -> Checked {
    fails!(
        store.put_chunk(Bytes::new()).await,
        Kind::InvalidInput,
        "an empty chunk"
    );
    let long = noise(27, MAX_CHUNK as usize + 1);
    fails!(
        store.put_chunk(long).await,
        Kind::InvalidInput,
        "too long a chunk"
    );
    let longest = noise(28, MAX_CHUNK as usize);
    send(store, core::slice::from_ref(&longest)).await
}

async fn a_blob_of_foreign_chunks_is_kept<S: BlobStore>(store: &S) -> Checked {
    // Cut as nobody here would: tiny, repeated and large chunks.
    let (tiny, large) = (noise(29, 1), noise(30, MAX_CHUNK as usize));
    let mut chunks = vec![tiny.clone(), large, tiny.clone(), tiny.clone()];
    for i in 0..700 {
        chunks.push(noise(1000 + i, 10));
    }
    chunks.push(tiny.clone());
    let blob = joined(&chunks);
    send(store, &chunks).await?;
    store.put_list(&Pointer::of(&blob), list(&chunks)).await?;
    reads(store, &blob).await?;
    // A small blob as one chunk.
    send(store, core::slice::from_ref(&tiny)).await?;
    store
        .put_list(&Pointer::of(&tiny), list(core::slice::from_ref(&tiny)))
        .await?;
    reads(store, &tiny).await?;
    listing(store, &[blob.clone(), tiny.clone()]).await?;
    ensure!(
        store.delete(&Pointer::of(&blob)).await?,
        "delete says it was not there"
    );
    reads(store, &tiny).await?;
    ensure!(
        store.delete(&Pointer::of(&tiny)).await?,
        "delete says it was not there"
    );
    listing(store, &[]).await
}

async fn deleting_one_of_two_blobs_of_the_same_chunks_leaves_the_other<S: BlobStore>(
    store: &S,
) -> Checked {
    let chunks = [noise(31, MIN), noise(32, MIN), noise(33, MIN)];
    let turned = [chunks[2].clone(), chunks[1].clone(), chunks[0].clone()];
    let (one, other) = (joined(&chunks), joined(&turned));
    send(store, &chunks).await?;
    store.put_list(&Pointer::of(&one), list(&chunks)).await?;
    store.put_list(&Pointer::of(&other), list(&turned)).await?;
    ensure!(
        store.delete(&Pointer::of(&one)).await?,
        "delete says it was not there"
    );
    reads(store, &other).await?;
    store.put_list(&Pointer::of(&one), list(&chunks)).await?;
    ensure!(
        store.delete(&Pointer::of(&other)).await?,
        "delete says it was not there"
    );
    reads(store, &one).await?;
    listing(store, &[one]).await
}

async fn copying_sends_only_what_is_missing<S: BlobStore>(store: &S) -> Checked {
    let source = MemoryBlobs::new();
    let blob = noise(34, 5_000_000);
    let pointer = source.put(blob.clone()).await?;
    let sent = ext::copy(&source, store, &pointer).await?;
    equal!(sent, blob.len() as u64, "bytes sent at first");
    equal!(
        ext::copy(&source, store, &pointer).await?,
        0,
        "bytes sent again"
    );
    let mut longer = blob.to_vec();
    longer.extend_from_slice(b"and a little more");
    let longer = Bytes::from(longer);
    let pointer = source.put(longer.clone()).await?;
    let sent = ext::copy(&source, store, &pointer).await?;
    ensure!(
        sent < 2_500_000,
        "{sent} bytes sent of a blob that is there but for its end"
    );
    reads(store, &longer).await?;
    reads(store, &blob).await?;
    let back = MemoryBlobs::new();
    ext::copy(store, &back, &pointer).await?;
    equal!(back.get(&pointer).await?, longer, "a copy back");
    let small = source.put(Bytes::from_static(b"small")).await?;
    equal!(
        ext::copy(&source, store, &small).await?,
        5,
        "bytes of a small blob"
    );
    reads(store, &Bytes::from_static(b"small")).await?;
    let none = Pointer::of(b"none");
    fails!(
        ext::copy(&source, store, &none).await,
        Kind::NotFound,
        "a copy of nothing"
    );
    Ok(())
}
