//! Stores that were damaged, lost, or are no stores: every command says so truthfully, and there is a way out.

use crate::{
    place::{Place, Run, no_leftovers, noise},
    server::{Server, nobody},
};
use std::fs;

const STORE: &str = "littoral.store";

/// Changes the store's file.
fn change(place: &Place, change: impl FnOnce(&mut Vec<u8>)) {
    let path = place.path(STORE);
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Turns over a bit of every copy of `part` behind the logs; how many there were.
fn flip(bytes: &mut [u8], part: &[u8]) -> usize {
    let mut at = 8192 + (8 << 20);
    let mut hits = 0;
    while let Some(found) = bytes[at..].windows(part.len()).position(|p| p == part) {
        bytes[at + found] ^= 1;
        at += found + 1;
        hits += 1;
    }
    hits
}

/// A store with some blobs and a queue, of which a block of the index is damaged.
fn with_a_damaged_block() -> (Place, Vec<(String, Vec<u8>)>) {
    let place = Place::new();
    let mut kept = Vec::new();
    for i in 1..=6 {
        let bytes = noise(i * 500_000);
        kept.push((place.put(&bytes), bytes));
    }
    // Small, so in the index itself.
    place.put(b"a small one that is in a block of the index");
    change(&place, |bytes| {
        assert!(flip(bytes, b"a small one that is in a block of the index") > 0);
    });
    (place, kept)
}

#[test]
fn verify_names_a_damaged_block_although_no_other_command_gets_on() {
    let (place, _) = with_a_damaged_block();
    for command in [&["status"][..], &["put", STORE], &["repair"]] {
        place
            .run(command)
            .exit(4)
            .says(&[STORE, "backup --salvage"]);
    }
    let run = place.run(["verify"]).exit(4).says(&["backup --salvage"]);
    assert!(
        run.text().contains("littoral.store: a table block, bytes"),
        "{}",
        run.text()
    );
    let told = &place.run(["--json", "verify"]).exit(4).json_lines()[0];
    assert_eq!(told["damage"].as_array().unwrap().len(), 1, "{told}");
    assert!(
        told["damage"][0]["start"].as_u64().unwrap() > 8 << 20,
        "{told}"
    );
    assert_eq!(told["file"], STORE);
}

#[test]
fn what_can_be_read_of_a_damaged_store_is_salvaged_and_the_rest_is_fetched() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let (large, small) = (
        noise(3_000_000),
        b"a small one that is in the index".repeat(3),
    );
    let (large_one, small_one) = (place.put(&large), place.put(&small));
    place.run(["--remote", &server.url, "sync"]).ok();
    change(&place, |bytes| assert!(flip(bytes, &small) > 0));
    place.run(["backup", "saved"]).exit(4);
    let before = fs::read(place.path(STORE)).unwrap();
    let told = place
        .run(["--json", "backup", "saved", "--salvage"])
        .exit(12)
        .json();
    assert_eq!(told["left_behind"].as_array().unwrap().len(), 1, "{told}");
    assert!(
        fs::read(place.path(STORE)).unwrap() == before,
        "it was changed"
    );
    place.run(["backup", "saved", "--salvage"]).exit(8);

    let saved = |more: &[&str]| {
        place.run([&["--store", "saved", "--remote", &server.url][..], more].concat())
    };
    saved(&["repair"]).ok();
    saved(&["verify"]).ok();
    assert!(saved(&["cat", &small_one]).ok().stdout == small);
    assert!(saved(&["cat", &large_one]).ok().stdout == large);
    no_leftovers(&place.path(""));
}

#[test]
fn a_store_without_its_end_is_verified_and_salvaged() {
    let place = Place::new();
    for i in 1..=4 {
        place.put(&noise(i * 400_000));
    }
    change(&place, |bytes| bytes.truncate(bytes.len() - 4096));
    place.run(["status"]).exit(4).says(&["backup --salvage"]);
    let told = &place.run(["--json", "verify"]).exit(4).json_lines()[0];
    assert_eq!(told["damage"].as_array().unwrap().len(), 1, "{told}");
    let salvaged = place.run(["backup", "saved", "--salvage"]).exit(12);
    assert!(
        salvaged.text().contains("left behind"),
        "{}",
        salvaged.text()
    );
    place.run(["--store", "saved", "status"]).ok();
}

#[test]
fn a_store_without_superblocks_is_said_to_be_lost() {
    let place = Place::new();
    place.put(b"tide");
    change(&place, |bytes| {
        bytes[16] ^= 1;
        bytes[4096 + 16] ^= 1;
    });
    place.run(["verify"]).exit(4).says(&[STORE]);
    place
        .run(["backup", "saved", "--salvage"])
        .exit(4)
        .says(&["restore a backup", "export"]);
    assert!(!place.path("saved").exists());
    no_leftovers(&place.path(""));
}

#[test]
fn no_command_takes_a_file_of_zeros_or_another_file_for_a_store() {
    let place = Place::new();
    let like_a_new_store = 8192 + (8 << 20);
    for bytes in [vec![0; 30 << 20], vec![0; like_a_new_store], noise(10_000)] {
        place.write("other", &bytes);
        let file = place.write("file", "tide");
        for command in [
            &["status"][..],
            &["ls"],
            &["verify"],
            &["backup", "saved", "--salvage"],
            &["serve", "--listen", "127.0.0.1:0"],
            &["put", file.to_str().unwrap()],
        ] {
            place.run([&["--store", "other"], command].concat()).exit(2);
            assert!(
                fs::read(place.path("other")).unwrap() == bytes,
                "{command:?}"
            );
        }
    }
}

#[test]
fn a_store_that_was_emptied_is_not_said_to_be_empty() {
    let place = Place::new();
    let put = place.put(b"tide");
    let remote = nobody();
    fs::write(place.path(STORE), "").unwrap();
    for command in [
        &["status"][..],
        &["ls"],
        &["verify"],
        &["sync", "--remote", &remote],
        &["cat", &put, "--remote", &remote],
        &["doc", "get"],
        &["backup", "saved"],
        &["backup", "saved", "--salvage"],
    ] {
        place.run(command).exit(3).says(&[STORE]);
        assert_eq!(place.path(STORE).metadata().unwrap().len(), 0);
    }
    // Whoever puts something may use it.
    place.put(b"tide");
}

#[test]
fn a_store_with_deletions_that_wait_is_not_served() {
    let place = Place::new();
    let put = place.put(b"tide");
    let serve = || place.run(["serve", "--listen", "127.0.0.1:0"]);
    place.run(["rm", &put]).ok();
    serve().exit(2).says(&["1 deletion waits", "sync"]);
    let server = Server::start(&place, &[]);
    place.run(["--remote", &server.url, "sync"]).ok();
    drop(server);
    // Now it is, like one in which nothing was ever deleted.
    let mut serving = place
        .command(["serve", "--listen", "127.0.0.1:0", "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = serving.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    serving.kill().unwrap();
    let _ = Run::of(serving.wait_with_output().unwrap());
    assert!(line.contains("http://127.0.0.1:"), "{line}");
}
