//! `/v1/roots`.

use super::{
    blobs::{json_body, page, pointer},
    reply::{self, Answer, Failure},
    routes::{App, Served},
};
use crate::core::{
    Error, Kind,
    blob::{Pointer, RootStore},
};
use axum::{
    extract::{Path, Query, Request, State},
    http::StatusCode,
};
use serde_json::{Value, json};
use std::collections::HashMap;

pub(super) async fn get<S: Served>(State(shared): App<S>, Path(name): Path<String>) -> Answer {
    let asked = name.clone();
    let pointer = shared
        .workers
        .run(move |store| async move { store.roots().root(&asked).await })
        .await?
        .ok_or_else(|| Error::new(Kind::NotFound, format!("there is no root {name:?}")))?;
    let body = json!({ "pointer": pointer.to_string() });
    Ok(reply::json(StatusCode::OK, &body))
}

pub(super) async fn move_root<S: Served>(
    State(shared): App<S>,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let value = json_body(&shared, request).await?;
    let (from, to) = (end(&value, "from")?, end(&value, "to")?);
    let result = shared
        .workers
        .run(move |store| async move {
            match store.roots().move_root(&name, from, to).await {
                // Where it is now is best effort: it may move again at any time.
                Err(error) if error.kind() == Kind::Conflict => {
                    Ok(Err((error, store.roots().root(&name).await?)))
                }
                result => result.map(Ok),
            }
        })
        .await?;
    match result {
        Ok(()) => Ok(reply::json(StatusCode::OK, &json!({ "pointer": hex(to) }))),
        Err((error, current)) => Err(Failure::from(error).beside("current", hex(current))),
    }
}

pub(super) async fn list<S: Served>(
    State(shared): App<S>,
    Query(mut query): Query<HashMap<String, String>>,
) -> Answer {
    let limit = page(&query)?;
    let after = query.remove("after");
    let listed = shared
        .workers
        .run(move |store| async move { store.roots().roots(after.as_deref(), limit).await })
        .await?;
    let mut roots = Vec::with_capacity(listed.len());
    for (name, pointer) in &listed {
        roots.push(json!({ "name": name, "pointer": pointer.to_string() }));
    }
    Ok(reply::json(StatusCode::OK, &json!({ "roots": roots })))
}

/// One end of a move. It must be said: a forgotten `from` would be taken for "not there".
fn end(value: &Value, name: &str) -> Result<Option<Pointer>, Failure> {
    match value.get(name) {
        Some(Value::Null) => Ok(None),
        Some(Value::String(hex)) => pointer(hex).map(Some),
        _ => Err(Failure::bad(
            "the body must be {\"from\":hex or null,\"to\":hex or null}",
        )),
    }
}

fn hex(pointer: Option<Pointer>) -> Value {
    pointer.map_or(Value::Null, |pointer| pointer.to_string().into())
}
