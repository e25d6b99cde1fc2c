//! Connections, TLS, options.

use super::{body::Outgoing, exchange};
use crate::{
    core::{
        Error, Kind, Result,
        port::{Body, Http, Request, Response},
    },
    net::OnReactor,
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioTimer,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// An HTTP/1.1 client that keeps its connections. Clones share them.
///
/// Usable from any executor and inside [`block_on`](crate::block_on): the caller's task moves the request's body and
/// awaits the answer, one background thread serves the sockets. Memory in flight is a few pieces per request.
/// TLS is rustls and trusts what the system trusts. Proxies are not looked for.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    options: HttpOptions,
    plain: Client<HttpConnector, Outgoing>,
    /// Made at the first `https:` request, for reading the system's certificates takes milliseconds.
    tls: OnceLock<Client<HttpsConnector<HttpConnector>, Outgoing>>,
}

/// What a client waits for, and whom it trusts.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    pub(super) connect: Duration,
    pub(super) idle: Duration,
    roots: Vec<CertificateDer<'static>>,
}

impl HttpOptions {
    /// 10 s to connect, 60 s without a byte in either direction.
    pub fn new() -> Self {
        HttpOptions {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            roots: Vec::new(),
        }
    }

    /// How long a connection may take to be made (each of the host's addresses gets a share of it).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect = timeout;
        self
    }

    /// How long the remote may do nothing: take no byte of the request, send no byte of the answer.
    /// A transfer that moves may take for ever. The answer to a body may take up to five times as long, for the
    /// last MiB may still be on its way when all was handed over.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle = timeout;
        self
    }

    /// Trusts these certificates (PEM) beside those of the system, such as a company's own.
    ///
    /// # Errors
    /// `InvalidInput` when there is none in `pem`.
    pub fn trust(mut self, pem: &[u8]) -> Result<Self> {
        let before = self.roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            self.roots.push(certificate.map_err(|error| {
                Error::new(Kind::InvalidInput, format!("not a certificate: {error}"))
            })?);
        }
        if self.roots.len() == before {
            let message = "no certificate in the PEM text";
            return Err(Error::new(Kind::InvalidInput, message));
        }
        Ok(self)
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpClient {
    /// A client with the default options. Nothing is connected yet.
    pub fn new() -> Self {
        Self::with(HttpOptions::new())
    }

    /// A client with these options.
    pub fn with(options: HttpOptions) -> Self {
        HttpClient(Arc::new(Inner {
            plain: pool().build(connector(&options)),
            tls: OnceLock::new(),
            options,
        }))
    }

    /// Begins a request on a kept or new connection.
    pub(super) fn begin(
        &self,
        request: hyper::Request<Outgoing>,
    ) -> Result<hyper_util::client::legacy::ResponseFuture> {
        match request.uri().scheme_str() {
            Some("https") => Ok(self.tls()?.request(request)),
            _ => Ok(self.0.plain.request(request)),
        }
    }

    fn tls(&self) -> Result<&Client<HttpsConnector<HttpConnector>, Outgoing>> {
        if let Some(client) = self.0.tls.get() {
            return Ok(client);
        }
        let config = tls_config(&self.0.options)?;
        let mut tcp = connector(&self.0.options);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(self.0.tls.get_or_init(|| pool().build(connector)))
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpClient").field(&self.0.options).finish()
    }
}

impl Http for HttpClient {
    type Body = super::HttpBody;

    /// If the future is dropped, the request is given up and its connection closed.
    async fn send<B: Body>(&self, request: Request<B>) -> Result<Response<super::HttpBody>> {
        exchange::send(self, &self.0.options, request).await
    }
}

fn pool() -> hyper_util::client::legacy::Builder {
    let mut pool = Client::builder(OnReactor);
    pool.pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(32);
    pool
}

/// Bytes that a socket takes before the remote does.
const SEND_BUFFER: usize = 256 << 10;

fn connector(options: &HttpOptions) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(options.connect));
    connector.set_nodelay(true);
    // What is in the socket is not seen to move.
    connector.set_send_buffer_size(Some(SEND_BUFFER));
    connector.set_keepalive(Some(Duration::from_secs(60)));
    connector
}

fn tls_config(options: &HttpOptions) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // A certificate of the system that rustls cannot read is not trusted; the others are.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in &options.roots {
        roots.add(certificate.clone()).map_err(|error| {
            Error::new(Kind::InvalidInput, "a certificate to trust cannot be used")
                .with_source(error)
        })?;
    }
    if roots.is_empty() {
        let message = "the system has no root certificates, so no https: remote can be trusted";
        return Err(Error::new(Kind::InvalidInput, message));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            Error::new(Kind::NotImplemented, "TLS cannot be set up").with_source(error)
        })?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
