//! Offline and online: the queue, `sync`, `status`, `--wait`, and another machine.

use crate::{
    place::{Place, noise, pointer},
    server::{Server, nobody},
};
use littoral::tree::{Selection, compare};

fn notes(place: &Place) {
    for n in 0..30 {
        place.write(&format!("notes/{n}.md"), noise(100 * n));
    }
    place.write("notes/large.raw", noise(6_000_000));
}

#[test]
fn a_tree_imported_offline_is_given_back_on_another_machine() {
    let place = Place::new();
    notes(&place);
    place.run(["--remote", &nobody(), "import", "notes"]).ok();
    let before = place.run(["--json", "status"]).ok().json();
    assert!(before["queued"].as_u64().unwrap() >= 32, "{before}");
    assert!(before["queued_bytes"].as_u64().unwrap() > 6_000_000);

    let server = Server::start(&place, &[]);
    let synced = place
        .run(["--json", "--remote", &server.url, "sync"])
        .ok()
        .json();
    assert_eq!(synced["left"], 0);
    let after = place.run(["--json", "status"]).ok().json();
    assert_eq!(after["queued"], 0);
    std::fs::remove_file(place.path("littoral.store")).unwrap();

    let elsewhere = Place::new();
    elsewhere
        .run(["--remote", &server.url, "export", "notes", "out"])
        .ok();
    let out = elsewhere.path("out");
    let compared = compare(&place.path("notes"), Selection::default(), &out, |_| {}).unwrap();
    assert_eq!(compared.differences, []);
    assert_eq!(compared.files, 31);
}

#[test]
fn what_was_fetched_once_is_there_without_the_remote() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let put = place.run_with_input(["--remote", &server.url, "put", "-", "--wait"], b"tide");
    let put = put.ok().line();
    let elsewhere = Place::new();
    elsewhere.run(["--remote", &server.url, "cat", &put]).ok();
    drop(server);
    assert_eq!(elsewhere.run(["cat", &put]).ok().stdout, b"tide");
}

#[test]
fn waiting_returns_once_the_remote_has_it() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let remote = ["--remote", &server.url, "--store", "one.store"];
    let put = [&remote[..], &["put", "-", "--wait"]].concat();
    let put = place.run_with_input(put, b"tide").ok().line();
    let with = |more: &[&str]| place.run([&remote[..], more].concat());
    with(&["root", "set", "r", &put, "--wait"]).ok();
    let other = ["--remote", &server.url, "--store", "other.store"];
    assert_eq!(
        place
            .run([&other[..], &["root", "get", "r"]].concat())
            .ok()
            .line(),
        put
    );
    with(&["rm", &put, "--wait"]).ok();
    let fresh = ["--remote", &server.url, "--store", "fresh.store"];
    place.run([&fresh[..], &["cat", &put]].concat()).exit(3);
}

#[test]
fn without_a_remote_changes_wait_and_sync_says_what_it_lacks() {
    let place = Place::new();
    place.put(b"tide");
    place
        .run(["sync"])
        .exit(2)
        .says(&["no remote was named", "--remote"]);
    let status = place.run(["status"]).ok().text();
    assert!(status.contains("1 change, 4 B"), "{status}");
}

#[test]
fn a_remote_that_is_down_is_not_a_missing_blob() {
    let place = Place::new();
    place.put(b"tide");
    let missing = pointer(b"nothing");
    let remote = nobody();
    let with = |more: &[&str]| {
        let all = [&["--remote", &remote, "--timeout", "2"][..], more].concat();
        place.run(all)
    };
    with(&["cat", &missing]).exit(6).says(&[&remote[7..]]);
    with(&["stat", &missing]).exit(6);
    with(&["sync"]).exit(6).says(&["stays queued"]);
    with(&["cat", &pointer(b"tide")]).ok();
    assert_eq!(place.run(["--json", "status"]).ok().json()["queued"], 1);
}

#[test]
fn a_wrong_token_is_said_to_be_wrong_and_never_shown() {
    let place = Place::new();
    let server = Server::start(&place, &["--token", "right-token"]);
    place.put(b"tide");
    for token in ["wrong-token", ""] {
        let mut command = place.command(["--remote", &server.url, "sync"]);
        if !token.is_empty() {
            command.env("LITTORAL_TOKEN", token);
        }
        let run = crate::place::Run::of(command.output().unwrap());
        let run = run.exit(7).says(&["LITTORAL_TOKEN"]);
        assert!(!run.stderr.contains("wrong-token"));
    }
    let mut command = place.command(["--remote", &server.url, "sync"]);
    command.env("LITTORAL_TOKEN", "right-token");
    crate::place::Run::of(command.output().unwrap()).ok();
}

#[test]
fn of_two_who_move_a_root_one_is_told() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let at = |store: &str, more: &[&str]| {
        let all = [&["--store", store, "--remote", &server.url][..], more].concat();
        place.run(all)
    };
    let (one, other) = (place.write("one", "one"), place.write("other", "other"));
    let one = at("a.store", &["put", one.to_str().unwrap()]).ok().line();
    let other = at("b.store", &["put", other.to_str().unwrap()]).ok().line();
    at("a.store", &["root", "set", "r", &one, "--from", "none"]).ok();
    at("b.store", &["root", "set", "r", &other, "--from", "none"]).ok();
    at("a.store", &["sync"]).ok();
    at("b.store", &["sync"]).exit(8).says(&["\"r\""]);
    let seen = place.run([
        "--store",
        "c.store",
        "--remote",
        &server.url,
        "root",
        "get",
        "r",
    ]);
    assert_eq!(seen.ok().line(), one);
}
