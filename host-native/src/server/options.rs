use super::documents::Document;
use crate::{FileVolume, SystemClock, core::doc::Documents};
use std::{fmt, time::Duration};

/// What a server allows.
#[derive(Clone)]
pub struct ServerOptions {
    pub(super) token: Option<String>,
    pub(super) origins: Origins,
    pub(super) max_blob: u64,
    pub(super) max_connections: usize,
    pub(super) idle: Duration,
    pub(super) grace: Duration,
    pub(super) workers: usize,
    pub(super) documents: Option<Document>,
}

/// The web pages that may use a server from a browser (CORS).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// Pages of any origin. What protects the data is the token, never a cookie.
    Any,
    /// Pages of these origins, such as `https://app.example`.
    Only(Vec<String>),
    /// No page but those that the same server gives.
    None,
}

impl ServerOptions {
    /// No token, any origin, blobs of up to 1 TiB, 1,024 connections, 60 s without a byte from a client, 10 s to finish
    /// requests at shutdown, 16 threads for the store.
    pub fn new() -> Self {
        ServerOptions {
            token: None,
            origins: Origins::Any,
            max_blob: 1 << 40,
            max_connections: 1024,
            idle: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            workers: 16,
            documents: None,
        }
    }

    /// Asks for `Authorization: Bearer` with this token on everything but `/healthz`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Which web pages may use it.
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Bytes that a blob may have; a larger one gets 413.
    pub fn max_blob(mut self, bytes: u64) -> Self {
        self.max_blob = bytes;
        self
    }

    /// Connections that are served at once (at least 1); the next ones wait in the system's queue.
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count.max(1);
        self
    }

    /// How long a client may send nothing in the middle of a request.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle = timeout;
        self
    }

    /// How long requests may go on after [`shutdown`](super::ServerHandle::shutdown) was called.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Serves this document as well, below `/v1/doc`, so that several processes can read, change and watch it, and take part in its transactions.
    pub fn documents(mut self, documents: Documents<FileVolume, SystemClock>) -> Self {
        self.documents = Some(documents);
        self
    }

    /// Threads for the store's work (at least 1). It waits for the disk on them.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = count.max(1);
        self
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("token", &self.token.as_ref().map(|_| "..."))
            .field("origins", &self.origins)
            .field("max_blob", &self.max_blob)
            .field("max_connections", &self.max_connections)
            .field("idle", &self.idle)
            .field("grace", &self.grace)
            .field("workers", &self.workers)
            .field("documents", &self.documents.is_some())
            .finish()
    }
}
