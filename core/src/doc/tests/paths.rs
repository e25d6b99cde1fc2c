use crate::{
    Kind,
    doc::{MAX_DEPTH, Path, Pattern, Relation, Step},
};
use std::string::ToString;

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

#[test]
fn every_kind_of_step_is_read_and_printed() {
    for text in [
        "",
        "a",
        "a.b",
        "a[3].b{7}",
        "users(jane)",
        "users(id=jane).name",
        "[0]",
        "{18446744073709551615}",
        "(jane)",
        "''",
        "''.''",
        "'a.b'.c",
        "'it''s'",
        "users('a b'='c=d')",
        "grün.日本",
    ] {
        assert_eq!(path(text).to_string(), text);
    }
    assert_eq!(path("'a'.'b-c'").to_string(), "a.b-c");
    assert_eq!(path("'a\u{0}b'").steps(), [Step::Field("a\u{0}b".into())]);
}

#[test]
fn what_is_no_path_is_refused_with_the_place() {
    for text in [
        ".",
        "a.",
        ".a",
        "a..b",
        "a[",
        "a[]",
        "a[b]",
        "a[-1]",
        "a[01]",
        "a[1",
        "a]",
        "a{1]",
        "a(b",
        "a()",
        "a(b=)",
        "a(=b)",
        "'a",
        "a'b'",
        "'a'b",
        "a b",
        "a*",
        "*",
        "a[*]",
        "a=b",
        "a[18446744073709551616]",
        "a.[0]",
        "\"a\"",
    ] {
        let error = text.parse::<Path>().unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput, "{text}");
        assert!(error.to_string().contains("at byte"), "{error}");
    }
}

#[test]
fn a_path_has_a_bounded_number_of_steps() {
    let longest = std::vec!["a"; MAX_DEPTH].join(".");
    assert!(longest.parse::<Path>().is_ok());
    assert!((longest.clone() + "[0]").parse::<Path>().is_err());
    assert!(path(&longest).join(&path("a")).is_err());
    assert!("a".repeat(2000).parse::<Path>().is_err());
}

#[test]
fn a_relation_tells_whether_two_paths_can_meet() {
    let relation = |a: &str, b: &str| path(a).relation(&path(b));
    assert_eq!(relation("a.b", "a.b"), Relation::Same);
    assert_eq!(relation("a", "a.b"), Relation::Above);
    assert_eq!(relation("a.b", ""), Relation::Below);
    assert_eq!(relation("a.b", "a.c.d"), Relation::Apart);
    assert_eq!(relation("a[1]", "a[2]"), Relation::Apart);
    assert_eq!(relation("a[1]", "a.b"), Relation::Mixed);
    assert_eq!(relation("a[1]", "a{1}"), Relation::Mixed);
    assert_eq!(relation("a[1]", "a(b)"), Relation::Unclear);
    assert_eq!(relation("a(x=b)", "a(y=b)"), Relation::Unclear);
    assert_eq!(relation("a(b)", "a(x=c)"), Relation::Apart);
}

#[test]
fn a_pattern_stands_for_what_its_open_steps_allow() {
    let fits = |pattern: &str, text: &str| pattern.parse::<Pattern>().unwrap().matches(&path(text));
    assert!(fits("a.*.c", "a.b.c"));
    assert!(fits("*", "a"));
    assert!(fits("a[*]{*}(*)", "a[1]{2}(b)"));
    assert!(!fits("a[*]", "a{1}"));
    assert!(!fits("a.*", "a"));
    assert!(!fits("'*'", "a"));
    assert!(fits("'*'", "'*'"));
}
