use super::{
    Pattern, Retention, ToPath,
    keys::Keys,
    meta,
    reader::{Moment, NOW, Reader},
    refuse,
    retention::Removed,
    rows::{DOCUMENT, LOG, ordered, take_ordered},
    scope::{Names, read_names},
    transaction::{Running, State},
    transaction_rows,
};
use crate::{
    Error, Kind, Result,
    engine::{Batch, Direction, Durability, KeyRange, Receipt, Store, View},
    port::{Clock, Volume},
    sorted::SortedMap,
    sync::Mutex,
};
use alloc::{format, string::String, sync::Arc};
use event_listener::Event;

/// The document of a store: one tree of values with all its history. Clones are the same document.
///
/// Every patch that is taken is a commit with a number, and every past state can be read. `docs/documents.md` tells how the tree lies in the
/// store and what things cost. A store has one document, and a process opens it once: clone it.
///
/// Every future may be dropped at any await point: the change was then either made as a whole, or not at all.
///
/// ```
/// # use core::time::Duration;
/// # use littoral_core::{Result, engine, port::{Clock, Entropy, MemoryVolume}};
/// # #[derive(Clone, Copy)] struct Host;
/// # impl Clock for Host {
/// #     fn now(&self) -> Duration { Duration::ZERO }
/// #     async fn sleep(&self, _: Duration) { core::future::pending().await }
/// # }
/// # impl Entropy for Host {
/// #     fn fill(&self, b: &mut [u8]) -> Result<()> { b.fill(7); Ok(()) }
/// # }
/// # futures::executor::block_on(async {
/// use littoral_core::doc::{Documents, Match, Op, Options, Patch, Value};
/// # let store = engine::Store::open(MemoryVolume::new(), &Host, engine::Options::default()).await?;
/// # let clock = Host;
/// let doc = Documents::open(store, clock, Options::default()).await?;
///
/// // Each patch is one commit.
/// let boat = Value::from_json(r#"{"name": "Ebb", "crew": ["Ann"]}"#)?;
/// let first = doc.patch("boats.ebb", Patch::set(boat), None).await?;
/// let second = doc.patch("boats.ebb", Patch::ops([Op::append("crew", "Bo")?]), None).await?;
/// assert_eq!(doc.read("boats.ebb.crew").await?.to_json(), r#"["Ann","Bo"]"#);
///
/// // Every state stays.
/// assert_eq!(doc.read_at("boats.ebb.crew", first).await?.to_json(), r#"["Ann"]"#);
/// let changes = doc.diff_between("boats.ebb", first, second).await?;
/// assert_eq!(changes, [Op::insert("boats.ebb.crew[1]", "Bo")?]);
///
/// // A patch whose match does not hold is refused, and takes no number.
/// let only_if_empty = Match::from_json(r#"{"crew": []}"#)?;
/// let merge = Patch::merge(Value::from_json(r#"{"sunk": true}"#)?);
/// assert!(doc.patch("boats.ebb", merge, Some(only_if_empty)).await.is_err());
/// assert_eq!(doc.current_commit(), second);
/// # Ok::<(), littoral_core::Error>(()) }).unwrap();
/// ```
pub struct Documents<V, C>(pub(super) Arc<Inner<V, C>>);

pub(super) struct Inner<V, C> {
    pub store: Store<V>,
    pub clock: C,
    pub options: Options,
    /// Held while a commit is made, until it has its place in the engine's order.
    pub writer: async_lock::Mutex<Writer>,
    pub shared: Mutex<Shared>,
    pub running: Mutex<Running<V>>,
    /// One snapshot is made at a time.
    pub snapshots: async_lock::Mutex<()>,
    /// Something was committed.
    pub changed: Event,
}

impl<V, C> Clone for Documents<V, C> {
    fn clone(&self) -> Self {
        Documents(self.0.clone())
    }
}

/// How a document behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What a commit waits for before it returns. `Strict` by default.
    pub durability: Durability,
    /// Which past states are kept. All of them by default.
    pub retention: Retention,
    /// Commits after which [`drive`](Documents::drive) makes a snapshot. 100,000 by default.
    pub snapshot_commits: u64,
    /// Bytes of commits after which [`drive`](Documents::drive) makes a snapshot. 64 MiB by default.
    pub snapshot_bytes: u64,
    /// A deliberately broken document, for tests that must catch it.
    #[cfg(feature = "sabotage")]
    pub sabotage: Option<crate::engine::Sabotage>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            durability: Durability::Strict,
            retention: Retention::default(),
            snapshot_commits: 100_000,
            snapshot_bytes: 64 << 20,
            #[cfg(feature = "sabotage")]
            sabotage: None,
        }
    }
}

/// What only the one who commits knows.
pub(super) struct Writer {
    pub next_node: u64,
    /// The store knows that nodes below this one may be taken.
    pub reserved: u64,
}

/// What everybody sees.
pub(super) struct Shared {
    /// The last commit of the document and of each scope.
    pub tips: SortedMap<u64, Tip>,
    /// A commit is being handed over: a view may have it, or not.
    pub pending: bool,
    pub keys: Arc<Keys>,
    pub scopes: Names,
    pub removed: Removed,
    pub unsaved: Unsaved,
}

/// What was committed since the last snapshot.
#[derive(Default)]
pub(super) struct Unsaved {
    pub commits: u64,
    pub bytes: u64,
}

/// How far a scope has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tip {
    pub commit: u64,
    /// The commit of the document that the scope began with; 0 for the document.
    pub base: u64,
}

impl<V: Volume, C: Clock> Documents<V, C> {
    /// Opens the document in `store`, which is an empty object before the first commit.
    ///
    /// # Errors
    /// Those of reading the store; `InvalidInput` for a document that a newer release wrote; `NotImplemented` for the durability `Remote`.
    pub async fn open(store: Store<V>, clock: C, options: Options) -> Result<Self> {
        check_durability(options.durability)?;
        let view = store.view();
        meta::check_format(&view).await?;
        let next_node = meta::free_node(&view).await?;
        let keys = meta::read_keys(&view).await?;
        let mut tips = SortedMap::new();
        let scopes = read_names(&view).await?;
        let all = [(DOCUMENT, 0)].into_iter().chain(scopes.values().copied());
        for (scope, base) in all {
            let commit = last_commit(&view, scope).await?.unwrap_or(base);
            tips.insert(scope, Tip { commit, base });
        }
        let removed = meta::read_removed(&view).await?;
        let mut running = Running::new();
        for (id, kept, joins) in transaction_rows::read_all(&view).await? {
            running.insert(id, State::new(kept, joins));
        }
        drop(view);
        Ok(Documents(Arc::new(Inner {
            store,
            clock,
            options,
            writer: async_lock::Mutex::new(Writer {
                next_node,
                reserved: next_node,
            }),
            shared: Mutex::new(Shared {
                tips,
                pending: false,
                keys: Arc::new(keys),
                scopes,
                removed,
                unsaved: Unsaved::default(),
            }),
            running: Mutex::new(running),
            snapshots: async_lock::Mutex::new(()),
            changed: Event::new(),
        })))
    }

    /// The number of the last commit; 0 before the first.
    pub fn current_commit(&self) -> u64 {
        let shared = self.0.shared.lock();
        shared.tips.get(&DOCUMENT).map_or(0, |tip| tip.commit)
    }

    /// Closes the store under this document, and ends watches and [`drive`](Documents::drive).
    ///
    /// # Errors
    /// Those of [`Store::close`].
    pub async fn close(&self) -> Result<()> {
        let closed = self.0.store.close().await;
        self.0.changed.notify(usize::MAX);
        closed
    }

    /// The engine's store under this document.
    pub fn store(&self) -> &Store<V> {
        &self.0.store
    }

    /// Declares that elements of the lists that `lists` stands for are known by their field `field`: `users(jane)` is then the
    /// element of `users` whose `field` is `jane`. Declaring another field later changes what such paths mean from then on.
    ///
    /// # Errors
    /// `InvalidInput` for a text that is no pattern, and for names that are too long; those of a commit.
    pub async fn declare_key(&self, lists: &str, field: &str) -> Result<()> {
        let pattern: Pattern = lists.parse()?;
        if field.len() > super::MAX_NAME || lists.len() > super::MAX_NAME {
            return Err(refuse(&format!(
                "a pattern and a key field have at most {} bytes each",
                super::MAX_NAME
            )));
        }
        let writer = self.0.writer.lock().await;
        let mut batch = Batch::new();
        meta::put_key(&mut batch, &pattern, field);
        let receipt = self
            .0
            .store
            .submit(batch, self.0.options.durability)
            .await?;
        {
            let mut shared = self.0.shared.lock();
            let mut keys = Keys::clone(&shared.keys);
            keys.0.retain(|(other, _)| *other != pattern);
            keys.0.push((pattern, field.into()));
            shared.keys = Arc::new(keys);
        }
        drop(writer);
        receipt.wait(self.0.options.durability).await
    }

    /// The declared key fields: what lists, and which field.
    pub fn declared_keys(&self) -> alloc::vec::Vec<(Pattern, String)> {
        self.0.keys().0.clone()
    }
}

impl<V: Volume, C: Clock> Inner<V, C> {
    pub(super) fn keys(&self) -> Arc<Keys> {
        self.shared.lock().keys.clone()
    }

    /// A path as somebody gave it, with declared keys written out.
    pub(super) fn path(&self, path: impl ToPath) -> Result<super::Path> {
        self.keys().resolve(&path.to_path()?)
    }

    pub(super) fn tip(&self, scope: u64) -> Result<Tip> {
        let shared = self.shared.lock();
        shared.tips.get(&scope).copied().ok_or_else(no_scope)
    }

    /// The rows as they are now, which commit that is, and how it is read.
    pub(super) fn now(&self, scope: u64) -> Result<(Reader<V>, Moment, u64)> {
        loop {
            let tip = self.tip(scope)?;
            let view = self.store.view();
            let shared = self.shared.lock();
            // The view has this commit at least. Unless it may have another one, head alone tells.
            let settled = !shared.pending && shared.tips.get(&scope) == Some(&tip);
            if !shared.tips.contains_key(&scope) {
                return Err(no_scope());
            }
            // Retention may have gone past it already.
            if !settled && scope == DOCUMENT && !shared.removed.keeps(tip.commit) {
                continue;
            }
            let moment = Moment {
                scope,
                at: if settled { NOW } else { tip.commit },
                base: tip.base,
            };
            return Ok((Reader { view }, moment, tip.commit));
        }
    }

    /// The rows, and how they are read as they were at `commit`.
    pub(super) fn then(&self, scope: u64, commit: u64) -> Result<(Reader<V>, Moment)> {
        let (reader, moment, current) = self.now(scope)?;
        if commit > current {
            return Err(no_commit(commit, current));
        }
        if commit == current {
            return Ok((reader, moment));
        }
        // A scope's past before it was made is the document's.
        if scope != DOCUMENT && commit > moment.base {
            let at = commit;
            return Ok((reader, Moment { at, ..moment }));
        }
        // What is removed from now on is still in the view.
        if scope == DOCUMENT || commit < moment.base {
            self.shared.lock().removed.check(commit)?;
        }
        Ok((reader, Moment::document(commit)))
    }

    /// Hands over what the holder of the writer's lock has made, and says what is the last commit of `scope` then.
    pub(super) async fn hand_over(
        &self,
        scope: u64,
        commit: u64,
        batch: Batch,
        durability: Durability,
    ) -> Result<Receipt<V>> {
        let pending = Pending::begin(&self.shared);
        let bytes = batch.bytes();
        let receipt = self.store.submit(batch, durability).await?;
        // From here to the end nothing is awaited.
        {
            let mut shared = self.shared.lock();
            if let Some(tip) = shared.tips.get_mut(&scope) {
                tip.commit = commit;
            }
            shared.unsaved.commits += 1;
            shared.unsaved.bytes += bytes;
        }
        drop(pending);
        self.changed.notify(usize::MAX);
        Ok(receipt)
    }

    /// Milliseconds since 1970.
    pub(super) fn millis(&self) -> u64 {
        u64::try_from(self.clock.now().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The last commit in a scope's log.
async fn last_commit<V: Volume>(view: &View<V>, scope: u64) -> Result<Option<u64>> {
    let range = KeyRange::prefix(ordered(scope));
    let last = view.scan(LOG, range, Direction::Backward).next().await?;
    let number = last.map(|entry| Ok(take_ordered(take_ordered(&entry.key)?.1)?.0));
    number.transpose()
}

/// While it is there, views may be ahead of what is said of the last commit.
struct Pending<'a>(&'a Mutex<Shared>);

impl<'a> Pending<'a> {
    fn begin(shared: &'a Mutex<Shared>) -> Self {
        shared.lock().pending = true;
        Pending(shared)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.lock().pending = false;
    }
}

/// A document alone has no remote. Asked before anything is changed.
pub(super) fn check_durability(durability: Durability) -> Result<()> {
    match durability {
        Durability::Remote => Err(Error::new(
            Kind::NotImplemented,
            "a document alone has no remote: Strict is the most that it gives",
        )),
        _ => Ok(()),
    }
}

pub(super) fn no_commit(commit: u64, current: u64) -> Error {
    Error::new(
        Kind::OutOfRange,
        format!("there is no commit {commit} yet: the last one is {current}"),
    )
}

pub(super) fn no_scope() -> Error {
    Error::new(
        Kind::NotFound,
        "there is no such scope: it was dropped or promoted",
    )
}

pub(super) fn nothing_at(path: &super::Path) -> Error {
    let message = match path.is_root() {
        true => String::from("nothing is at the root"),
        false => format!("nothing is at {path}"),
    };
    Error::new(Kind::NotFound, message)
}
