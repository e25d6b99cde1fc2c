//! A network that cuts connections off at any byte: everything that was put arrives, and comes back.

use bytes::Bytes;
use littoral::{
    HttpClient, block_on,
    core::{
        blob::{BlobStore, EngineBlobs, EngineRoots, HttpBlobs, Pointer, RootStore},
        pair::Options,
    },
    open, open_pair,
    server::{ServerOptions, listen, serve},
};
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// A proxy in front of a server that passes on so many bytes of each connection, both ways together, and cuts it off.
struct Cutter {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
    /// Cuts no more.
    calm: Arc<AtomicBool>,
}

impl Cutter {
    fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cutter = Cutter {
            address: listener.local_addr().unwrap(),
            cuts: Arc::default(),
            calm: Arc::default(),
        };
        let (cuts, calm) = (cutter.cuts.clone(), cutter.calm.clone());
        thread::spawn(move || {
            let mut random = 0x9E37_79B9_7F4A_7C15_u64;
            for client in listener.incoming() {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                // From nothing to 2 MiB, more often little than much.
                let budget = match calm.load(Ordering::SeqCst) {
                    true => usize::MAX,
                    false => (random >> 20) as usize % (1 << (random % 22)),
                };
                let Ok(server) = TcpStream::connect(server) else {
                    return;
                };
                let line = Line {
                    client: Arc::new(client.unwrap()),
                    server: Arc::new(server),
                    left: Arc::new(AtomicUsize::new(budget)),
                    cuts: cuts.clone(),
                };
                line.pass_on();
            }
        });
        cutter
    }
}

#[derive(Clone)]
struct Line {
    client: Arc<TcpStream>,
    server: Arc<TcpStream>,
    left: Arc<AtomicUsize>,
    cuts: Arc<AtomicUsize>,
}

impl Line {
    fn pass_on(self) {
        let back = self.clone();
        thread::spawn(move || self.copy(&self.client, &self.server));
        thread::spawn(move || back.copy(&back.server, &back.client));
    }

    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut some = [0; 8192];
        while let Ok(count @ 1..) = from.read(&mut some) {
            let mut passed = 0;
            let spent = self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    passed = count.min(left);
                    Some(left - passed)
                });
            assert!(spent.is_ok());
            if to.write_all(&some[..passed]).is_err() {
                break;
            }
            if passed < count {
                self.cuts.fetch_add(1, Ordering::SeqCst);
                break;
            }
        }
        // It may be closed already, by the other direction.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

fn blob(number: usize) -> Bytes {
    // Mostly small ones; some that travel as chunks.
    let len = match number % 10 {
        0 => 3_000_000 + number,
        1 => 0,
        _ => 1000 * number + 1,
    };
    let mut state = number as u64;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn everything_that_was_put_arrives_and_comes_back_over_a_network_that_cuts_connections_off() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut options = Options::default();
    options.backoff.first = Duration::from_millis(5);
    options.backoff.longest = Duration::from_millis(100);
    block_on(async {
        let (remote, remote_driver) = open(path("remote")).await.unwrap();
        let blobs = EngineBlobs::new(remote.clone());
        let roots = EngineRoots::new(remote.clone());
        let listener = listen("127.0.0.1:0").unwrap();
        let server = serve(listener, blobs.clone(), roots.clone(), ServerOptions::new()).unwrap();
        let network = Cutter::before(server.address());
        let url = format!("http://{}", network.address);
        let slow = HttpBlobs::new(HttpClient::new(), &url).unwrap();

        let (pair, driver) = open_pair(path("one"), slow.clone(), options.clone())
            .await
            .unwrap();
        let mut put = Vec::new();
        for number in 0..60 {
            put.push(pair.put(blob(number)).await.unwrap().pointer());
        }
        pair.move_root("main", None, Some(put[0])).await.unwrap();
        // The worst of networks comes to rest at some time.
        let patience =
            littoral::core::port::Clock::sleep(&littoral::SystemClock, Duration::from_secs(5));
        let _ = pair.sync(patience).await;
        network.calm.store(true, Ordering::SeqCst);
        pair.sync(std::future::pending()).await.unwrap();
        assert!(network.cuts.load(Ordering::SeqCst) > 10);
        for (number, pointer) in put.iter().enumerate() {
            assert!(
                blobs.get(pointer).await.unwrap() == blob(number),
                "{number}"
            );
        }
        assert_eq!(roots.root("main").await.unwrap(), Some(put[0]));
        pair.close(Duration::from_secs(10)).await.unwrap();
        driver.stop().unwrap();

        // Another machine, and the network as bad again: what comes is right, or does not come.
        network.calm.store(false, Ordering::SeqCst);
        let (pair, driver) = open_pair(path("other"), slow, options).await.unwrap();
        for (number, pointer) in put.iter().enumerate() {
            let mut tries = 0;
            let got = loop {
                match pair.get(pointer).await {
                    Ok(got) => break got,
                    Err(error) => {
                        let passing = [
                            littoral::core::Kind::Transient,
                            littoral::core::Kind::Timeout,
                        ];
                        assert!(passing.contains(&error.kind()), "{error:?}");
                        tries += 1;
                        network.calm.store(tries > 50, Ordering::SeqCst);
                    }
                }
            };
            assert!(got == blob(number), "{number}");
            assert_eq!(Pointer::of(&got), *pointer);
        }
        pair.close(Duration::from_secs(10)).await.unwrap();
        driver.stop().unwrap();
        server.shutdown().await.unwrap();
        remote.close().await.unwrap();
        remote_driver.stop().unwrap();
    });
}
