//! Bytes that are no good HTTP, and connections that break.

use crate::client::*;
use littoral::{
    core::blob::Pointer,
    server::{Origins, ServerHandle},
};
use serde_json::json;
use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

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
