use super::{
    fake::{Answer, FakeRemote, Pieces, answer, failed},
    *,
};
use crate::blob::{
    MemoryBlobs,
    conformance::{self, noise},
    copy, open,
};
use crate::port::{Request, Response};
use alloc::{boxed::Box, collections::VecDeque, vec};
use core::time::Duration;
use futures::executor::block_on;

/// What the remote says of what it sends.
const BYTES: (&str, &str) = ("content-type", "application/octet-stream");
const JSON: (&str, &str) = ("content-type", "application/json");

fn remote() -> (FakeRemote, HttpBlobs<FakeRemote>) {
    let fake = FakeRemote::default();
    let client = HttpBlobs::new(fake.clone(), "http://remote/").unwrap();
    (fake, client)
}

#[test]
fn a_remote_conforms() {
    block_on(conformance::all(async || remote().1)).unwrap();
    block_on(conformance::roots(async || remote().1)).unwrap();
}

#[test]
fn a_remote_without_chunks_conforms() {
    block_on(conformance::all(async || remote().1.without_chunks())).unwrap();
}

#[test]
fn a_stream_to_a_remote_without_chunks_is_one_request_and_its_answer_is_checked() {
    block_on(async {
        let (fake, client) = remote();
        let client = client.without_chunks();
        let blob = noise(7, 3_000_000);
        let put = client.put_stream(blob.clone()).await.unwrap();
        assert_eq!(put, Pointer::of(&blob));
        let requests = fake.requests.lock().clone();
        assert_eq!(requests, [("POST /v1/blobs".into(), blob.len())]);
        for (lie, kind) in [
            (answer(201, &[JSON], "{\"pointer\":\"00\"}"), Kind::Corrupt),
            (
                answer(
                    201,
                    &[],
                    alloc::format!("{{\"pointer\":\"{}\"}}", Pointer::NULL),
                ),
                Kind::Corrupt,
            ),
            (answer(200, &[], "<html>"), Kind::Transient),
            (answer(507, &[], ""), Kind::Quota),
        ] {
            let lie = std::sync::Mutex::new(Some(lie));
            fake.lie(move |_, truth| lie.lock().unwrap().take().unwrap_or(truth));
            let error = client.put_stream(blob.clone()).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error:?}");
        }
    });
}

// Without std a store is confined to one thread.
#[cfg(feature = "std")]
#[test]
fn futures_over_a_sendable_client_are_sendable() {
    fn is_send<T: Send>(_: &T) {}
    let (_, client) = remote();
    let pointer = Pointer::NULL;
    is_send(&client.put(Bytes::new()));
    is_send(&client.put_stream(Bytes::new()));
    is_send(&client.get(&pointer));
    is_send(&client.get_range(&pointer, 0..1));
    is_send(&client.stat(&pointer));
    is_send(&client.has(&[]));
    is_send(&client.delete(&pointer));
    is_send(&client.list(None, 1));
    is_send(&client.chunks(&pointer));
    is_send(&client.has_chunks(&[]));
    is_send(&client.put_chunk(Bytes::new()));
    is_send(&client.get_chunk(&pointer));
    is_send(&client.put_list(&pointer, ChunkList::default()));
    is_send(&client.root("a"));
    is_send(&client.move_root("a", None, None));
    is_send(&client.roots(None, 1));
    is_send(&copy(&client, &client, &pointer));
    is_send(&async {
        let mut reader = open(&client, pointer).await.unwrap();
        reader.next().await.unwrap();
    });
}

#[test]
fn the_token_is_sent_with_every_request_and_printed_nowhere() {
    block_on(async {
        let (mut fake, client) = remote();
        fake.token = Some("s3cret".into());
        let client = HttpBlobs::new(fake, client.base()).unwrap();
        let error = client.has(&[Pointer::NULL]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Auth);
        let wrong = client.clone().with_token("other-s3cret").unwrap();
        let error = wrong.put("a".into()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Auth);
        let debug = alloc::format!("{wrong:?} {error:?} {error}");
        assert!(!debug.contains("s3cret"), "{debug}");
        let right = client.with_token("s3cret").unwrap();
        let pointer = right.put("a".into()).await.unwrap();
        assert_eq!(&right.get(&pointer).await.unwrap()[..], b"a");
        for token in ["", "a b", "a\n", "\u{e9}"] {
            let error = right.clone().with_token(token).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidInput);
        }
    });
}

/// What a `get` of `data` says when the remote answers otherwise.
fn get(
    data: &Bytes,
    lie: impl Fn(&str, Answer) -> Answer + Send + Sync + 'static,
) -> Result<Bytes> {
    block_on(async {
        let (fake, client) = remote();
        let pointer = client.put(data.clone()).await.unwrap();
        fake.lie(lie);
        client.get(&pointer).await
    })
}

/// The bytes of an answer.
fn body(answer: &Answer) -> Vec<u8> {
    let mut all = Vec::new();
    for piece in &answer.body.0 {
        all.extend_from_slice(piece.as_ref().unwrap());
    }
    all
}

#[test]
fn every_status_is_the_kind_that_the_protocol_says() {
    for (status, kind) in [
        (302, Kind::Transient),
        (204, Kind::Corrupt),
        (400, Kind::InvalidInput),
        (401, Kind::Auth),
        (403, Kind::Auth),
        (404, Kind::Transient),
        (405, Kind::NotImplemented),
        (501, Kind::NotImplemented),
        (408, Kind::Timeout),
        (504, Kind::Timeout),
        (409, Kind::Conflict),
        (412, Kind::AlreadyExists),
        (413, Kind::InvalidInput),
        (416, Kind::OutOfRange),
        (418, Kind::InvalidInput),
        (422, Kind::Corrupt),
        (429, Kind::Transient),
        (500, Kind::Transient),
        (502, Kind::Transient),
        (503, Kind::Transient),
        (507, Kind::Quota),
    ] {
        // The body says something else: the status decides.
        let lies = r#"{"error":{"code":"Busy","message":"no words"}}"#;
        let error = get(&"a".into(), move |_, _| answer(status, &[], lies)).unwrap_err();
        assert_eq!(error.kind(), kind, "status {status}: {error:?}");
        if status != 404 {
            assert!(error.to_string().contains("no words"), "{error}");
        }
        // A page of somebody else refuses nothing.
        let html = move |_: &str, _: Answer| answer(status, &[], "<html>");
        let kind = match status {
            204 | 400 | 405 | 501 | 409 | 412 | 413 | 416 | 418 => Kind::Transient,
            _ => kind,
        };
        let error = get(&"a".into(), html).unwrap_err();
        assert_eq!(error.kind(), kind, "status {status}: {error}");
    }
}

#[test]
fn a_remote_that_asks_to_be_left_alone_is_heard() {
    for status in [429, 503] {
        for (header, after) in [
            ("7", Some(Duration::from_secs(7))),
            ("soon", None),
            ("-1", None),
            (
                "Sun, 06 Nov 1994 08:49:37 GMT",
                Some(Duration::from_secs(97)),
            ),
            ("Tue, 01 Mar 1994 08:48:00 GMT", Some(Duration::ZERO)),
            ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ] {
            let asked = [
                ("retry-after", header),
                ("date", "Sun, 06 Nov 1994 08:48:00 GMT"),
            ];
            let lie = move |_: &str, _: Answer| answer(status, &asked, "");
            let error = get(&"a".into(), lie).unwrap_err();
            assert_eq!(error.kind(), Kind::Transient);
            assert_eq!(error.retry_after(), after, "{header}");
        }
    }
}

#[test]
fn wrong_bytes_are_corrupt_and_never_returned() {
    for data in [noise(1, 100), noise(2, 3_000_000)] {
        for at in [0, data.len() / 2, data.len() - 1] {
            let flip = move |line: &str, honest: Answer| {
                let mut bytes = body(&honest);
                if line.ends_with("/chunks") || bytes.is_empty() {
                    return honest;
                }
                bytes[at] ^= 1;
                answer(200, &[BYTES], bytes)
            };
            assert_eq!(get(&data, flip).unwrap_err().kind(), Kind::Corrupt);
        }
        let longer = |line: &str, honest: Answer| match line.ends_with("/chunks") {
            true => honest,
            false => answer(200, &[BYTES], [&body(&honest)[..], b"x"].concat()),
        };
        assert_eq!(get(&data, longer).unwrap_err().kind(), Kind::Corrupt);
        let html = |_: &str, _: Answer| answer(200, &[("content-type", "text/html")], "<html>");
        assert_eq!(get(&data, html).unwrap_err().kind(), Kind::Transient);
    }
}

#[test]
fn a_wrong_chunk_is_found_before_the_rest_has_arrived() {
    let data = noise(3, 6_000_000);
    let lie = |line: &str, mut honest: Answer| {
        if !line.ends_with("/chunks") {
            let mut first = honest.body.0[0].clone().unwrap().to_vec();
            first[0] ^= 1;
            honest.body.0[0] = Ok(first.into());
            // Whoever reads on finds out too late.
            let mut pieces: VecDeque<_> = honest.body.0.drain(..20).collect();
            pieces.push_back(Err(Error::new(Kind::Poisoned, "read on")));
            honest.body = Pieces(pieces);
        }
        honest
    };
    assert_eq!(get(&data, lie).unwrap_err().kind(), Kind::Corrupt);
}

#[test]
fn a_connection_that_ends_early_is_transient() {
    for data in [noise(4, 100), noise(5, 3_000_000)] {
        let cut = |line: &str, mut honest: Answer| {
            if !line.ends_with("/chunks") {
                honest.body.0.pop_back();
            }
            honest
        };
        assert_eq!(get(&data, cut).unwrap_err().kind(), Kind::Transient);
    }
}

#[test]
fn a_get_over_the_limit_is_out_of_range_and_an_endless_body_is_not_read_to_its_end() {
    block_on(async {
        let (fake, client) = remote();
        let pointer = client.put(noise(6, 5000)).await.unwrap();
        let client = client.with_get_limit(4999);
        let error = client.get(&pointer).await.unwrap_err();
        assert_eq!(error.kind(), Kind::OutOfRange);
        fake.lie(|_, mut honest| {
            honest.headers.clear();
            honest
        });
        let error = client.get(&pointer).await.unwrap_err();
        assert_eq!(error.kind(), Kind::OutOfRange);
    });
}

#[test]
fn ranges_are_proved_where_they_can_be() {
    block_on(async {
        let (fake, client) = remote();
        let small = noise(7, 4000);
        let large = noise(8, 6_000_000);
        let small = client.put(small).await.unwrap();
        let large = client.put(large).await.unwrap();
        fake.lie(|line, mut honest| {
            // Every chunk and every blob has a flipped bit.
            if line.starts_with("GET") && !line.ends_with("/chunks") {
                let mut bytes = body(&honest);
                bytes[1000] ^= 1;
                honest.body = Pieces(vec![Ok(bytes.into())].into());
            }
            honest
        });
        for pointer in [small, large] {
            let error = client.get_range(&pointer, 5..10).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt);
            let mut reader = open(&client, pointer).await.unwrap();
            assert_eq!(reader.next().await.unwrap_err().kind(), Kind::Corrupt);
        }
    });
}

/// A remote that keeps large blobs whole.
fn without_chunks(line: &str, mut honest: Answer) -> Answer {
    honest.headers.retain(|(name, _)| name != "littoral-chunks");
    match line.ends_with("/chunks") {
        true => failed(Kind::NotFound, "kept whole"),
        false => honest,
    }
}

#[test]
fn a_large_blob_that_a_remote_keeps_whole_is_read_by_ranges() {
    block_on(async {
        let (fake, client) = remote();
        let data = noise(9, 9_000_000);
        let pointer = client.put(data.clone()).await.unwrap();
        fake.lie(without_chunks);
        conformance::holds(&client, core::slice::from_ref(&data))
            .await
            .unwrap();
        let got = client.get_range(&pointer, 5_000_000..5_000_010).await;
        assert_eq!(got.unwrap(), data.slice(5_000_000..5_000_010));
        let lines: Vec<String> = fake
            .requests
            .lock()
            .iter()
            .map(|(l, _)| l.clone())
            .collect();
        assert!(
            !lines
                .iter()
                .any(|line| line.contains("/v1/chunks/") && line.starts_with("GET"))
        );
        // One that knows no ranges either.
        let whole = data.clone();
        fake.lie(move |line, honest| match honest.status {
            206 => answer(200, &[], whole.clone()),
            _ => without_chunks(line, honest),
        });
        let got = client.get_range(&pointer, 5_000_000..5_000_010).await;
        assert_eq!(got.unwrap(), data.slice(5_000_000..5_000_010));
        let wrong = noise(10, 9_000_000);
        fake.lie(move |line, honest| match honest.status {
            206 => answer(200, &[BYTES], wrong.clone()),
            _ => without_chunks(line, honest),
        });
        let got = client.get_range(&pointer, 5_000_000..5_000_010).await;
        assert_eq!(got.unwrap_err().kind(), Kind::Corrupt);
        // And one that sends another range than it was asked for.
        for says in ["bytes 0-9/9000000", "bytes 5000000-5000009/9000001", ""] {
            fake.lie(move |line, honest| match honest.status {
                206 => answer(206, &[("content-range", says)], "0123456789"),
                _ => without_chunks(line, honest),
            });
            let got = client.get_range(&pointer, 5_000_000..5_000_010).await;
            assert_eq!(got.unwrap_err().kind(), Kind::Corrupt, "{says}");
        }
    });
}

type Asked = Box<dyn Fn(&HttpBlobs<FakeRemote>) -> Result<()>>;

/// Every call that reads more than a status.
fn questions() -> Vec<(&'static str, Asked)> {
    const P: Pointer = Pointer::from_bytes([5; 32]);
    vec![
        ("has", Box::new(|c| block_on(c.has(&[P])).map(drop))),
        (
            "has_chunks",
            Box::new(|c| block_on(c.has_chunks(&[P])).map(drop)),
        ),
        ("list", Box::new(|c| block_on(c.list(None, 9)).map(drop))),
        ("chunks", Box::new(|c| block_on(c.chunks(&P)).map(drop))),
        (
            "get_chunk",
            Box::new(|c| block_on(c.get_chunk(&P)).map(drop)),
        ),
        ("get", Box::new(|c| block_on(c.get(&P)).map(drop))),
        ("stat", Box::new(|c| block_on(c.stat(&P)).map(drop))),
        (
            "get_range",
            Box::new(|c| block_on(c.get_range(&P, 0..9)).map(drop)),
        ),
        ("root", Box::new(|c| block_on(c.root("a")).map(drop))),
        ("roots", Box::new(|c| block_on(c.roots(None, 9)).map(drop))),
        ("put", Box::new(|c| block_on(c.put("a".into())).map(drop))),
        (
            "put_chunk",
            Box::new(|c| block_on(c.put_chunk("a".into())).map(drop)),
        ),
        (
            "move_root",
            Box::new(|c| block_on(c.move_root("a", None, Some(P)))),
        ),
        (
            "remove a root",
            Box::new(|c| block_on(c.move_root("a", Some(P), None))),
        ),
        ("delete", Box::new(|c| block_on(c.delete(&P)).map(drop))),
    ]
}

/// The type that the protocol gives to what answers a question.
fn marked(name: &str) -> &'static str {
    match name {
        "chunks" => "application/vnd.littoral.chunks",
        "get" | "get_chunk" | "get_range" => BYTES.1,
        _ => JSON.1,
    }
}

#[test]
fn a_success_that_is_not_what_was_asked_for_is_corrupt_if_it_is_the_remotes_and_transient_if_it_is_not()
 {
    for (name, question) in questions() {
        for wrong in [
            "<html><body>Sign in to the network</body></html>",
            "{}",
            "{\"has\":[]}",
            "{\"has\":[true,true]}",
            "{\"blobs\":[{\"pointer\":\"05\",\"size\":1}]}",
            "{\"roots\":[{\"name\":\"a\"}]}",
            "",
            "[[[[[[[[[[[[[[[[",
        ] {
            let (fake, client) = remote();
            fake.lie(move |_, _| answer(200, &[("content-type", "text/html")], wrong));
            let error = question(&client).unwrap_err();
            let told = alloc::format!("{name} of {wrong:?}: {error:?}");
            // The one that is of the right form has the wrong number of answers.
            let formed = name.starts_with("has") && wrong.contains("has");
            match formed {
                true => assert_eq!(error.kind(), Kind::Corrupt, "{told}"),
                false => assert_eq!(error.kind(), Kind::Transient, "{told}"),
            }
            assert!(error.to_string().contains("http://remote/v1/"), "{error}");
            let ours = [
                ("content-type", marked(name)),
                (
                    "etag",
                    "\"0000000000000000000000000000000000000000000000000000000000000000\"",
                ),
            ];
            fake.lie(move |_, _| answer(200, &ours, wrong));
            let error = question(&client).unwrap_err();
            // A list of chunks that is no bytes long is none, and nobody deletes with 200.
            let none = name == "delete";
            match none {
                true => assert_eq!(
                    error.kind(),
                    Kind::Transient,
                    "{name} of {wrong:?}: {error:?}"
                ),
                false => assert_eq!(
                    error.kind(),
                    Kind::Corrupt,
                    "{name} of {wrong:?}: {error:?}"
                ),
            }
        }
    }
}

#[test]
fn a_404_of_another_server_is_never_taken_for_not_there() {
    for (name, question) in questions() {
        for foreign in [
            "<html><body>Not Found</body></html>",
            "{}",
            "{\"message\":\"NotFound\"}",
            "{\"error\":{\"code\":\"NoSuchKey\",\"message\":\"there is none\"}}",
            "",
        ] {
            let (fake, client) = remote();
            fake.lie(move |_, _| answer(404, &[], foreign));
            let error = question(&client).unwrap_err();
            let told = alloc::format!("{name} of {foreign:?}: {error}");
            assert_eq!(error.kind(), Kind::Transient, "{told}");
            assert!(told.contains("http://remote/v1/"), "{told}");
            assert!(told.contains("another server"), "{told}");
        }
    }
}

#[test]
fn a_remote_that_does_not_know_a_path_has_not_said_that_something_is_not_there() {
    for (name, question) in questions() {
        let (fake, client) = remote();
        let unknown = || Response {
            status: 404,
            ..failed(Kind::NotImplemented, "there is no such path")
        };
        fake.lie(move |_, _| unknown());
        let error = question(&client).unwrap_err();
        assert_eq!(error.kind(), Kind::NotImplemented, "{name}: {error}");
    }
}

#[test]
fn what_the_remote_says_is_not_there_is_not_there_also_where_a_header_says_it() {
    block_on(async {
        let (_, client) = remote();
        let missing = Pointer::of(b"missing");
        assert_eq!(client.stat(&missing).await.unwrap(), None);
        assert!(!client.delete(&missing).await.unwrap());
        assert_eq!(client.root("missing").await.unwrap(), None);
        assert_eq!(client.chunks(&missing).await.unwrap(), None);
        for error in [
            client.get(&missing).await.unwrap_err(),
            client.get_range(&missing, 0..1).await.unwrap_err(),
            client.get_chunk(&missing).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), Kind::NotFound, "{error}");
        }
    });
}

#[test]
fn a_remote_that_cannot_be_reached_says_what_the_host_said() {
    struct Down;
    impl Http for Down {
        type Body = Bytes;
        async fn send<B: Body>(&self, _request: Request<B>) -> Result<Response<Bytes>> {
            Err(Error::new(Kind::Transient, "no route"))
        }
    }
    let client = HttpBlobs::new(Down, "http://remote").unwrap();
    let error = block_on(client.get(&Pointer::NULL)).unwrap_err();
    assert_eq!(error.kind(), Kind::Transient);
    assert!(error.to_string().contains("no route"), "{error}");
    let error = block_on(client.stat(&Pointer::NULL)).unwrap_err();
    assert_eq!(error.kind(), Kind::Transient);
}

#[test]
fn a_list_that_does_not_move_on_is_corrupt_instead_of_endless() {
    block_on(async {
        let (fake, client) = remote();
        let row = alloc::format!(r#"{{"pointer":"{}","size":1}}"#, Pointer::of(b"a"));
        let page = alloc::format!(r#"{{"blobs":[{row},{row}]}}"#);
        fake.lie(move |_, _| answer(200, &[], page.clone()));
        let error = client.list(None, 10).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        let page = alloc::format!(r#"{{"blobs":[{row}]}}"#);
        fake.lie(move |_, _| answer(200, &[], page.clone()));
        let mut all = crate::blob::list_all(&client);
        assert!(all.next().await.unwrap().is_some());
        assert_eq!(all.next().await.unwrap_err().kind(), Kind::Corrupt);
    });
}

#[test]
fn a_move_that_lost_says_where_the_root_is_now() {
    block_on(async {
        let (_, client) = remote();
        let (one, two) = (Pointer::of(b"1"), Pointer::of(b"2"));
        client.move_root("tide", None, Some(one)).await.unwrap();
        let error = client.move_root("tide", Some(two), None).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert!(error.to_string().contains(&one.to_hex()), "{error}");
        for name in [".", ".."] {
            let error = client.root(name).await.unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidInput, "{name}");
        }
    });
}

#[test]
fn bytes_are_counted_as_they_are_taken_and_as_they_arrive() {
    block_on(async {
        let (_, client) = remote();
        assert_eq!(client.moved(), 0);
        let pointer = client.put(noise(1, 200_000)).await.unwrap();
        let sent = client.clone().moved();
        assert!((200_000..201_000).contains(&sent), "{sent}");
        client.get(&pointer).await.unwrap();
        let both = client.moved();
        assert!((400_000..402_000).contains(&both), "{both}");
    });
    // Half-way, too: in pieces that a slow line takes in seconds.
    struct Half(Moved, std::sync::Mutex<Vec<u64>>);
    impl Http for Half {
        type Body = Bytes;
        async fn send<B: Body>(&self, mut request: Request<B>) -> Result<Response<Bytes>> {
            while let Some(piece) = request.body.next().await? {
                assert!(piece.len() <= 65_536);
                self.1.lock().unwrap().push(self.0.so_far());
            }
            Err(Error::new(Kind::Transient, "seen enough"))
        }
    }
    let moved = Moved::default();
    let half = Half(moved.clone(), Default::default());
    let mut client = HttpBlobs::new(half, "http://remote").unwrap();
    client.moved = moved;
    block_on(client.put_chunk(noise(2, 200_000))).unwrap_err();
    let seen = client.http.1.lock().unwrap().clone();
    assert_eq!(seen, [65_536, 131_072, 196_608, 200_000]);
}

#[test]
fn equal_chunks_are_uploaded_once() {
    block_on(async {
        let (fake, client) = remote();
        let data = noise(11, 5_000_000);
        let pointer = client.put(data.clone()).await.unwrap();
        let sent = |fake: &FakeRemote| {
            let mut bytes = 0;
            for (line, len) in fake.requests.lock().drain(..) {
                if line.starts_with("PUT /v1/chunks/") || line.starts_with("PUT /v1/blobs/") {
                    bytes += len;
                }
            }
            bytes
        };
        let first = sent(&fake);
        assert!((5_000_000..5_010_000).contains(&first), "{first}");
        let mut longer = data.to_vec();
        longer.splice(100..100, *b"inserted");
        let put = client.put_stream(Bytes::from(longer)).await.unwrap();
        assert_ne!(put, pointer);
        let second = sent(&fake);
        assert!(
            second < 2_500_000,
            "{second} bytes of a blob that is there but for its start"
        );
    });
}

#[test]
fn a_chunk_that_the_remote_lost_during_a_stream_is_worth_another_try() {
    block_on(async {
        let (fake, client) = remote();
        fake.lie(
            |line, honest| match line.starts_with("PUT") && line.ends_with("/chunks") {
                true => answer(404, &[], ""),
                false => honest,
            },
        );
        let error = client.put(noise(12, 2_000_000)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Transient);
    });
}

#[test]
fn a_copy_sends_chunks_again_that_were_deleted_meanwhile() {
    block_on(async {
        let (fake, client) = remote();
        let source = MemoryBlobs::new();
        let pointer = source.put(noise(13, 3_000_000)).await.unwrap();
        let list = source.chunks(&pointer).await.unwrap().unwrap();
        // Says once that it has everything, which it has not.
        let said = std::sync::Mutex::new(false);
        let all = vec![true; list.0.len()];
        fake.lie(move |line, honest| {
            let first = !core::mem::replace(&mut *said.lock().unwrap(), true);
            match line.ends_with("/has") && first {
                true => answer(200, &[], serde_json::json!({ "has": all }).to_string()),
                false => honest,
            }
        });
        let sent = copy(&source, &client, &pointer).await.unwrap();
        assert_eq!(sent, 3_000_000);
        assert_eq!(client.get(&pointer).await.unwrap().len(), 3_000_000);
    });
}

#[test]
fn whoever_reads_a_blob_by_parts_asks_for_its_length_once() {
    block_on(async {
        let (fake, client) = remote();
        let client = client.without_chunks();
        let data = noise(14, 6_000_000);
        let pointer = fake.blobs.put(data.clone()).await.unwrap();
        for at in [0, 1_000_000, 5_000_000] {
            let got = client.get_range(&pointer, at..at + 1_000_000).await;
            assert_eq!(
                got.unwrap(),
                data.slice(at as usize..at as usize + 1_000_000)
            );
        }
        let requests = fake.requests.lock().clone();
        let heads = requests.iter().filter(|(line, _)| line.starts_with("HEAD"));
        assert_eq!(heads.count(), 1, "{requests:?}");
        assert!(client.delete(&pointer).await.unwrap());
        let gone = client.get_range(&pointer, 0..1).await.unwrap_err();
        assert_eq!(gone.kind(), Kind::NotFound);
    });
}
