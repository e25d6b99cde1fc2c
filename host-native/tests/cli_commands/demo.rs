//! `demo`: the whole story on a small directory.

use crate::place::{Place, noise};

#[test]
fn the_demo_brings_every_byte_back() {
    let place = Place::new();
    for n in 0..40 {
        place.write(&format!("dir/{}/{n}.txt", n % 3), noise(n * 500));
    }
    place.write("dir/copy.txt", noise(39 * 500));
    let told = place.run(["demo", "dir"]).ok().text();
    for word in ["41 files", "offline", "uploaded", "restored", "every byte"] {
        assert!(told.contains(word), "no {word:?} in:\n{told}");
    }
    assert!(
        !place.path("littoral.store").exists(),
        "it works in a place of its own"
    );
}

#[test]
fn the_demo_is_a_document_for_programs() {
    let place = Place::new();
    for n in 0..10 {
        place.write(&format!("dir/{n}.txt"), "the same in each");
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("0.txt", place.path("dir/link")).unwrap();
    let told = place.run(["--json", "demo", "dir"]).ok().json();
    assert_eq!(told["verified_bytes"], told["bytes"]);
    #[cfg(unix)]
    std::fs::remove_file(place.path("dir/link")).unwrap();
    let told = place.run(["--json", "demo", "dir"]).ok().json();
    assert_eq!(told["files"], 10);
    assert_eq!(told["distinct_files"], 1);
    assert_eq!(told["verified_files"], 10);
    assert_eq!(told["matched"], true);
    assert!(told["queued"].as_u64().unwrap() >= 2, "{told}");
}

#[test]
fn a_directory_that_is_not_there_ends_the_demo() {
    let place = Place::new();
    place.run(["demo", "nothing"]).exit(3).says(&["nothing"]);
}
