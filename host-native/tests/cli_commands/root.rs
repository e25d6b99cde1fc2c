//! `root list get set rm`.

use crate::place::Place;

#[test]
fn a_root_is_set_moved_listed_and_removed() {
    let place = Place::new();
    let (one, other) = (place.put(b"one"), place.put(b"other"));
    place.run(["root", "set", "notes/today", &one]).ok();
    assert_eq!(place.run(["root", "get", "notes/today"]).ok().line(), one);
    place.run(["root", "set", "notes/today", &other]).ok();
    place.run(["root", "set", "a", &one]).ok();
    let listed = place.run(["root", "list"]).ok().text();
    assert_eq!(listed, format!("{one}  a\n{other}  notes/today\n"));
    place.run(["root", "rm", "a"]).ok();
    place
        .run(["root", "get", "a"])
        .exit(3)
        .says(&["\"a\" is not there"]);
    place.run(["cat", &one]).ok();
}

#[test]
fn a_root_that_points_elsewhere_is_not_moved() {
    let place = Place::new();
    let (one, other) = (place.put(b"one"), place.put(b"other"));
    place.run(["root", "set", "r", &one, "--from", "none"]).ok();
    place
        .run(["root", "set", "r", &other, "--from", "none"])
        .exit(8)
        .says(&["root get"]);
    place
        .run(["root", "set", "r", &other, "--from", &other, "--quiet"])
        .exit(8);
    assert_eq!(place.run(["root", "get", "r"]).ok().line(), one);
    place.run(["root", "set", "r", &other, "--from", &one]).ok();
    assert_eq!(place.run(["root", "get", "r"]).ok().line(), other);
}

#[test]
fn a_name_that_cannot_name_a_root_is_refused() {
    let place = Place::new();
    let put = place.put(b"x");
    for name in [String::new(), "n".repeat(513)] {
        place.run(["root", "set", &name, &put]).exit(2);
    }
    assert_eq!(place.run(["root", "list"]).ok().text(), "");
}
