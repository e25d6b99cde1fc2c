//! A request's body: limited, timed, hashed, drained.

use super::{
    reply::Failure,
    routes::{Served, Shared},
};
use crate::{
    core::{
        Error, Kind, Result,
        blob::{Hasher, Pointer},
        port,
    },
    http::next_piece,
};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::Response,
};
use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

/// Reads a whole body of at most `limit` bytes.
pub(super) async fn collect<S: Served>(
    shared: &Shared<S>,
    headers: &HeaderMap,
    mut body: Body,
    limit: u64,
) -> Result<Bytes, Failure> {
    check_length(headers, limit)?;
    let mut all = BytesMut::new();
    while let Some(piece) = next(&mut body, shared.idle).await? {
        if (all.len() + piece.len()) as u64 > limit {
            return Err(Failure::too_large(limit));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.freeze())
}

/// The length that a body says it has; 413 when it is over `limit`.
pub(super) fn check_length(headers: &HeaderMap, limit: u64) -> Result<Option<u64>, Failure> {
    let Some(value) = headers.get(header::CONTENT_LENGTH) else {
        return Ok(None);
    };
    match value
        .to_str()
        .ok()
        .and_then(|text| text.parse::<u64>().ok())
    {
        Some(length) if length > limit => Err(Failure::too_large(limit)),
        Some(length) => Ok(Some(length)),
        None => Err(Failure::bad("Content-Length is no number")),
    }
}

/// A blob on its way in: its end comes only if it is what its pointer says (where it has one yet), so a store that
/// takes it never keeps anything else.
pub(super) struct Upload {
    body: Body,
    idle: Duration,
    named: Option<(Pointer, Hasher)>,
    room: u64,
    over: Over,
}

/// Whether an upload went over its limit, for whoever gets the store's error to see.
#[derive(Clone, Default)]
pub(super) struct Over(Arc<AtomicBool>);

impl Over {
    pub(super) fn explain(&self, error: Error, limit: u64) -> Failure {
        if self.0.load(Ordering::SeqCst) {
            return Failure::too_large(limit);
        }
        match error.kind() {
            // The client's fault, not the store's.
            Kind::Timeout => Failure::with_status(StatusCode::REQUEST_TIMEOUT, error),
            _ => error.into(),
        }
    }
}

impl Upload {
    pub(super) fn new(body: Body, pointer: Pointer, limit: u64, idle: Duration) -> (Self, Over) {
        let (mut upload, over) = Self::unnamed(body, limit, idle);
        upload.named = Some((pointer, Hasher::new()));
        (upload, over)
    }

    pub(super) fn unnamed(body: Body, limit: u64, idle: Duration) -> (Self, Over) {
        let over = Over::default();
        let upload = Upload {
            body,
            idle,
            named: None,
            room: limit,
            over: over.clone(),
        };
        (upload, over)
    }
}

impl port::Body for Upload {
    fn len(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        match next_sent(&mut self.body, self.idle).await? {
            Some(piece) => {
                match self.room.checked_sub(piece.len() as u64) {
                    Some(room) => self.room = room,
                    None => {
                        self.over.0.store(true, Ordering::SeqCst);
                        let message = "the body is larger than what is allowed";
                        return Err(Error::new(Kind::InvalidInput, message));
                    }
                }
                if let Some((_, hasher)) = &mut self.named {
                    hasher.update(&piece);
                }
                Ok(Some(piece))
            }
            None => {
                if let Some((pointer, hasher)) = &self.named {
                    check_hash(hasher.clone().finish(), pointer)?;
                }
                Ok(None)
            }
        }
    }
}

/// `Corrupt` unless what arrived is what its name says.
pub(super) fn check_hash(arrived: Pointer, named: &Pointer) -> Result<()> {
    if arrived == *named {
        return Ok(());
    }
    let message = format!("the body is {arrived}, not {named}");
    Err(Error::new(Kind::Corrupt, message))
}

/// The next piece of what a client sends: one that breaks off, or is not encoded as it says, is the
/// client's fault, and no reason to try the same again.
async fn next_sent(body: &mut Body, idle: Duration) -> Result<Option<Bytes>> {
    next_piece(body, idle)
        .await
        .map_err(|error| match error.kind() {
            Kind::Transient => error.with_kind(Kind::InvalidInput),
            _ => error,
        })
}

async fn next(body: &mut Body, idle: Duration) -> Result<Option<Bytes>, Failure> {
    next_sent(body, idle)
        .await
        .map_err(|error| match error.kind() {
            Kind::Timeout => Failure::with_status(StatusCode::REQUEST_TIMEOUT, error),
            _ => error.into(),
        })
}

/// How long a body that nobody wants is read on, and how long it may stop meanwhile.
const DRAINING: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(2);

/// Goes on reading a body that was refused, beside the answer: a client that is cut off while it still sends may
/// never see why, and would try again for ever. Who stops sending when he has the answer ends it at once.
pub(super) async fn drain_what_is_left(request: Request, next: Next) -> Response {
    let left = Arc::new(Mutex::new(None));
    let slot = left.clone();
    let request = request.map(|body| {
        Body::new(Lent {
            body: Some(body),
            slot,
        })
    });
    let response = next.run(request).await;
    let left = left.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(body) = left {
        tokio::spawn(tokio::time::timeout(DRAINING, drain(body)));
    }
    response
}

async fn drain(mut body: Body) {
    while let Ok(Some(_)) = next_piece(&mut body, PAUSE).await {}
}

/// A body that is given back when it is dropped before its end.
struct Lent {
    body: Option<Body>,
    slot: Arc<Mutex<Option<Body>>>,
}

impl hyper::body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = &frame {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}
