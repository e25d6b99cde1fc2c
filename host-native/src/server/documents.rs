//! `/v1/doc`: one document for several processes.
//!
//! The document's futures run on the server's own threads: they are `Send`, and its volume hands file work to a pool.

use super::{
    ServerOptions,
    reply::{self, Answer, Failure},
};
use crate::{
    FileVolume, SystemClock,
    core::{
        Error, Kind,
        doc::{
            Documents, History, Match, Op, Outcome, Patch, Pattern, Refused, Remove, Retention,
            Scope, Transaction, Value, Watch,
        },
        engine::{Batch, Direction, Durability},
    },
};
use axum::{
    Router,
    body::Body,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::{delete, get, post},
};
use futures::{
    future::{Either, select},
    stream,
};
use std::{collections::HashMap, convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::sync::watch;

pub(super) type Document = Documents<FileVolume, SystemClock>;

/// Bytes of a request's body: more is no patch that a commit could hold.
const BODY: usize = 32 << 20;
/// Commits of a page of the history.
const PAGE: usize = 1000;
/// How long a transaction waits for its participants if nobody says, and at most.
const TIMEOUT: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// A watch says that it is still there this often.
const ALIVE: Duration = Duration::from_secs(15);

struct Shared {
    document: Document,
    idle: Duration,
    ending: Ending,
}

/// Tells that the server is shutting down: whoever waits for others is sent home.
pub(super) type Ending = watch::Receiver<bool>;

type App = State<Arc<Shared>>;

pub(super) fn router(document: Document, options: &ServerOptions, ending: Ending) -> Router {
    let shared = Shared {
        document,
        idle: options.idle,
        ending,
    };
    Router::new()
        .route("/v1/doc", get(read).post(patch))
        .route("/v1/doc/history", get(history))
        .route("/v1/doc/diff", get(diff))
        .route("/v1/doc/watch", get(watch_events))
        .route("/v1/doc/scopes", get(scopes).post(create_scope))
        .route("/v1/doc/scopes/{name}", delete(drop_scope))
        .route("/v1/doc/scopes/{name}/promote", post(promote))
        .route("/v1/doc/snapshot", post(snapshot))
        .route("/v1/doc/transactions", post(begin))
        .route("/v1/doc/transactions/{id}", get(look).delete(abort))
        .route("/v1/doc/transactions/{id}/join", post(join))
        .route("/v1/doc/transactions/{id}/outcome", get(outcome))
        .with_state(Arc::new(shared))
}

type Asked = Query<HashMap<String, String>>;

impl Shared {
    /// The document, or the scope with this name.
    fn tree(&self, scope: Option<&String>) -> crate::core::Result<Scope<FileVolume, SystemClock>> {
        match scope {
            Some(name) => self.document.scope(name),
            None => Ok(self.document.as_scope()),
        }
    }

    /// Returns once everything that was committed before is durable.
    async fn durable(&self) -> crate::core::Result<()> {
        let store = self.document.store();
        store.commit(Batch::new(), Durability::Strict).await?;
        Ok(())
    }

    /// What `wait` waits for; `Closed` if the server ends before that.
    async fn unless_ending<T>(
        &self,
        wait: impl Future<Output = crate::core::Result<T>>,
    ) -> crate::core::Result<T> {
        let mut ending = self.ending.clone();
        let ended = pin!(ending.wait_for(|ending| *ending));
        match select(pin!(wait), ended).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => Err(Error::new(Kind::Closed, "the server is shutting down")),
        }
    }
}

async fn read(State(shared): App, Query(query): Asked) -> Answer {
    let path = path(&query);
    let tree = shared.tree(query.get("scope"))?;
    let (value, commit) = match number(&query, "at")? {
        Some(commit) => (tree.read_at(path, commit).await?, commit),
        None => {
            let (value, commit) = tree.read_with_commit(path).await?;
            let missing = || Error::new(Kind::NotFound, format!("nothing is at {path:?}"));
            (value.ok_or_else(missing)?, commit)
        }
    };
    Ok(json(&Value::object([
        ("commit", int(commit)),
        ("value", value),
    ])))
}

async fn patch(State(shared): App, request: Request) -> Answer {
    let body = body(&shared, request).await?;
    let (patch, matching) = (Patch::from_fields(&body)?, Match::from_field(&body)?);
    let scope = text(&body, "scope")?.map(str::to_owned);
    let tree = shared.tree(scope.as_ref())?;
    let commit = tree.patch(path_in(&body)?, patch, matching).await;
    Ok(committed(commit.map_err(told)?))
}

async fn history(State(shared): App, Query(query): Asked) -> Answer {
    let from = number(&query, "from")?.unwrap_or(0);
    let to = number(&query, "to")?.unwrap_or(u64::MAX);
    let limit = number(&query, "limit")?.map_or(PAGE, |limit| limit.min(PAGE as u64) as usize);
    let direction = match query.get("newest") {
        Some(_) => Direction::Backward,
        None => Direction::Forward,
    };
    let tree = shared.tree(query.get("scope"))?;
    let mut history: History<_, _> = tree.history(path(&query), from..=to, direction)?;
    let mut commits = Vec::new();
    while commits.len() < limit {
        match history.next().await? {
            Some(commit) => commits.push(commit.to_value()),
            None => break,
        }
    }
    Ok(json(&Value::object([("commits", Value::List(commits))])))
}

async fn diff(State(shared): App, Query(query): Asked) -> Answer {
    let wanted = |name| {
        number(&query, name)?.ok_or_else(|| Failure::bad(format!("{name} has to be a commit")))
    };
    let (from, to) = (wanted("from")?, wanted("to")?);
    let tree = shared.tree(query.get("scope"))?;
    let ops = tree.diff_between(path(&query), from, to).await?;
    let ops = Value::list(ops.iter().map(Op::to_value));
    Ok(json(&Value::object([("ops", ops)])))
}

async fn scopes(State(shared): App) -> Answer {
    let mut scopes = Vec::new();
    for name in shared.document.scopes() {
        // One that ended meanwhile is left out.
        let Ok(scope) = shared.document.scope(&name) else {
            continue;
        };
        if let Ok(commit) = scope.current_commit() {
            scopes.push(Value::object([
                ("scope", Value::from(name)),
                ("base", int(scope.base())),
                ("commit", int(commit)),
            ]));
        }
    }
    Ok(json(&Value::object([("scopes", Value::List(scopes))])))
}

async fn create_scope(State(shared): App, request: Request) -> Answer {
    let body = body(&shared, request).await?;
    let name = text(&body, "scope")?.ok_or_else(|| Failure::bad("scope has to be a name"))?;
    let scope = shared.document.create_scope(name).await?;
    let mut response = json(&Value::object([
        ("scope", Value::from(name)),
        ("base", int(scope.base())),
    ]));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

async fn drop_scope(State(shared): App, Path(name): Path<String>) -> Answer {
    shared.document.scope(&name)?.drop().await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

async fn promote(State(shared): App, Path(name): Path<String>) -> Answer {
    let promoted = shared.document.scope(&name)?.promote().await;
    Ok(committed(promoted.map_err(told)?))
}

/// A snapshot with the server's retention, or once with the one in the body.
async fn snapshot(State(shared): App, request: Request) -> Answer {
    let body = body(&shared, request).await?;
    let document = &shared.document;
    let snapshot = match retention(&body)? {
        None => document.switch_and_snapshot().await?,
        Some(retention) => document.snapshot_with(retention).await?,
    };
    Ok(json(&Value::object([
        ("commit", int(snapshot.commit)),
        ("horizon", int(snapshot.horizon)),
        ("removed_rows", int(snapshot.removed_rows)),
    ])))
}

fn retention(body: &Value) -> Result<Option<Retention>, Failure> {
    let count = |name: &str| match body.field(name) {
        None => Ok(None),
        Some(Value::Int(count)) if *count >= 0 => Ok(Some(*count as u64)),
        Some(_) => Err(Failure::bad(format!("{name} has to be a number"))),
    };
    let asked = (count("keep_last")?, count("keep_for_ms")?, count("thin")?);
    let remove = match asked {
        (None, None, None) => return Ok(None),
        (Some(last), None, None) => Remove::KeepLast(last),
        (None, Some(millis), None) => Remove::KeepFor(Duration::from_millis(millis)),
        (None, None, Some(_)) => Remove::Thin,
        _ => {
            let message = "only one of keep_last, keep_for_ms and thin can be asked for";
            return Err(Failure::bad(message));
        }
    };
    let divisor = asked.2.unwrap_or(Retention::default().divisor);
    Ok(Some(Retention { divisor, remove }))
}

async fn begin(State(shared): App, request: Request) -> Answer {
    let body = body(&shared, request).await?;
    let participants = match body.field("participants") {
        Some(Value::Int(count)) => usize::try_from(*count).unwrap_or(0),
        _ => return Err(Failure::bad("participants has to be a number")),
    };
    let timeout = match body.field("timeout_ms") {
        None => TIMEOUT,
        Some(Value::Int(millis)) if *millis >= 0 => Duration::from_millis(*millis as u64),
        Some(_) => {
            return Err(Failure::bad(
                "timeout_ms has to be a number of milliseconds",
            ));
        }
    };
    let meta = body.field("meta").cloned().unwrap_or(Value::Null);
    let begun = shared
        .document
        .begin(participants, meta, timeout.min(LONGEST));
    let id = begun.await?.id();
    let mut response = json(&Value::object([("transaction", int(id))]));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

async fn look(State(shared): App, Path(id): Path<u64>) -> Answer {
    let transaction = shared.document.transaction(id)?;
    let (joined, participants) = transaction.joined()?;
    Ok(json(&Value::object([
        ("transaction", int(id)),
        ("joined", int(joined as u64)),
        ("participants", int(participants as u64)),
        ("meta", transaction.meta()?),
    ])))
}

async fn join(State(shared): App, Path(id): Path<u64>, request: Request) -> Answer {
    let body = body(&shared, request).await?;
    let (patch, matching) = (Patch::from_fields(&body)?, Match::from_field(&body)?);
    let transaction: Transaction<_, _> = shared.document.transaction(id)?;
    // Who is sent home stays joined, as who goes by himself does.
    let join = transaction.join(path_in(&body)?, patch, matching);
    let outcome: Outcome = shared.unless_ending(join).await?;
    Ok(json(&outcome.to_value()))
}

async fn outcome(State(shared): App, Path(id): Path<u64>, Query(query): Asked) -> Answer {
    let transaction = shared.document.transaction(id)?;
    let outcome = shared.unless_ending(transaction.outcome(path(&query)));
    let outcome = outcome.await?;
    Ok(json(&outcome.to_value()))
}

async fn abort(State(shared): App, Path(id): Path<u64>) -> Answer {
    shared.document.transaction(id)?.abort().await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// Server-sent events: `state`, then a `change` for each commit; the id of each is its commit. They end with the server.
///
/// What is told is durable: a client that comes back after a crash goes on from there.
async fn watch_events(State(shared): App, Query(query): Asked, headers: HeaderMap) -> Answer {
    let pattern: Pattern = path(&query).parse()?;
    // A client that comes back says which was the last one that it had.
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let tree = shared.tree(query.get("scope"))?;
    let watch = match last {
        Some(commit) => match tree.watch_behind(&pattern, commit) {
            Err(error) if error.kind() == Kind::OutOfRange => tree.watch(&pattern, None)?,
            watch => watch?,
        },
        None => tree.watch(&pattern, number(&query, "from")?)?,
    };
    let events = stream::unfold((shared, Some(watch)), |(shared, watch)| async {
        let mut watch: Watch<_, _> = watch?;
        let next = shared.unless_ending(watch.next());
        // What has been told is not dropped: only waiting for it is.
        let next = tokio::time::timeout(ALIVE, next).await;
        let next = match next {
            Ok(Ok(event)) => Ok(shared.durable().await.map(|()| event)),
            next => next,
        };
        let (event, watch) = match next {
            Err(_) => (Ok(":\n\n".to_owned()), Some(watch)),
            Ok(Ok(event)) => (Ok(written(&event.to_value())), Some(watch)),
            Ok(Err(error)) => {
                let code = Value::from(error.kind().name());
                let message = Value::from(error.to_string());
                let value = Value::object([
                    ("event", Value::from("error")),
                    ("code", code),
                    ("message", message),
                ]);
                (Ok::<_, Infallible>(written(&value)), None)
            }
        };
        Some((event, (shared, watch)))
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    let cache = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, cache);
    Ok(response)
}

/// One event. JSON has no line ends in it.
fn written(event: &Value) -> String {
    let mut text = String::new();
    if let Some(Value::Int(commit)) = event.field("commit") {
        text.push_str(&format!("id: {commit}\n"));
    }
    if let Some(Value::String(name)) = event.field("event") {
        text.push_str(&format!("event: {name}\n"));
    }
    text + "data: " + &event.to_json() + "\n\n"
}

async fn body(shared: &Shared, request: Request) -> Result<Value, Failure> {
    let read = axum::body::to_bytes(request.into_body(), BODY);
    let read = tokio::time::timeout(shared.idle, read).await;
    let bytes = read
        .map_err(|_| {
            Error::new(
                Kind::Timeout,
                "the body of the request did not come in time",
            )
        })?
        .map_err(|error| Failure::bad(format!("the body cannot be read: {error}")))?;
    Ok(Value::from_json(bytes)?)
}

fn path(query: &HashMap<String, String>) -> &str {
    query.get("path").map_or("", String::as_str)
}

fn path_in(body: &Value) -> Result<&str, Failure> {
    Ok(text(body, "path")?.unwrap_or(""))
}

fn text<'a>(body: &'a Value, name: &str) -> Result<Option<&'a str>, Failure> {
    match body.field(name) {
        Some(Value::String(text)) => Ok(Some(text)),
        None => Ok(None),
        Some(_) => Err(Failure::bad(format!("{name} has to be a string"))),
    }
}

fn number(query: &HashMap<String, String>, name: &str) -> Result<Option<u64>, Failure> {
    let number = query.get(name).map(|text| text.parse::<u64>());
    let wrong = |_| Failure::bad(format!("{name} has to be a number"));
    number.transpose().map_err(wrong)
}

/// An error; if the document refused a patch, with where and why.
fn told(error: Error) -> Failure {
    match Refused::of(&error) {
        Some(refused) => {
            let refused = serde_json::json!({
                "path": refused.path().to_string(), "reason": refused.reason(),
            });
            Failure::from(error).beside("refused", refused)
        }
        None => error.into(),
    }
}

fn committed(commit: u64) -> Response {
    json(&Value::object([("commit", int(commit))]))
}

fn json(value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_json()));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
