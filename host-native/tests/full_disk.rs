//! A disk that is full: a typed error, and the store as it was.
#![cfg(unix)]

use littoral::{
    DirectoryBlobs, FileVolume, OsEntropy, block_on,
    core::{
        Kind,
        blob::{BlobStore, EngineBlobs, Pointer},
        engine::{Options, Store},
    },
    spawn_driver,
};
use std::{path::Path, process::Command};

const STORE: &str = "LITTORAL_TEST_STORE";

/// Runs this test again in a process in which no file may become longer than `kib`: such a write fails as one to a full disk does.
fn within(kib: u32, test: &str, store: &Path) {
    let status = Command::new("sh")
        .arg("-c")
        // Without the signal that would end the process.
        .arg(format!(
            "trap '' XFSZ; ulimit -f {} && exec \"$0\" \"$@\"",
            kib * 2
        ))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env(STORE, store)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

fn blob(number: u32) -> Vec<u8> {
    number.to_le_bytes().repeat(25_000)
}

async fn engine(path: &Path) -> EngineBlobs<FileVolume> {
    let volume = FileVolume::open(path).unwrap();
    EngineBlobs::new(
        Store::open(volume, &OsEntropy, Options::default())
            .await
            .unwrap(),
    )
}

#[test]
fn a_store_on_a_full_disk_says_quota_and_keeps_what_it_has() {
    let name = "a_store_on_a_full_disk_says_quota_and_keeps_what_it_has";
    if let Some(path) = std::env::var_os(STORE) {
        return block_on(fill(Path::new(&path)));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    within(20 << 10, name, &path);
    // Everything that was acknowledged is there, and with room there is no more trouble.
    block_on(async {
        let blobs = engine(&path).await;
        let driver = spawn_driver(blobs.store().clone()).unwrap();
        let mut count = 0;
        while blobs.get(&Pointer::of(&blob(count))).await.is_ok() {
            count += 1;
        }
        assert!((20..200).contains(&count), "{count}");
        assert!(blobs.store().verify().await.unwrap().damage.is_empty());
        blobs.put(blob(1000).into()).await.unwrap();
        blobs.store().close().await.unwrap();
        driver.stop().unwrap();
    });
}

async fn fill(path: &Path) {
    let blobs = engine(path).await;
    let _driver = spawn_driver(blobs.store().clone()).unwrap();
    let mut count = 0;
    let error = loop {
        match blobs.put(blob(count).into()).await {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), Kind::Quota, "{error:?} after {count}");
    // Reads go on.
    for number in 0..count {
        assert!(blobs.get(&Pointer::of(&blob(number))).await.unwrap() == blob(number));
    }
    assert_eq!(blobs.stat(&Pointer::of(&blob(count))).await.unwrap(), None);
}

#[test]
fn a_directory_on_a_full_disk_says_quota_and_keeps_what_it_has() {
    let name = "a_directory_on_a_full_disk_says_quota_and_keeps_what_it_has";
    if let Some(path) = std::env::var_os(STORE) {
        return block_on(async {
            let store = DirectoryBlobs::open(path).unwrap();
            let small = store.put(blob(1).into()).await.unwrap();
            let large = vec![1; 2 << 20];
            let error = store.put(large.clone().into()).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Quota, "{error:?}");
            let error = store
                .put_stream(bytes::Bytes::from(large))
                .await
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Quota, "{error:?}");
            assert!(store.get(&small).await.unwrap() == blob(1));
        });
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    within(1 << 10, name, &path);
    let store = DirectoryBlobs::open(&path).unwrap();
    assert_eq!(block_on(store.list(None, 10)).unwrap().len(), 1);
    assert_eq!(
        std::fs::read_dir(path.join("temporary")).unwrap().count(),
        0
    );
}
