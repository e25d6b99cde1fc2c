//! `doc get set patch at log diff watch key`.

use crate::place::Place;

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
    place.run(["doc", "key", "users", "id"]).ok();
    place.run(["doc", "set", "users(jane).age", "3"]).ok();
    let users = place.run(["doc", "get", "users"]).ok().line();
    assert_eq!(users, r#"[{"age":3,"id":"jane"}]"#);
}
