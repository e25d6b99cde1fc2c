//! `verify repair reclaim backup restore`, and stores that were damaged.

use crate::{
    place::{Place, no_leftovers, noise, pointer},
    server::Server,
};

/// Flips one bit of every copy of `bytes` in a file; whether there was one.
fn damage(path: &std::path::Path, bytes: &[u8]) -> bool {
    let mut file = std::fs::read(path).unwrap();
    let mut hit = false;
    let mut at = 0;
    while let Some(found) = file[at..]
        .windows(bytes.len())
        .position(|part| part == bytes)
    {
        file[at + found] ^= 1;
        at += found + 1;
        hit = true;
    }
    std::fs::write(path, file).unwrap();
    hit
}

#[test]
fn a_store_that_is_whole_is_said_to_be() {
    let place = Place::new();
    place.put(&noise(3_000_000));
    let verified = place.run(["--json", "verify"]).ok().json();
    assert!(verified["values"].as_u64().unwrap() > 1, "{verified}");
    assert!(verified["bytes"].as_u64().unwrap() >= 3_000_000);
}

#[test]
fn damage_is_found_told_and_never_returned() {
    let place = Place::new();
    let bytes = noise(400_000);
    let put = place.put(&bytes);
    let kept = place.put(b"not damaged");
    assert!(damage(&place.path("littoral.store"), &bytes[1000..1100]));
    let run = place.run(["cat", &put]).exit(4).says(&["littoral verify"]);
    assert!(run.stdout.is_empty());
    let told = place.run(["--json", "verify"]).exit(4).json_lines();
    assert_eq!(told[1]["error"]["code"], "Corrupt");
    let told = &told[0];
    assert_eq!(told["damage"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(place.run(["cat", &kept]).ok().stdout, b"not damaged");
}

#[test]
fn damage_is_repaired_from_the_remote() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let bytes = noise(400_000);
    let put = place.put(&bytes);
    place.run(["--remote", &server.url, "sync"]).ok();
    assert!(damage(&place.path("littoral.store"), &bytes[1000..1100]));
    place.run(["repair"]).exit(4);
    let repaired = place
        .run(["--json", "--remote", &server.url, "repair"])
        .ok()
        .json();
    assert_eq!(repaired["repaired"], 1, "{repaired}");
    assert_eq!(place.run(["cat", &put]).ok().stdout, bytes);
    place.run(["verify"]).ok();
}

#[test]
fn what_was_deleted_gives_its_space_back() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let put = place.put(&noise(20 << 20));
    place.run(["--remote", &server.url, "sync"]).ok();
    let before = place.path("littoral.store").metadata().unwrap().len();
    place
        .run(["--remote", &server.url, "rm", &put, "--wait"])
        .ok();
    place.run(["reclaim"]).ok();
    let after = place.path("littoral.store").metadata().unwrap().len();
    assert!(after + (15 << 20) < before, "{before} {after}");
}

#[test]
fn a_backup_restores_the_store() {
    let place = Place::new();
    let bytes = noise(3_000_000);
    let put = place.put(&bytes);
    place.run(["root", "set", "r", &put]).ok();
    place.run(["backup", "copy.store"]).ok();
    place.run(["backup", "copy.store"]).exit(8);
    place
        .run(["restore", "copy.store"])
        .exit(8)
        .says(&["littoral.store is there"]);
    std::fs::remove_file(place.path("littoral.store")).unwrap();
    place.run(["restore", "copy.store"]).ok();
    assert_eq!(place.run(["cat", &put]).ok().stdout, bytes);
    assert_eq!(place.run(["root", "get", "r"]).ok().line(), put);
    no_leftovers(&place.path(""));
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let place = Place::new();
    let bytes = noise(400_000);
    place.put(&bytes);
    place.run(["backup", "copy.store"]).ok();
    assert!(damage(&place.path("copy.store"), &bytes[1000..1100]));
    place
        .run(["--store", "new.store", "restore", "copy.store"])
        .exit(4);
    assert!(!place.path("new.store").exists());
    no_leftovers(&place.path(""));
    place.write("text", "not a store, just some text that is long enough");
    place
        .run(["--store", "new.store", "restore", "text"])
        .exit(2);
    place
        .run(["--store", "new.store", "restore", "nothing"])
        .exit(3);
    assert!(!place.path("new.store").exists());
}

#[test]
fn what_is_not_there_cannot_be_repaired_by_guessing() {
    let place = Place::new();
    place.put(b"x");
    let told = place.run(["--json", "repair"]).ok().json();
    assert_eq!(told["repaired"], 0);
    assert!(!place.run(["ls"]).ok().text().contains(&pointer(b"y")));
}
