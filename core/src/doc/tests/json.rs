use crate::{
    Kind,
    blob::Pointer,
    doc::{MAX_DEPTH, Value},
};
use std::{format, string::String};

#[test]
fn links_and_bytes_are_written_as_in_dag_json() {
    let pointer = Pointer::of(b"hello world");
    let value = Value::list([Value::Link(pointer), Value::Bytes(vec_of(3))]);
    let text = format!(
        r#"[{{"/":"{}"}},{{"/":{{"bytes":"AAEC"}}}}]"#,
        pointer.to_cid()
    );
    assert_eq!(value.to_json(), text);
    assert_eq!(Value::from_json(&text).unwrap(), value);
}

fn vec_of(count: u8) -> bytes::Bytes {
    (0..count).collect()
}

#[test]
fn an_object_that_looks_like_a_link_comes_back_as_it_was() {
    for inner in [
        Value::from("text"),
        Value::object([("bytes", Value::from("AA"))]),
        Value::object([("map", Value::from(1))]),
        Value::object([("/", Value::from("text"))]),
        Value::Link(Pointer::of(b"")),
        Value::from(7),
    ] {
        let value = Value::object([("/", inner)]);
        assert_eq!(Value::from_json(value.to_json()).unwrap(), value, "{value}");
    }
    // With another field beside it, the field `/` is nothing special.
    let paths = r#"{"/":{"get":1},"/about":2}"#;
    assert_eq!(Value::from_json(paths).unwrap().to_json(), paths);
}

#[test]
fn what_is_neither_link_nor_bytes_is_refused() {
    for text in [
        r#"{"/":"no cid"}"#,
        r#"{"/":{"bytes":"?"}}"#,
        r#"{"/":{"bytes":"AA=="}}"#,
        r#"{"/":{"map":1}}"#,
    ] {
        let error = Value::from_json(text).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput, "{text}");
    }
}

#[test]
fn numbers_keep_what_they_are() {
    for text in [
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "1.0",
        "0.1",
        "5e-324",
    ] {
        assert_eq!(Value::from_json(text).unwrap().to_json(), text);
    }
    let largest = Value::try_from(f64::MAX).unwrap();
    assert_eq!(Value::from_json(largest.to_json()).unwrap(), largest);
    assert_eq!(Value::from_json("-0.0").unwrap().to_json(), "0.0");
    let large = Value::from_json("9223372036854775808").unwrap();
    assert_eq!(large, Value::try_from(9223372036854775808.0).unwrap());
    assert!(Value::from_json("1e999").is_err());
    assert!(Value::try_from(f64::NAN).is_err());
}

#[test]
fn an_integer_equals_only_the_float_that_is_exactly_it() {
    let float = |float: f64| Value::try_from(float).unwrap();
    assert!(Value::from(1).equals(&float(1.0)));
    assert!(!Value::from(i64::MAX).equals(&float(9223372036854775808.0)));
    assert!(!Value::from(9007199254740993i64).equals(&float(9007199254740992.0)));
    assert!(Value::from(i64::MIN).equals(&float(-9223372036854775808.0)));
}

#[test]
fn nesting_is_bounded_for_every_way_in() {
    let nested = |depth: usize| {
        let mut text = String::from("0");
        for _ in 0..depth {
            text = format!("[{text}]");
        }
        text
    };
    let deepest = Value::from_json(nested(MAX_DEPTH)).unwrap();
    assert_eq!(Value::decode(&deepest.encode()).unwrap(), deepest);
    assert!(Value::from_json(nested(MAX_DEPTH + 1)).is_err());
    assert!(Value::from_json(nested(100_000)).is_err());
    let mut deeper = std::vec![8, 1];
    deeper.extend(deepest.encode());
    assert!(Value::decode(&deeper).is_err());
    assert!(Value::decode(&[8, 1].repeat(100_000)).is_err());
}

#[test]
fn a_count_is_checked_before_it_allocates() {
    // A list of 2^63 values in ten bytes.
    let bytes = [8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1];
    assert_eq!(
        Value::decode(&bytes).unwrap_err().kind(),
        Kind::InvalidInput
    );
}
