//! Answers, and errors as JSON.

use crate::core::{Error, Kind};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// An error on its way to a client.
pub(super) struct Failure {
    status: StatusCode,
    error: Error,
    /// What stands beside `"error"`.
    more: Option<(&'static str, Value)>,
}

/// Names the kind of an error, as its body does.
pub(super) const ERROR_HEADER: HeaderName = HeaderName::from_static("littoral-error");

pub(super) type Answer = Result<Response, Failure>;

impl Failure {
    pub(super) fn with_status(status: StatusCode, error: Error) -> Self {
        Failure {
            status,
            error,
            more: None,
        }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Error::new(Kind::InvalidInput, message).into()
    }

    /// A body over the limit.
    pub(super) fn too_large(limit: u64) -> Self {
        let message = format!("the body is larger than {limit} bytes");
        let error = Error::new(Kind::InvalidInput, message);
        Failure::with_status(StatusCode::PAYLOAD_TOO_LARGE, error)
    }

    pub(super) fn beside(mut self, name: &'static str, value: Value) -> Self {
        self.more = Some((name, value));
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::with_status(status_of(error.kind()), error)
    }
}

/// The table in `docs/protocol.md`. What is not in it becomes what a client does right with.
fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::InvalidInput => StatusCode::BAD_REQUEST,
        Kind::Auth => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::ReadOnly => StatusCode::METHOD_NOT_ALLOWED,
        Kind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::AlreadyExists => StatusCode::PRECONDITION_FAILED,
        Kind::OutOfRange => StatusCode::RANGE_NOT_SATISFIABLE,
        Kind::Corrupt => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Busy => StatusCode::TOO_MANY_REQUESTS,
        Kind::Transient | Kind::Closed => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Quota => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut body = json!({
            "error": { "code": self.error.kind().name(), "message": self.error.to_string() }
        });
        if let (Some((name, value)), Some(body)) = (self.more, body.as_object_mut()) {
            body.insert(name.to_owned(), value);
        }
        let mut response = json(self.status, &body);
        // The answer to `HEAD` loses its body on the way.
        response.headers_mut().insert(
            ERROR_HEADER,
            HeaderValue::from_static(self.error.kind().name()),
        );
        if let StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE = self.status {
            let seconds = self
                .error
                .retry_after()
                .map_or(1, |after| after.as_secs().max(1));
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

pub(super) fn json(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Makes JSON of errors that the framework itself answers with, such as a path that is no UTF-8.
pub(super) async fn errors_are_json(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/json");
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let kind = match status {
        // Only who has looked in the store says `NotFound`.
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Kind::NotImplemented,
        status if status.is_server_error() => Kind::Transient,
        _ => Kind::InvalidInput,
    };
    let text = axum::body::to_bytes(response.into_body(), 4096).await;
    let message = match &text {
        Ok(text) if !text.is_empty() => String::from_utf8_lossy(text).into_owned(),
        _ => status.to_string(),
    };
    Failure::with_status(status, Error::new(kind, message)).into_response()
}
