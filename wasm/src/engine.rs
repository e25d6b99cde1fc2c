//! One open store.

use crate::{
    convert::{
        Pieces, Source, answer, array, bytes, maybe_pointer, number, object, pointer, promise,
        whole,
    },
    doc::Opened,
};
use alloc::{string::String, vec::Vec};
use core::time::Duration;
use js_sys::Promise;
use littoral_browser::{
    Browser, Fetch, JsVolume,
    core::{
        Error, Kind, Result,
        blob::{
            BlobStore, EngineBlobs, EngineRoots, HttpBlobs, Listed, Pointer, RootStore, Staged,
            Stat,
        },
        engine::{self, Store},
        pair::{self, Pair},
    },
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

pub(crate) type Remote = HttpBlobs<Fetch>;

/// A value or a promise of it.
type Answer = core::result::Result<JsValue, JsValue>;

/// An open store. Its methods return promises, or at once what they need not wait for; pointers are 64 hex digits; a rejection is an `Error` with a `code`.
#[wasm_bindgen]
pub struct Engine(pub(crate) Side, pub(crate) Opened);

/// With a remote or without.
#[derive(Clone)]
pub(crate) enum Side {
    Pair(Pair<JsVolume, Remote, Browser>),
    Alone(Alone),
}

/// A store without a remote.
#[derive(Clone)]
pub(crate) struct Alone {
    pub blobs: EngineBlobs<JsVolume>,
    pub roots: EngineRoots<JsVolume>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens the store in `volume`, or makes one in an empty volume, and starts its background work. `cache`: bytes of blobs
    /// that are kept here when the remote has them.
    pub fn open(
        volume: JsValue,
        url: Option<String>,
        token: Option<String>,
        cache: Option<f64>,
    ) -> Promise {
        promise(async move {
            let volume = JsVolume::new(volume);
            let mut options = engine::Options::default();
            options.memory_budget = 16 << 20;
            let store = Store::open(volume, &Browser, options).await?;
            let Some(url) = url else {
                return Ok(Engine(Side::Alone(Alone::start(store)), Opened::default()).into());
            };
            let mut remote = HttpBlobs::new(Fetch, &url)?;
            if let Some(token) = token {
                remote = remote.with_token(&token)?;
            }
            let mut options = pair::Options::default();
            options.uploads = 6;
            options.upload_memory = 16 << 20;
            options.cache = cache.map(|bytes| bytes as u64);
            let pair = Pair::open(store, remote, Browser, options).await?;
            let driven = pair.clone();
            spawn_local(async move { driven.drive().await });
            Ok(Engine(Side::Pair(pair), Opened::default()).into())
        })
    }

    /// Stores bytes; resolves to their pointer once they are durable. `hash`: their SHA-256, where something faster has made it.
    pub fn put(&self, bytes: Vec<u8>, hash: Option<Vec<u8>>) -> Promise {
        let side = self.0.clone();
        promise(async move { Ok(side.put(bytes, hash).await?.to_hex().into()) })
    }

    /// Stores what `source` gives; resolves to its pointer once it is durable.
    #[wasm_bindgen(js_name = putStream)]
    pub fn put_stream(&self, source: Source) -> Promise {
        let side = self.0.clone();
        promise(async move { Ok(side.put_stream(Pieces(source)).await?.to_hex().into()) })
    }

    /// The blob's bytes.
    pub fn get(&self, hex: String) -> Answer {
        let side = self.0.clone();
        answer(async move { Ok(bytes(&side.get(&pointer(&hex)?).await?)) })
    }

    /// Bytes `from..to` of the blob.
    pub fn range(&self, hex: String, from: f64, to: f64) -> Answer {
        let side = self.0.clone();
        answer(async move {
            let (from, to) = (whole(from)?, whole(to)?);
            let found = match &side {
                Side::Pair(pair) => pair.get_range(&pointer(&hex)?, from..to).await?,
                Side::Alone(alone) => alone.blobs.get_range(&pointer(&hex)?, from..to).await?,
            };
            Ok(bytes(&found))
        })
    }

    /// `{ size, chunks }`, or nothing.
    pub fn stat(&self, hex: String) -> Answer {
        let side = self.0.clone();
        answer(async move {
            Ok(match side.stat(&pointer(&hex)?).await? {
                Some(stat) => object([("size", number(stat.size)), ("chunks", stat.chunks.into())]),
                None => JsValue::UNDEFINED,
            })
        })
    }

    /// Whether each blob is there.
    pub fn has(&self, hexes: Vec<String>) -> Answer {
        let side = self.0.clone();
        answer(async move {
            let pointers: Result<Vec<_>> = hexes.iter().map(|hex| pointer(hex)).collect();
            let has = match &side {
                Side::Pair(pair) => pair.has(&pointers?).await?,
                Side::Alone(alone) => alone.blobs.has(&pointers?).await?,
            };
            Ok(array(has))
        })
    }

    /// Removes the blob; whether it was there.
    pub fn delete(&self, hex: String) -> Promise {
        let side = self.0.clone();
        promise(async move {
            let was_there = match &side {
                Side::Pair(pair) => pair.delete(&pointer(&hex)?).await,
                Side::Alone(alone) => alone.blobs.delete(&pointer(&hex)?).await,
            };
            was_there.map(JsValue::from)
        })
    }

    /// Up to `limit` blobs behind `after`: `[{ pointer, size }]`. Those here only, where `here` says so.
    pub fn list(&self, after: Option<String>, limit: usize, here: bool) -> Answer {
        let side = self.0.clone();
        answer(async move {
            let listed = side.list(maybe_pointer(after)?, limit, here).await?;
            Ok(array(listed.into_iter().map(|listed| {
                object([
                    ("pointer", listed.pointer.to_hex().into()),
                    ("size", number(listed.size)),
                ])
            })))
        })
    }

    /// Where a root points, or nothing.
    pub fn root(&self, name: String) -> Answer {
        let side = self.0.clone();
        answer(async move {
            let found = match &side {
                Side::Pair(pair) => pair.root(&name).await?,
                Side::Alone(alone) => alone.roots.root(&name).await?,
            };
            Ok(found.map_or(JsValue::UNDEFINED, |to| to.to_hex().into()))
        })
    }

    /// Moves a root by compare-and-swap.
    #[wasm_bindgen(js_name = moveRoot)]
    pub fn move_root(&self, name: String, from: Option<String>, to: Option<String>) -> Promise {
        let side = self.0.clone();
        promise(async move {
            let (from, to) = (maybe_pointer(from)?, maybe_pointer(to)?);
            match &side {
                Side::Pair(pair) => pair.move_root(&name, from, to).await.map(drop)?,
                Side::Alone(alone) => alone.roots.move_root(&name, from, to).await?,
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Up to `limit` roots behind `after`: `[{ name, pointer }]`. Those here only, where `here` says so: then nobody is asked.
    pub fn roots(&self, after: Option<String>, limit: usize, here: bool) -> Answer {
        let side = self.0.clone();
        answer(async move {
            let found = match &side {
                Side::Pair(pair) if !here => pair.roots(after.as_deref(), limit).await?,
                Side::Pair(pair) => {
                    let roots = EngineRoots::new(pair.store().clone());
                    roots.roots(after.as_deref(), limit).await?
                }
                Side::Alone(alone) => alone.roots.roots(after.as_deref(), limit).await?,
            };
            Ok(array(found.into_iter().map(|(name, pointer)| {
                object([("name", name.into()), ("pointer", pointer.to_hex().into())])
            })))
        })
    }

    /// Waits until what was queued before is remote; `cancel` is a promise that ends the waiting.
    pub fn sync(&self, cancel: Promise) -> Promise {
        let side = self.0.clone();
        promise(async move {
            if let Side::Pair(pair) = &side {
                let cancelled = async move {
                    // However it ends.
                    let _ = JsFuture::from(cancel).await;
                };
                pair.sync(cancelled).await?;
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Closes the store; uploads go on for at most `patience` milliseconds before.
    pub fn close(&self, patience: f64) -> Promise {
        let (side, opened) = (self.0.clone(), self.1.clone());
        promise(async move {
            let closed = match &side {
                Side::Pair(pair) => {
                    let patience = Duration::from_millis(patience as u64);
                    pair.close(patience).await.map(drop)
                }
                Side::Alone(alone) => alone.blobs.store().close().await,
            };
            if let Some(document) = opened.get() {
                // The store under it is closed already: this ends who watches.
                let _ = document.close().await;
            }
            closed.map(|()| JsValue::UNDEFINED)
        })
    }
}

impl Side {
    async fn put(&self, bytes: Vec<u8>, hash: Option<Vec<u8>>) -> Result<Pointer> {
        let Some(hash) = hash else {
            return match self {
                Side::Pair(pair) => BlobStore::put(pair, bytes.into()).await,
                Side::Alone(alone) => alone.blobs.put(bytes.into()).await,
            };
        };
        let named = Pointer::from_slice(&hash)
            .map_err(|error| Error::new(Kind::InvalidInput, alloc::format!("{error}")))?;
        let staged = Staged::hashed(named, bytes.into())?;
        match self {
            Side::Pair(pair) => pair.put_staged(&staged).await.map(|_| staged.pointer),
            Side::Alone(alone) => alone.blobs.put_staged(staged).await,
        }
    }

    async fn put_stream(&self, body: Pieces) -> Result<Pointer> {
        match self {
            Side::Pair(pair) => BlobStore::put_stream(pair, body).await,
            Side::Alone(alone) => alone.blobs.put_stream(body).await,
        }
    }

    async fn get(&self, pointer: &Pointer) -> Result<bytes::Bytes> {
        match self {
            Side::Pair(pair) => pair.get(pointer).await,
            Side::Alone(alone) => alone.blobs.get(pointer).await,
        }
    }

    async fn stat(&self, pointer: &Pointer) -> Result<Option<Stat>> {
        match self {
            Side::Pair(pair) => pair.stat(pointer).await,
            Side::Alone(alone) => alone.blobs.stat(pointer).await,
        }
    }

    async fn list(&self, after: Option<Pointer>, limit: usize, here: bool) -> Result<Vec<Listed>> {
        match self {
            Side::Pair(pair) if !here => pair.list(after, limit).await,
            Side::Pair(pair) => pair.fast().list(after, limit).await,
            Side::Alone(alone) => alone.blobs.list(after, limit).await,
        }
    }

    pub(crate) fn store(&self) -> &Store<JsVolume> {
        match self {
            Side::Pair(pair) => pair.store(),
            Side::Alone(alone) => alone.blobs.store(),
        }
    }
}

impl Alone {
    fn start(store: Store<JsVolume>) -> Self {
        let alone = Alone {
            blobs: EngineBlobs::new(store.clone()),
            roots: EngineRoots::new(store.clone()),
        };
        spawn_local(async move { store.drive().await });
        let blobs = alone.blobs.clone();
        // What is left over is taken away at the next opening.
        spawn_local(async move { drop(blobs.sweep().await) });
        alone
    }
}
