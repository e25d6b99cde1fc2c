//! A store's file: what is written, what is refused, who holds it.

use bytes::Bytes;
use futures::FutureExt;
use littoral::{
    FileOptions, FileVolume,
    core::{Kind, port::Volume},
};
use std::{
    future::Future,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};

/// On a thread that may block, and on one that may not.
fn both_ways<F: Future<Output = ()>>(test: impl Fn() -> F) {
    littoral::block_on(test());
    futures::executor::block_on(test());
}

#[test]
fn what_was_written_is_read_back_in_both_ways_of_working() {
    both_ways(|| async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let volume = FileVolume::open(&path).unwrap();
        assert_eq!(volume.len().await.unwrap(), 0);
        volume.set_len(8192).await.unwrap();
        assert_eq!(volume.read_at(0, 8192).await.unwrap(), vec![0; 8192]);
        volume
            .write_at(4000, Bytes::from(vec![7; 200]))
            .await
            .unwrap();
        volume
            .write_at(8192, Bytes::from_static(b"tail"))
            .await
            .unwrap();
        volume.sync().await.unwrap();
        volume.discard(0..4096).await.unwrap();
        assert_eq!(volume.len().await.unwrap(), 8196);
        drop(volume);

        let volume = FileOptions::new().only_existing().open(&path).unwrap();
        assert_eq!(volume.read_at(4000, 200).await.unwrap(), vec![7; 200]);
        assert_eq!(volume.read_at(8192, 4).await.unwrap(), &b"tail"[..]);
        volume.set_len(10).await.unwrap();
        assert_eq!(volume.len().await.unwrap(), 10);
    });
}

#[test]
fn a_read_behind_the_end_is_out_of_range_and_allocates_nothing() {
    both_ways(|| async {
        let directory = tempfile::tempdir().unwrap();
        let volume = FileVolume::open(directory.path().join("store")).unwrap();
        volume.set_len(100).await.unwrap();
        for (offset, len) in [
            (0, 101),
            (100, 1),
            (u64::MAX, 1),
            (0, usize::MAX),
            (u64::MAX, usize::MAX),
            (0, 1 << 40),
        ] {
            let error = volume.read_at(offset, len).await.unwrap_err();
            assert_eq!(error.kind(), Kind::OutOfRange, "{offset} {len}: {error:?}");
            assert!(error.to_string().contains("store"), "{error}");
        }
        assert_eq!(volume.read_at(100, 0).await.unwrap(), Bytes::new());
    });
}

#[test]
fn what_is_not_a_file_is_refused_with_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let missing = directory.path().join("missing/store");
    let with_nul = directory.path().join("with\0nul");
    for (path, kind, says) in [
        (&folder, Kind::InvalidInput, "folder: is a directory"),
        (&with_nul, Kind::InvalidInput, "nul"),
        (&missing, Kind::NotFound, "missing/store"),
    ] {
        let error = FileVolume::open(path).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
    #[cfg(unix)]
    {
        let error = FileVolume::open("/dev/null").unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput, "{error:?}");
    }
}

#[test]
fn a_file_can_be_asked_to_be_new_or_to_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let error = FileOptions::new().only_existing().open(&path).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(!path.exists());
    drop(FileVolume::create(&path).unwrap());
    let error = FileVolume::create(&path).unwrap_err();
    assert_eq!(error.kind(), Kind::AlreadyExists);
    FileOptions::new().only_existing().open(&path).unwrap();
}

#[test]
fn a_second_volume_of_a_file_is_busy_until_the_first_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let first = FileVolume::open(&path).unwrap();
    let error = FileVolume::open(&path).unwrap_err();
    assert_eq!(error.kind(), Kind::Busy);
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    let patient = std::thread::spawn({
        let path = path.clone();
        move || {
            FileOptions::new()
                .patience(Duration::from_secs(60))
                .open(path)
        }
    });
    std::thread::sleep(Duration::from_millis(20));
    drop(first);
    patient.join().unwrap().unwrap();
}

#[test]
fn a_volume_is_busy_while_another_process_holds_it_and_free_when_that_is_killed() {
    const HOLD: &str = "LITTORAL_TEST_HOLD";
    if let Some(path) = std::env::var_os(HOLD) {
        let _held = FileVolume::open(path).unwrap();
        println!("\nholding");
        std::io::stdout().flush().unwrap();
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("a_volume_is_busy_while_another_process_holds_it_and_free_when_that_is_killed")
        .env(HOLD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let held = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .any(|line| line.unwrap() == "holding");
    assert!(held);
    assert_eq!(FileVolume::open(&path).unwrap_err().kind(), Kind::Busy);
    child.kill().unwrap();
    child.wait().unwrap();
    FileVolume::open(&path).unwrap();
}

#[test]
fn a_volume_dropped_during_a_write_gives_its_lock_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    for _ in 0..20 {
        let volume = FileVolume::open(&path).unwrap();
        let _ = volume
            .write_at(0, Bytes::from(vec![4; 1 << 20]))
            .now_or_never();
    }
}

#[test]
fn syncs_on_one_thread_let_its_other_futures_go_first() {
    littoral::block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let volume = FileVolume::open(directory.path().join("store")).unwrap();
        let other_ran = std::cell::Cell::new(false);
        let sync = async {
            volume.sync().await.unwrap();
            assert!(other_ran.get());
        };
        futures::join!(sync, async { other_ran.set(true) });
    });
}

#[test]
fn futures_of_a_store_over_a_file_can_be_spawned() {
    fn is_send<T: Send>(_: &T) {}
    use littoral::core::engine::{Batch, Durability, Options, Store};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let open = Store::open(
        FileVolume::open(path).unwrap(),
        &littoral::OsEntropy,
        Options::default(),
    );
    is_send(&open);
    let store = littoral::block_on(open).unwrap();
    is_send(&store.commit(Batch::new(), Durability::Strict));
    is_send(&store.drive());
    is_send(&store.close());
    is_send(&store.reclaim());
    is_send(&store.verify());
}
