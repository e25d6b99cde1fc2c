//! What docs/protocol.md says, line by line.

use crate::support::Pieces;
use crate::{client::*, made::*};
use bytes::Bytes;
use littoral::{
    core::{Kind, blob::Pointer, port::Method},
    server::{listen, serve},
};
use serde_json::{Value, json};

#[test]
fn a_blob_of_any_size_comes_back_as_it_went_in() {
    let (directory, _kept) = directory(options());
    for server in [directory, engine(options())] {
        let client = Client::new(&server);
        for len in [0, 1, 4096, 1 << 20, (1 << 20) + 1, 9_000_000] {
            let bytes = bytes(len as u8, len);
            let (pointer, answer) = client.put_blob(&bytes);
            assert_eq!((answer.status, answer.body.len()), (201, 0));
            assert_eq!(client.put_blob(&bytes).1.status, 200);

            let got = client.get(&blob(&pointer));
            assert_eq!(got.status, 200);
            assert!(got.body == bytes, "{len}");
            assert_eq!(got.header("etag"), Some(&*format!("\"{pointer}\"")));
            assert_eq!(got.header("content-length"), Some(&*len.to_string()));
            assert_eq!(got.header("content-type"), Some("application/octet-stream"));

            let head = client.ask(Method::Head, &blob(&pointer), Bytes::new());
            assert_eq!((head.status, head.body.len()), (200, 0));
            assert_eq!(head.header("content-length"), Some(&*len.to_string()));
            let chunks = head.header("littoral-chunks").unwrap();
            assert!(chunks.parse::<u32>().unwrap() >= 1);

            let gone = client.ask(Method::Delete, &blob(&pointer), Bytes::new());
            assert_eq!((gone.status, gone.body.len()), (204, 0));
            for method in [Method::Get, Method::Delete] {
                let answer = client.ask(method, &blob(&pointer), Bytes::new());
                assert_eq!(answer.failure(), (404, "NotFound".into()));
            }
            let head = client.ask(Method::Head, &blob(&pointer), Bytes::new());
            assert_eq!(head.status, 404);
            assert_eq!(head.header("littoral-error"), Some("NotFound"));
        }
    }
}

#[test]
fn a_body_that_is_not_what_its_name_says_is_refused_and_not_kept() {
    let (server, _kept) = directory(options());
    let client = Client::new(&server);
    let wrong = Pointer::of(b"something else");
    let small = client.ask(Method::Put, &blob(&wrong), Bytes::from_static(b"wrong"));
    assert_eq!(small.failure(), (422, "Corrupt".into()));
    for body in [
        Pieces::new(40, 1 << 16),
        Pieces::new(1, 10).of_unknown_length(),
    ] {
        let streamed = client.ask(Method::Put, &blob(&wrong), body);
        assert_eq!(streamed.failure(), (422, "Corrupt".into()));
    }
    assert_eq!(client.get("/v1/blobs").json(), json!({ "blobs": [] }));
}

#[test]
fn a_blob_without_a_name_gets_its_own() {
    let (directory, _kept) = directory(options().max_blob(5 << 20));
    for server in [directory, engine(options().max_blob(5 << 20))] {
        let client = Client::new(&server);
        for (body, expected) in [
            (Pieces::new(0, 1), Pointer::of(b"")),
            (
                Pieces::new(3, 1 << 20).of_unknown_length(),
                Pointer::of(&vec![9; 3 << 20]),
            ),
        ] {
            let answer = client.ask(Method::Post, "/v1/blobs", body);
            assert_eq!(answer.status, 201);
            assert_eq!(answer.json(), json!({ "pointer": expected.to_string() }));
            assert_eq!(client.get(&blob(&expected)).status, 200);
        }
        let large = Pieces::new(6, 1 << 20).of_unknown_length();
        let answer = client.ask(Method::Post, "/v1/blobs", large);
        assert_eq!(answer.failure(), (413, "InvalidInput".into()));
    }
}

#[test]
fn what_is_no_pointer_is_invalid_input() {
    let server = engine(options());
    let client = Client::new(&server);
    let almost = "f".repeat(63);
    for hex in [
        "x",
        &almost,
        &format!("{almost}g"),
        &format!("{almost}ff"),
        "%00",
        "..%2f",
    ] {
        for path in [
            format!("/v1/blobs/{hex}"),
            format!("/v1/chunks/{hex}"),
            format!("/v1/blobs/{hex}/chunks"),
            format!("/v1/blobs?after={hex}"),
        ] {
            let failure = client.get(&path).failure();
            assert_eq!(failure, (400, "InvalidInput".into()), "{path}");
        }
    }
    let body = json!({ "pointers": [almost] }).to_string();
    let answer = client.ask(Method::Post, "/v1/blobs/has", Bytes::from(body));
    assert_eq!(answer.failure(), (400, "InvalidInput".into()));
}

#[test]
fn a_body_over_the_limit_is_413_however_it_is_sent() {
    let server = engine(options().max_blob(3 << 20));
    let client = Client::new(&server);
    let pointer = Pointer::of(&vec![9; 4 << 20]);
    for body in [
        Pieces::new(64, 1 << 16),
        Pieces::new(64, 1 << 16).of_unknown_length(),
        Pieces::new(1 << 20, 1 << 16),
        Pieces::new(1 << 20, 1 << 16).of_unknown_length(),
    ] {
        let answer = client.ask(Method::Put, &blob(&pointer), body);
        assert_eq!(answer.failure(), (413, "InvalidInput".into()));
    }
    let chunk = format!("/v1/chunks/{pointer}");
    let answer = client.ask(Method::Put, &chunk, Pieces::new(65, 1 << 16));
    assert_eq!(answer.failure(), (413, "InvalidInput".into()));
    let answer = client.ask(Method::Post, "/v1/blobs/has", Pieces::new(17, 1 << 16));
    assert_eq!(answer.failure(), (413, "InvalidInput".into()));
}

#[test]
fn a_blob_over_the_limit_is_413_also_when_it_comes_as_chunks() {
    let server = engine(options().max_blob(3 << 20));
    let client = Client::new(&server);
    let (chunk, bytes) = (Pointer::of(&[7; 1 << 20]), Bytes::from(vec![7; 1 << 20]));
    let put = client.ask(Method::Put, &format!("/v1/chunks/{chunk}"), bytes);
    assert_eq!(put.status, 201);
    let of = |count: usize| {
        let pointer = Pointer::of(&vec![7; count << 20]);
        let list = [chunk.as_bytes(), &(1u32 << 20).to_le_bytes()[..]].concat();
        let path = format!("/v1/blobs/{pointer}/chunks");
        client.ask(Method::Put, &path, Bytes::from(list.repeat(count)))
    };
    assert_eq!(of(4).failure(), (413, "InvalidInput".into()));
    assert_eq!(of(3).status, 201);
}

#[test]
fn a_range_gives_that_part_and_a_bad_one_416() {
    let (directory, _kept) = directory(options());
    for server in [directory, engine(options())] {
        let client = Client::new(&server);
        let bytes = bytes(1, 3_500_000);
        let (pointer, _) = client.put_blob(&bytes);
        for (range, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=1000000-1200000", 1_000_000..1_200_001),
            ("bytes=3-3400000", 3..3_400_001),
            ("bytes=3499999-", 3_499_999..3_500_000),
            ("bytes=-100", 3_499_900..3_500_000),
            ("bytes=5-99999999", 5..3_500_000),
        ] {
            let answer = client.with("range", range).get(&blob(&pointer));
            assert_eq!(answer.status, 206, "{range}");
            assert!(answer.body == bytes[part.clone()], "{range}");
            let content_range = format!("bytes {}-{}/3500000", part.start, part.end - 1);
            assert_eq!(answer.header("content-range"), Some(&*content_range));
        }
        for range in ["bytes=3500000-", "bytes=9-3", "bytes=x-y", "bytes=-0"] {
            let answer = client.with("range", range).get(&blob(&pointer));
            assert_eq!(answer.failure(), (416, "OutOfRange".into()), "{range}");
            assert_eq!(answer.header("content-range"), Some("bytes */3500000"));
        }
        for range in ["bytes=0-1,5-6", "lines=1-2"] {
            let answer = client.with("range", range).get(&blob(&pointer));
            assert_eq!(answer.status, 200, "{range}");
        }
        let other = client
            .with("range", "bytes=0-1")
            .with("if-range", "\"other\"");
        assert_eq!(other.get(&blob(&pointer)).status, 200);
    }
}

#[test]
fn if_none_match_saves_a_transfer_both_ways() {
    let server = engine(options());
    let client = Client::new(&server);
    let create = client.with("if-none-match", "*");
    let (pointer, answer) = create.put_blob(b"tide");
    assert_eq!(answer.status, 201);
    let (_, answer) = create.put_blob(b"tide");
    assert_eq!(answer.failure(), (412, "AlreadyExists".into()));

    for tag in [
        format!("\"{pointer}\""),
        format!("\"x\", W/\"{pointer}\""),
        "*".into(),
    ] {
        let answer = client.with("if-none-match", &tag).get(&blob(&pointer));
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{tag}");
    }
    let answer = client
        .with("if-none-match", "\"other\"")
        .get(&blob(&pointer));
    assert_eq!(answer.status, 200);
    let missing = blob(&Pointer::of(b"missing"));
    assert_eq!(client.with("if-none-match", "*").get(&missing).status, 404);
}

#[test]
fn a_token_is_asked_for_everywhere_but_for_the_health() {
    let server = engine(options().token("s3cret"));
    let client = Client::new(&server);
    assert_eq!(client.get("/healthz").json(), json!({ "ok": true }));
    for path in ["/v1/blobs", "/v1/roots/x", "/v1/blobs/nonsense", "/nowhere"] {
        let answer = client.get(path);
        assert_eq!(answer.failure(), (401, "Auth".into()), "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        for wrong in ["Basic s3cret", "Bearer", "Bearer ", "s3cret"] {
            let answer = client.with("authorization", wrong).get(path);
            assert_eq!(answer.failure(), (401, "Auth".into()), "{wrong}");
        }
        for wrong in ["Bearer s3cre", "Bearer s3cret2", "Bearer S3CRET"] {
            let answer = client.with("authorization", wrong).get(path);
            assert_eq!(answer.failure(), (403, "Auth".into()), "{wrong}");
        }
    }
    for right in ["Bearer s3cret", "bearer s3cret"] {
        assert_eq!(
            client.with("authorization", right).get("/v1/blobs").status,
            200
        );
    }
    // A large body does not hide the refusal.
    let pointer = Pointer::of(b"");
    let answer = client.ask(Method::Put, &blob(&pointer), Pieces::new(500, 1 << 16));
    assert_eq!(answer.failure(), (401, "Auth".into()));
    for bad in ["", "with space", "with\nline", "\u{e4}"] {
        let listener = listen("127.0.0.1:0").unwrap();
        let served = serve(
            listener,
            Made::default(),
            Made::default(),
            options().token(bad),
        );
        assert_eq!(served.unwrap_err().kind(), Kind::InvalidInput, "{bad:?}");
    }
}

#[test]
fn every_error_is_json() {
    let server = engine(options());
    let client = Client::new(&server);
    for (method, path, status, kind) in [
        (Method::Get, "/", 404, "NotImplemented"),
        (Method::Get, "/v1/blobs/", 404, "NotImplemented"),
        (Method::Get, "/v1/nothing", 404, "NotImplemented"),
        (Method::Put, "/v1/blobs", 405, "NotImplemented"),
        (Method::Get, "/v1/blobs/has", 405, "NotImplemented"),
        (Method::Post, "/healthz", 405, "NotImplemented"),
        (Method::Get, "/v1/roots/%ff", 400, "InvalidInput"),
        (Method::Get, "/v1/roots/%00", 400, "InvalidInput"),
        (Method::Get, "/v1/blobs?limit=0", 400, "InvalidInput"),
        (Method::Get, "/v1/blobs?limit=many", 400, "InvalidInput"),
        (Method::Get, "/v1/blobs?limit=-1", 400, "InvalidInput"),
        (Method::Get, "/v1/blobs?after=%ff", 400, "InvalidInput"),
        (Method::Get, "/v1/roots/missing", 404, "NotFound"),
    ] {
        let failure = client.ask(method, path, Bytes::new()).failure();
        assert_eq!(failure, (status, kind.into()), "{method:?} {path}");
    }
    for path in ["/v1/blobs/has", "/v1/chunks/has"] {
        for body in [
            "",
            "{",
            "[]",
            "{}",
            "{\"pointers\":1}",
            "{\"pointers\":[1]}",
            "\u{0}",
            "<html>",
        ] {
            let answer = client.ask(Method::Post, path, Bytes::from(body));
            assert_eq!(answer.failure(), (400, "InvalidInput".into()), "{body}");
        }
    }
    let hex = Pointer::NULL.to_string();
    let many = json!({ "pointers": vec![hex; 10_001] }).to_string();
    let answer = client.ask(Method::Post, "/v1/blobs/has", Bytes::from(many));
    assert_eq!(answer.failure(), (400, "InvalidInput".into()));
    for body in [
        "",
        "{}",
        "{\"from\":null}",
        "{\"to\":null}",
        "{\"from\":1,\"to\":2}",
        "{\"from\":\"x\",\"to\":null}",
    ] {
        let answer = client.ask(Method::Put, "/v1/roots/main", Bytes::from(body));
        assert_eq!(answer.failure(), (400, "InvalidInput".into()), "{body}");
    }
    let list = format!("/v1/blobs/{}/chunks", Pointer::of(b"x"));
    let answer = client.ask(Method::Put, &list, Bytes::from(vec![0; 37]));
    assert_eq!(answer.failure(), (400, "InvalidInput".into()));
}

#[test]
fn pages_list_every_blob_once_in_order() {
    let (directory, _kept) = directory(options());
    for server in [directory, engine(options())] {
        let client = Client::new(&server);
        let mut put = Vec::new();
        for seed in 0..25 {
            put.push(client.put_blob(&bytes(seed, 100)).0.to_string());
        }
        put.sort();
        let mut listed: Vec<String> = Vec::new();
        loop {
            let after = listed.last().map(|hex| format!("&after={hex}"));
            let path = format!("/v1/blobs?limit=7{}", after.unwrap_or_default());
            let page = client.get(&path).json();
            let rows = page["blobs"].as_array().unwrap().clone();
            assert!(rows.len() <= 7);
            if rows.is_empty() {
                break;
            }
            for row in rows {
                assert_eq!(row["size"], 100);
                listed.push(row["pointer"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(listed, put);
        let body = json!({ "pointers": [put[3], Pointer::NULL.to_string(), put[0]] }).to_string();
        let answer = client.ask(Method::Post, "/v1/blobs/has", Bytes::from(body));
        assert_eq!(answer.json(), json!({ "has": [true, false, true] }));
    }
}

#[test]
fn a_root_moves_by_compare_and_swap_whatever_its_name() {
    let (directory, _kept) = directory(options());
    for server in [directory, engine(options())] {
        let client = Client::new(&server);
        let (one, two) = (Pointer::of(b"1").to_string(), Pointer::of(b"2").to_string());
        for name in ["main", "a%2Fb", "%C3%A4%20%3F%23", "%25"] {
            let path = format!("/v1/roots/{name}");
            let step = |from: Option<&str>, to: Option<&str>| {
                let body = json!({ "from": from, "to": to }).to_string();
                client.ask(Method::Put, &path, Bytes::from(body))
            };
            assert_eq!(step(None, Some(&one)).status, 200);
            assert_eq!(step(None, Some(&one)).status, 200, "a move to where it is");
            assert_eq!(client.get(&path).json(), json!({ "pointer": one }));
            let answer = step(None, Some(&two));
            assert_eq!(answer.failure(), (409, "Conflict".into()));
            assert_eq!(answer.json()["current"], one);
            assert_eq!(step(Some(&one), Some(&two)).status, 200);
            assert_eq!(client.get(&path).json(), json!({ "pointer": two }));
        }
        let page = client.get("/v1/roots?limit=2").json();
        let names = |page: &Value| {
            let rows = page["roots"].as_array().unwrap().clone();
            rows.iter()
                .map(|row| row["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&page), ["%", "a/b"]);
        let page = client.get("/v1/roots?after=a/b").json();
        assert_eq!(names(&page), ["main", "ä ?#"]);
        let body = json!({ "from": two, "to": null }).to_string();
        assert_eq!(
            client
                .ask(Method::Put, "/v1/roots/main", Bytes::from(body))
                .status,
            200
        );
        assert_eq!(
            client.get("/v1/roots/main").failure(),
            (404, "NotFound".into())
        );
        let body = json!({ "from": two, "to": one }).to_string();
        let answer = client.ask(Method::Put, "/v1/roots/main", Bytes::from(body));
        assert_eq!(answer.json()["current"], Value::Null);
    }
}

#[test]
fn a_blob_travels_as_chunks_where_the_store_has_them() {
    let (from, to) = (engine(options()), engine(options()));
    let (from, to) = (Client::new(&from), Client::new(&to));
    let bytes = bytes(5, 5_000_000);
    let (pointer, _) = from.put_blob(&bytes);
    let path = format!("/v1/blobs/{pointer}/chunks");
    let list = from.get(&path);
    assert_eq!(
        list.header("content-type"),
        Some("application/vnd.littoral.chunks")
    );
    assert_eq!(list.body.len() % 36, 0);
    assert!(list.body.len() >= 5 * 36);

    let answer = to.ask(Method::Put, &path, list.body.clone());
    assert_eq!(
        answer.failure(),
        (404, "NotFound".into()),
        "chunks are missing"
    );
    let mut chunks = Vec::new();
    for row in list.body.chunks(36) {
        let chunk = Pointer::from_slice(&row[..32]).unwrap();
        let got = from.get(&format!("/v1/chunks/{chunk}"));
        assert_eq!(Pointer::of(&got.body), chunk);
        let put = to.ask(
            Method::Put,
            &format!("/v1/chunks/{chunk}"),
            got.body.clone(),
        );
        assert!(matches!(put.status, 200 | 201));
        let wrong = to.ask(
            Method::Put,
            &format!("/v1/chunks/{chunk}"),
            Bytes::from_static(b"x"),
        );
        assert_eq!(wrong.failure(), (422, "Corrupt".into()));
        chunks.push(chunk.to_string());
    }
    let body = json!({ "pointers": chunks }).to_string();
    let has = to.ask(Method::Post, "/v1/chunks/has", Bytes::from(body));
    assert_eq!(has.json(), json!({ "has": vec![true; chunks.len()] }));
    let other = format!("/v1/blobs/{}/chunks", Pointer::of(b"other"));
    let answer = to.ask(Method::Put, &other, list.body.clone());
    assert_eq!(answer.failure(), (422, "Corrupt".into()));
    assert_eq!(to.ask(Method::Put, &path, list.body.clone()).status, 201);
    assert!(to.get(&blob(&pointer)).body == bytes);

    let (directory, _kept) = directory(options());
    let whole = Client::new(&directory);
    let chunk = format!("/v1/chunks/{}", chunks[0]);
    assert_eq!(whole.get(&chunk).failure(), (501, "NotImplemented".into()));
    assert_eq!(whole.get(&path).failure(), (404, "NotFound".into()));
}
