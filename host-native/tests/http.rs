//! The HTTP client against servers that behave, and servers that do not.

mod support;

use bytes::Bytes;
use littoral::{
    HttpClient, HttpOptions,
    core::{
        Error, Kind, Result,
        port::{Body, Http, Method, Request},
    },
};
use std::{
    future::Future,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, atomic::Ordering, mpsc},
    thread,
    time::{Duration, Instant},
};
use support::Pieces;

/// A server of one thread that does with each connection what it is told; its URL.
fn server(mut serve: impl FnMut(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            serve(stream);
        }
    });
    url
}

/// Everything up to the end of the head.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

fn answer(stream: &mut TcpStream, text: &str) {
    // A client that has gone away is what some tests are about.
    let _ = stream.write_all(text.as_bytes());
}

/// A client that waits long, for the machine may be busy.
fn client() -> HttpClient {
    HttpClient::new()
}

/// A client that does not wait long.
fn impatient() -> HttpClient {
    HttpClient::with(HttpOptions::new().idle_timeout(Duration::from_millis(300)))
}

fn request<B>(method: Method, url: &str, body: B) -> Request<B> {
    Request {
        method,
        url: url.into(),
        headers: vec![("littoral-test".into(), "yes".into())],
        body,
    }
}

async fn fetch(client: &HttpClient, url: &str) -> Result<(u16, Bytes)> {
    let response = client.send(request(Method::Get, url, Bytes::new())).await?;
    Ok((response.status, response.body.collect(1 << 20).await?))
}

fn failure<F: Future<Output = Result<T>>, T>(future: F) -> Error {
    match littoral::block_on(future) {
        Ok(_) => panic!("this should have failed"),
        Err(error) => error,
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nLittoral-Said: Yes\r\n\r\nhi";

#[test]
fn a_request_works_from_any_executor() {
    let url = server(|mut stream| {
        assert!(head(&mut stream).contains("littoral-test: yes\r\n"));
        answer(&mut stream, OK);
    });
    let client = client();
    assert_eq!(littoral::block_on(fetch(&client, &url)).unwrap().1, "hi");
    assert_eq!(
        futures::executor::block_on(fetch(&client, &url)).unwrap().1,
        "hi"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let spawned = runtime.spawn(async move { fetch(&client, &url).await });
    assert_eq!(runtime.block_on(spawned).unwrap().unwrap().1, "hi");
}

#[test]
fn a_response_has_its_status_headers_and_body() {
    let url = server(|mut stream| {
        head(&mut stream);
        answer(&mut stream, OK);
    });
    littoral::block_on(async {
        let response = client()
            .send(request(Method::Get, &url, Bytes::new()))
            .await
            .unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.header("littoral-said"), Some("Yes"));
        assert_eq!(response.body.len(), Some(2));
        assert_eq!(response.body.collect(2).await.unwrap(), "hi");
    });
}

#[test]
fn a_redirect_is_an_answer_like_any_other() {
    let url = server(|mut stream| {
        head(&mut stream);
        answer(
            &mut stream,
            "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
        );
    });
    let (status, _) = littoral::block_on(fetch(&client(), &url)).unwrap();
    assert_eq!(status, 302);
}

#[test]
fn connections_are_kept_for_later_requests() {
    let (connections, seen) = mpsc::channel();
    let url = server(move |mut stream| {
        connections.send(()).unwrap();
        thread::spawn(move || {
            while !head(&mut stream).is_empty() {
                answer(&mut stream, OK);
            }
        });
    });
    littoral::block_on(async {
        let client = client();
        for _ in 0..100 {
            fetch(&client, &url).await.unwrap();
        }
    });
    // A request may come before the one before it has put its connection back.
    assert!(seen.try_iter().count() < 20);
}

#[test]
fn a_body_of_known_length_has_its_length_and_any_other_is_chunked() {
    let (heads, seen) = mpsc::channel();
    let url = server(move |mut stream| {
        heads.send(head(&mut stream)).unwrap();
        // The length, or chunks with their frames.
        let mut all = Vec::new();
        while all.len() < 300_000 && !all.ends_with(b"0\r\n\r\n") {
            let mut some = [0; 4096];
            let count = stream.read(&mut some).unwrap();
            all.extend_from_slice(&some[..count]);
        }
        answer(&mut stream, OK);
    });
    littoral::block_on(async {
        let first = client();
        let known = first.send(request(Method::Put, &url, Pieces::new(3, 100_000)));
        assert_eq!(known.await.unwrap().status, 200);
        let head = seen.recv().unwrap();
        assert!(head.starts_with("put / http/1.1\r\n"), "{head}");
        assert!(head.contains("content-length: 300000\r\n"), "{head}");

        let unknown = Pieces::new(2, 100_000).of_unknown_length();
        let second = client();
        let unknown = second.send(request(Method::Put, &url, unknown));
        assert_eq!(unknown.await.unwrap().status, 200);
        let head = seen.recv().unwrap();
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        assert!(!head.contains("content-length"), "{head}");
    });
}

#[test]
fn a_remote_that_is_not_there_is_transient() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for url in [
        format!("http://{gone}/"),
        "http://no-such-host.invalid/".into(),
    ] {
        let error = failure(fetch(&client(), &url));
        assert_eq!(error.kind(), Kind::Transient, "{error:?}");
        assert!(error.to_string().contains("cannot be reached"), "{error}");
    }
}

#[test]
fn a_remote_that_never_answers_is_a_timeout() {
    let url = server(|stream| {
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(30));
            drop(stream);
        });
    });
    let start = Instant::now();
    assert_eq!(failure(fetch(&impatient(), &url)).kind(), Kind::Timeout);
    assert!(start.elapsed() < Duration::from_secs(20));
    // Nor does it take the body.
    let endless = Pieces::new(1 << 20, 1 << 16);
    let given = endless.given.clone();
    let error = failure(impatient().send(request(Method::Put, &url, endless)));
    assert_eq!(error.kind(), Kind::Timeout);
    // What the two sockets hold, and a few parts.
    assert!(given.load(Ordering::SeqCst) < 64 << 20);
}

#[test]
fn a_body_that_stops_is_a_timeout_and_one_that_breaks_off_is_transient() {
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhi";
    let stops = server(move |mut stream| {
        head(&mut stream);
        answer(&mut stream, long);
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(30));
            drop(stream);
        });
    });
    assert_eq!(failure(fetch(&impatient(), &stops)).kind(), Kind::Timeout);
    let breaks_off = server(move |mut stream| {
        head(&mut stream);
        answer(&mut stream, long);
    });
    assert_eq!(
        failure(fetch(&impatient(), &breaks_off)).kind(),
        Kind::Transient
    );
    let breaks_off_chunked = server(|mut stream| {
        head(&mut stream);
        answer(
            &mut stream,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        );
    });
    let error = failure(fetch(&impatient(), &breaks_off_chunked));
    assert_eq!(error.kind(), Kind::Transient);
}

#[test]
fn a_connection_that_ends_before_the_answer_is_transient() {
    for said in ["", "HTTP/1.1 20", "220 mail.example ESMTP\r\n"] {
        let url = server(move |mut stream| {
            head(&mut stream);
            answer(&mut stream, said);
        });
        let error = failure(fetch(&client(), &url));
        assert_eq!(error.kind(), Kind::Transient, "{said:?}: {error:?}");
    }
}

#[test]
fn an_answer_that_is_slow_but_moves_is_waited_for() {
    let url = server(|mut stream| {
        head(&mut stream);
        answer(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n");
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(100));
            answer(&mut stream, "x");
        }
    });
    // Slower in all than what it waits for a byte.
    let options = HttpOptions::new().idle_timeout(Duration::from_millis(1500));
    let (_, body) = littoral::block_on(fetch(&HttpClient::with(options), &url)).unwrap();
    assert_eq!(body, "x".repeat(20));
}

#[test]
fn an_answer_before_the_body_was_sent_is_what_counts() {
    let refusal = "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 5\r\n\r\nlarge";
    // A server that closes at once, and one that takes a little of the body.
    for taken in [0, 200_000] {
        let url = server(move |mut stream| {
            head(&mut stream);
            let mut some = vec![0; taken];
            stream.read_exact(&mut some).unwrap();
            answer(&mut stream, refusal);
            let _ = stream.shutdown(Shutdown::Write);
            // A server that hangs up at once makes the network forget its answer.
            let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
            let mut rest = Vec::new();
            let _ = stream.take(1 << 20).read_to_end(&mut rest);
        });
        littoral::block_on(async {
            let body = Pieces::new(1 << 10, 1 << 16);
            let response = client()
                .send(request(Method::Put, &url, body))
                .await
                .unwrap();
            assert_eq!(response.status, 413);
            assert_eq!(response.body.collect(100).await.unwrap(), "large");
        });
    }
}

#[test]
fn a_body_that_was_handed_over_but_may_still_be_on_its_way_gives_the_answer_more_time() {
    let url = server(|mut stream| {
        head(&mut stream);
        // Longer than it may do nothing, not longer than that much may take.
        thread::sleep(Duration::from_millis(900));
        let mut body = vec![0; 1 << 19];
        stream.read_exact(&mut body).unwrap();
        answer(&mut stream, OK);
    });
    let options = HttpOptions::new().idle_timeout(Duration::from_millis(600));
    let client = HttpClient::with(options);
    // It fits in what the sockets hold.
    let put = client.send(request(Method::Put, &url, Pieces::new(8, 1 << 16)));
    assert_eq!(littoral::block_on(put).unwrap().status, 200);
}

/// What a server gets when the client gives up in the middle of a body.
fn given_up(len: Option<u64>, give_up: impl FnOnce(HttpClient, String, Pieces)) -> Vec<u8> {
    let (bodies, seen) = mpsc::channel();
    let url = server(move |mut stream| {
        head(&mut stream);
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        bodies.send(all).unwrap();
    });
    let mut body = Pieces::new(10, 1000);
    body.len = len;
    give_up(client(), url, body);
    seen.recv_timeout(Duration::from_secs(20)).unwrap()
}

#[test]
fn an_error_of_the_source_is_passed_on_and_the_remote_sees_no_end_of_the_body() {
    for len in [Some(10_000), None] {
        let seen = given_up(len, |client, url, mut body| {
            body.fails_at = Some(5);
            let error = failure(client.send(request(Method::Put, &url, body)));
            assert_eq!(error.kind(), Kind::Quota);
            assert_eq!(error.to_string(), "the source is dry");
        });
        assert!(!seen.ends_with(b"0\r\n\r\n"));
        assert!(seen.len() < 10_000);
    }
}

#[test]
fn a_dropped_request_closes_its_connection_and_the_remote_sees_no_end_of_the_body() {
    struct Stuck(Pieces);
    impl Body for Stuck {
        fn len(&self) -> Option<u64> {
            self.0.len
        }
        async fn next(&mut self) -> Result<Option<Bytes>> {
            if self.0.left == 5 {
                std::future::pending::<()>().await;
            }
            self.0.next().await
        }
    }
    for len in [Some(10_000), None] {
        let seen = given_up(len, |client, url, body| {
            littoral::block_on(async {
                let send = client.send(request(Method::Put, &url, Stuck(body)));
                let clock = littoral::SystemClock;
                let soon = littoral::core::port::Clock::sleep(&clock, Duration::from_millis(100));
                futures::future::select(std::pin::pin!(send), std::pin::pin!(soon)).await;
            });
        });
        assert!(!seen.ends_with(b"0\r\n\r\n"));
        assert!(seen.len() < 10_000);
    }
}

#[test]
fn a_source_that_is_not_as_long_as_it_said_is_refused() {
    let url = server(|mut stream| {
        head(&mut stream);
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
    });
    for len in [9_999, 10_001] {
        let mut body = Pieces::new(10, 1000);
        body.len = Some(len);
        let error = failure(client().send(request(Method::Put, &url, body)));
        assert_eq!(error.kind(), Kind::InvalidInput, "{len}: {error:?}");
    }
}

#[test]
fn what_is_no_url_or_no_header_is_invalid_input() {
    for url in [
        "",
        "nonsense",
        "/v1",
        "ftp://host/",
        "http://",
        "http:///x",
        "file:///etc",
        "http://a b/",
    ] {
        let error = failure(fetch(&client(), url));
        assert_eq!(error.kind(), Kind::InvalidInput, "{url:?}: {error:?}");
    }
    for header in [("a b", "c"), ("a", "b\r\nc: d"), ("", "")] {
        let mut request = request(Method::Get, "http://127.0.0.1:9/", Bytes::new());
        request.headers.push((header.0.into(), header.1.into()));
        assert_eq!(
            failure(client().send(request)).kind(),
            Kind::InvalidInput,
            "{header:?}"
        );
    }
}

#[test]
fn many_requests_at_once_share_one_client() {
    let url = server(|mut stream| {
        thread::spawn(move || {
            while !head(&mut stream).is_empty() {
                answer(&mut stream, OK);
            }
        });
    });
    let client = client();
    let fetched = littoral::block_on(futures::future::join_all(
        (0..100).map(|_| fetch(&client, &url)),
    ));
    assert!(fetched.into_iter().all(|result| result.unwrap().1 == "hi"));
}

#[test]
fn futures_of_a_request_can_be_spawned() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&client().send(request(Method::Get, "http://x/", Bytes::new())));
    is_send(&client().send(request(Method::Get, "http://x/", Pieces::new(1, 1))));
    is_send(&fetch(&client(), "http://x/"));
}

/// A server that speaks TLS with a certificate of its own; its URL and the certificate.
fn tls_server() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![made.cert.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let url = server(move |tcp| {
        let connection = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, tcp);
        let mut some = [0; 4096];
        // A client that does not trust us says so here.
        if stream.read(&mut some).is_ok() {
            stream.write_all(OK.as_bytes()).unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
    });
    (
        url.replace("http://127.0.0.1", "https://localhost"),
        made.cert.pem(),
    )
}

#[test]
fn tls_works_with_a_certificate_that_is_trusted_and_with_no_other() {
    let (url, certificate) = tls_server();
    let trusting = HttpOptions::new().trust(certificate.as_bytes()).unwrap();
    let (status, body) = littoral::block_on(fetch(&HttpClient::with(trusting), &url)).unwrap();
    assert_eq!((status, body.as_ref()), (200, &b"hi"[..]));

    let (other_url, _) = tls_server();
    let other = HttpOptions::new().trust(certificate.as_bytes()).unwrap();
    let error = failure(fetch(&HttpClient::with(other), &other_url));
    assert_eq!(error.kind(), Kind::Transient);
    assert!(error.to_string().contains("certificate"), "{error}");

    for pem in [
        &b""[..],
        b"hello",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    ] {
        let error = HttpOptions::new().trust(pem).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput);
    }
}
