//! One request and its answer.

use super::{
    HttpBody, HttpClient, HttpOptions,
    body::{Inlet, Outgoing, Part},
};
use crate::{
    core::{
        Error, Kind, Result,
        port::{Body, Method, Request, Response},
    },
    net::{self, InReactor},
};
use futures::{
    SinkExt,
    future::{Either, select},
};
use hyper::{
    HeaderMap, Uri,
    header::{CONTENT_LENGTH, HeaderName, HeaderValue, USER_AGENT},
};
use hyper_util::client::legacy;
use std::{io, pin::pin, time::Duration};

/// A piece is sent in parts of this size, so that a slow line is seen to move.
const PART_SIZE: usize = 64 << 10;

/// For each of these bytes, up to [`UNSEEN`], the answer may take as long again: they may still be on their way
/// when all was handed over, and on a slow line that other requests share that takes time.
const STEP: u64 = 256 << 10;
/// What the socket and hyper hold, at most.
const UNSEEN: u64 = 1 << 20;

type Answer = Result<hyper::Response<hyper::body::Incoming>, legacy::Error>;

pub(super) async fn send<B: Body>(
    client: &HttpClient,
    options: &HttpOptions,
    request: Request<B>,
) -> Result<Response<HttpBody>> {
    let idle = options.idle;
    let mut source = request.body;
    let (mut inlet, outgoing) = Outgoing::new(source.len());
    let head = head(request.method, request.url, request.headers, outgoing)?;
    let answer = {
        let _context = net::reactor()?.enter();
        client.begin(head)?
    };
    let mut answer = pin!(InReactor::new(answer)?);
    let mut left = source.len();
    let mut sent = 0_u64;

    // Send, until all is sent or the answer is there.
    let early: Option<Answer> = 'sending: loop {
        let piece = match select(answer.as_mut(), pin!(source.next())).await {
            Either::Left((answer, _)) => break Some(answer),
            Either::Right((piece, _)) => piece?,
        };
        let Some(mut piece) = piece else {
            if left.is_some_and(|left| left > 0) {
                return Err(wrong_length("less"));
            }
            // Where the length is known, hyper may be gone already; the answer is on its way.
            let _ = inlet.try_send(Part::End);
            break None;
        };
        count(&mut left, piece.len())?;
        sent = sent.saturating_add(piece.len() as u64);
        while !piece.is_empty() {
            let part = Part::Bytes(piece.split_to(piece.len().min(PART_SIZE)));
            match select(answer.as_mut(), pin!(hand_over(&mut inlet, part, idle))).await {
                Either::Left((answer, _)) => break 'sending Some(answer),
                Either::Right((Ok(true), _)) => {}
                // The connection takes no more: the answer tells why.
                Either::Right((Ok(false), _)) => break 'sending None,
                Either::Right((Err(error), _)) => return Err(error),
            }
        }
    };
    let answer = match early {
        Some(answer) => answer,
        None => {
            let patience = idle.saturating_mul(1 + (sent.min(UNSEEN) / STEP) as u32);
            match select(answer, pin!(net::timer(patience)?)).await {
                Either::Left((answer, _)) => answer,
                Either::Right(((), _)) => return Err(no_answer(patience)),
            }
        }
    };
    match answer {
        Ok(answer) => Ok(received(answer, idle, inlet)),
        Err(error) => Err(failed(error)),
    }
}

/// Gives hyper the next part of the body; whether it still wants any.
async fn hand_over(inlet: &mut Inlet, part: Part, idle: Duration) -> Result<bool> {
    let sending = pin!(async {
        // Flushing waits until the part was taken, so that only one is on its way.
        inlet.send(part).await
    });
    match select(sending, pin!(net::timer(idle)?)).await {
        Either::Left((sent, _)) => Ok(sent.is_ok()),
        Either::Right(((), _)) => Err(no_answer(idle)),
    }
}

fn head(
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Outgoing,
) -> Result<hyper::Request<Outgoing>> {
    let uri: Uri = url.parse().map_err(|error| bad(&url, error))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(bad(&url, "an http: or https: URL with a host is needed"));
    }
    let method = match method {
        Method::Get => hyper::Method::GET,
        Method::Head => hyper::Method::HEAD,
        Method::Put => hyper::Method::PUT,
        Method::Post => hyper::Method::POST,
        Method::Delete => hyper::Method::DELETE,
    };
    let mut request = hyper::Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let map = request.headers_mut();
    map.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("littoral/", env!("CARGO_PKG_VERSION"))),
    );
    for (name, value) in headers {
        let header: HeaderName = name.parse().map_err(|error| bad(&name, error))?;
        let value = HeaderValue::try_from(value).map_err(|error| bad(&name, error))?;
        // The body's own length is what is sent.
        if header != CONTENT_LENGTH {
            map.append(header, value);
        }
    }
    Ok(request)
}

fn received(
    answer: hyper::Response<hyper::body::Incoming>,
    idle: Duration,
    inlet: Inlet,
) -> Response<HttpBody> {
    let (head, body) = answer.into_parts();
    Response {
        status: head.status.as_u16(),
        headers: text(&head.headers),
        body: HttpBody::new(body, idle, inlet),
    }
}

fn text(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut all = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        all.push((name.as_str().to_owned(), value));
    }
    all
}

/// Sorts what hyper says: whether there was no connection, or it was lost.
fn failed(error: legacy::Error) -> Error {
    let what = match cause(&error) {
        Some(io) => io.to_string(),
        None => {
            std::error::Error::source(&error).map_or_else(|| error.to_string(), |s| s.to_string())
        }
    };
    let message = if error.is_connect() {
        format!("the remote cannot be reached: {what}")
    } else {
        format!("the connection was lost before the answer: {what}")
    };
    Error::new(Kind::Transient, message).with_source(error)
}

/// The operating system's own error, if that is at the bottom of it.
fn cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut error = Some(error);
    let mut found = None;
    while let Some(current) = error {
        found = current.downcast_ref::<io::Error>().or(found);
        error = current.source();
    }
    found
}

fn count(left: &mut Option<u64>, len: usize) -> Result<()> {
    if let Some(left) = left {
        *left = left
            .checked_sub(len as u64)
            .ok_or_else(|| wrong_length("more"))?;
    }
    Ok(())
}

fn wrong_length(than: &str) -> Error {
    let message = format!("the request's body gave {than} than its length");
    Error::new(Kind::InvalidInput, message)
}

fn no_answer(idle: Duration) -> Error {
    Error::new(
        Kind::Timeout,
        format!("the remote did nothing for {idle:?}"),
    )
}

fn bad(what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Kind::InvalidInput, format!("{what:?}: {why}"))
}
