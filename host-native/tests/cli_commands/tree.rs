//! `import`, `export`, `ls ROOT`.

use crate::place::{Place, noise, pointer};
use littoral::tree::{Selection, compare};
use std::path::Path;

fn notes(place: &Place) {
    place.write("notes/today.md", "high tide at six");
    place.write("notes/copy.md", "high tide at six");
    place.write("notes/deep/er/photo.raw", noise(5_000_000));
    std::fs::create_dir_all(place.path("notes/empty")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("today.md", place.path("notes/link")).unwrap();
}

#[track_caller]
fn same(expected: &Path, found: &Path) {
    let compared = compare(expected, Selection::default(), found, |_| {}).unwrap();
    assert_eq!(compared.differences, []);
}

#[test]
fn a_tree_that_was_imported_is_exported_byte_for_byte() {
    let place = Place::new();
    notes(&place);
    let imported = place.run(["import", "notes"]).ok();
    let root = place.run(["root", "get", "notes"]).ok().line();
    assert!(imported.line().starts_with(&root));
    place.run(["export", "notes", "by-root"]).ok();
    same(&place.path("notes"), &place.path("by-root"));
    place.run(["export", &root, "by-pointer"]).ok();
    same(&place.path("notes"), &place.path("by-pointer"));
}

#[test]
fn importing_again_moves_the_root_and_keeps_the_old_tree() {
    let place = Place::new();
    notes(&place);
    place.run(["import", "notes"]).ok();
    let old = place.run(["root", "get", "notes"]).ok().line();
    place.run(["import", "notes"]).ok();
    assert_eq!(place.run(["root", "get", "notes"]).ok().line(), old);
    place.write("notes/today.md", "low tide");
    place.run(["import", "notes"]).ok();
    let new = place.run(["root", "get", "notes"]).ok().line();
    assert_ne!(new, old);
    place.run(["export", &old, "old"]).ok();
    assert_eq!(
        std::fs::read(place.path("old/today.md")).unwrap(),
        b"high tide at six"
    );
    place.run(["export", "notes", "new"]).ok();
    same(&place.path("notes"), &place.path("new"));
}

#[test]
fn an_import_that_was_killed_is_continued() {
    let place = Place::new();
    for n in 0..400 {
        place.write(&format!("many/{}/{n}", n % 7), noise(1000 + n));
    }
    let mut child = place.command(["import", "many"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(30));
    let _ = child.kill();
    let _ = child.wait();
    place.run(["import", "many"]).ok();
    place.run(["export", "many", "out"]).ok();
    same(&place.path("many"), &place.path("out"));
    place.run(["verify"]).ok();
}

#[test]
fn the_store_itself_is_not_imported() {
    let place = Place::new();
    place.write("here/file", "x");
    place
        .run(["--store", "here/littoral.store", "import", "here"])
        .ok();
    place
        .run(["--store", "here/littoral.store", "export", "here", "out"])
        .ok();
    let names: Vec<_> = std::fs::read_dir(place.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["file"]);
}

/// The lengths of files in `/proc` are lies, which nobody can read his way around, not even root.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_read_keeps_the_root_where_it_was_unless_told() {
    let place = Place::new();
    let odd = "/proc/sys/kernel/random";
    place
        .run(["import", odd])
        .exit(12)
        .says(&["uuid", "was not moved", "--skip-unreadable"]);
    place.run(["root", "get", "random"]).exit(3);
    place.run(["import", odd, "--skip-unreadable"]).exit(12);
    place.run(["root", "get", "random"]).ok();
}

#[cfg(unix)]
#[test]
fn a_socket_is_skipped_and_told() {
    let place = Place::new();
    place.write("odd/file", "x");
    let _socket = std::os::unix::net::UnixListener::bind(place.path("odd/socket")).unwrap();
    place
        .run(["import", "odd"])
        .ok()
        .says(&["socket is a socket"]);
}

#[test]
fn an_export_into_a_full_directory_is_refused_unless_told() {
    let place = Place::new();
    notes(&place);
    place.run(["import", "notes"]).ok();
    place.write("out/mine", "mine");
    place
        .run(["export", "notes", "out"])
        .exit(8)
        .says(&["not empty", "--replace"]);
    place.run(["export", "notes", "out", "--replace"]).ok();
    assert_eq!(std::fs::read(place.path("out/mine")).unwrap(), b"mine");
    std::fs::remove_file(place.path("out/mine")).unwrap();
    same(&place.path("notes"), &place.path("out"));
}

#[test]
fn a_file_that_the_store_lost_is_told_and_the_rest_restored() {
    let place = Place::new();
    notes(&place);
    place.run(["import", "notes"]).ok();
    place.run(["rm", &pointer(b"high tide at six")]).ok();
    place.run(["export", "notes", "out"]).exit(3).says(&[
        "today.md",
        "copy.md",
        "2 files or directories",
    ]);
    assert!(place.path("out/deep/er/photo.raw").exists());
}

#[test]
fn what_is_in_a_tree_is_listed() {
    let place = Place::new();
    notes(&place);
    place.run(["import", "notes", "--root", "n"]).ok();
    let listed = place.run(["ls", "n"]).ok().text();
    assert!(listed.contains("directory") && listed.contains("today.md"));
    let deep = place.run(["ls", "n", "deep/er"]).ok().line();
    assert!(deep.contains("5000000") && deep.ends_with("photo.raw"));
    place.run(["ls", "n", "deep/nothing"]).exit(3);
    place.run(["ls", "nobody"]).exit(3);
}

#[test]
fn a_pointer_that_is_no_tree_is_not_exported() {
    let place = Place::new();
    let put = place.put(b"just bytes");
    place
        .run(["export", &put, "out"])
        .exit(2)
        .says(&["not a directory of a tree"]);
    assert!(!place.path("out").exists());
}
