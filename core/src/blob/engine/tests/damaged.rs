use super::*;
use crate::port::Volume;

/// Flips a bit of every copy of `bytes` in the volume.
async fn damage(volume: &MemoryVolume, bytes: &[u8]) {
    let image = volume.to_bytes();
    let mut found = 0;
    for at in memchr(&image, &bytes[..16]) {
        if image[at..].starts_with(bytes) {
            let flipped = Bytes::from(alloc::vec![image[at + 8] ^ 1]);
            volume.write_at(at as u64 + 8, flipped).await.unwrap();
            found += 1;
        }
    }
    assert!(found > 0, "the bytes are not in the volume");
}

fn memchr<'a>(image: &'a [u8], start: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    (0..image.len() - start.len()).filter(move |at| image[*at..].starts_with(start))
}

#[test]
fn a_damaged_chunk_is_reported_and_whole_again_once_it_comes_again() {
    block_on(async {
        let volume = MemoryVolume::new();
        let blobs = open(volume.clone()).await;
        let data = noise(1, 3_000_000);
        let other = data.slice(..2_500_000);
        let pointer = blobs.put(data.clone()).await.unwrap();
        let shares = blobs.put(other.clone()).await.unwrap();
        let list = blobs.chunks(&pointer).await.unwrap().unwrap().0;
        let first = data.slice(..list[0].len as usize);
        damage(&volume, &first).await;
        for pointer in [pointer, shares] {
            let error = blobs.get(&pointer).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt);
            let key = &error.damage().unwrap().key;
            assert_eq!(*key, Some((CHUNKS.0, list[0].pointer.as_bytes().to_vec())));
        }
        // A remote that asks is told to send it.
        let has = blobs.has_chunks(&[list[0].pointer, list[1].pointer]).await;
        assert_eq!(has.unwrap(), [false, true]);
        // By any way: alone,
        blobs.put_chunk(first.clone()).await.unwrap();
        assert_eq!(blobs.get(&pointer).await.unwrap(), data);
        assert_eq!(blobs.get(&shares).await.unwrap(), other);
        assert!(blobs.has_chunks(&[list[0].pointer]).await.unwrap()[0]);
        // or in another blob that has it.
        damage(&volume, &first).await;
        blobs.get_chunk(&list[0].pointer).await.unwrap_err();
        let longer = [&data[..], b"more"].concat();
        blobs.put(longer.into()).await.unwrap();
        assert_eq!(blobs.get(&pointer).await.unwrap(), data);
        assert_eq!(blobs.get(&shares).await.unwrap(), other);
        blobs.sweep().await.unwrap();
        blobs.sweep().await.unwrap();
        consistent(&blobs).await;
    });
}

#[test]
fn a_damaged_whole_blob_is_reported_and_whole_again_once_it_is_put_again() {
    block_on(async {
        let volume = MemoryVolume::new();
        let blobs = open(volume.clone()).await;
        let data = noise(2, 500_000);
        let pointer = blobs.put(data.clone()).await.unwrap();
        damage(&volume, &data).await;
        let error = blobs.get(&pointer).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        let error = blobs.get_range(&pointer, 0..1).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        blobs.put(data.clone()).await.unwrap();
        assert_eq!(blobs.get(&pointer).await.unwrap(), data);
        let before = blobs.store().stats().last_commit;
        blobs.put(data).await.unwrap();
        assert_eq!(blobs.store().stats().last_commit, before);
    });
}

#[test]
fn damage_that_nobody_has_met_is_not_taken_for_the_bytes_that_are_put() {
    block_on(async {
        for len in [500_000, 3_000_000] {
            let volume = MemoryVolume::new();
            let blobs = open(volume.clone()).await;
            let data = noise(3, len);
            let pointer = blobs.put(data.clone()).await.unwrap();
            damage(&volume, &data[..4096]).await;
            blobs.put(data.clone()).await.unwrap();
            assert_eq!(blobs.get(&pointer).await.unwrap(), data);
            damage(&volume, &data[..4096]).await;
            blobs.put_stream(data.clone()).await.unwrap();
            assert_eq!(blobs.get(&pointer).await.unwrap(), data);
            if let Some(list) = blobs.chunks(&pointer).await.unwrap() {
                damage(&volume, &data[..4096]).await;
                let first = data.slice(..list.0[0].len as usize);
                blobs.put_chunk(first).await.unwrap();
                assert_eq!(blobs.get(&pointer).await.unwrap(), data);
            }
            blobs.sweep().await.unwrap();
            blobs.sweep().await.unwrap();
            consistent(&blobs).await;
        }
    });
}
