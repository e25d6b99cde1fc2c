//! The queue of an open store, its status, and looking after it.

use crate::{
    convert::{array, maybe_error, number, object, pointer, promise, time},
    engine::{Engine, Remote, Side},
};
use alloc::{rc::Rc, vec::Vec};
use async_lock::Mutex;
use js_sys::Promise;
use littoral_browser::{
    Browser, JsVolume,
    core::pair::{Change, Phase, QueueItem, Status, Watch},
    to_js,
};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Engine {
    /// `{ count, bytes, oldest, missing, failed, lastError }`: what the remote has not acknowledged.
    pub fn pending(&self) -> Promise {
        let side = self.0.clone();
        promise(async move {
            let Side::Pair(pair) = &side else {
                return Ok(JsValue::UNDEFINED);
            };
            let pending = pair.pending().await?;
            Ok(object([
                ("count", number(pending.count)),
                ("bytes", number(pending.bytes)),
                ("oldest", pending.oldest.map_or(JsValue::UNDEFINED, time)),
                ("missing", number(pending.missing)),
                ("failed", number(pending.failed)),
                ("lastError", maybe_error(pending.last_error.as_ref())),
            ]))
        })
    }

    /// Changes in the queue, their bytes, those that were refused, those whose blob is missing: as far as is known without
    /// looking into the store.
    pub fn counts(&self) -> Vec<f64> {
        let Side::Pair(pair) = &self.0 else {
            return Vec::new();
        };
        let now = pair.status().current();
        [now.queued, now.queued_bytes, now.failed, now.missing]
            .into_iter()
            .map(|n| n as f64)
            .collect()
    }

    /// Up to `limit` changes that the remote has not acknowledged, behind order `after`.
    pub fn queue(&self, after: Option<f64>, limit: usize) -> Promise {
        let side = self.0.clone();
        promise(async move {
            let Side::Pair(pair) = &side else {
                return Ok(array::<JsValue>([]));
            };
            let items = pair.queue(after.map(|after| after as u64), limit).await?;
            Ok(array(items.iter().map(item)))
        })
    }

    /// Tries again what was refused; how many changes that are.
    #[wasm_bindgen(js_name = retryFailed)]
    pub fn retry_failed(&self) -> Promise {
        let side = self.0.clone();
        promise(async move {
            match &side {
                Side::Pair(pair) => pair.retry_failed().await.map(number),
                Side::Alone(_) => Ok(number(0)),
            }
        })
    }

    /// Stops uploads until `resume`.
    pub fn pause(&self) {
        if let Side::Pair(pair) = &self.0 {
            pair.pause();
        }
    }

    /// Takes uploads up again, also after the remote wanted other credentials.
    pub fn resume(&self) {
        if let Side::Pair(pair) = &self.0 {
            pair.resume();
        }
    }

    /// Tries at once what waits for its next attempt: the network is back.
    pub fn wake(&self) {
        if let Side::Pair(pair) = &self.0 {
            pair.wake();
        }
    }

    /// Keeps the blob here, whatever the cache's bound.
    pub fn pin(&self, hex: alloc::string::String, on: bool) -> Promise {
        let side = self.0.clone();
        promise(async move {
            if let Side::Pair(pair) = &side {
                match on {
                    true => pair.pin(&pointer(&hex)?).await?,
                    false => pair.unpin(&pointer(&hex)?).await?,
                }
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Watches what the background work does.
    pub fn watch(&self) -> StatusWatch {
        StatusWatch(match &self.0 {
            Side::Pair(pair) => Some(Rc::new(Mutex::new(pair.status()))),
            Side::Alone(_) => None,
        })
    }

    /// Reads and checks everything: `{ values, bytes, damage: [string] }`.
    pub fn verify(&self) -> Promise {
        let store = self.0.store().clone();
        promise(async move {
            let verified = store.verify().await?;
            let damage = verified.damage.iter().map(|damage| {
                alloc::format!(
                    "{}: bytes {}..{}",
                    damage.what,
                    damage.range.start,
                    damage.range.end
                )
            });
            Ok(object([
                ("values", number(verified.values)),
                ("bytes", number(verified.bytes)),
                ("damage", array(damage)),
            ]))
        })
    }

    /// Gives space of what was deleted back; bytes freed.
    pub fn reclaim(&self) -> Promise {
        let store = self.0.store().clone();
        promise(async move { store.reclaim().await.map(|done| number(done.bytes_freed)) })
    }

    /// Writes a copy of the store as it is now into another, empty volume; its length.
    pub fn backup(&self, volume: JsValue) -> Promise {
        let store = self.0.store().clone();
        promise(async move {
            let volume = JsVolume::new(volume);
            store.backup(volume, &Browser).await.map(number)
        })
    }

    /// What the store is made of.
    pub fn stats(&self) -> JsValue {
        let stats = self.0.store().stats();
        object([
            ("commit", number(stats.last_commit)),
            ("durableCommit", number(stats.durable_commit)),
            ("size", number(stats.size)),
            ("sizeInUse", number(stats.size_in_use)),
            ("logUsed", number(stats.log_used)),
            ("logSize", number(stats.log_size)),
            ("tables", number(stats.tables as u64)),
            ("tableBytes", number(stats.table_bytes)),
            ("packs", number(stats.packs as u64)),
            ("packBytes", number(stats.pack_bytes)),
            ("memory", number(stats.memory as u64)),
            ("poisoned", stats.poisoned.into()),
            ("error", maybe_error(stats.upkeep_error.as_ref())),
        ])
    }
}

/// Watches what a store's background work does.
#[wasm_bindgen]
pub struct StatusWatch(Option<Watched>);

type Watched = Rc<Mutex<Watch<JsVolume, Remote, Browser>>>;

#[wasm_bindgen]
impl StatusWatch {
    /// Resolves to the next status that is new, to nothing after the last one.
    pub fn next(&self) -> Promise {
        let watch = self.0.clone();
        promise(async move {
            let Some(watch) = watch else {
                return Ok(JsValue::UNDEFINED);
            };
            let changed = watch.lock().await.changed().await;
            Ok(changed.as_ref().map_or(JsValue::UNDEFINED, status))
        })
    }
}

fn status(status: &Status) -> JsValue {
    let (phase, reason) = match &status.phase {
        Phase::Stopped => ("stopped", None),
        Phase::Idle => ("idle", None),
        Phase::Working => ("working", None),
        Phase::Paused => ("paused", None),
        Phase::Auth(error) => ("auth", Some(error)),
        Phase::Waiting { reason, .. } => ("waiting", Some(reason)),
        Phase::Closed => ("closed", None),
        _ => ("", None),
    };
    let wait = match &status.phase {
        Phase::Waiting { wait, .. } => time(*wait),
        _ => JsValue::UNDEFINED,
    };
    object([
        ("phase", phase.into()),
        ("reason", maybe_error(reason)),
        ("wait", wait),
        ("queued", number(status.queued)),
        ("queuedBytes", number(status.queued_bytes)),
        ("failed", number(status.failed)),
        ("missing", number(status.missing)),
        ("active", number(status.active as u64)),
        ("uploaded", number(status.uploaded)),
        ("uploadedBytes", number(status.uploaded_bytes)),
        ("sentBytes", number(status.sent_bytes)),
        ("fetched", number(status.fetched)),
        ("fetchedBytes", number(status.fetched_bytes)),
        ("lastError", maybe_error(status.last_error.as_ref())),
    ])
}

fn item(item: &QueueItem) -> JsValue {
    let (kind, blob, size, name) = match &item.change {
        Change::Put { pointer, size } => ("put", Some(*pointer), Some(*size), None),
        Change::Delete { pointer } => ("delete", Some(*pointer), None, None),
        Change::MoveRoot { name, to, .. } => ("root", *to, None, Some(name.as_str())),
        _ => ("unreadable", None, None, None),
    };
    object([
        ("order", number(item.order)),
        ("since", time(item.since)),
        ("change", kind.into()),
        (
            "pointer",
            blob.map_or(JsValue::UNDEFINED, |blob| blob.to_hex().into()),
        ),
        ("size", size.map_or(JsValue::UNDEFINED, number)),
        ("name", name.map_or(JsValue::UNDEFINED, Into::into)),
        (
            "trouble",
            item.trouble
                .as_ref()
                .map_or(JsValue::UNDEFINED, |trouble| to_js(trouble.reason())),
        ),
    ])
}
