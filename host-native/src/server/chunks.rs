//! `/v1/chunks`, and the lists of them.

use super::{
    blobs::{about, asked, not_there, pointer, stored},
    reply::{self, Answer, Failure},
    routes::{App, Served},
    upload::{self, check_hash},
};
use crate::core::{
    blob::{BlobStore, ChunkList, Pointer},
    chunk::MAX_CHUNK,
};
use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::json;

/// Bytes that a chunk may have.
const CHUNK: u64 = MAX_CHUNK as u64;
/// Bytes that a list may have: 36 a chunk.
const LIST: u64 = 64 << 20;
const LIST_TYPE: &str = "application/vnd.littoral.chunks";

pub(super) async fn get<S: Served>(State(shared): App<S>, Path(hex): Path<String>) -> Answer {
    let chunk = pointer(&hex)?;
    let bytes = shared
        .workers
        .run(move |store| async move { store.blobs().get_chunk(&chunk).await })
        .await?;
    let len = bytes.len() as u64;
    Ok(about(&chunk, StatusCode::OK, len, Body::from(bytes)))
}

pub(super) async fn put<S: Served>(
    State(shared): App<S>,
    Path(hex): Path<String>,
    request: Request,
) -> Answer {
    let chunk = pointer(&hex)?;
    let (head, body) = request.into_parts();
    let bytes = upload::collect(&shared, &head.headers, body, CHUNK).await?;
    check_hash(Pointer::of(&bytes), &chunk)?;
    let was_there = shared
        .workers
        .run(move |store| async move {
            let was_there = store.blobs().has_chunks(&[chunk]).await?;
            store.blobs().put_chunk(bytes).await?;
            Ok(was_there.first() == Some(&true))
        })
        .await?;
    Ok(stored(
        match was_there {
            true => StatusCode::OK,
            false => StatusCode::CREATED,
        },
        &chunk,
    ))
}

pub(super) async fn has<S: Served>(State(shared): App<S>, request: Request) -> Answer {
    let chunks = asked(&shared, request).await?;
    let has = shared
        .workers
        .run(move |store| async move { store.blobs().has_chunks(&chunks).await })
        .await?;
    Ok(reply::json(StatusCode::OK, &json!({ "has": has })))
}

pub(super) async fn list<S: Served>(State(shared): App<S>, Path(hex): Path<String>) -> Answer {
    let pointer = pointer(&hex)?;
    let list = shared
        .workers
        .run(move |store| async move { store.blobs().chunks(&pointer).await })
        .await?
        .ok_or_else(|| not_there(&pointer))?;
    let mut response = Response::new(Body::from(list.encode()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(LIST_TYPE));
    Ok(response)
}

pub(super) async fn put_list<S: Served>(
    State(shared): App<S>,
    Path(hex): Path<String>,
    request: Request,
) -> Answer {
    let pointer = pointer(&hex)?;
    let (head, body) = request.into_parts();
    let bytes = upload::collect(&shared, &head.headers, body, LIST).await?;
    let list = ChunkList::decode(&bytes)?;
    if list.size() > shared.max_blob {
        return Err(Failure::too_large(shared.max_blob));
    }
    shared
        .workers
        .run(move |store| async move { store.blobs().put_list(&pointer, list).await })
        .await?;
    Ok(stored(StatusCode::CREATED, &pointer))
}
