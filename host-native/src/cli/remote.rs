//! The slow side of the command line's pair: a server, or nobody.

use super::{
    args::{Global, Token},
    exit::Failure,
};
use bytes::Bytes;
use littoral::{
    HttpClient, HttpOptions,
    core::{
        Error, Kind, Result,
        blob::{BlobStore, Capabilities, ChunkList, HttpBlobs, Listed, Pointer, RootStore, Stat},
        port::Body,
    },
};
use std::{ops::Range, time::Duration};

/// A remote that was named, or the lack of one. Who looks for a blob there finds none, so that what is here is all there is;
/// what would be remembered of a remote (where its roots are, what it was given) is an error, so that
/// nothing wrong is; changes wait in the queue until there is one.
#[derive(Clone)]
pub enum Slow {
    Server(Box<HttpBlobs<HttpClient>>),
    Nobody,
}

/// The remote that the user named, if any. Nothing is connected yet.
pub fn connect(global: &Global) -> Result<Slow, Failure> {
    let Some(url) = &global.remote else {
        return Ok(Slow::Nobody);
    };
    let token = global.token.as_ref().map(Token::secret);
    Ok(server(url, token, global.patience())?)
}

/// The server at `url`.
///
/// # Errors
/// `InvalidInput` for a URL that is none; it, unlike the token, is named in the message.
pub fn server(url: &str, token: Option<&str>, patience: Duration) -> Result<Slow> {
    let options = HttpOptions::new()
        .connect_timeout(patience.min(Duration::from_secs(10)))
        .idle_timeout(patience);
    let mut server = HttpBlobs::new(HttpClient::with(options), url)?;
    if let Some(token) = token {
        server = server.with_token(token)?;
    }
    Ok(Slow::Server(Box::new(server)))
}

fn nobody() -> Error {
    Error::new(
        Kind::Transient,
        "no remote was named: give --remote URL, or set LITTORAL_REMOTE",
    )
}

fn missing(pointer: &Pointer) -> Error {
    Error::new(Kind::NotFound, format!("there is no blob {pointer}"))
}

/// Asks the server, if there is one; who is nobody has `nothing`.
macro_rules! ask {
    ($self:ident, $nothing:expr, $server:ident => $call:expr) => {
        match $self {
            Slow::Server($server) => $call.await,
            Slow::Nobody => $nothing,
        }
    };
}

impl BlobStore for Slow {
    fn capabilities(&self) -> Capabilities {
        match self {
            Slow::Server(server) => server.capabilities(),
            Slow::Nobody => Capabilities::new(),
        }
    }

    fn moved(&self) -> u64 {
        match self {
            Slow::Server(server) => server.moved(),
            Slow::Nobody => 0,
        }
    }

    async fn put(&self, bytes: Bytes) -> Result<Pointer> {
        ask!(self, Err(nobody()), server => server.put(bytes))
    }

    async fn put_stream<B: Body>(&self, body: B) -> Result<Pointer> {
        ask!(self, Err(nobody()), server => server.put_stream(body))
    }

    async fn get(&self, pointer: &Pointer) -> Result<Bytes> {
        ask!(self, Err(missing(pointer)), server => server.get(pointer))
    }

    async fn get_range(&self, pointer: &Pointer, range: Range<u64>) -> Result<Bytes> {
        ask!(self, Err(missing(pointer)), server => server.get_range(pointer, range))
    }

    async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
        ask!(self, Ok(None), server => server.stat(pointer))
    }

    async fn has(&self, pointers: &[Pointer]) -> Result<Vec<bool>> {
        ask!(self, Err(nobody()), server => server.has(pointers))
    }

    async fn delete(&self, pointer: &Pointer) -> Result<bool> {
        ask!(self, Err(nobody()), server => server.delete(pointer))
    }

    async fn list(&self, after: Option<Pointer>, limit: usize) -> Result<Vec<Listed>> {
        ask!(self, Ok(Vec::new()), server => server.list(after, limit))
    }

    async fn chunks(&self, pointer: &Pointer) -> Result<Option<ChunkList>> {
        ask!(self, Ok(None), server => server.chunks(pointer))
    }

    async fn has_chunks(&self, chunks: &[Pointer]) -> Result<Vec<bool>> {
        ask!(self, Err(nobody()), server => server.has_chunks(chunks))
    }

    async fn put_chunk(&self, bytes: Bytes) -> Result<Pointer> {
        ask!(self, Err(nobody()), server => server.put_chunk(bytes))
    }

    async fn get_chunk(&self, chunk: &Pointer) -> Result<Bytes> {
        ask!(self, Err(missing(chunk)), server => server.get_chunk(chunk))
    }

    async fn put_list(&self, pointer: &Pointer, list: ChunkList) -> Result<()> {
        ask!(self, Err(nobody()), server => server.put_list(pointer, list))
    }
}

impl RootStore for Slow {
    async fn root(&self, name: &str) -> Result<Option<Pointer>> {
        ask!(self, Err(nobody()), server => server.root(name))
    }

    async fn move_root(
        &self,
        name: &str,
        from: Option<Pointer>,
        to: Option<Pointer>,
    ) -> Result<()> {
        ask!(self, Err(nobody()), server => server.move_root(name, from, to))
    }

    async fn roots(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Pointer)>> {
        ask!(self, Ok(Vec::new()), server => server.roots(after, limit))
    }
}
