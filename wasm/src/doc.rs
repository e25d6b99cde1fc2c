//! The document of an open store.
//!
//! Values, patches, commits and events travel as bytes (`Value::encode`), which the package's JavaScript reads and writes.

use crate::{
    convert::{array, bytes, maybe_whole, number, promise, whole},
    engine::Engine,
};
use alloc::{rc::Rc, string::String, vec::Vec};
use async_lock::OnceCell;
use core::{pin::pin, time::Duration};
use futures::future::{Either, select};
use js_sys::Promise;
use littoral_browser::{
    Browser, JsVolume,
    core::{
        Kind, Result,
        doc::{
            Documents, Event, Match, Once, Op, Options, Patch, Pattern, Remove, Retention, Scope,
            Value,
        },
        engine::{Batch, Direction, Durability},
    },
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

pub(crate) type Document = Documents<JsVolume, Browser>;

/// Opened by whoever asks for it first.
pub(crate) type Opened = Rc<OnceCell<Document>>;

/// Events and bytes of them that travel together.
const EVENTS: usize = 64;
const EVENT_BYTES: usize = 256 << 10;

type Tree = Scope<JsVolume, Browser>;

impl Engine {
    pub(crate) fn document(&self) -> impl Future<Output = Result<Document>> + use<> {
        let (store, opened) = (self.0.store().clone(), self.1.clone());
        async move {
            let open = async || {
                let document = Documents::open(store, Browser, Options::default()).await?;
                let driven = document.clone();
                spawn_local(async move { driven.drive().await });
                Ok(document)
            };
            opened.get_or_try_init(open).await.cloned()
        }
    }

    /// The document, or a scope of it.
    fn tree(&self, scope: Option<String>) -> impl Future<Output = Result<Tree>> + use<> {
        let document = self.document();
        async move {
            let document = document.await?;
            match scope {
                None => Ok(document.as_scope()),
                Some(name) => document.scope(&name),
            }
        }
    }
}

#[wasm_bindgen]
impl Engine {
    /// The value at `path`, now or after commit `at`; nothing where nothing is.
    #[wasm_bindgen(js_name = docRead)]
    pub fn doc_read(&self, path: String, at: Option<f64>, scope: Option<String>) -> Promise {
        let tree = self.tree(scope);
        promise(async move {
            let tree = tree.await?;
            let found = match maybe_whole(at)? {
                None => tree.read_with_commit(&path).await?.0,
                Some(at) => match tree.read_at(&path, at).await {
                    Err(error) if error.kind() == Kind::NotFound => None,
                    found => Some(found?),
                },
            };
            Ok(found.map_or(JsValue::UNDEFINED, |value| bytes(&value.encode())))
        })
    }

    /// Applies a patch with its match (`Patch::from_fields`) to what is at `path`: the commit's number. `id` is the caller's own for this
    /// request; `after` says that it is asked again, and a durable commit from before it was asked first.
    #[wasm_bindgen(js_name = docPatch)]
    pub fn doc_patch(
        &self,
        path: String,
        request: Vec<u8>,
        scope: Option<String>,
        id: f64,
        after: Option<f64>,
    ) -> Promise {
        let tree = self.tree(scope);
        promise(async move {
            let (patch, matching) = patch(&request)?;
            let once = once(id, after)?;
            let commit = tree.await?.patch_once(&path, patch, matching, once).await;
            commit.map(number)
        })
    }

    /// What a watch tells next, as an array of events: behind commit `seen` if there is one, otherwise first the state after commit `from`.
    /// Nothing if `cancel` is settled before.
    ///
    /// What is told is durable: whoever opens the store next can go on from there.
    #[wasm_bindgen(js_name = docNext)]
    pub fn doc_next(
        &self,
        pattern: String,
        seen: Option<f64>,
        from: Option<f64>,
        scope: Option<String>,
        cancel: Promise,
    ) -> Promise {
        let tree = self.tree(scope);
        let store = self.0.store().clone();
        promise(async move {
            let (seen, from) = (maybe_whole(seen)?, maybe_whole(from)?);
            let (tree, pattern): (_, Pattern) = (tree.await?, pattern.parse()?);
            let mut watch = match seen {
                Some(seen) => tree.watch_behind(&pattern, seen)?,
                None => tree.watch(&pattern, from)?,
            };
            let Some(first) = unless(cancel, watch.next()).await else {
                return Ok(JsValue::UNDEFINED);
            };
            let mut next = Some(first?);
            let (mut events, mut size) = (Vec::new(), 0);
            while let Some(event) = next {
                let event: Vec<u8> = Event::to_value(&event).encode();
                size += event.len();
                events.push(bytes(&event));
                if events.len() >= EVENTS || size >= EVENT_BYTES {
                    break;
                }
                next = watch.next_now().await?;
            }
            store.commit(Batch::new(), Durability::Strict).await?;
            Ok(array(events))
        })
    }

    /// Up to `limit` commits from `from` to `to` that touched `path`, as an array; the newest first if `backward`.
    #[wasm_bindgen(js_name = docHistory)]
    pub fn doc_history(
        &self,
        path: String,
        from: f64,
        to: f64,
        backward: bool,
        limit: usize,
        scope: Option<String>,
    ) -> Promise {
        let tree = self.tree(scope);
        promise(async move {
            let range = whole(from)?..=whole(to)?;
            let direction = match backward {
                true => Direction::Backward,
                false => Direction::Forward,
            };
            let mut history = tree.await?.history(&path, range, direction)?;
            let mut commits = Vec::new();
            while commits.len() < limit {
                match history.next().await? {
                    Some(commit) => commits.push(bytes(&commit.to_value().encode())),
                    None => break,
                }
            }
            Ok(array(commits))
        })
    }

    /// The operations that make what was at `path` after commit `from` what was there after `to`, as a list.
    #[wasm_bindgen(js_name = docDiff)]
    pub fn doc_diff(&self, path: String, from: f64, to: f64, scope: Option<String>) -> Promise {
        let tree = self.tree(scope);
        promise(async move {
            let (from, to) = (whole(from)?, whole(to)?);
            let ops = tree.await?.diff_between(&path, from, to).await?;
            Ok(bytes(&Value::list(ops.iter().map(Op::to_value)).encode()))
        })
    }

    /// The number of the last commit.
    #[wasm_bindgen(js_name = docCommit)]
    pub fn doc_commit(&self, scope: Option<String>) -> Promise {
        let tree = self.tree(scope);
        promise(async move { tree.await?.current_commit().map(number) })
    }

    /// Declares by which field elements of lists are known.
    #[wasm_bindgen(js_name = docDeclareKey)]
    pub fn doc_declare_key(&self, lists: String, field: String) -> Promise {
        let document = self.document();
        promise(async move {
            document.await?.declare_key(&lists, &field).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Turns the log into sorted tables, and removes the states that are not among the last so many, were replaced more milliseconds ago, or are
    /// thinned out; none if nothing is given: `{ commit, horizon, removed_rows }`.
    #[wasm_bindgen(js_name = docSnapshot)]
    pub fn doc_snapshot(
        &self,
        last: Option<f64>,
        within: Option<f64>,
        thin: Option<f64>,
    ) -> Promise {
        let document = self.document();
        promise(async move {
            let (last, within, thin) =
                (maybe_whole(last)?, maybe_whole(within)?, maybe_whole(thin)?);
            let mut retention = Retention::default();
            retention.remove = match (last, within, thin) {
                (Some(last), ..) => Remove::KeepLast(last),
                (_, Some(within), _) => Remove::KeepFor(Duration::from_millis(within)),
                (.., Some(divisor)) => {
                    retention.divisor = divisor;
                    Remove::Thin
                }
                _ => Remove::NeverRemove,
            };
            let snapshot = document.await?.snapshot_with(retention).await?;
            Ok(bytes(&snapshot.to_value().encode()))
        })
    }
}

/// A patch and its match.
pub(crate) fn patch(request: &[u8]) -> Result<(Patch, Option<Match>)> {
    let request = Value::decode(request)?;
    Ok((Patch::from_fields(&request)?, Match::from_field(&request)?))
}

pub(crate) fn once(id: f64, after: Option<f64>) -> Result<Once> {
    let id = whole(id)?;
    Ok(match after {
        None => Once::new(id),
        Some(after) => Once::again(id, whole(after)?),
    })
}

/// What `work` comes to, unless `cancel` is settled before.
pub(crate) async fn unless<T>(cancel: Promise, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), JsFuture::from(cancel)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}
