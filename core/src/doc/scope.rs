//! Scopes: copies of the document that are changed on their own.

use super::{
    Documents, History, Match, Once, Op, Patch, Pattern, ToPath, Value, Watch,
    documents::{Inner, Tip, no_scope, nothing_at},
    entry::Entry,
    meta,
    normal::Tree,
    partial::satisfied,
    refusal::Refusal,
    refuse,
    rows::{DOCUMENT, HEAD, LOG, META, PAST, ordered},
};
use crate::{
    Error, Kind, Result,
    engine::{Batch, Direction, KeyRange, View},
    port::{Clock, Volume},
    sorted::SortedMap,
};
use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::ops::RangeInclusive;

/// A copy-on-write overlay: what it shows is the document as it was when the scope was made, with the scope's own changes on top. It does not see
/// later changes of the document, nor those of other scopes, and nobody sees its own until it is promoted.
///
/// Its commits go on from the document's: up to [`base`](Scope::base) they are the document's own, then the scope's. Clones are the same scope.
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
/// use littoral_core::doc::{Documents, Options, Patch, Value};
/// # let store = engine::Store::open(MemoryVolume::new(), &Host, engine::Options::default()).await?;
/// # let clock = Host;
/// let doc = Documents::open(store, clock, Options::default()).await?;
/// doc.patch("berth", Patch::set(7), None).await?;
/// let draft = doc.create_scope("draft").await?;
/// draft.patch("berth", Patch::set(8), None).await?;
/// assert_eq!(draft.read("berth").await?, Value::from(8));
/// assert_eq!(doc.read("berth").await?, Value::from(7));
/// draft.promote().await?;
/// assert_eq!(doc.read("berth").await?, Value::from(8));
/// # Ok::<(), littoral_core::Error>(()) }).unwrap();
/// ```
pub struct Scope<V, C> {
    inner: Arc<Inner<V, C>>,
    name: String,
    number: u64,
    base: u64,
}

impl<V, C> Clone for Scope<V, C> {
    fn clone(&self) -> Self {
        Scope {
            inner: self.inner.clone(),
            name: self.name.clone(),
            number: self.number,
            base: self.base,
        }
    }
}

/// The next number of a scope, and what the names of scopes begin with, in meta.
const NEXT: &[u8] = b"S";
const NAME: u8 = b's';

/// Names, with the scope's number and base.
pub(super) type Names = SortedMap<String, (u64, u64)>;

impl<V: Volume, C: Clock> Documents<V, C> {
    /// Makes a scope of the document as it is now.
    ///
    /// # Errors
    /// `AlreadyExists` for a name that a scope has; `InvalidInput` for one of more than [`MAX_NAME`](super::MAX_NAME) bytes; those of a commit.
    pub async fn create_scope(&self, name: &str) -> Result<Scope<V, C>> {
        if name.len() > super::MAX_NAME {
            let most = super::MAX_NAME;
            return Err(refuse(&format!("a scope's name has at most {most} bytes")));
        }
        let writer = self.0.writer.lock().await;
        if self.0.shared.lock().scopes.contains_key(name) {
            return Err(Error::new(
                Kind::AlreadyExists,
                format!("there is a scope {name:?} already"),
            ));
        }
        let base = self.0.tip(DOCUMENT)?.commit;
        let view = self.0.store.view();
        let number = meta::read_number(&view, NEXT).await?.unwrap_or(1);
        drop(view);
        let mut batch = Batch::new();
        batch.put(META, NEXT, meta::number_row(number.saturating_add(1)));
        let row = [meta::number_row(number), meta::number_row(base)].concat();
        batch.put(META, name_key(name), row);
        let durability = self.0.options.durability;
        let receipt = self.0.store.submit(batch, durability).await?;
        {
            let mut shared = self.0.shared.lock();
            shared.scopes.insert(name.into(), (number, base));
            shared.tips.insert(number, Tip { commit: base, base });
        }
        drop(writer);
        receipt.wait(durability).await?;
        Ok(Scope {
            inner: self.0.clone(),
            name: name.into(),
            number,
            base,
        })
    }

    /// The scope with this name.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn scope(&self, name: &str) -> Result<Scope<V, C>> {
        let shared = self.0.shared.lock();
        let (number, base) = shared.scopes.get(name).copied().ok_or_else(no_scope)?;
        Ok(Scope {
            inner: self.0.clone(),
            name: name.into(),
            number,
            base,
        })
    }

    /// The document itself, for what works on it and on any scope. It can be neither dropped nor promoted.
    pub fn as_scope(&self) -> Scope<V, C> {
        Scope {
            inner: self.0.clone(),
            name: String::new(),
            number: DOCUMENT,
            base: 0,
        }
    }

    /// The names of all scopes, in byte order.
    pub fn scopes(&self) -> Vec<String> {
        self.0.shared.lock().scopes.keys().cloned().collect()
    }
}

/// All of them say `NotFound` once the scope was dropped or promoted.
impl<V: Volume, C: Clock> Scope<V, C> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The commit of the document that it began with.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The number of its last commit: [`base`](Scope::base), and one for each of its own.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn current_commit(&self) -> Result<u64> {
        Ok(self.inner.tip(self.number)?.commit)
    }

    /// As [`Documents::read`].
    ///
    /// # Errors
    /// As there.
    pub async fn read(&self, path: impl ToPath) -> Result<Value> {
        let path = self.inner.path(path)?;
        let (value, _) = self.inner.read(self.number, &path).await?;
        value.ok_or_else(|| nothing_at(&path))
    }

    /// As [`Documents::read_with_commit`].
    ///
    /// # Errors
    /// As there.
    pub async fn read_with_commit(&self, path: impl ToPath) -> Result<(Option<Value>, u64)> {
        let path = self.inner.path(path)?;
        self.inner.read(self.number, &path).await
    }

    /// As [`Documents::read_at`]; commits up to [`base`](Scope::base) are the document's.
    ///
    /// # Errors
    /// As there.
    pub async fn read_at(&self, path: impl ToPath, commit: u64) -> Result<Value> {
        let path = self.inner.path(path)?;
        let value = self.inner.read_at(self.number, &path, commit).await?;
        value.ok_or_else(|| nothing_at(&path))
    }

    /// As [`Documents::patch`], for this scope alone. The match is kept, and has to hold again when the scope is promoted.
    ///
    /// # Errors
    /// As there.
    pub async fn patch(
        &self,
        path: impl ToPath,
        patch: Patch,
        matching: impl Into<Option<Match>>,
    ) -> Result<u64> {
        let path = path.to_path()?;
        let (matching, durability) = (matching.into(), self.inner.options.durability);
        self.inner
            .patch(self.number, &path, &patch, matching, None, durability)
            .await
    }

    /// As [`Documents::patch_once`], for this scope alone.
    ///
    /// # Errors
    /// As there.
    pub async fn patch_once(
        &self,
        path: impl ToPath,
        patch: Patch,
        matching: impl Into<Option<Match>>,
        once: Once,
    ) -> Result<u64> {
        let path = path.to_path()?;
        let (matching, durability) = (matching.into(), self.inner.options.durability);
        self.inner
            .patch(self.number, &path, &patch, matching, Some(once), durability)
            .await
    }

    /// As [`Documents::diff_between`].
    ///
    /// # Errors
    /// As there.
    pub async fn diff_between(&self, path: impl ToPath, from: u64, to: u64) -> Result<Vec<Op>> {
        let path = self.inner.path(path)?;
        self.inner.diff_between(self.number, &path, from, to).await
    }

    /// As [`Documents::history`], of the scope's own commits.
    ///
    /// # Errors
    /// As there.
    pub fn history(
        &self,
        path: impl ToPath,
        range: RangeInclusive<u64>,
        direction: Direction,
    ) -> Result<History<V, C>> {
        let path = self.inner.path(path)?;
        let documents = Documents(self.inner.clone());
        documents.history_of(&path.into(), self.number, range, direction)
    }

    /// As [`Documents::watch`], of the scope's own commits.
    ///
    /// # Errors
    /// As there; `OutOfRange` for a commit before [`base`](Scope::base).
    pub fn watch(
        &self,
        pattern: &Pattern,
        from_commit: impl Into<Option<u64>>,
    ) -> Result<Watch<V, C>> {
        let from = from_commit.into();
        if from.is_some_and(|from| from < self.base) {
            return Err(Error::new(
                Kind::OutOfRange,
                format!(
                    "the scope began with commit {}: watch the document for what is before",
                    self.base
                ),
            ));
        }
        self.inner.clone().watch(self.number, pattern, from)
    }

    /// As [`Documents::watch_behind`], of the scope's own commits.
    ///
    /// # Errors
    /// As there.
    pub fn watch_behind(&self, pattern: &Pattern, seen: u64) -> Result<Watch<V, C>> {
        self.inner.clone().watch_behind(self.number, pattern, seen)
    }

    /// Removes the scope and all that was changed in it. Durable when it returns; a future that is dropped has dropped it or not.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` for the document itself; those of a commit.
    pub async fn drop(self) -> Result<()> {
        self.check_own()?;
        let writer = self.inner.writer.lock().await;
        let tip = self.inner.tip(self.number)?;
        let mut batch = Batch::new();
        self.remove(&mut batch);
        let durability = self.inner.options.durability;
        let hidden = self.hide(tip);
        let receipt = self.inner.store.submit(batch, durability).await?;
        hidden.for_good();
        drop(writer);
        self.inner.changed.notify(usize::MAX);
        receipt.wait(durability).await
    }

    /// Applies all that was changed in the scope to the document as it is now, as one commit, and removes the scope. Returns the commit's number, or the
    /// last commit's if nothing was changed.
    ///
    /// Every match that a patch of the scope came with has to hold, in its turn, in the document with the patches before it; and so do tests
    /// within patches.
    ///
    /// # Errors
    /// `Conflict` with the path and the reason where one does not hold or cannot be applied: the document and the scope stay as they were. `InvalidInput` for
    /// more than one batch of the engine can hold, and for the document itself. `NotFound`; those of a commit.
    pub fn promote(self) -> impl Future<Output = Result<u64>> {
        self.promote_as(None)
    }

    /// As [`promote`](Scope::promote), for somebody who may have to ask again. By then the scope is gone: [`Documents::made`] tells which commit it became.
    ///
    /// # Errors
    /// As there.
    pub fn promote_once(self, once: Once) -> impl Future<Output = Result<u64>> {
        self.promote_as(Some(once.id))
    }

    async fn promote_as(self, id: Option<u64>) -> Result<u64> {
        self.check_own()?;
        let mut writer = self.inner.writer.lock().await;
        let tip = self.inner.tip(self.number)?;
        let current = self.inner.tip(DOCUMENT)?.commit;
        let mut work = self.inner.work(&writer, DOCUMENT, 0);
        let mut ops = Vec::new();
        let own = KeyRange::prefix(ordered(self.number));
        let mut log = work.rows.view.scan(LOG, own, Direction::Forward);
        while log.next().await?.is_some() {
            let entry = Entry::decode(&log.value().await?)?;
            if let Some((path, pattern)) = &entry.condition
                && !satisfied(&mut work, path, pattern).await?
            {
                return Err(Refusal::state("what is there does not match any more").at(path));
            }
            for op in entry.ops {
                work.apply(&op).await?;
                ops.push(op);
            }
        }
        drop(log);
        let mut batch = Batch::new();
        self.remove(&mut batch);
        let durability = self.inner.options.durability;
        let hidden = self.hide(tip);
        let changes = ops.iter().any(|op| !matches!(op, Op::Test { .. }));
        let (commit, receipt) = if changes {
            let entry = Entry {
                millis: self.inner.millis(),
                condition: None,
                id,
                ops,
            };
            let done = self
                .inner
                .log(&mut writer, DOCUMENT, work, entry, batch, durability)
                .await?;
            done.ok_or_else(no_scope)?
        } else {
            drop(work);
            (current, self.inner.store.submit(batch, durability).await?)
        };
        hidden.for_good();
        drop(writer);
        self.inner.changed.notify(usize::MAX);
        receipt.wait(durability).await?;
        Ok(commit)
    }

    fn check_own(&self) -> Result<()> {
        match self.number {
            DOCUMENT => Err(refuse("the document itself is no scope that can end")),
            _ => Ok(()),
        }
    }

    fn remove(&self, batch: &mut Batch) {
        batch.delete(META, name_key(&self.name));
        for space in [HEAD, PAST, LOG] {
            batch.delete_range(space, KeyRange::prefix(ordered(self.number)));
        }
    }

    /// Nobody reads it while it is being removed.
    fn hide(&self, tip: Tip) -> Hidden<'_, V, C> {
        self.inner.shared.lock().tips.remove(&self.number);
        Hidden {
            scope: self,
            tip: Some(tip),
        }
    }
}

/// Shows the scope again unless it is gone.
struct Hidden<'a, V, C> {
    scope: &'a Scope<V, C>,
    tip: Option<Tip>,
}

impl<V, C> Hidden<'_, V, C> {
    fn for_good(mut self) {
        self.tip = None;
        let mut shared = self.scope.inner.shared.lock();
        shared.scopes.remove(&self.scope.name);
    }
}

impl<V, C> Drop for Hidden<'_, V, C> {
    fn drop(&mut self) {
        if let Some(tip) = self.tip {
            let mut shared = self.scope.inner.shared.lock();
            shared.tips.insert(self.scope.number, tip);
        }
    }
}

fn name_key(name: &str) -> Vec<u8> {
    [&[NAME], name.as_bytes()].concat()
}

pub(super) async fn read_names<V: Volume>(view: &View<V>) -> Result<Names> {
    let mut names = Names::new();
    let prefix = KeyRange::prefix([NAME].to_vec());
    let mut scan = view.scan(META, prefix, Direction::Forward);
    while let Some(entry) = scan.next().await? {
        let name = entry.key.get(1..).unwrap_or_default().to_vec();
        let name =
            String::from_utf8(name).map_err(|_| super::rows::unreadable("a scope's name"))?;
        let row = scan.value().await?;
        names.insert(name, meta::two_numbers(&row)?);
    }
    Ok(names)
}
