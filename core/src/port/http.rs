use crate::{Error, Kind, Result};
use alloc::{string::String, vec::Vec};
use bytes::{Bytes, BytesMut};

/// Sends one request, gets one response, streamed both ways.
///
/// Every remote protocol is written once, in core, over this port.
pub trait Http {
    /// A response's body as it arrives.
    type Body: Body;

    /// Sends `request`; returns when the response's head is there.
    ///
    /// Any status is `Ok`: a status is the protocol's business, as it is to name the request in errors. The body of a request of known
    /// length is sent with `Content-Length`, any other one chunked. Redirects are not followed.
    ///
    /// # Errors
    /// `Transient` when the remote cannot be reached or the connection was lost, `Timeout` when
    /// nothing moved in either direction for the host's time, `InvalidInput` for a URL that is none; an error of
    /// the request's body is passed on as it is.
    async fn send<B: Body>(&self, request: Request<B>) -> Result<Response<Self::Body>>;
}

/// Bytes that arrive piece by piece, in bounded memory.
///
/// [`Bytes`] is a body of one piece.
#[allow(clippy::len_without_is_empty)]
pub trait Body {
    /// Bytes still to come, if that is known.
    fn len(&self) -> Option<u64>;

    /// The next piece (never empty), or `None` at the end.
    ///
    /// # Errors
    /// What stops the source; nothing comes after an error.
    async fn next(&mut self) -> Result<Option<Bytes>>;

    /// Everything that is left, if it is at most `limit` bytes.
    ///
    /// # Errors
    /// `OutOfRange` when there is more than `limit`.
    async fn collect(mut self, limit: usize) -> Result<Bytes>
    where
        Self: Sized,
    {
        let mut all = BytesMut::new();
        while let Some(piece) = self.next().await? {
            if piece.len() > limit.saturating_sub(all.len()) {
                return Err(Error::new(
                    Kind::OutOfRange,
                    alloc::format!("more than {limit} bytes arrived"),
                ));
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }
}

impl Body for Bytes {
    fn len(&self) -> Option<u64> {
        Some(Bytes::len(self) as u64)
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok((!self.is_empty()).then(|| core::mem::take(self)))
    }
}

/// What is asked.
#[derive(Debug)]
pub struct Request<B> {
    /// The verb.
    pub method: Method,
    /// An absolute `http:` or `https:` URL.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// What is sent along; empty `Bytes` for nothing.
    pub body: B,
}

/// The verbs that Littoral's protocols use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Head,
    Put,
    Post,
    Delete,
}

impl Method {
    /// As it stands in a request line.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Put => "PUT",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        }
    }
}

/// What is answered.
#[derive(Debug)]
pub struct Response<B> {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it arrives.
    pub body: B,
}

impl<B> Response<B> {
    /// The first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}
