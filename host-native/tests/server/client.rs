//! A client that hides nothing, and servers to ask.

use bytes::Bytes;
use littoral::{
    DirectoryBlobs, HttpBody, HttpClient, OsEntropy,
    core::{
        Result,
        blob::{EngineBlobs, EngineRoots, Pointer},
        engine::{Options, Store},
        port::{Body, Http, MemoryVolume, Method, Request, Response},
    },
    server::{ServerHandle, ServerOptions, listen, serve},
};
use serde_json::Value;
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Its status, and the kind in its JSON.
    pub fn failure(&self) -> (u16, String) {
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
pub struct Client {
    pub http: HttpClient,
    pub url: String,
    pub headers: Vec<(String, String)>,
}

impl Client {
    pub fn new(server: &ServerHandle) -> Self {
        Client {
            http: HttpClient::new(),
            url: server.url(),
            headers: Vec::new(),
        }
    }

    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.push((name.into(), value.into()));
        Client {
            http: self.http.clone(),
            url: self.url.clone(),
            headers,
        }
    }

    pub async fn begin<B: Body>(
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

    pub fn ask<B: Body>(&self, method: Method, path: &str, body: B) -> Answer {
        littoral::block_on(async {
            let response = self.begin(method, path, body).await.unwrap();
            Answer {
                status: response.status,
                headers: response.headers,
                body: response.body.collect(64 << 20).await.unwrap(),
            }
        })
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask(Method::Get, path, Bytes::new())
    }

    pub fn put_blob(&self, bytes: &[u8]) -> (Pointer, Answer) {
        let pointer = Pointer::of(bytes);
        let bytes = Bytes::copy_from_slice(bytes);
        (pointer, self.ask(Method::Put, &blob(&pointer), bytes))
    }
}

pub fn blob(pointer: &Pointer) -> String {
    format!("/v1/blobs/{pointer}")
}

pub fn options() -> ServerOptions {
    ServerOptions::new().workers(4)
}

/// A server over a directory that goes away with it.
pub fn directory(options: ServerOptions) -> (ServerHandle, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryBlobs::open(directory.path()).unwrap();
    let listener = listen("127.0.0.1:0").unwrap();
    let server = serve(listener, store.clone(), store, options).unwrap();
    (server, directory)
}

/// A server over the engine in memory.
pub fn engine(options: ServerOptions) -> ServerHandle {
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
pub fn bytes(seed: u8, len: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// One request as raw bytes, and all that comes back.
pub fn raw(server: &ServerHandle, request: &[u8]) -> String {
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
