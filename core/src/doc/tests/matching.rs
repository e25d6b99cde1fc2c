use crate::doc::{Match, Value};

fn fits(pattern: &str, value: &str) -> bool {
    let value = Value::from_json(value).unwrap();
    Match::from_json(pattern).unwrap().matches(Some(&value))
}

#[test]
fn objects_are_matched_by_the_fields_that_are_named() {
    assert!(fits("{}", r#"{"a":1}"#));
    assert!(fits(r#"{"a":{"b":1}}"#, r#"{"a":{"b":1,"c":2},"d":3}"#));
    assert!(!fits(r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#));
    assert!(!fits("{}", "[]"));
    assert!(fits("[1,{}]", r#"[1.0,{"x":1}]"#));
    assert!(!fits("[1]", "[1,2]"));
}

#[test]
fn operators_do_what_they_say() {
    assert!(fits(r#"{"a":{"$absent":true}}"#, "{}"));
    assert!(!fits(r#"{"a":{"$absent":true}}"#, r#"{"a":null}"#));
    assert!(fits(r#"{"a":{"$exists":true}}"#, r#"{"a":null}"#));
    assert!(fits(r#"{"a":{"$exists":false}}"#, "{}"));
    assert!(fits(r#"{"$not":{"a":1}}"#, r#"{"a":2}"#));
    assert!(fits(r#"{"$any":[1,2]}"#, "2"));
    assert!(!fits(r#"{"$any":[]}"#, "2"));
    assert!(fits(r#"{"$all":[{"$gt":1},{"$le":2}]}"#, "2"));
    assert!(fits(r#"{"$eq":{"a":1}}"#, r#"{"a":1}"#));
    assert!(!fits(r#"{"$eq":{"a":1}}"#, r#"{"a":1,"b":2}"#));
    assert!(fits(r#"{"$has":{"$eq":1}}"#, r#"{"$eq":1}"#));
    assert!(fits(r#"{"$gt":"a"}"#, r#""b""#));
    assert!(!fits(r#"{"$gt":"a"}"#, "7"));
    assert!(fits(
        r#"{"$gt":9223372036854775806}"#,
        "9223372036854775807"
    ));
    assert!(fits(
        r#"{"$lt":9223372036854775808}"#,
        "9223372036854775807"
    ));
    assert!(fits(r#"{"$lt":-0.5}"#, "-1"));
    assert!(!fits(r#"{"$lt":-1.5}"#, "-1"));
}

#[test]
fn nothing_is_matched_by_what_says_so() {
    let fits = |pattern: &str| Match::from_json(pattern).unwrap().matches(None);
    assert!(fits(r#"{"$absent":true}"#));
    assert!(fits(r#"{"$not":{"$exists":true}}"#));
    assert!(fits(r#"{"$any":[{"$absent":true},1]}"#));
    assert!(!fits("null"));
    assert!(!fits("{}"));
}

#[test]
fn globs_are_matched_in_time() {
    for (glob, text, result) in [
        ("", "", true),
        ("*", "", true),
        ("a*", "abc", true),
        ("*c", "abc", true),
        ("a?c", "abc", true),
        ("a?c", "aéc", true),
        ("a*b*c", "aXbYbZc", true),
        ("a*b", "aXbY", false),
        (r"\*", "*", true),
        (r"\*", "a", false),
        ("a", "ab", false),
        ("ab", "a", false),
    ] {
        let pattern = Match::Glob(glob.into());
        assert_eq!(pattern.matches(Some(&text.into())), result, "{glob} {text}");
    }
    let text = "a".repeat(20_000);
    let pattern = Match::Glob("a*a*a*a*a*a*b".into());
    assert!(!pattern.matches(Some(&text.as_str().into())));
}

#[test]
fn an_unknown_operator_is_refused() {
    for pattern in [
        r#"{"$foo":1}"#,
        r#"{"a":{"$any":1}}"#,
        r#"{"$glob":1}"#,
        r#"{"$gt":null}"#,
        r#"{"$absent":1}"#,
    ] {
        assert!(Match::from_json(pattern).is_err(), "{pattern}");
    }
}
