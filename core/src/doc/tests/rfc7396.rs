//! The examples of RFC 7396.

use crate::doc::{Patch, Value, apply};

fn json(text: &str) -> Value {
    Value::from_json(text).unwrap()
}

#[test]
fn a_merge_patch_does_what_appendix_a_says() {
    let examples = [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":{"b":"d","c":null}}"#,
            r#"{"a":{"b":"d"}}"#,
        ),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, r#"null"#, r#"null"#),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        (
            r#"{}"#,
            r#"{"a":{"bb":{"ccc":null}}}"#,
            r#"{"a":{"bb":{}}}"#,
        ),
    ];
    for (target, patch, result) in examples {
        let merged = apply(&json(target), &Patch::merge(json(patch))).unwrap();
        assert_eq!(merged, json(result), "{target} with {patch}");
    }
}

#[test]
fn a_merge_patch_does_what_section_3_shows() {
    let target = json(
        r#"{"title": "Goodbye!", "author": {"givenName": "John", "familyName": "Doe"},
            "tags": ["example", "sample"], "content": "This will be unchanged"}"#,
    );
    let patch = json(
        r#"{"title": "Hello!", "phoneNumber": "+01-123-456-7890", "author": {"familyName": null}, "tags": ["example"]}"#,
    );
    let result = json(
        r#"{"title": "Hello!", "author": {"givenName": "John"}, "tags": ["example"],
            "content": "This will be unchanged", "phoneNumber": "+01-123-456-7890"}"#,
    );
    assert_eq!(apply(&target, &Patch::merge(patch)).unwrap(), result);
}

#[test]
fn decimal_fields_are_merged_into_a_sparse_list() {
    let target = Value::object([("a", Value::sparse([(7, 1.into()), (9, 2.into())]))]);
    let merged = apply(
        &target,
        &Patch::merge(json(r#"{"a": {"7": null, "12": 3}}"#)),
    )
    .unwrap();
    let expected = Value::sparse([(9, 2.into()), (12, 3.into())]);
    assert_eq!(merged, Value::object([("a", expected)]));
    let error = apply(&target, &Patch::merge(json(r#"{"a": {"07": 1}}"#))).unwrap_err();
    assert_eq!(
        std::format!("{error}"),
        "at a: \"07\" is no number of a sparse list"
    );
}
