//! Asking twice without changing twice.

use super::{
    Documents,
    documents::Inner,
    entry::Entry,
    rows::{DOCUMENT, LOG, log_key, take_ordered},
};
use crate::{
    Result,
    engine::{Direction, KeyRange},
    port::{Clock, Volume},
};

/// Names one request for a change, for somebody who may have to ask again because nobody can tell him what became of it: a tab whose
/// store went to another tab, a client whose connection broke.
///
/// The commit that it becomes keeps the number in the log, so asking again costs the log of the commits since.
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
/// use littoral_core::doc::{Documents, Once, Op, Options, Patch};
/// # let store = engine::Store::open(MemoryVolume::new(), &Host, engine::Options::default()).await?;
/// # let clock = Host;
/// let doc = Documents::open(store, clock, Options::default()).await?;
/// let one_more = || Op::increment("trips", 1).map(|op| Patch::ops([op]));
/// let seen = doc.current_commit();
/// let made = doc.patch_once("", one_more()?, None, Once::new(7_310)).await?;
/// // The answer was lost.
/// let again = doc.patch_once("", one_more()?, None, Once::again(7_310, seen)).await?;
/// assert_eq!(again, made);
/// assert_eq!(doc.read("trips").await?.to_json(), "1");
/// # Ok::<(), littoral_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    pub(super) id: u64,
    after: Option<u64>,
}

impl Once {
    /// Asked for the first time. `id` is the caller's own; random ones do not meet.
    pub fn new(id: u64) -> Once {
        Once { id, after: None }
    }

    /// Asked again, by the same `id`. `after`: a commit that was durable when it was asked first; 0 will always do.
    pub fn again(id: u64, after: u64) -> Once {
        let after = Some(after);
        Once { id, after }
    }

    /// Whether it may have been asked before.
    pub(super) fn is_again(self) -> bool {
        self.after.is_some()
    }
}

impl<V: Volume, C: Clock> Documents<V, C> {
    /// The commit of the document that this became when it was asked before.
    ///
    /// # Errors
    /// `OutOfRange` when retention has removed what would tell; those of reading.
    pub fn made(&self, once: Once) -> impl Future<Output = Result<Option<u64>>> {
        self.0.made(DOCUMENT, Some(once))
    }
}

impl<V: Volume, C: Clock> Inner<V, C> {
    /// The commit that this became when it was asked before.
    pub(super) async fn made(&self, scope: u64, once: Option<Once>) -> Result<Option<u64>> {
        let Some(Once {
            id,
            after: Some(after),
        }) = once
        else {
            return Ok(None);
        };
        self.check_kept(scope, after).map_err(|error| {
            error.context("whether the patch was made before cannot be told: read what is there")
        })?;
        let tip = self.tip(scope)?.commit;
        let (first, end) = (after.saturating_add(1), tip.saturating_add(1));
        let range = KeyRange::between(log_key(scope, first), log_key(scope, end.max(first)));
        let view = self.store.view();
        let mut log = view.scan(LOG, range, Direction::Backward);
        while let Some(entry) = log.next().await? {
            let number = take_ordered(take_ordered(&entry.key)?.1)?.0;
            if Entry::decode(&log.value().await?)?.id == Some(id) {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }
}
