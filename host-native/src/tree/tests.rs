use super::*;
use crate::{OsEntropy, block_on};
use bytes::Bytes;
use littoral_core::{
    Kind,
    blob::{BlobStore, EngineBlobs, Pointer},
    engine::{Options, Store},
    port::MemoryVolume,
};
use std::{fs, path::Path};
use tempfile::TempDir;

type Blobs = EngineBlobs<MemoryVolume>;

fn store() -> Blobs {
    block_on(async {
        let store = Store::open(MemoryVolume::new(), &OsEntropy, Options::default()).await;
        EngineBlobs::new(store.unwrap())
    })
}

fn import_of(store: &Blobs, top: &Path) -> littoral_core::Result<Imported> {
    block_on(import(store, top, ImportOptions::default(), &mut |_| {}))
}

fn export_to(store: &Blobs, pointer: Pointer, target: &Path) -> littoral_core::Result<Exported> {
    let options = ExportOptions::default();
    block_on(export(store, pointer, target, options, &mut |_| {}))
}

fn replacing(store: &Blobs, pointer: Pointer, target: &Path) -> littoral_core::Result<Exported> {
    let options = ExportOptions {
        existing: Existing::Replace,
        ..ExportOptions::default()
    };
    block_on(export(store, pointer, target, options, &mut |_| {}))
}

/// A directory with something of everything, and an empty target beside it.
fn sandbox() -> (TempDir, std::path::PathBuf, std::path::PathBuf) {
    let sandbox = tempfile::tempdir().unwrap();
    let (top, target) = (sandbox.path().join("top"), sandbox.path().join("target"));
    fs::create_dir_all(top.join("deep/er/empty")).unwrap();
    fs::write(top.join("a.txt"), "tide").unwrap();
    fs::write(top.join("deep/copy of a.txt"), "tide").unwrap();
    fs::write(top.join("deep/none"), "").unwrap();
    let large: Vec<u8> = (0..3_000_000u32)
        .map(|n| (n.wrapping_mul(n) / 7) as u8)
        .collect();
    fs::write(top.join("deep/er/large.bin"), large).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::{
            ffi::OsStrExt,
            fs::{PermissionsExt, symlink},
        };
        fs::write(top.join("run.sh"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(top.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("../a.txt", top.join("deep/link")).unwrap();
        symlink("/nowhere/at/all", top.join("absolute")).unwrap();
        fs::write(
            top.join(std::ffi::OsStr::from_bytes(b"not utf8 \xff")),
            "bytes",
        )
        .unwrap();
    }
    (sandbox, top, target)
}

fn same(expected: &Path, found: &Path) -> Compared {
    let compared = compare(expected, Selection::default(), found, |_| {}).unwrap();
    assert_eq!(compared.differences, []);
    compared
}

/// Puts a directory made of raw entries, as a hostile remote could.
fn hostile(store: &Blobs, entries: &[(u8, &[u8], u64, Pointer)]) -> Pointer {
    let mut bytes = b"LITTREE\x01".to_vec();
    bytes.extend((entries.len() as u32).to_le_bytes());
    for (kind, name, size, pointer) in entries {
        bytes.push(*kind);
        bytes.extend(size.to_le_bytes());
        bytes.extend(pointer.as_bytes());
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend(*name);
    }
    put(store, bytes)
}

fn put(store: &Blobs, bytes: impl Into<Bytes>) -> Pointer {
    block_on(store.put(bytes.into())).unwrap()
}

#[test]
fn what_was_imported_is_exported_byte_for_byte() {
    let (_sandbox, top, target) = sandbox();
    let store = store();
    let imported = import_of(&store, &top).unwrap();
    assert!(imported.problems.is_empty());
    assert_eq!(imported.directories, 4);
    assert_eq!(imported.distinct_files, imported.files - 1, "one copy");
    let exported = export_to(&store, imported.pointer, &target).unwrap();
    assert!(exported.problems.is_empty());
    assert_eq!(
        (exported.files, exported.bytes),
        (imported.files, imported.bytes)
    );
    assert_eq!(exported.directories, imported.directories);
    assert_eq!(same(&top, &target).files, imported.files);
}

#[test]
fn a_tree_has_one_pointer_however_it_was_made() {
    let (_sandbox, top, target) = sandbox();
    let (one, other) = (store(), store());
    let imported = import_of(&one, &top).unwrap();
    export_to(&one, imported.pointer, &target).unwrap();
    assert_eq!(
        import_of(&other, &target).unwrap().pointer,
        imported.pointer
    );
    fs::write(target.join("a.txt"), "ebb").unwrap();
    assert_ne!(
        import_of(&other, &target).unwrap().pointer,
        imported.pointer
    );
}

#[test]
fn one_file_in_flight_gives_the_same_tree_as_many() {
    let (_sandbox, top, _) = sandbox();
    let store = store();
    let options = ImportOptions {
        in_flight: 1,
        ..ImportOptions::default()
    };
    let mut steps = Vec::new();
    let mut progress = |step| steps.push(step);
    let one = block_on(import(&store, &top, options, &mut progress)).unwrap();
    assert_eq!(one.pointer, import_of(&store, &top).unwrap().pointer);
    let files = steps.iter().filter(|step| **step != Step::Directory);
    assert_eq!(files.count() as u64, one.files);
}

#[test]
fn only_what_is_selected_is_imported_and_measured() {
    let (_sandbox, top, target) = sandbox();
    let selection = Selection {
        only: Some(["deep".into()].into()),
        except: vec![top.join("deep/er/large.bin")],
    };
    let options = ImportOptions {
        selection: selection.clone(),
        ..ImportOptions::default()
    };
    let store = store();
    let imported = block_on(import(&store, &top, options, &mut |_| {})).unwrap();
    let measured = measure(&top, selection.clone(), |_| {});
    assert_eq!(measured.files, imported.files);
    export_to(&store, imported.pointer, &target).unwrap();
    assert!(!target.join("a.txt").exists());
    assert!(!target.join("deep/er/large.bin").exists());
    assert!(target.join("deep/none").exists());
    let compared = compare(&top, selection, &target, |_| {}).unwrap();
    assert_eq!(compared.differences, []);
}

#[test]
fn a_comparison_finds_what_is_missing_other_or_too_much() {
    let (_sandbox, top, target) = sandbox();
    let store = store();
    let pointer = import_of(&store, &top).unwrap().pointer;
    export_to(&store, pointer, &target).unwrap();
    let different = |path: &str| {
        let compared = compare(&top, Selection::default(), &target, |_| {}).unwrap();
        assert_eq!(compared.differences.len(), 1, "{path}");
        assert_eq!(compared.differences[0].path, Path::new(path));
    };
    fs::write(target.join("extra"), "").unwrap();
    different("");
    fs::remove_file(target.join("extra")).unwrap();
    fs::write(target.join("a.txt"), "tidE").unwrap();
    different("a.txt");
    fs::remove_file(target.join("a.txt")).unwrap();
    different("a.txt");
}

#[test]
fn a_target_that_is_not_empty_is_left_alone_unless_told() {
    let (_sandbox, top, target) = sandbox();
    let store = store();
    let pointer = import_of(&store, &top).unwrap().pointer;
    fs::create_dir_all(&target).unwrap();
    fs::write(target.join("a.txt"), "mine").unwrap();
    fs::write(target.join("other"), "mine").unwrap();
    let error = export_to(&store, pointer, &target).unwrap_err();
    assert_eq!(error.kind(), Kind::AlreadyExists);
    assert_eq!(fs::read_dir(&target).unwrap().count(), 2);
    let exported = replacing(&store, pointer, &target).unwrap();
    assert!(exported.problems.is_empty());
    assert_eq!(exported.unchanged, 0);
    assert_eq!(fs::read(target.join("other")).unwrap(), b"mine");
    fs::remove_file(target.join("other")).unwrap();
    same(&top, &target);
    let again = replacing(&store, pointer, &target).unwrap();
    assert!(again.unchanged > 3, "what is right already is left alone");
    same(&top, &target);
}

#[test]
fn names_that_lead_elsewhere_make_nothing_on_disk() {
    let (_sandbox, _, target) = sandbox();
    let store = store();
    let file = put(&store, "x");
    for name in [&b".."[..], b"a/../../x", b"/etc/x", b".", b"", b"a\0"] {
        let pointer = hostile(&store, &[(1, name, 1, file)]);
        let error = export_to(&store, pointer, &target).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput, "{name:?}");
        assert!(!target.exists());
    }
}

#[cfg(unix)]
#[test]
fn a_link_never_lets_an_export_out_of_its_target() {
    let (sandbox, _, target) = sandbox();
    let outside = sandbox.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir(&target).unwrap();
    // Links in the target where the tree has directories and files.
    std::os::unix::fs::symlink(&outside, target.join("dir")).unwrap();
    std::os::unix::fs::symlink(outside.join("planted"), target.join("file")).unwrap();
    let store = store();
    let file = put(&store, "x");
    let inner = hostile(&store, &[(1, b"planted", 1, file)]);
    let top = hostile(&store, &[(4, b"dir", 1, inner), (1, b"file", 1, file)]);
    let exported = replacing(&store, top, &target).unwrap();
    assert_eq!(exported.problems.len(), 1, "{:?}", exported.problems);
    assert_eq!(exported.problems[0].path, Path::new("dir"));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(!target.join("file").is_symlink());
    assert_eq!(fs::read(target.join("file")).unwrap(), b"x");
}

#[cfg(unix)]
#[test]
fn a_link_of_the_tree_itself_is_not_followed() {
    let (sandbox, _, target) = sandbox();
    let outside = sandbox.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let store = store();
    let there = outside.to_str().unwrap().as_bytes().to_vec();
    let (len, link) = (there.len() as u64, put(&store, there));
    let pointer = hostile(&store, &[(3, b"a", len, link)]);
    export_to(&store, pointer, &target).unwrap();
    // A second tree has a directory where the first has left its link.
    let file = put(&store, "x");
    let inner = hostile(&store, &[(1, b"planted", 1, file)]);
    let pointer = hostile(&store, &[(4, b"a", 1, inner)]);
    let exported = replacing(&store, pointer, &target).unwrap();
    assert_eq!(exported.problems.len(), 1);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn what_the_store_cannot_give_is_reported_and_the_rest_restored() {
    let (_sandbox, top, target) = sandbox();
    let store = store();
    let pointer = import_of(&store, &top).unwrap().pointer;
    block_on(store.delete(&Pointer::of(b"tide"))).unwrap();
    let exported = export_to(&store, pointer, &target).unwrap();
    let mut lost: Vec<_> = exported.problems.iter().map(|lost| &lost.path).collect();
    lost.sort();
    assert_eq!(lost, [Path::new("a.txt"), Path::new("deep/copy of a.txt")]);
    assert!(
        exported
            .problems
            .iter()
            .all(|lost| lost.error.kind() == Kind::NotFound)
    );
    assert!(target.join("deep/er/large.bin").exists());
    let parts = fs::read_dir(&target).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".part")
    });
    assert_eq!(parts.count(), 0, "nothing half written is left");
}

#[test]
fn a_size_that_is_not_the_blobs_is_damage() {
    let (_sandbox, _, target) = sandbox();
    let store = store();
    let small = put(&store, "x");
    let large = put(&store, vec![7; 2 << 20]);
    let pointer = hostile(
        &store,
        &[(1, b"large", 3 << 20, large), (1, b"small", 2, small)],
    );
    let exported = export_to(&store, pointer, &target).unwrap();
    let kinds: Vec<_> = exported
        .problems
        .iter()
        .map(|lost| lost.error.kind())
        .collect();
    assert_eq!(kinds, [Kind::Corrupt, Kind::Corrupt]);
}

#[test]
fn a_pointer_that_is_no_directory_makes_nothing_on_disk() {
    let (_sandbox, _, target) = sandbox();
    let store = store();
    let file = put(&store, "just a file");
    let error = export_to(&store, file, &target).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput);
    let error = export_to(&store, Pointer::of(b"nobody"), &target).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(!target.exists());
}

#[test]
fn a_file_is_not_imported_as_a_directory() {
    let (_sandbox, top, _) = sandbox();
    let error = import_of(&store(), &top.join("a.txt")).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput);
    let error = import_of(&store(), &top.join("nothing")).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

#[test]
fn directories_deeper_than_the_limit_are_a_problem_not_a_crash() {
    let (sandbox, _, target) = sandbox();
    let store = store();
    let mut pointer = hostile(&store, &[]);
    for _ in 0..MAX_DEPTH + 10 {
        pointer = hostile(&store, &[(4, b"d", 0, pointer)]);
    }
    let exported = export_to(&store, pointer, &target).unwrap();
    assert_eq!(exported.problems.len(), 1);
    assert_eq!(exported.directories, MAX_DEPTH as u64);
    // One level more on disk than may be imported; the names are short enough for a path.
    let mut deep = sandbox.path().join("deep");
    for _ in 0..=MAX_DEPTH {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    let imported = import_of(&store, &sandbox.path().join("deep")).unwrap();
    assert_eq!(imported.problems.len(), 1);
}

#[cfg(unix)]
#[test]
fn sockets_and_pipes_are_skipped_and_told() {
    let (_sandbox, top, _) = sandbox();
    let _socket = std::os::unix::net::UnixListener::bind(top.join("socket")).unwrap();
    let imported = import_of(&store(), &top).unwrap();
    assert!(imported.problems.is_empty());
    assert_eq!(
        imported.skipped,
        [(std::path::PathBuf::from("socket"), "a socket")]
    );
}

#[test]
fn importing_again_stores_nothing_new() {
    let (_sandbox, top, _) = sandbox();
    let store = store();
    let first = import_of(&store, &top).unwrap();
    let before = block_on(store.list(None, 1000)).unwrap();
    let second = import_of(&store, &top).unwrap();
    assert_eq!(first.pointer, second.pointer);
    assert_eq!(block_on(store.list(None, 1000)).unwrap(), before);
}

/// Promised of every future of the library over a host that is `Send`.
#[test]
fn imports_and_exports_can_be_spawned() {
    fn is_send<T: Send>(_: &T) {}
    let store = store();
    let mut nothing = |_: Step| {};
    let path = Path::new(".");
    is_send(&import(
        &store,
        path,
        ImportOptions::default(),
        &mut nothing,
    ));
    let mut nothing = |_: Step| {};
    is_send(&export(
        &store,
        Pointer::NULL,
        path,
        ExportOptions::default(),
        &mut nothing,
    ));
}

/// Reading the start of a process's own memory fails for everybody, also for root.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_read_is_a_problem_and_the_rest_is_imported() {
    let options = ImportOptions {
        selection: Selection {
            only: Some(["mem".into(), "comm".into()].into()),
            except: Vec::new(),
        },
        ..ImportOptions::default()
    };
    let top = Path::new("/proc/self");
    let imported = block_on(import(&store(), top, options, &mut |_| {})).unwrap();
    assert_eq!(imported.problems.len(), 2, "{:?}", imported.problems);
    assert_eq!(imported.problems[0].path, Path::new("comm"));
    assert_eq!(
        imported.problems[0].error.kind(),
        Kind::Conflict,
        "its length is a lie"
    );
    assert_eq!(imported.problems[1].path, Path::new("mem"));
    assert_eq!(imported.files, 0);
}
