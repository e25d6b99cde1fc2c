//! Any bytes on a connection to the server: an answer of the protocol, or the end of the connection.
//! Never a panic, never a 5xx that blames the server for what a client sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use littoral::{
    core::blob::MemoryBlobs,
    server::{ServerHandle, ServerOptions, listen, serve},
};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::LazyLock,
    time::Duration,
};

static SERVER: LazyLock<ServerHandle> = LazyLock::new(|| {
    let store = MemoryBlobs::new();
    let listener = listen("127.0.0.1:0").expect("a port on loopback");
    let options = ServerOptions::new().max_blob(1 << 20).workers(1);
    serve(listener, store.clone(), store, options).expect("a server")
});

fuzz_target!(|sent: &[u8]| {
    let mut stream = TcpStream::connect(SERVER.address()).expect("the server listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(8)))
        .expect("a timeout");
    // The server may hang up before it has read everything.
    let _ = stream.write_all(sent);
    let _ = stream.shutdown(Shutdown::Write);
    let mut got = Vec::new();
    match stream.read_to_end(&mut got) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("no answer and no end: {error}"),
    }
    if let Some(status) = got.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5)) {
        let ours = matches!(status, [b'2'..=b'4', ..] | b"501");
        let interim = status == b"100";
        assert!(ours || interim, "{}", String::from_utf8_lossy(&got));
    } else {
        assert!(got.is_empty(), "{}", String::from_utf8_lossy(&got));
    }
});
