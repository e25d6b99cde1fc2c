//! Starting, ending, and the stores behind.

use crate::{client::*, made::*};
use bytes::Bytes;
use littoral::{
    FileVolume, HttpClient, OsEntropy,
    core::{
        Kind,
        blob::{EngineBlobs, EngineRoots, Pointer},
        engine::{Options, Store},
        port::{Body, Clock, Method},
    },
    server::{listen, serve},
};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

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
