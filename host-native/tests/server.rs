//! The server over real sockets: what it answers, and what it refuses.

mod support;

use bytes::Bytes;
use littoral::{
    DirectoryBlobs, FileVolume, HttpBody, HttpClient, OsEntropy,
    core::{
        Kind, Result,
        blob::{
            BlobStore, Capabilities, EngineBlobs, EngineRoots, Listed, Pointer, RootStore, Stat,
        },
        engine::{Options, Store},
        port::{Body, Clock, Http, MemoryVolume, Method, Request, Response},
    },
    server::{Origins, ServerHandle, ServerOptions, listen, serve},
};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    ops::Range,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use support::Pieces;

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Its status, and the kind in its JSON.
    fn failure(&self) -> (u16, String) {
        let json = self.json();
        assert!(
            json["error"]["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        (
            self.status,
            json["error"]["code"].as_str().unwrap().to_owned(),
        )
    }
}

/// A client of one server.
struct Client {
    http: HttpClient,
    url: String,
    headers: Vec<(String, String)>,
}

impl Client {
    fn new(server: &ServerHandle) -> Self {
        Client {
            http: HttpClient::new(),
            url: server.url(),
            headers: Vec::new(),
        }
    }

    fn with(&self, name: &str, value: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.push((name.into(), value.into()));
        Client {
            http: self.http.clone(),
            url: self.url.clone(),
            headers,
        }
    }

    async fn begin<B: Body>(
        &self,
        method: Method,
        path: &str,
        body: B,
    ) -> Result<Response<HttpBody>> {
        self.http
            .send(Request {
                method,
                url: format!("{}{path}", self.url),
                headers: self.headers.clone(),
                body,
            })
            .await
    }

    fn ask<B: Body>(&self, method: Method, path: &str, body: B) -> Answer {
        littoral::block_on(async {
            let response = self.begin(method, path, body).await.unwrap();
            Answer {
                status: response.status,
                headers: response.headers,
                body: response.body.collect(64 << 20).await.unwrap(),
            }
        })
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(Method::Get, path, Bytes::new())
    }

    fn put_blob(&self, bytes: &[u8]) -> (Pointer, Answer) {
        let pointer = Pointer::of(bytes);
        let bytes = Bytes::copy_from_slice(bytes);
        (pointer, self.ask(Method::Put, &blob(&pointer), bytes))
    }
}

fn blob(pointer: &Pointer) -> String {
    format!("/v1/blobs/{pointer}")
}

fn options() -> ServerOptions {
    ServerOptions::new().workers(4)
}

/// A server over a directory that goes away with it.
fn directory(options: ServerOptions) -> (ServerHandle, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryBlobs::open(directory.path()).unwrap();
    let listener = listen("127.0.0.1:0").unwrap();
    let server = serve(listener, store.clone(), store, options).unwrap();
    (server, directory)
}

/// A server over the engine in memory.
fn engine(options: ServerOptions) -> ServerHandle {
    let open = Store::open(MemoryVolume::new(), &OsEntropy, Options::default());
    let store = littoral::block_on(open).unwrap();
    let blobs = EngineBlobs::new(store.clone());
    serve(
        listen("127.0.0.1:0").unwrap(),
        blobs,
        EngineRoots::new(store),
        options,
    )
    .unwrap()
}

/// Bytes that no two blobs share.
fn bytes(seed: u8, len: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

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
        (Method::Get, "/", 404, "NotFound"),
        (Method::Get, "/v1/blobs/", 404, "NotFound"),
        (Method::Get, "/v1/nothing", 404, "NotFound"),
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

/// One request as raw bytes, and all that comes back.
fn raw(server: &ServerHandle, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    let mut some = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut some) {
        answer.extend_from_slice(&some[..count]);
    }
    String::from_utf8_lossy(&answer).to_lowercase()
}

#[test]
fn a_browser_may_ask_from_another_origin_without_a_token_first() {
    let ask = |server: &ServerHandle, origin: &str| {
        let request = format!(
            "OPTIONS /v1/blobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: PUT\r\n\
             Access-Control-Request-Headers: authorization,if-none-match\r\n\r\n"
        );
        raw(server, request.as_bytes())
    };
    let any = engine(options().token("secret"));
    let answer = ask(&any, "https://a.example");
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    assert!(
        answer.contains("access-control-allow-origin: *\r\n"),
        "{answer}"
    );
    assert!(answer.contains("authorization"), "{answer}");
    // The page sees why it was refused, too.
    let refused = Client::new(&any)
        .with("origin", "https://a.example")
        .get("/v1/blobs");
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));

    let one = engine(options().origins(Origins::Only(vec!["https://a.example".into()])));
    assert!(ask(&one, "https://a.example").contains("allow-origin: https://a.example\r\n"));
    assert!(!ask(&one, "https://b.example").contains("allow-origin"));
    let none = engine(options().origins(Origins::None));
    assert!(!ask(&none, "https://a.example").contains("allow-origin"));
}

#[test]
fn what_is_no_http_is_refused_and_the_server_goes_on() {
    let server = engine(options());
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"hello\r\n\r\n",
        b"GET /v1/blobs HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"PUT /v1/blobs/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let answer = raw(&server, nonsense);
        assert!(answer.starts_with("http/1.1 400"), "{answer}");
    }
    let head = [&b"GET / HTTP/1.1\r\nA: "[..], &[b'a'; 1 << 20], b"\r\n\r\n"].concat();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // It need not read all of that.
    let _ = stream.write_all(&head);
    assert_eq!(Client::new(&server).get("/healthz").status, 200);
}

#[test]
fn a_body_that_is_not_encoded_as_it_says_is_the_clients_fault() {
    let server = engine(options());
    let path = blob(&Pointer::of(b"abc"));
    for body in ["3\r\nabc\r\nzz\r\n", "3\r\nabcd\r\n0\r\n\r\n"] {
        let request =
            format!("PUT {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        let answer = raw(&server, request.as_bytes());
        assert!(answer.starts_with("http/1.1 400"), "{answer}");
        assert!(answer.contains("\"code\":\"invalidinput\""), "{answer}");
    }
}

#[test]
fn a_client_that_stops_or_goes_away_in_mid_body_leaves_nothing_behind() {
    let (server, kept) = directory(options().idle_timeout(Duration::from_millis(300)));
    let pointer = Pointer::of(&bytes(1, 3 << 20));
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\n",
        blob(&pointer)
    );
    let begun = [head.as_bytes(), &bytes(1, 2 << 20)].concat();
    // It stops.
    let answer = raw(&server, &begun);
    assert!(answer.starts_with("http/1.1 408"), "{answer}");
    assert!(answer.contains("\"code\":\"timeout\""), "{answer}");
    // It goes away.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(&begun).unwrap();
    drop(stream);
    let temporary = kept.path().join("temporary");
    let patience = Instant::now() + Duration::from_secs(20);
    while std::fs::read_dir(&temporary).unwrap().count() > 0 && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
    assert_eq!(
        Client::new(&server).get("/v1/blobs").json(),
        json!({ "blobs": [] })
    );
}

#[test]
fn shutdown_lets_a_request_finish_refuses_new_ones_and_gives_the_store_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let open = || FileVolume::open(&path);
    let volume = open().unwrap();
    let store = littoral::block_on(Store::open(volume, &OsEntropy, Options::default())).unwrap();
    let blobs = EngineBlobs::new(store.clone());
    let roots = EngineRoots::new(store);
    let server = serve(listen("127.0.0.1:0").unwrap(), blobs, roots, options()).unwrap();
    let client = Client::new(&server);
    let address = server.address();

    let bytes = bytes(3, 2 << 20);
    let pointer = Pointer::of(&bytes);
    let mut upload = TcpStream::connect(address).unwrap();
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: x\r\nContent-Length: 2097152\r\n\r\n",
        blob(&pointer)
    );
    upload.write_all(head.as_bytes()).unwrap();
    upload.write_all(&bytes[..1 << 20]).unwrap();
    // The request is under way when the server can see its first bytes.
    std::thread::sleep(Duration::from_millis(200));
    let shutdown = std::thread::spawn(|| littoral::block_on(server.shutdown()));
    let patience = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_ok() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(10));
    }
    let refused = littoral::block_on(client.begin(Method::Get, "/healthz", Bytes::new()));
    assert_eq!(
        refused.err().map(|error| error.kind()),
        Some(Kind::Transient)
    );
    upload.write_all(&bytes[1 << 20..]).unwrap();
    let mut answer = [0; 12];
    upload.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 201");
    shutdown.join().unwrap().unwrap();
    open().unwrap();
    // The address is free again.
    listen(&address.to_string()).unwrap();
}

#[test]
fn a_request_that_does_not_finish_in_time_is_cut_off_at_shutdown_and_at_once_when_dropped() {
    enum End {
        Shutdown,
        Dropped,
        ShutdownDropped,
    }
    for end in [End::Shutdown, End::Dropped, End::ShutdownDropped] {
        let grace = match end {
            End::Shutdown => Duration::from_millis(200),
            _ => Duration::from_secs(600),
        };
        let (server, kept) = directory(options().grace(grace));
        let mut upload = TcpStream::connect(server.address()).unwrap();
        let path = blob(&Pointer::NULL);
        let head = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\nabc");
        upload.write_all(head.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        match end {
            End::Shutdown => littoral::block_on(server.shutdown()).unwrap(),
            End::Dropped => drop(server),
            End::ShutdownDropped => {
                use futures::FutureExt;
                assert!(server.shutdown().now_or_never().is_none());
            }
        }
        assert!(start.elapsed() < Duration::from_secs(60));
        let mut rest = Vec::new();
        let _ = upload.read_to_end(&mut rest);
        assert!(rest.is_empty());
        let temporary = kept.path().join("temporary");
        assert_eq!(std::fs::read_dir(temporary).unwrap().count(), 0);
    }
}

#[test]
fn a_server_is_started_and_ended_from_inside_a_runtime_too() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let start = |options| {
            let listener = listen("127.0.0.1:0").unwrap();
            serve(listener, Made::default(), Made::default(), options)
        };
        let refused = start(options().token("with space"));
        assert_eq!(refused.unwrap_err().kind(), Kind::InvalidInput);
        let server = start(options()).unwrap();
        let client = Client::new(&server);
        let response = client.begin(Method::Get, "/healthz", Bytes::new()).await;
        assert_eq!(response.unwrap().status, 200);
        server.shutdown().await.unwrap();
        drop(start(options()).unwrap());
    });
}

#[test]
fn an_address_in_use_is_busy_and_no_address_is_invalid() {
    let server = engine(options());
    let error = listen(&server.address().to_string()).unwrap_err();
    assert_eq!(error.kind(), Kind::Busy);
    assert!(
        error.to_string().contains("cannot listen on 127.0.0.1:"),
        "{error}"
    );
    assert_eq!(listen("nonsense").unwrap_err().kind(), Kind::InvalidInput);
}

#[test]
fn damage_in_the_store_is_told_and_never_sent() {
    let (server, kept) = directory(options());
    let client = Client::new(&server);
    for len in [1000, 5 << 20] {
        let bytes = bytes(7, len);
        let (pointer, _) = client.put_blob(&bytes);
        let hex = pointer.to_string();
        let file = kept.path().join("blobs").join(&hex[..2]).join(&hex);
        let mut damaged = bytes.clone();
        damaged[len - 1] ^= 1;
        std::fs::write(&file, &damaged).unwrap();
        let answer = client.get(&blob(&pointer));
        assert_eq!(answer.failure(), (422, "Corrupt".into()));
        // Putting it again repairs it.
        assert_eq!(client.put_blob(&bytes).1.status, 200);
        assert!(client.get(&blob(&pointer)).body == bytes);
    }
    // Damage that appears while the blob is sent cuts the answer off.
    let bytes = bytes(8, 20 << 20);
    let (pointer, _) = client.put_blob(&bytes);
    let hex = pointer.to_string();
    let file = kept.path().join("blobs").join(&hex[..2]).join(&hex);
    littoral::block_on(async {
        let response = client
            .begin(Method::Get, &blob(&pointer), Bytes::new())
            .await
            .unwrap();
        assert_eq!(response.status, 200);
        let mut damaged = bytes.clone();
        damaged[(20 << 20) - 1] ^= 1;
        std::fs::write(&file, &damaged).unwrap();
        let error = response.body.collect(64 << 20).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Transient);
    });
}

/// A store that no thread but one can use at a time, with a blob that is made when it is read.
#[derive(Default)]
struct Made {
    read: Arc<AtomicU64>,
}

const MADE: u64 = 1 << 30;

impl BlobStore for Made {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }
    async fn put(&self, _: Bytes) -> Result<Pointer> {
        panic!("on purpose")
    }
    async fn put_stream<B: Body>(&self, _: B) -> Result<Pointer> {
        panic!("on purpose")
    }
    async fn get(&self, _: &Pointer) -> Result<Bytes> {
        panic!("it is never read whole")
    }
    async fn get_range(&self, _: &Pointer, range: Range<u64>) -> Result<Bytes> {
        let not_send = Rc::new(range);
        littoral::SystemClock.sleep(Duration::from_millis(1)).await;
        let len = not_send.end - not_send.start;
        self.read.fetch_add(len, Ordering::SeqCst);
        Ok(vec![0; len as usize].into())
    }
    async fn stat(&self, _: &Pointer) -> Result<Option<Stat>> {
        Ok(Some(Stat::whole(MADE)))
    }
    async fn has(&self, _: &[Pointer]) -> Result<Vec<bool>> {
        Ok(Vec::new())
    }
    async fn delete(&self, _: &Pointer) -> Result<bool> {
        std::future::pending().await
    }
    async fn list(&self, _: Option<Pointer>, _: usize) -> Result<Vec<Listed>> {
        Ok(Vec::new())
    }
}

impl RootStore for Made {
    async fn root(&self, _: &str) -> Result<Option<Pointer>> {
        Err(littoral::core::Error::new(Kind::Busy, "later")
            .with_retry_after(Duration::from_secs(7)))
    }
    async fn move_root(&self, _: &str, _: Option<Pointer>, _: Option<Pointer>) -> Result<()> {
        Ok(())
    }
    async fn roots(&self, _: Option<&str>, _: usize) -> Result<Vec<(String, Pointer)>> {
        Ok(Vec::new())
    }
}

#[test]
fn any_store_can_be_served_and_is_read_only_as_fast_as_the_client_takes_it() {
    let read = Arc::new(AtomicU64::new(0));
    let blobs = Made { read: read.clone() };
    let server = serve(
        listen("127.0.0.1:0").unwrap(),
        blobs,
        Made::default(),
        options(),
    )
    .unwrap();
    let client = Client::new(&server);
    littoral::block_on(async {
        let path = blob(&Pointer::of(b"made"));
        let mut response = client
            .begin(Method::Get, &path, Bytes::new())
            .await
            .unwrap();
        assert_eq!(response.body.len(), Some(MADE));
        // Nobody reads: what was made is what the sockets hold, and a few pieces.
        littoral::SystemClock.sleep(Duration::from_secs(1)).await;
        let ahead = read.load(Ordering::SeqCst);
        assert!(ahead < 64 << 20, "{ahead}");
        let mut got = 0;
        while let Some(piece) = response.body.next().await.unwrap() {
            got += piece.len() as u64;
        }
        assert_eq!(got, MADE);
    });
}

#[test]
fn a_store_that_panics_costs_one_request() {
    let server = serve(
        listen("127.0.0.1:0").unwrap(),
        Made::default(),
        Made::default(),
        options(),
    );
    let server = server.unwrap();
    let client = Client::new(&server);
    for _ in 0..10 {
        let (_, answer) = client.put_blob(b"x");
        assert_eq!(answer.failure(), (500, "Poisoned".into()));
    }
    let answer = client.get("/v1/roots/main");
    assert_eq!(answer.failure(), (429, "Busy".into()));
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(client.get("/v1/roots").json(), json!({ "roots": [] }));
}

#[test]
fn many_clients_at_once_are_served() {
    let (server, _kept) = directory(options().max_connections(8));
    let url = server.url();
    std::thread::scope(|scope| {
        for seed in 0..24 {
            let url = url.clone();
            scope.spawn(move || {
                let client = Client {
                    http: HttpClient::new(),
                    url,
                    headers: vec![("connection".into(), "close".into())],
                };
                for round in 0..5 {
                    let bytes = bytes(seed * 5 + round, 20_000);
                    let (pointer, answer) = client.put_blob(&bytes);
                    assert_eq!(answer.status, 201);
                    assert!(client.get(&blob(&pointer)).body == bytes);
                }
            });
        }
    });
}
