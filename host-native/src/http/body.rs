//! Bodies on their way out and in.

use crate::{
    core::{Error, Kind, Result, port::Body},
    net,
};
use bytes::Bytes;
use futures::{
    Stream,
    channel::mpsc,
    future::{Either, select},
};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use std::{
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

/// A request's body as hyper takes it: at most one part waits in the channel.
pub(super) struct Outgoing {
    parts: mpsc::Receiver<Part>,
    left: Option<u64>,
}

/// Where a request's body is put in. Dropped before the end was said, it aborts the request, so
/// that a body that was given up is never taken for a short one.
pub(super) type Inlet = mpsc::Sender<Part>;

pub(super) enum Part {
    Bytes(Bytes),
    End,
}

impl Outgoing {
    /// A body of `len` bytes, or of unknown length.
    pub(super) fn new(len: Option<u64>) -> (Inlet, Self) {
        let (inlet, parts) = mpsc::channel(0);
        (inlet, Outgoing { parts, left: len })
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        Poll::Ready(match ready!(Pin::new(&mut self.parts).poll_next(context)) {
            Some(Part::Bytes(bytes)) => {
                if let Some(left) = &mut self.left {
                    *left = left.saturating_sub(bytes.len() as u64);
                }
                Some(Ok(Frame::data(bytes)))
            }
            Some(Part::End) => None,
            None => Some(Err(Error::new(Kind::Closed, "the request was given up"))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::new(),
        }
    }
}

/// An answer's body as it arrives. Dropped before its end, it closes the connection.
pub struct HttpBody {
    incoming: Incoming,
    idle: Duration,
    /// An answer may come before the request's body was sent: as long as this is kept, hyper waits for
    /// more of the body instead of failing the connection.
    _inlet: Inlet,
    over: bool,
}

impl HttpBody {
    pub(super) fn new(incoming: Incoming, idle: Duration, inlet: Inlet) -> Self {
        HttpBody {
            incoming,
            idle,
            _inlet: inlet,
            over: false,
        }
    }
}

impl Body for HttpBody {
    fn len(&self) -> Option<u64> {
        hyper::body::Body::size_hint(&self.incoming).exact()
    }

    /// # Errors
    /// `Transient` when the connection was lost before the body's end, `Timeout` when nothing came for too long.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.over {
            return Ok(None);
        }
        let piece = next_piece(&mut self.incoming, self.idle).await;
        self.over = !matches!(piece, Ok(Some(_)));
        piece
    }
}

/// The next bytes of a body that comes over the network: the answer here, the request in the server.
///
/// # Errors
/// `Transient` when the connection was lost before the body's end, `Timeout` when nothing came for `idle`.
pub(crate) async fn next_piece<B>(body: &mut B, idle: Duration) -> Result<Option<Bytes>>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    loop {
        match select(body.frame(), pin!(net::timer(idle)?)).await {
            Either::Left((None, _)) => return Ok(None),
            Either::Left((Some(Ok(frame)), _)) => match frame.into_data() {
                Ok(bytes) if !bytes.is_empty() => return Ok(Some(bytes)),
                // Trailers, or nothing.
                Ok(_) | Err(_) => {}
            },
            Either::Left((Some(Err(error)), _)) => {
                let message = format!("the connection was lost before the body's end: {error}");
                return Err(Error::new(Kind::Transient, message).with_source(error));
            }
            Either::Right(((), _)) => {
                let message = format!("the body stopped for {idle:?} before its end");
                return Err(Error::new(Kind::Timeout, message));
            }
        }
    }
}

impl std::fmt::Debug for HttpBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpBody")
            .field("len", &self.len())
            .finish()
    }
}
