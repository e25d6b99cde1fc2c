//! `put cat get stat ls rm`.

use crate::place::{Place, no_leftovers, noise, pointer};

#[test]
fn what_is_put_is_given_back_by_another_process() {
    let place = Place::new();
    let file = place.write("tide.txt", "high tide");
    let put = place.run(["put", file.to_str().unwrap()]).ok();
    assert_eq!(put.line(), pointer(b"high tide"));
    assert_eq!(place.run(["cat", &put.line()]).ok().stdout, b"high tide");
}

#[test]
fn standard_input_can_be_put() {
    let place = Place::new();
    for bytes in [&b""[..], b"ebb", &noise(3_000_000)] {
        let printed = place.put(bytes);
        assert_eq!(printed, pointer(bytes));
        assert_eq!(place.run(["cat", &printed]).ok().stdout, bytes);
    }
}

#[test]
fn a_blob_of_many_chunks_is_given_back_as_a_file() {
    let place = Place::new();
    let bytes = noise(20 << 20);
    let file = place.write("large.bin", &bytes);
    let put = place.run(["put", file.to_str().unwrap()]).ok().line();
    place.run(["get", &put, "copy.bin"]).ok();
    assert_eq!(std::fs::read(place.path("copy.bin")).unwrap(), bytes);
    no_leftovers(&place.path(""));
}

#[test]
fn a_blob_can_be_named_by_its_cid() {
    let place = Place::new();
    place.put(b"high tide");
    let cid = littoral::core::blob::Pointer::of(b"high tide").to_cid();
    assert_eq!(place.run(["cat", &cid]).ok().stdout, b"high tide");
}

#[test]
fn getting_a_blob_overwrites_nothing_unless_told() {
    let place = Place::new();
    let put = place.put(b"new");
    place.write("mine", "old");
    place
        .run(["get", &put, "mine"])
        .exit(8)
        .says(&["mine is there already", "--replace"]);
    assert_eq!(std::fs::read(place.path("mine")).unwrap(), b"old");
    place.run(["get", &put, "mine", "--replace"]).ok();
    assert_eq!(std::fs::read(place.path("mine")).unwrap(), b"new");
}

#[test]
fn what_is_not_there_is_said_to_be_missing() {
    let place = Place::new();
    place.put(b"something");
    let missing = pointer(b"nothing");
    for command in [
        vec!["cat", &missing],
        vec!["get", &missing, "x"],
        vec!["stat", &missing],
    ] {
        let run = place.run(command).exit(3).says(&[&missing]);
        assert!(run.stdout.is_empty());
    }
    assert!(!place.path("x").exists());
}

#[test]
fn blobs_are_listed_in_order_in_pages_and_with_their_sizes() {
    let place = Place::new();
    let mut put: Vec<String> = (0..7u8)
        .map(|n| place.put(&vec![n; usize::from(n)]))
        .collect();
    put.sort();
    let listed = place.run(["ls"]).ok().text();
    let pointers: Vec<&str> = listed.lines().map(|line| &line[..64]).collect();
    assert_eq!(pointers, put);
    let page = place.run(["ls", "--after", &put[1], "--limit", "2"]).ok();
    let page = page.text();
    let pointers: Vec<&str> = page.lines().map(|line| &line[..64]).collect();
    assert_eq!(pointers, put[2..4]);
    let one = place.run(["stat", &pointer(&[5; 5])]).ok().line();
    assert_eq!(one, format!("{}  5 bytes", pointer(&[5; 5])));
}

#[test]
fn what_was_deleted_stays_deleted() {
    let place = Place::new();
    let put = place.put(b"gone soon");
    let kept = place.put(b"kept");
    place.run(["rm", &put]).ok();
    place.run(["cat", &put]).exit(3);
    place.run(["rm", &put]).exit(3);
    place.run(["rm", &pointer(b"never there")]).exit(3);
    assert_eq!(
        place.run(["--json", "status"]).ok().json()["queued"],
        2,
        "nothing is queued for what was never there"
    );
    let listed = place.run(["ls"]).ok().text();
    assert!(listed.contains(&kept) && !listed.contains(&put));
}
