//! Which request goes where, and what holds for all of them.

use super::{
    Origins, ServerOptions, blobs, chunks, documents,
    reply::{self, Failure},
    roots, upload,
    workers::Workers,
};
use crate::core::{
    Error, Kind, Result,
    blob::{BlobStore, Pointer, RootStore},
};
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use std::{sync::Arc, time::Duration};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// What every request can reach.
pub(super) struct Shared<S> {
    pub(super) workers: Workers<S>,
    pub(super) max_blob: u64,
    pub(super) idle: Duration,
}

pub(super) type App<S> = State<Arc<Shared<S>>>;

/// What is served.
pub(super) trait Served: Send + Sync + 'static {
    type Blobs: BlobStore;
    type Roots: RootStore;
    fn blobs(&self) -> &Self::Blobs;
    fn roots(&self) -> &Self::Roots;
}

impl<B, R> Served for (B, R)
where
    B: BlobStore + Send + Sync + 'static,
    R: RootStore + Send + Sync + 'static,
{
    type Blobs = B;
    type Roots = R;

    fn blobs(&self) -> &B {
        &self.0
    }

    fn roots(&self) -> &R {
        &self.1
    }
}

pub(super) fn router<S: Served>(
    workers: Workers<S>,
    options: &ServerOptions,
    ending: documents::Ending,
) -> Result<Router> {
    let shared = Arc::new(Shared {
        workers,
        max_blob: options.max_blob,
        idle: options.idle,
    });
    let mut routes = Router::new()
        .route("/v1/blobs", get(blobs::list::<S>).post(blobs::post::<S>))
        .route("/v1/blobs/has", post(blobs::has::<S>))
        .route(
            "/v1/blobs/{hex}",
            get(blobs::get::<S>)
                .head(blobs::head::<S>)
                .put(blobs::put::<S>)
                .delete(blobs::delete::<S>),
        )
        .route(
            "/v1/blobs/{hex}/chunks",
            get(chunks::list::<S>).put(chunks::put_list::<S>),
        )
        .route("/v1/chunks/has", post(chunks::has::<S>))
        .route(
            "/v1/chunks/{hex}",
            get(chunks::get::<S>).put(chunks::put::<S>),
        )
        .route("/v1/roots", get(roots::list::<S>))
        .route(
            "/v1/roots/{name}",
            put(roots::move_root::<S>).get(roots::get::<S>),
        )
        .with_state(shared);
    if let Some(document) = &options.documents {
        routes = routes.merge(documents::router(document.clone(), options, ending));
    }
    routes = routes
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method);
    if let Some(token) = &options.token {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = "a token has only visible ASCII characters";
            return Err(Error::new(Kind::InvalidInput, message));
        }
        let digest = Pointer::of(token.as_bytes());
        routes = routes.layer(middleware::from_fn_with_state(digest, authorize));
    }
    let routes = routes
        .route("/healthz", get(healthz))
        .layer(middleware::from_fn(reply::errors_are_json))
        .layer(middleware::from_fn(upload::drain_what_is_left));
    Ok(match cors(&options.origins)? {
        Some(cors) => routes.layer(cors),
        None => routes,
    })
}

async fn healthz() -> Response {
    reply::json(StatusCode::OK, &serde_json::json!({ "ok": true }))
}

/// Not `NotFound`: a client with a wrong URL is not to think that nothing is there.
async fn no_such_path() -> Failure {
    let message = "there is no such path: the URL of a remote ends before `/v1`";
    Failure::with_status(
        StatusCode::NOT_FOUND,
        Error::new(Kind::NotImplemented, message),
    )
}

async fn no_such_method() -> Failure {
    let error = Error::new(Kind::NotImplemented, "this path does not know this method");
    Failure::with_status(StatusCode::METHOD_NOT_ALLOWED, error)
}

/// Lets a request with the right token through.
///
/// Digests are compared: how long that takes tells nothing about the token.
async fn authorize(State(digest): State<Pointer>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .map(|value| value.as_bytes());
    let (status, message) = match given.map(bearer) {
        Some(Some(token)) if Pointer::of(token) == digest => return next.run(request).await,
        Some(Some(_)) => (StatusCode::FORBIDDEN, "the token is not the right one"),
        _ => (
            StatusCode::UNAUTHORIZED,
            "a header `Authorization: Bearer TOKEN` is needed",
        ),
    };
    let mut response =
        Failure::with_status(status, Error::new(Kind::Auth, message)).into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// The token in `Bearer TOKEN`; the word's case does not matter.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    let token = rest.strip_prefix(b" ")?.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer") && !token.is_empty()).then_some(token)
}

fn cors(origins: &Origins) -> Result<Option<CorsLayer>> {
    let origins = match origins {
        Origins::None => return Ok(None),
        Origins::Any => AllowOrigin::any(),
        Origins::Only(origins) => {
            let mut list = Vec::with_capacity(origins.len());
            for origin in origins {
                list.push(HeaderValue::try_from(origin).map_err(|_| {
                    Error::new(Kind::InvalidInput, format!("{origin:?} is no origin"))
                })?);
            }
            AllowOrigin::list(list)
        }
    };
    Ok(Some(
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([
                Method::GET,
                Method::HEAD,
                Method::PUT,
                Method::POST,
                Method::DELETE,
            ])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::IF_NONE_MATCH,
                header::IF_RANGE,
                HeaderName::from_static("last-event-id"),
                header::RANGE,
            ])
            .expose_headers([
                header::CONTENT_LENGTH,
                header::CONTENT_RANGE,
                header::ETAG,
                header::RETRY_AFTER,
                HeaderName::from_static("littoral-chunks"),
                reply::ERROR_HEADER,
            ])
            .max_age(Duration::from_secs(86_400)),
    ))
}
