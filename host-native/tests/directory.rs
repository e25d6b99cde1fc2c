//! The store of one file per blob: what it survives, and what it refuses.

mod support;

use bytes::Bytes;
use littoral::{
    DirectoryBlobs, block_on,
    core::{
        Kind, Result,
        blob::{BlobStore, Pointer, RootStore},
        port::Body,
    },
};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use support::Pieces;

fn store() -> (DirectoryBlobs, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (DirectoryBlobs::open(directory.path()).unwrap(), directory)
}

fn file(directory: &Path, pointer: &Pointer) -> PathBuf {
    let hex = pointer.to_string();
    directory.join("blobs").join(&hex[..2]).join(&hex)
}

fn temporary(directory: &Path) -> usize {
    fs::read_dir(directory.join("temporary")).unwrap().count()
}

/// Bytes in which no two blocks are alike.
fn bytes(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at % 251) as u8 ^ (at >> 16) as u8)
        .collect()
}

fn kind<T>(result: Result<T>) -> Kind {
    match result {
        Ok(_) => panic!("this should have failed"),
        Err(error) => error.kind(),
    }
}

#[test]
fn what_was_put_is_there_when_the_store_is_opened_again() {
    block_on(async {
        let (store, directory) = store();
        let small = store.put(Bytes::from_static(b"tide")).await.unwrap();
        let streamed = store.put_stream(Pieces::new(50, 100_000)).await.unwrap();
        assert_eq!(streamed, Pointer::of(&vec![9; 5_000_000]));
        assert_eq!(temporary(directory.path()), 0);
        drop(store);
        let store = DirectoryBlobs::open(directory.path()).unwrap();
        assert_eq!(store.get(&small).await.unwrap(), "tide");
        assert!(store.get(&streamed).await.unwrap() == vec![9; 5_000_000]);
        assert_eq!(fs::read(file(directory.path(), &small)).unwrap(), b"tide");
    });
}

#[test]
fn any_executor_will_do() {
    let (store, _kept) = store();
    let pointer = futures::executor::block_on(store.put(Bytes::from_static(b"x"))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let spawned = runtime.spawn(async move {
        store.put_stream(Pieces::new(3, 3)).await.unwrap();
        store.move_root("main", None, Some(pointer)).await.unwrap();
        store.get(&pointer).await
    });
    assert_eq!(runtime.block_on(spawned).unwrap().unwrap(), "x");
}

#[test]
fn a_directory_with_other_things_in_it_a_file_and_a_newer_store_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let theirs = directory.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("letter"), "dear").unwrap();
    let not_a_directory = theirs.join("letter");
    let newer = directory.path().join("newer");
    drop(DirectoryBlobs::open(&newer).unwrap());
    fs::write(newer.join("littoral-directory"), "littoral directory 2\n").unwrap();
    let damaged = directory.path().join("damaged");
    drop(DirectoryBlobs::open(&damaged).unwrap());
    fs::write(damaged.join("littoral-directory"), "").unwrap();
    for (path, kind) in [
        (theirs.clone(), Kind::InvalidInput),
        (not_a_directory.clone(), Kind::InvalidInput),
        (not_a_directory.join("below"), Kind::InvalidInput),
        (directory.path().join("a\0b"), Kind::InvalidInput),
        (newer, Kind::NotImplemented),
        (damaged, Kind::Corrupt),
    ] {
        let error = DirectoryBlobs::open(&path).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "{error}"
        );
    }
    assert_eq!(fs::read_dir(theirs).unwrap().count(), 1);
}

#[test]
fn a_store_whose_making_was_cut_off_is_completed_and_missing_parents_are_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/c");
    fs::create_dir_all(path.join("blobs/00")).unwrap();
    fs::create_dir_all(path.join("temporary")).unwrap();
    let store = DirectoryBlobs::open(&path).unwrap();
    block_on(store.put(Bytes::from_static(b"x"))).unwrap();
    DirectoryBlobs::open(directory.path().join("d/e")).unwrap();
}

/// A body that tells what is going on in the middle of it.
struct Watched<F>(Pieces, F);

impl<F: FnMut() -> Result<()>> Body for Watched<F> {
    fn len(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.0.left == 5 {
            self.1()?;
        }
        self.0.next().await
    }
}

#[test]
fn opening_sweeps_what_crashed_writers_left_and_nothing_that_a_living_one_writes() {
    let (store, directory) = store();
    let path = directory.path();
    fs::write(path.join("temporary").join("left-by-a-crash"), "x").unwrap();
    let body = Watched(Pieces::new(10, 300_000), || {
        assert_eq!(temporary(path), 2);
        DirectoryBlobs::open(path)?;
        assert_eq!(temporary(path), 1);
        Ok(())
    });
    let pointer = block_on(store.put_stream(body)).unwrap();
    assert!(block_on(store.get(&pointer)).unwrap() == vec![9; 3_000_000]);
    assert_eq!(temporary(path), 0);
}

#[test]
fn a_writer_that_is_killed_leaves_no_blob_and_its_file_is_swept() {
    const STORE: &str = "LITTORAL_TEST_STORE";
    if let Some(path) = std::env::var_os(STORE) {
        let body = Watched(Pieces::new(10, 300_000), || {
            println!("\nwriting");
            std::io::stdout().flush()?;
            std::thread::sleep(std::time::Duration::from_secs(60));
            Ok(())
        });
        block_on(DirectoryBlobs::open(path).unwrap().put_stream(body)).unwrap();
        return;
    }
    let (store, directory) = store();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("a_writer_that_is_killed_leaves_no_blob_and_its_file_is_swept")
        .env(STORE, directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "writing"));
    // Another process's sweep leaves it alone while it lives.
    DirectoryBlobs::open(directory.path()).unwrap();
    assert_eq!(temporary(directory.path()), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    DirectoryBlobs::open(directory.path()).unwrap();
    assert_eq!(temporary(directory.path()), 0);
    assert!(block_on(store.list(None, 10)).unwrap().is_empty());
}

#[test]
fn a_stream_that_fails_or_is_dropped_leaves_nothing() {
    let (store, directory) = store();
    let mut body = Pieces::new(10, 300_000);
    body.fails_at = Some(3);
    assert_eq!(kind(block_on(store.put_stream(body))), Kind::Quota);
    assert_eq!(temporary(directory.path()), 0);

    struct Stuck(Pieces);
    impl Body for Stuck {
        fn len(&self) -> Option<u64> {
            None
        }
        async fn next(&mut self) -> Result<Option<Bytes>> {
            match self.0.left {
                5 => std::future::pending().await,
                _ => self.0.next().await,
            }
        }
    }
    use futures::FutureExt;
    let put = store.put_stream(Stuck(Pieces::new(10, 300_000)));
    assert!(block_on(async { put.now_or_never() }).is_none());
    assert_eq!(temporary(directory.path()), 0);
    assert!(block_on(store.list(None, 10)).unwrap().is_empty());
}

#[test]
fn damage_is_told_with_its_file_and_repaired_by_putting_again() {
    block_on(async {
        let (store, directory) = store();
        let bytes = Bytes::from(bytes(3 << 20));
        let pointer = store.put(bytes.clone()).await.unwrap();
        let file = file(directory.path(), &pointer);
        let changed = |at: usize| {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            changed
        };
        let shorter = bytes[..bytes.len() - 1].to_vec();
        let longer = [&bytes[..], b"x"].concat();
        for damaged in [changed(0), changed(2_999_999), shorter, longer, Vec::new()] {
            fs::write(&file, damaged).unwrap();
            let error = store.get(&pointer).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt);
            assert!(error.damage().is_some());
            assert!(
                error.to_string().contains(file.to_str().unwrap()),
                "{error}"
            );
            let fresh = DirectoryBlobs::open(directory.path()).unwrap();
            assert_eq!(kind(fresh.get_range(&pointer, 0..0).await), Kind::Corrupt);
            store.put(bytes.clone()).await.unwrap();
            assert!(store.get(&pointer).await.unwrap() == bytes);
        }
        // Damage that comes after a blob was found whole: told where it is, and no byte of it given.
        let ok = store.get_range(&pointer, 5..10).await.unwrap();
        assert_eq!(ok, bytes[5..10]);
        fs::write(&file, changed((1 << 20) + 7)).unwrap();
        assert_eq!(
            store.get_range(&pointer, 5..10).await.unwrap(),
            bytes[5..10]
        );
        let error = store.get_range(&pointer, 5..2 << 20).await.unwrap_err();
        assert_eq!(
            error.damage().map(|damage| damage.range.clone()),
            Some(1 << 20..2 << 20)
        );
        fs::write(&file, &bytes[..100]).unwrap();
        assert_eq!(kind(store.get_range(&pointer, 5..10).await), Kind::Corrupt);
    });
}

#[test]
fn ranges_of_a_large_blob_are_right_at_every_border() {
    block_on(async {
        let (store, _kept) = store();
        let block = 1_usize << 20;
        for len in [0, 1, block - 1, block, block + 1, 3 * block + 5] {
            let bytes = bytes(len);
            let pointer = store.put(Bytes::from(bytes.clone())).await.unwrap();
            let mut borders = vec![0, 1, block - 1, block, block + 1, 2 * block, len];
            borders.retain(|border| *border <= len);
            for from in borders.clone() {
                for to in borders.iter().copied().filter(|to| *to >= from) {
                    let part = store
                        .get_range(&pointer, from as u64..to as u64)
                        .await
                        .unwrap();
                    assert!(part == bytes[from..to], "{from}..{to} of {len}");
                }
                let part = store
                    .get_range(&pointer, from as u64..u64::MAX)
                    .await
                    .unwrap();
                assert!(part == bytes[from..]);
            }
            let behind = store
                .get_range(&pointer, len as u64 + 1..len as u64 + 2)
                .await;
            assert_eq!(kind(behind), Kind::OutOfRange);
            #[allow(clippy::reversed_empty_ranges)]
            let reversed = store.get_range(&pointer, 1..0).await;
            assert_eq!(kind(reversed), Kind::InvalidInput);
        }
    });
}

#[test]
fn what_is_not_a_blob_is_not_listed() {
    block_on(async {
        let (store, directory) = store();
        let pointer = store.put(Bytes::from_static(b"tide")).await.unwrap();
        let folder = file(directory.path(), &pointer)
            .parent()
            .unwrap()
            .to_owned();
        let hex = pointer.to_string();
        for stray in [
            ".DS_Store",
            "x",
            &hex[..63],
            &hex.to_uppercase(),
            &"0".repeat(64),
        ] {
            if stray != hex && !folder.join(stray).exists() {
                fs::write(folder.join(stray), "x").unwrap();
            }
        }
        let listed = store.list(None, 10).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].pointer, listed[0].size), (pointer, 4));
    });
}

#[test]
fn a_directory_that_went_away_is_transient_and_never_not_found() {
    block_on(async {
        let (store, directory) = store();
        let pointer = store.put(Bytes::from_static(b"tide")).await.unwrap();
        let moved = directory.path().with_extension("unplugged");
        fs::rename(directory.path(), &moved).unwrap();
        assert_eq!(kind(store.get(&pointer).await), Kind::Transient);
        assert_eq!(kind(store.get_range(&pointer, 0..1).await), Kind::Transient);
        assert_eq!(kind(store.stat(&pointer).await), Kind::Transient);
        assert_eq!(kind(store.has(&[pointer]).await), Kind::Transient);
        assert_eq!(kind(store.delete(&pointer).await), Kind::Transient);
        assert_eq!(kind(store.list(None, 1).await), Kind::Transient);
        assert_eq!(kind(store.root("main").await), Kind::Transient);
        assert_eq!(kind(store.roots(None, 1).await), Kind::Transient);
        assert_eq!(
            kind(store.move_root("main", None, Some(pointer)).await),
            Kind::Transient
        );
        fs::rename(&moved, directory.path()).unwrap();
        assert_eq!(store.get(&pointer).await.unwrap(), "tide");
    });
}

#[test]
fn of_many_who_move_a_root_from_the_same_value_exactly_one_wins() {
    let (_store, directory) = store();
    let value = |number: u32| (number > 0).then(|| Pointer::of(&number.to_le_bytes()));
    let wins = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for _ in 0..6 {
            // Each as another process would open it.
            let store = DirectoryBlobs::open(directory.path()).unwrap();
            threads.push(scope.spawn(move || {
                let mut wins = 0;
                let mut at = 0;
                while at < 30 {
                    // Different ends, so that a move "to where it is already" is nobody's win.
                    let to =
                        Pointer::of(format!("{at} {:?}", std::thread::current().id()).as_bytes());
                    let name = format!("step {at}");
                    match block_on(store.move_root(&name, value(at), Some(to))) {
                        Ok(()) => wins += 1,
                        Err(error) => assert_eq!(error.kind(), Kind::Conflict, "{error}"),
                    }
                    let _ =
                        block_on(store.move_root(&format!("step {}", at + 1), None, value(at + 1)));
                    at += 1;
                }
                wins
            }));
        }
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<u32>()
    });
    assert_eq!(wins, 30);
}

#[test]
fn a_root_with_a_damaged_file_is_corrupt_and_a_bad_name_invalid() {
    block_on(async {
        let (store, directory) = store();
        let (one, two) = (Pointer::of(b"1"), Pointer::of(b"2"));
        store
            .move_root("main\nline", None, Some(one))
            .await
            .unwrap();
        assert_eq!(
            store.roots(None, 5).await.unwrap(),
            [("main\nline".to_owned(), one)]
        );
        let file = fs::read_dir(directory.path().join("roots"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        let swapped = text.replace(&one.to_string(), &two.to_string());
        for damaged in [
            swapped,
            text[..text.len() - 1].to_owned(),
            String::new(),
            "\u{fffd}".repeat(99_999),
        ] {
            fs::write(file.path(), damaged).unwrap();
            assert_eq!(kind(store.root("main\nline").await), Kind::Corrupt);
            assert_eq!(kind(store.roots(None, 5).await), Kind::Corrupt);
            let moved = store.move_root("main\nline", Some(one), Some(two)).await;
            assert_eq!(kind(moved), Kind::Corrupt);
        }
        for name in ["", "a\0b", &"x".repeat(513)] {
            assert_eq!(kind(store.root(name).await), Kind::InvalidInput);
            assert_eq!(
                kind(store.move_root(name, None, None).await),
                Kind::InvalidInput
            );
        }
    });
}

#[test]
fn futures_of_a_directory_can_be_spawned() {
    fn is_send<T: Send>(_: &T) {}
    let (store, _kept) = store();
    is_send(&store.put(Bytes::new()));
    is_send(&store.put_stream(Bytes::new()));
    is_send(&store.get(&Pointer::NULL));
    is_send(&store.list(None, 1));
    is_send(&store.move_root("x", None, None));
}
