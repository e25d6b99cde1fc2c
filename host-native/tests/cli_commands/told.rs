//! What somebody is told who uses it for the first time, or without a network.

use crate::{
    place::{Place, pointer},
    server::{Liar, Server, nobody},
};

#[test]
fn what_is_here_is_listed_without_the_remote() {
    let place = Place::new();
    let put = place.put(b"tide");
    place.write("notes/today", "high at six");
    place.run(["import", "notes"]).ok();
    let remote = nobody();
    let away =
        |more: &[&str]| place.run([&["--remote", &remote, "--timeout", "1"][..], more].concat());
    for list in [&["ls"][..], &["root", "list"]] {
        away(list).exit(6).says(&["--here"]);
    }
    assert!(away(&["ls", "--here"]).ok().text().contains(&put));
    assert!(
        away(&["root", "list", "--here"])
            .ok()
            .text()
            .contains("notes")
    );
    assert!(
        away(&["ls", "notes", "--here"])
            .ok()
            .text()
            .contains("today")
    );
}

#[test]
fn a_hint_fits_the_command() {
    let place = Place::new();
    let put = place.put(b"tide");
    let remote = nobody();
    let missing = pointer(b"nothing");
    let told = place
        .run(["--remote", &remote, "--timeout", "1", "cat", &missing])
        .exit(6);
    assert!(!told.stderr.contains("sync"), "{}", told.stderr);
    assert!(!told.stderr.contains("tcp connect"), "{}", told.stderr);
    let server = Server::start(&place, &[]);
    let address = &server.url["http://".len()..];
    place
        .run(["--store", "second", "serve", "--listen", address])
        .exit(5)
        .says(&["--listen"]);
    place
        .run(["get", &put, "-"])
        .exit(2)
        .says(&["littoral cat"]);
    place
        .run(["get", &put, "nowhere/file"])
        .exit(3)
        .says(&["no directory nowhere"]);
    place
        .run(["--store", "new", "restore", "nothing"])
        .exit(3)
        .says(&["no backup at nothing"]);
}

#[test]
fn a_remote_that_is_none_is_no_damage_of_the_store() {
    let place = Place::new();
    place.put(b"tide");
    let liar = Liar::always("text/html", b"<p>Please log in</p>");
    let told = place.run(["--remote", &liar.url, "--timeout", "2", "ls"]);
    assert_ne!(told.status, 0);
    assert!(!told.stderr.contains("littoral repair"), "{}", told.stderr);
}

#[test]
fn waiting_for_a_remote_that_was_not_named_is_refused_before_anything_is_done() {
    let place = Place::new();
    let file = place.write("file", "tide");
    let file = file.to_str().unwrap();
    place
        .run(["put", file, "--wait"])
        .exit(2)
        .says(&["no remote was named"]);
    assert!(!place.path("littoral.store").exists());
}

#[test]
fn a_root_is_not_set_to_what_is_nowhere() {
    let place = Place::new();
    place.put(b"tide");
    let nothing = pointer(b"nothing");
    place.run(["root", "set", "r", &nothing]).exit(3);
    assert_eq!(place.run(["root", "list"]).ok().text(), "");
}

#[test]
fn a_deletion_of_what_nobody_knows_is_not_called_done() {
    let place = Place::new();
    let put = place.put(b"tide");
    let remote = nobody();
    let rm = |pointer: &str| place.run(["--remote", &remote, "--timeout", "1", "rm", pointer]);
    assert!(rm(&put).ok().text().starts_with("deleted"));
    let told = rm(&pointer(b"nothing")).ok().text();
    assert!(told.starts_with("not here; deletion queued"), "{told}");
}

#[test]
fn a_new_store_says_why_it_is_large() {
    let place = Place::new();
    let file = place.write("file", "tide");
    let told = place.run(["put", file.to_str().unwrap()]).ok().stderr;
    assert!(told.contains("a new store: its two logs take 8."), "{told}");
    let told = place.run(["put", file.to_str().unwrap()]).ok().stderr;
    assert!(!told.contains("a new store"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_store_for_which_there_is_no_room_leaves_nothing() {
    let place = Place::new();
    let file = place.write("file", "tide");
    let status = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 2048 && exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_littoral"))
        .args(["--store", "small", "put"])
        .arg(file)
        .current_dir(place.path(""))
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(10));
    assert!(!place.path("small").exists());
}
