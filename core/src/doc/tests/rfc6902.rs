//! The examples of RFC 6902, appendix A, and cases of its text that implementations get wrong.

use crate::{
    Kind,
    doc::{Op, Patch, Refused, Value, apply, normalize},
};

fn json(text: &str) -> Value {
    Value::from_json(text).unwrap()
}

fn patched(target: &str, patch: &str) -> Result<Value, crate::Error> {
    apply(&json(target), &Patch::json(patch)?)
}

#[test]
fn a_json_patch_does_what_appendix_a_says() {
    let examples = [
        (
            "A.1",
            r#"{"foo":"bar"}"#,
            r#"[{"op":"add","path":"/baz","value":"qux"}]"#,
            r#"{"baz":"qux","foo":"bar"}"#,
        ),
        (
            "A.2",
            r#"{"foo":["bar","baz"]}"#,
            r#"[{"op":"add","path":"/foo/1","value":"qux"}]"#,
            r#"{"foo":["bar","qux","baz"]}"#,
        ),
        (
            "A.3",
            r#"{"baz":"qux","foo":"bar"}"#,
            r#"[{"op":"remove","path":"/baz"}]"#,
            r#"{"foo":"bar"}"#,
        ),
        (
            "A.4",
            r#"{"foo":["bar","qux","baz"]}"#,
            r#"[{"op":"remove","path":"/foo/1"}]"#,
            r#"{"foo":["bar","baz"]}"#,
        ),
        (
            "A.5",
            r#"{"baz":"qux","foo":"bar"}"#,
            r#"[{"op":"replace","path":"/baz","value":"boo"}]"#,
            r#"{"baz":"boo","foo":"bar"}"#,
        ),
        (
            "A.6",
            r#"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
            r#"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
            r#"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#,
        ),
        (
            "A.7",
            r#"{"foo":["all","grass","cows","eat"]}"#,
            r#"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
            r#"{"foo":["all","cows","eat","grass"]}"#,
        ),
        (
            "A.8",
            r#"{"baz":"qux","foo":["a",2,"c"]}"#,
            r#"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]"#,
            r#"{"baz":"qux","foo":["a",2,"c"]}"#,
        ),
        (
            "A.10",
            r#"{"foo":"bar"}"#,
            r#"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#,
            r#"{"foo":"bar","child":{"grandchild":{}}}"#,
        ),
        (
            "A.11",
            r#"{"foo":"bar"}"#,
            r#"[{"op":"add","path":"/baz","value":"qux","xyz":123}]"#,
            r#"{"foo":"bar","baz":"qux"}"#,
        ),
        (
            "A.14",
            r#"{"/":9,"~1":10}"#,
            r#"[{"op":"test","path":"/~01","value":10}]"#,
            r#"{"/":9,"~1":10}"#,
        ),
        (
            "A.16",
            r#"{"foo":["bar"]}"#,
            r#"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#,
            r#"{"foo":["bar",["abc","def"]]}"#,
        ),
    ];
    for (name, target, patch, result) in examples {
        assert_eq!(patched(target, patch).unwrap(), json(result), "{name}");
    }
}

#[test]
fn a_json_patch_fails_where_appendix_a_says_so() {
    let examples = [
        (
            "A.9",
            r#"{"baz":"qux"}"#,
            r#"[{"op":"test","path":"/baz","value":"bar"}]"#,
            "at baz: \"qux\" is there, not \"bar\"",
        ),
        (
            "A.12",
            r#"{"foo":"bar"}"#,
            r#"[{"op":"add","path":"/baz/bat","value":"qux"}]"#,
            "at baz: nothing is there",
        ),
        (
            "A.15",
            r#"{"/":9,"~1":10}"#,
            r#"[{"op":"test","path":"/~01","value":"10"}]"#,
            "at ~1: 10 is there, not \"10\"",
        ),
    ];
    for (name, target, patch, message) in examples {
        let error = patched(target, patch).unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict, "{name}");
        assert_eq!(std::format!("{error}"), message, "{name}");
        assert!(Refused::of(&error).is_some(), "{name}");
    }
    // A.13: of two fields with one name the last counts, and `remove` of something that is not there fails.
    let twice = r#"[{"op":"add","path":"/baz","value":"qux","op":"remove"}]"#;
    assert_eq!(
        patched(r#"{"foo":"bar"}"#, twice).unwrap_err().kind(),
        Kind::Conflict
    );
}

#[test]
fn the_text_of_the_rfc_holds() {
    let good = [
        // Adding to an object replaces; to the root replaces all.
        (
            r#"{"a":1}"#,
            r#"[{"op":"add","path":"/a","value":null}]"#,
            r#"{"a":null}"#,
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"add","path":"","value":[1]}]"#,
            "[1]",
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"replace","path":"","value":7}]"#,
            "7",
        ),
        (
            r#"[1,2]"#,
            r#"[{"op":"add","path":"/2","value":3}]"#,
            "[1,2,3]",
        ),
        (
            r#"[1,2]"#,
            r#"[{"op":"add","path":"/0","value":3}]"#,
            "[3,1,2]",
        ),
        (
            r#"{"":1}"#,
            r#"[{"op":"replace","path":"/","value":2}]"#,
            r#"{"":2}"#,
        ),
        // Numbers are compared as numbers, objects without order.
        (
            r#"{"a":1}"#,
            r#"[{"op":"test","path":"/a","value":1.0}]"#,
            r#"{"a":1}"#,
        ),
        (
            r#"{"a":{"b":1,"c":2}}"#,
            r#"[{"op":"test","path":"/a","value":{"c":2,"b":1}}]"#,
            r#"{"a":{"b":1,"c":2}}"#,
        ),
        (
            r#"{"a":null}"#,
            r#"[{"op":"test","path":"/a","value":null}]"#,
            r#"{"a":null}"#,
        ),
        // Copies are no links.
        (
            r#"{"a":{"b":1}}"#,
            r#"[{"op":"copy","from":"/a","path":"/c"},{"op":"replace","path":"/c/b","value":2}]"#,
            r#"{"a":{"b":1},"c":{"b":2}}"#,
        ),
        (
            r#"[[1,2],3]"#,
            r#"[{"op":"copy","from":"/0/0","path":"/-"}]"#,
            "[[1,2],3,1]",
        ),
        // A move is a removal and then an addition: indices are those in between.
        (
            r#"[0,[],[9]]"#,
            r#"[{"op":"move","from":"/0","path":"/1/0"}]"#,
            "[[],[0,9]]",
        ),
        (
            r#"[0,1,2]"#,
            r#"[{"op":"move","from":"/0","path":"/-"}]"#,
            "[1,2,0]",
        ),
        (
            r#"{"a":{"b":1}}"#,
            r#"[{"op":"move","from":"/a/b","path":"/a"}]"#,
            r#"{"a":1}"#,
        ),
        (
            r#"{"a":{"b":1}}"#,
            r#"[{"op":"move","from":"/a/b","path":""}]"#,
            "1",
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"move","from":"/a","path":"/a"}]"#,
            r#"{"a":1}"#,
        ),
        // A field may look like an index.
        (
            r#"{"0":1}"#,
            r#"[{"op":"add","path":"/1","value":2},{"op":"remove","path":"/0"}]"#,
            r#"{"1":2}"#,
        ),
    ];
    for (target, patch, result) in good {
        let changed = patched(target, patch).unwrap();
        assert_eq!(changed, json(result), "{patch} on {target}");
        let ops = normalize(&json(target), &Patch::json(patch).unwrap()).unwrap();
        assert_eq!(
            apply(&json(target), &Patch::ops(ops)).unwrap(),
            changed,
            "{patch}"
        );
    }
    let bad = [
        (r#"[1]"#, r#"[{"op":"add","path":"/2","value":0}]"#),
        (r#"[1]"#, r#"[{"op":"add","path":"/01","value":0}]"#),
        (r#"[1]"#, r#"[{"op":"add","path":"/+1","value":0}]"#),
        (r#"[1]"#, r#"[{"op":"add","path":"/1e0","value":0}]"#),
        (
            r#"[1]"#,
            r#"[{"op":"add","path":"/18446744073709551616","value":0}]"#,
        ),
        (r#"[1]"#, r#"[{"op":"remove","path":"/1"}]"#),
        (r#"[1]"#, r#"[{"op":"replace","path":"/1","value":0}]"#),
        (r#"[1]"#, r#"[{"op":"remove","path":"/-"}]"#),
        (r#"[1]"#, r#"[{"op":"test","path":"/-","value":1}]"#),
        (r#"{}"#, r#"[{"op":"replace","path":"/a","value":0}]"#),
        (
            r#"{"a":null}"#,
            r#"[{"op":"test","path":"/b","value":null}]"#,
        ),
        (
            r#"{"a":{"b":{}}}"#,
            r#"[{"op":"move","from":"/a","path":"/a/b/c"}]"#,
        ),
        (r#"{"a":1}"#, r#"[{"op":"remove","path":""}]"#),
    ];
    for (target, patch) in bad {
        assert!(patched(target, patch).is_err(), "{patch} on {target}");
    }
}

#[test]
fn what_is_no_json_patch_is_refused_before_anything_is_done() {
    for patch in [
        r#"{}"#,
        r#"[1]"#,
        r#"[{"path":"/a","value":1}]"#,
        r#"[{"op":"spam","path":"/a","value":1}]"#,
        r#"[{"op":"add","value":1}]"#,
        r#"[{"op":"add","path":"a","value":1}]"#,
        r#"[{"op":"add","path":"/a~2","value":1}]"#,
        r#"[{"op":"add","path":"/a~","value":1}]"#,
        r#"[{"op":"add","path":7,"value":1}]"#,
        r#"[{"op":"add","path":"/a"}]"#,
        r#"[{"op":"move","path":"/a"}]"#,
        r#"[{"op":"copy","from":"a","path":"/a"}]"#,
    ] {
        assert_eq!(
            Patch::json(patch).unwrap_err().kind(),
            Kind::InvalidInput,
            "{patch}"
        );
    }
}

#[test]
fn one_operation_that_fails_undoes_the_others() {
    let target = json(r#"{"a":1}"#);
    let patch = Patch::ops([Op::set("a", 2).unwrap(), Op::delete("b").unwrap()]);
    assert!(apply(&target, &patch).is_err());
    assert_eq!(target, json(r#"{"a":1}"#));
}
