//! A remote that is broken, or is no remote at all: the blobs' client over real sockets.

use bytes::Bytes;
use littoral::{
    HttpClient, HttpOptions, block_on,
    core::{
        Error, Kind, Result,
        blob::{BlobStore, HttpBlobs, Pointer, RootStore},
    },
};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// A remote that answers everything with `answer` and hangs up, or keeps silent without one.
fn remote(answer: Option<&'static str>) -> HttpBlobs<HttpClient> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || converse(stream.unwrap(), answer));
        }
    });
    let options = HttpOptions::new().idle_timeout(Duration::from_millis(500));
    HttpBlobs::new(HttpClient::with(options), &url).unwrap()
}

fn converse(mut stream: TcpStream, answer: Option<&str>) {
    let mut request = Vec::new();
    let mut some = [0; 4096];
    // Requests are small here: a head, and at most some JSON or a few bytes behind it.
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut some) {
            Ok(count @ 1..) => request.extend_from_slice(&some[..count]),
            _ => return,
        }
    }
    match answer {
        Some(answer) => {
            // The client may have gone.
            let _ = stream.write_all(answer.as_bytes());
        }
        None => thread::sleep(Duration::from_secs(30)),
    }
}

fn kind<T>(result: Result<T>) -> Kind {
    result
        .err()
        .as_ref()
        .map(Error::kind)
        .expect("this should have failed")
}

/// What reading and writing say, in all the ways that there are.
fn reads(remote: &HttpBlobs<HttpClient>) -> Vec<(&'static str, Kind)> {
    let pointer = Pointer::of(b"tide");
    block_on(async {
        vec![
            ("get", kind(remote.get(&pointer).await)),
            ("get_range", kind(remote.get_range(&pointer, 0..2).await)),
            ("stat", kind(remote.stat(&pointer).await)),
            ("has", kind(remote.has(&[pointer]).await)),
            ("list", kind(remote.list(None, 10).await)),
            ("chunks", kind(remote.chunks(&pointer).await)),
            ("root", kind(remote.root("main").await)),
            ("roots", kind(remote.roots(None, 10).await)),
        ]
    })
}

fn writes(remote: &HttpBlobs<HttpClient>) -> Vec<(&'static str, Kind)> {
    let pointer = Pointer::of(b"tide");
    let tide = || Bytes::from_static(b"tide");
    block_on(async {
        vec![
            ("put", kind(remote.put(tide()).await)),
            ("put_stream", kind(remote.put_stream(tide()).await)),
            ("put_chunk", kind(remote.put_chunk(tide()).await)),
            ("delete", kind(remote.delete(&pointer).await)),
            (
                "move_root",
                kind(remote.move_root("main", None, Some(pointer)).await),
            ),
        ]
    })
}

fn all_say(said: Vec<(&'static str, Kind)>, expected: Kind) {
    for (call, kind) in said {
        assert_eq!(kind, expected, "{call}");
    }
}

#[test]
fn a_remote_that_never_answers_is_a_timeout() {
    let remote = remote(None);
    all_say(reads(&remote), Kind::Timeout);
    all_say(writes(&remote), Kind::Timeout);
}

#[test]
fn a_success_of_another_server_is_transient_and_never_data() {
    let bytes = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nebb!";
    all_say(reads(&remote(Some(bytes))), Kind::Transient);
    all_say(writes(&remote(Some(bytes))), Kind::Transient);
    let page = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\n\
                Content-Length: 28\r\n\r\n<html>Please log in.</html>\n";
    all_say(reads(&remote(Some(page))), Kind::Transient);
    all_say(writes(&remote(Some(page))), Kind::Transient);
    let of_no_length = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>";
    all_say(reads(&remote(Some(of_no_length))), Kind::Transient);
}

#[test]
fn a_404_of_another_server_is_transient_and_never_not_there() {
    let page = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Type: text/html\r\n\
                Content-Length: 6\r\n\r\n<html>";
    all_say(reads(&remote(Some(page))), Kind::Transient);
    all_say(writes(&remote(Some(page))), Kind::Transient);
    let json = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Type: application/json\r\n\
                Content-Length: 17\r\n\r\n{\"detail\":\"none\"}";
    all_say(reads(&remote(Some(json))), Kind::Transient);
    all_say(writes(&remote(Some(json))), Kind::Transient);
}

#[test]
fn a_proxy_in_trouble_is_transient_whatever_it_says() {
    let page = "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Type: text/html\r\n\
                Content-Length: 6\r\n\r\n<html>";
    all_say(reads(&remote(Some(page))), Kind::Transient);
    all_say(writes(&remote(Some(page))), Kind::Transient);
    let away =
        "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n";
    all_say(reads(&remote(Some(away))), Kind::Transient);
    all_say(writes(&remote(Some(away))), Kind::Transient);
}

#[test]
fn a_connection_that_breaks_off_is_transient_wherever_it_does() {
    for broken in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{\"blobs\":[",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntide\r\n",
    ] {
        let remote = remote(Some(broken));
        all_say(reads(&remote), Kind::Transient);
    }
    for broken in ["", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Le"] {
        all_say(writes(&remote(Some(broken))), Kind::Transient);
    }
}
