//! Connections, and the end of them.

use super::{
    ServerOptions, routes,
    workers::{Threads, Workers},
};
use crate::{
    core::{
        Error, Kind, Result,
        blob::{BlobStore, RootStore},
    },
    net,
};
use axum::Router;
use futures::{
    channel::oneshot,
    future::{Either, select},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::{
    runtime::Runtime,
    sync::{Semaphore, watch},
};

/// A client keeps an idle connection for 30 s: longer than that, so that it is never the server
/// that closes one just as a request comes.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// A listener at `address`, such as `127.0.0.1:8080`; port 0 lets the system choose.
///
/// # Errors
/// `Busy` when another program listens there, `InvalidInput` for an address that is none.
pub fn listen(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::AddrInUse => Kind::Busy,
            io::ErrorKind::InvalidInput | io::ErrorKind::AddrNotAvailable => Kind::InvalidInput,
            _ => Error::from(io::Error::from(error.kind())).kind(),
        };
        Error::from(error)
            .with_kind(kind)
            .context(format_args!("cannot listen on {address}"))
    })
}

/// Serves `blobs` and `roots` on `listener`, on threads of its own, until the handle is dropped or shut down.
///
/// Any store will do. Blobs and roots are two, for they may be kept in two places; a store that is both is given twice.
/// Background work of the store, such as [`spawn_driver`](crate::spawn_driver), is the caller's.
///
/// # Errors
/// `InvalidInput` for a token or origin that cannot stand in a header, `Transient` when the system gives no thread.
pub fn serve<B, R>(
    listener: TcpListener,
    blobs: B,
    roots: R,
    options: ServerOptions,
) -> Result<ServerHandle>
where
    B: BlobStore + Send + Sync + 'static,
    R: RootStore + Send + Sync + 'static,
{
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let (workers, threads) = Workers::start((blobs, roots), options.workers)?;
    let (ending, told) = watch::channel(false);
    let router = routes::router(workers, &options, told)?;
    let (stop, stopped) = oneshot::channel();
    let (ended, end) = oneshot::channel();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime
        .worker_threads(thread::available_parallelism().map_or(2, |count| count.get().min(4)))
        .thread_name("littoral-serve");
    let server = Server {
        router,
        threads,
        options,
        ending,
        stop: stopped,
        ended,
    };
    let started = net::start(
        "littoral-server",
        runtime,
        || tokio::net::TcpListener::from_std(listener),
        |runtime, listener| server.run(runtime, listener),
    )?;
    Ok(ServerHandle {
        address,
        stop: Some(stop),
        end,
        thread: Some(started.thread),
    })
}

/// A server that runs. Dropping it ends it at once: requests under way are cut off.
#[derive(Debug)]
#[must_use = "dropping the handle ends the server"]
pub struct ServerHandle {
    address: SocketAddr,
    stop: Option<oneshot::Sender<Stop>>,
    end: oneshot::Receiver<()>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
enum Stop {
    Gracefully,
}

impl ServerHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that clients on this machine take, without a slash at the end.
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("http://{address}")
    }

    /// Takes no new connection, lets requests under way finish (for as long as [`ServerOptions::grace`]), and lets go of the
    /// store. If the future is dropped, the server ends at once.
    ///
    /// # Errors
    /// `Poisoned` when the server had panicked.
    pub async fn shutdown(mut self) -> Result<()> {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(Stop::Gracefully);
        }
        let ended = (&mut self.end).await;
        ended.map_err(|_| Error::new(Kind::Poisoned, "the server had panicked"))
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.end.close();
        if let Some(thread) = self.thread.take() {
            // A panic in it was printed there.
            let _ = thread.join();
        }
    }
}

/// What the server's own thread has.
struct Server {
    router: Router,
    threads: Threads,
    options: ServerOptions,
    /// Sends home who waits for others.
    ending: watch::Sender<bool>,
    stop: oneshot::Receiver<Stop>,
    ended: oneshot::Sender<()>,
}

impl Server {
    /// From start to end.
    fn run(mut self, runtime: Runtime, listener: tokio::net::TcpListener) {
        let connections = GracefulShutdown::new();
        runtime.block_on(async {
            let how = {
                let accept = pin!(accept(listener, &self.router, &connections, &self.options));
                match select(accept, &mut self.stop).await {
                    Either::Left(((), _)) => return,
                    Either::Right((how, _)) => how,
                }
            };
            if let Ok(Stop::Gracefully) = how {
                self.ending.send_replace(true);
                // Who has not finished in time is cut off; or at once, when nobody waits for the end any more.
                let finished = tokio::time::timeout(self.options.grace, connections.shutdown());
                select(pin!(finished), self.ended.cancellation()).await;
            }
        });
        // With its last task goes the last user of the workers.
        drop(self.router);
        runtime.shutdown_timeout(Duration::from_secs(1));
        self.threads.join();
        // The handle may be gone.
        let _ = self.ended.send(());
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    router: &Router,
    connections: &GracefulShutdown,
    options: &ServerOptions,
) {
    let room = Arc::new(Semaphore::new(options.max_connections));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // The peer has gone already, or there are no descriptors left for a while.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        // Without it answers are only slower.
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(
                TokioIo::new(stream),
                TowerToHyperService::new(router.clone()),
            );
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            // A connection that broke is the client's loss; it will ask again.
            let _ = connection.await;
            drop(permit);
        });
    }
}
