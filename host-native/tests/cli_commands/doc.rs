//! `doc get set patch at log diff watch key scope snapshot`.

use crate::{place::Place, server::Server};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

#[test]
fn a_document_is_changed_and_every_state_stays() {
    let place = Place::new();
    let set = place.run([
        "doc",
        "set",
        "boats.ebb",
        r#"{"berth": 7, "crew": ["Ann"]}"#,
    ]);
    assert_eq!(set.ok().line(), "commit 1");
    place
        .run(["doc", "patch", "boats.ebb", r#"{"berth": null}"#])
        .ok();
    let json = r#"[{"op": "add", "path": "/crew/-", "value": "Bo"}]"#;
    let patched = place.run(["doc", "patch", "boats.ebb", json, "--json-patch", "--json"]);
    assert_eq!(patched.ok().line(), r#"{"commit":3}"#);
    assert_eq!(
        place.run(["doc", "get", "boats.ebb.crew"]).ok().line(),
        r#"["Ann","Bo"]"#
    );
    assert_eq!(
        place.run(["doc", "at", "1", "boats.ebb.berth"]).ok().line(),
        "7"
    );
    assert_eq!(place.run(["doc", "at", "0", ""]).ok().line(), "{}");
    let log = place.run(["doc", "log", "boats.ebb.berth"]).ok().text();
    assert_eq!(log.lines().count(), 2);
    assert!(log.starts_with(r#"{"commit":2,"#), "{log}");
    let diff = place
        .run(["doc", "diff", "1", "3", "boats.ebb.crew"])
        .ok()
        .line();
    assert_eq!(
        diff,
        r#"{"at":1,"insert":["Bo"],"op":"splice","path":"boats.ebb.crew","remove":0}"#
    );
    let watched = place
        .run(["doc", "watch", "boats.*.crew", "--from", "1"])
        .ok()
        .text();
    assert_eq!(watched.lines().count(), 2, "{watched}");
    assert!(watched.contains(r#""commit":3"#), "{watched}");
}

#[test]
fn what_does_not_match_or_cannot_be_applied_changes_nothing() {
    let place = Place::new();
    place.run(["doc", "get"]).exit(3).says(&["no store"]);
    place.run(["doc", "set", "n", "1"]).ok();
    let refused = place.run(["doc", "patch", "n", "2", "--match", r#"{"$gt": 1}"#]);
    refused.exit(8).says(&["n", "does not match"]);
    place
        .run(["doc", "set", "n.x", "1"])
        .exit(8)
        .says(&["an integer is there"]);
    place.run(["doc", "set", "n", "{"]).exit(2);
    place.run(["doc", "set", "a[", "1"]).exit(2);
    place
        .run(["doc", "at", "9", "n"])
        .exit(2)
        .says(&["the last one is 1"]);
    place.run(["doc", "get", "m"]).exit(3);
    assert_eq!(
        place
            .run(["doc", "patch", "n", "-5", "--match", "1"])
            .ok()
            .line(),
        "commit 2"
    );
}

#[test]
fn a_list_with_a_key_is_read_by_it() {
    let place = Place::new();
    place.run(["doc", "set", "x", "1"]).ok();
    let unknown = place.run(["doc", "get", "users(jane)"]);
    unknown
        .exit(2)
        .says(&["no key field was declared", "(id=KEY)"]);
    place.run(["doc", "key", "users", "id"]).ok();
    place.run(["doc", "set", "users(jane).age", "3"]).ok();
    let users = place.run(["doc", "get", "users"]).ok().line();
    assert_eq!(users, r#"[{"age":3,"id":"jane"}]"#);
}

#[test]
fn a_scope_is_changed_on_its_own_and_promoted_or_dropped() {
    let place = Place::new();
    place.run(["doc", "set", "n", "1"]).ok();
    let made = place.run(["doc", "scope", "create", "draft"]).ok();
    assert_eq!(made.line(), "draft from commit 1, at 1");
    place.run(["doc", "--scope", "draft", "set", "n", "2"]).ok();
    let patched = place.run([
        "doc",
        "patch",
        "m",
        "3",
        "--match",
        r#"{"$absent": true}"#,
        "--scope",
        "draft",
    ]);
    assert_eq!(patched.ok().line(), "commit 3");
    let read = |args: &[&str]| place.run([&["doc"], args].concat()).ok().line();
    assert_eq!(read(&["get", "n"]), "1");
    assert_eq!(read(&["get", "--scope", "draft"]), r#"{"m":3,"n":2}"#);
    assert_eq!(read(&["at", "2", "", "--scope", "draft"]), r#"{"n":2}"#);
    assert!(read(&["log", "m", "--scope", "draft"]).starts_with(r#"{"commit":3,"#));
    assert_eq!(
        read(&["diff", "1", "2", "n", "--scope", "draft"]),
        r#"{"op":"set","path":"n","value":2}"#
    );
    let list = place.run(["doc", "scope", "list", "--json"]).ok().line();
    assert_eq!(list, r#"{"scope":"draft","base":1,"commit":3}"#);
    // What the match asked for has to hold again.
    place.run(["doc", "set", "m", "0"]).ok();
    place
        .run(["doc", "scope", "promote", "draft"])
        .exit(8)
        .says(&["m", "does not match"]);
    place.run(["doc", "patch", "", r#"{"m": null}"#]).ok();
    assert_eq!(read(&["scope", "promote", "draft"]), "commit 4");
    assert_eq!(read(&["get"]), r#"{"m":3,"n":2}"#);
    place
        .run(["doc", "get", "--scope", "draft"])
        .exit(3)
        .says(&["no scope", "doc scope create"]);
    place.run(["doc", "scope", "create", "other"]).ok();
    place.run(["doc", "scope", "drop", "other"]).ok();
    place.run(["doc", "scope", "drop", "other"]).exit(3);
    place
        .run(["doc", "key", "l", "id", "--scope", "other"])
        .exit(2);
}

#[test]
fn a_snapshot_removes_the_past_that_is_not_to_be_kept() {
    let place = Place::new();
    for number in 0..6 {
        place.run(["doc", "set", "n", &number.to_string()]).ok();
    }
    let all = place.run(["doc", "snapshot", "--json"]).ok().line();
    assert_eq!(all, r#"{"commit":6,"horizon":0,"removed_rows":0}"#);
    let some = place
        .run(["doc", "snapshot", "--keep-last", "2"])
        .ok()
        .line();
    assert!(
        some.starts_with("snapshot of commit 6; the past begins at 5,"),
        "{some}"
    );
    assert_eq!(place.run(["doc", "at", "5", "n"]).ok().line(), "4");
    place
        .run(["doc", "at", "4", "n"])
        .exit(2)
        .says(&["the first one that is kept is 5"]);
    place.run(["doc", "snapshot", "--thin"]).ok();
    place.run(["doc", "snapshot", "--keep-for", "86400"]).ok();
    place.run(["doc", "snapshot", "--thin", "1"]).exit(2);
    place
        .run(["doc", "snapshot", "--thin", "--keep-last", "1"])
        .exit(2);
}

/// The body of the answer.
fn post(server: &Server, path: &str, body: &str) -> String {
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let len = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn a_server_keeps_the_past_that_it_was_told_to_keep() {
    let place = Place::new();
    let server = Server::start(&place, &["--keep-last", "2"]);
    for number in 0..5 {
        post(
            &server,
            "/v1/doc",
            &format!(r#"{{"path": "n", "set": {number}}}"#),
        );
    }
    let snapshot = post(&server, "/v1/doc/snapshot", "{}");
    assert!(snapshot.contains(r#""horizon":4"#), "{snapshot}");
}
