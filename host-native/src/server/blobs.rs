//! `/v1/blobs`.

use super::{
    range::{self, Asked},
    reply::{self, Answer, Failure},
    routes::{App, Served, Shared},
    upload::{self, Upload, check_hash},
};
use crate::core::{
    Error, Kind, Result,
    blob::{BlobStore, Pointer},
};
use axum::{
    body::Body,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::{collections::HashMap, ops::Range, sync::Arc};

/// Up to this size, in bytes, a blob is read at once; a larger one in pieces of it.
const PIECE: u64 = 1 << 20;
/// Pieces that are read ahead of a client.
const AHEAD: usize = 2;
/// Entries of a page.
const PAGE: usize = 1000;
/// Pointers in one question, and bytes that they may take.
const ASKED: usize = 10_000;
const JSON: u64 = 1 << 20;

pub(super) async fn head<S: Served>(State(shared): App<S>, Path(hex): Path<String>) -> Answer {
    let pointer = pointer(&hex)?;
    let stat = shared
        .workers
        .run(move |store| async move { store.blobs().stat(&pointer).await })
        .await?
        .ok_or_else(|| not_there(&pointer))?;
    let mut response = about(&pointer, StatusCode::OK, stat.size, Body::empty());
    response.headers_mut().insert(
        HeaderName::from_static("littoral-chunks"),
        stat.chunks.into(),
    );
    Ok(response)
}

pub(super) async fn get<S: Served>(
    State(shared): App<S>,
    Path(hex): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let pointer = pointer(&hex)?;
    let size = shared
        .workers
        .run(move |store| async move { store.blobs().stat(&pointer).await })
        .await?
        .ok_or_else(|| not_there(&pointer))?
        .size;
    if names(&headers, header::IF_NONE_MATCH, &pointer) {
        let mut response = reply::empty(StatusCode::NOT_MODIFIED);
        response.headers_mut().insert(header::ETAG, etag(&pointer));
        return Ok(response);
    }
    let asked = match headers.get(header::IF_RANGE) {
        Some(_) if !names(&headers, header::IF_RANGE, &pointer) => Asked::Whole,
        _ => {
            let header = headers.get(header::RANGE).map(HeaderValue::to_str);
            range::parse(header.and_then(|text| text.ok()), size)
        }
    };
    let part = match asked {
        Asked::Whole => None,
        Asked::Part(part) => Some(part),
        Asked::Unsatisfiable => return Ok(unsatisfiable(&pointer, size)),
    };
    let range = part.clone().unwrap_or(0..size);
    let status = match &part {
        Some(_) => StatusCode::PARTIAL_CONTENT,
        None => StatusCode::OK,
    };
    let body = body(shared, pointer, range.clone(), size).await?;
    let mut response = about(&pointer, status, range.end - range.start, body);
    if let Some(part) = part {
        let value = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        insert(&mut response, header::CONTENT_RANGE, value);
    }
    Ok(response)
}

pub(super) async fn put<S: Served>(
    State(shared): App<S>,
    Path(hex): Path<String>,
    request: Request,
) -> Answer {
    let pointer = pointer(&hex)?;
    let (head, body) = request.into_parts();
    let limit = shared.max_blob;
    let length = upload::check_length(&head.headers, limit)?;
    let was_there = shared
        .workers
        .run(move |store| async move { store.blobs().stat(&pointer).await })
        .await?
        .is_some();
    if was_there
        && head
            .headers
            .get(header::IF_NONE_MATCH)
            .is_some_and(|v| v == "*")
    {
        let message = format!("blob {pointer} is there already");
        return Err(Error::new(Kind::AlreadyExists, message).into());
    }
    // What is there is put all the same: a store replaces what is damaged.
    if length.is_some_and(|length| length <= PIECE) {
        let bytes = upload::collect(&shared, &head.headers, body, PIECE).await?;
        check_hash(Pointer::of(&bytes), &pointer)?;
        shared
            .workers
            .run(move |store| async move { store.blobs().put(bytes).await })
            .await?;
    } else {
        let (upload, over) = Upload::new(body, pointer, limit, shared.idle);
        shared
            .workers
            .run(move |store| async move { store.blobs().put_stream(upload).await })
            .await
            .map_err(|error| over.explain(error, limit))?;
    }
    let status = match was_there {
        true => StatusCode::OK,
        false => StatusCode::CREATED,
    };
    Ok(stored(status, &pointer))
}

/// The answer to a put names what was stored: so a client can tell it from a server that says yes to everything.
pub(super) fn stored(status: StatusCode, pointer: &Pointer) -> Response {
    let mut response = reply::empty(status);
    response.headers_mut().insert(header::ETAG, etag(pointer));
    response
}

/// A blob whose pointer the client knows only at its end.
pub(super) async fn post<S: Served>(State(shared): App<S>, request: Request) -> Answer {
    let (head, body) = request.into_parts();
    let limit = shared.max_blob;
    upload::check_length(&head.headers, limit)?;
    let (upload, over) = Upload::unnamed(body, limit, shared.idle);
    let pointer = shared
        .workers
        .run(move |store| async move { store.blobs().put_stream(upload).await })
        .await
        .map_err(|error| over.explain(error, limit))?;
    let body = json!({ "pointer": pointer.to_string() });
    Ok(reply::json(StatusCode::CREATED, &body))
}

pub(super) async fn delete<S: Served>(State(shared): App<S>, Path(hex): Path<String>) -> Answer {
    let pointer = pointer(&hex)?;
    let was_there = shared
        .workers
        .run(move |store| async move { store.blobs().delete(&pointer).await })
        .await?;
    match was_there {
        true => Ok(reply::empty(StatusCode::NO_CONTENT)),
        false => Err(not_there(&pointer)),
    }
}

pub(super) async fn list<S: Served>(
    State(shared): App<S>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let after = match query.get("after") {
        Some(hex) => Some(pointer(hex)?),
        None => None,
    };
    let limit = page(&query)?;
    let listed = shared
        .workers
        .run(move |store| async move { store.blobs().list(after, limit).await })
        .await?;
    let mut blobs = Vec::with_capacity(listed.len());
    for row in &listed {
        blobs.push(json!({ "pointer": row.pointer.to_string(), "size": row.size }));
    }
    Ok(reply::json(StatusCode::OK, &json!({ "blobs": blobs })))
}

pub(super) async fn has<S: Served>(State(shared): App<S>, request: Request) -> Answer {
    let pointers = asked(&shared, request).await?;
    let has = shared
        .workers
        .run(move |store| async move { store.blobs().has(&pointers).await })
        .await?;
    Ok(reply::json(StatusCode::OK, &json!({ "has": has })))
}

/// The bytes of `range`, read ahead of the client by no more than [`AHEAD`] pieces.
async fn body<S: Served>(
    shared: Arc<Shared<S>>,
    pointer: Pointer,
    range: Range<u64>,
    size: u64,
) -> Result<Body, Failure> {
    if range.end - range.start <= PIECE {
        return Ok(Body::from(read(&shared, pointer, range, size).await?));
    }
    // The first piece is read before the answer begins, so that an error is one.
    let first = range.start..range.start + PIECE;
    let rest = first.end..range.end;
    let first = read(&shared, pointer, first, size).await?;
    let rest = stream::iter(rest.step_by(PIECE as usize))
        .map(move |start| {
            let piece = start..(start + PIECE).min(range.end);
            let shared = shared.clone();
            async move { read(&shared, pointer, piece, size).await }
        })
        .buffered(AHEAD);
    let first = stream::once(async { Ok(first) });
    Ok(Body::from_stream(first.chain(rest)))
}

async fn read<S: Served>(
    shared: &Shared<S>,
    pointer: Pointer,
    range: Range<u64>,
    size: u64,
) -> Result<bytes::Bytes> {
    let len = range.end - range.start;
    let bytes = shared
        .workers
        .run(move |store| async move {
            if range == (0..size) {
                return store.blobs().get(&pointer).await;
            }
            store.blobs().get_range(&pointer, range).await
        })
        .await?;
    if bytes.len() as u64 != len {
        let message = format!("blob {pointer} is not as long as it was a moment ago");
        return Err(Error::new(Kind::Corrupt, message));
    }
    Ok(bytes)
}

/// The pointers in a question.
pub(super) async fn asked<S: Served>(
    shared: &Shared<S>,
    request: Request,
) -> Result<Vec<Pointer>, Failure> {
    let value = json_body(shared, request).await?;
    let Some(list) = value.get("pointers").and_then(Value::as_array) else {
        return Err(Failure::bad("the body must be {\"pointers\":[hex,...]}"));
    };
    if list.len() > ASKED {
        return Err(Failure::bad(format!("more than {ASKED} pointers")));
    }
    let mut pointers = Vec::with_capacity(list.len());
    for hex in list {
        match hex.as_str() {
            Some(hex) => pointers.push(pointer(hex)?),
            None => return Err(Failure::bad("a pointer must be a string of hex digits")),
        }
    }
    Ok(pointers)
}

pub(super) async fn json_body<S: Served>(
    shared: &Shared<S>,
    request: Request,
) -> Result<Value, Failure> {
    let (head, body) = request.into_parts();
    let bytes = upload::collect(shared, &head.headers, body, JSON).await?;
    serde_json::from_slice(&bytes).map_err(|error| Failure::bad(format!("not JSON: {error}")))
}

pub(super) fn page(query: &HashMap<String, String>) -> Result<usize, Failure> {
    match query.get("limit").map(|limit| limit.parse::<usize>()) {
        None => Ok(PAGE),
        Some(Ok(limit)) if limit > 0 => Ok(limit.min(PAGE)),
        Some(_) => Err(Failure::bad("limit must be a number above 0")),
    }
}

pub(super) fn pointer(hex: &str) -> Result<Pointer, Failure> {
    Pointer::from_hex(hex).map_err(|error| Error::from(error).into())
}

pub(super) fn not_there(pointer: &Pointer) -> Failure {
    Error::new(Kind::NotFound, format!("{pointer} is not in the store")).into()
}

/// An answer with, or about, `len` bytes of what `pointer` names.
pub(super) fn about(pointer: &Pointer, status: StatusCode, len: u64, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag(pointer));
    headers.insert(header::CONTENT_LENGTH, len.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    // What a pointer names never changes.
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=31536000, immutable"),
    );
    // Nobody's bytes are a page of this origin.
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

fn unsatisfiable(pointer: &Pointer, size: u64) -> Response {
    use axum::response::IntoResponse;
    let message = format!("{pointer} has {size} bytes");
    let mut response = Failure::from(Error::new(Kind::OutOfRange, message)).into_response();
    insert(
        &mut response,
        header::CONTENT_RANGE,
        format!("bytes */{size}"),
    );
    response
}

/// Whether a header with entity tags names the blob.
fn names(headers: &HeaderMap, header: HeaderName, pointer: &Pointer) -> bool {
    let wanted = format!("\"{pointer}\"");
    let Some(Ok(value)) = headers.get(header).map(HeaderValue::to_str) else {
        return false;
    };
    value.trim() == "*"
        || value
            .split(',')
            .any(|tag| tag.trim().trim_start_matches("W/") == wanted)
}

fn etag(pointer: &Pointer) -> HeaderValue {
    // Hex digits in quotes always make a header.
    HeaderValue::try_from(format!("\"{pointer}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

fn insert(response: &mut Response, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}
