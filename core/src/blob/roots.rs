//! Named roots in the engine.

use super::{
    Pointer, RootStore,
    space::{self, ROOTS},
};
use crate::{
    Error, Kind, Result,
    engine::{Batch, Direction, Durability, KeyRange, Store, View},
    port::Volume,
};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;

/// The named roots of an open [`Store`]. Clones are the same.
pub struct EngineRoots<V> {
    store: Store<V>,
}

impl<V> Clone for EngineRoots<V> {
    fn clone(&self) -> Self {
        EngineRoots {
            store: self.store.clone(),
        }
    }
}

/// Length that a root's name may have, in bytes.
pub const MAX_ROOT_NAME: usize = 512;

/// Whether `name` can name a root.
///
/// # Errors
/// `InvalidInput` for a name that is empty, longer than [`MAX_ROOT_NAME`], has a NUL, or is `.` or `..`.
pub fn check_root_name(name: &str) -> Result<()> {
    let wrong = if name.is_empty() {
        "is empty"
    } else if name.len() > MAX_ROOT_NAME {
        "is longer than 512 bytes"
    } else if name.contains('\0') {
        "has a NUL in it"
    } else if matches!(name, "." | "..") {
        // URLs have no way to say them: no remote could ever be told.
        "is a dot or two"
    } else {
        return Ok(());
    };
    Err(Error::new(
        Kind::InvalidInput,
        alloc::format!("the name of a root {wrong}"),
    ))
}

/// What a root that is not where a caller thought says.
pub(crate) fn moved(name: &str, current: Option<Pointer>) -> Error {
    let message = match current {
        Some(current) => alloc::format!("root {name:?} points at {current} now"),
        None => alloc::format!("root {name:?} points nowhere now"),
    };
    Error::new(Kind::Conflict, message)
}

impl<V: Volume> EngineRoots<V> {
    /// The roots of `store`.
    pub fn new(store: Store<V>) -> Self {
        EngineRoots { store }
    }

    /// Where `name` points in `view`.
    ///
    /// # Errors
    /// `InvalidInput` as for [`RootStore::move_root`], and those of a read.
    pub async fn root_in(&self, view: &View<V>, name: &str) -> Result<Option<Pointer>> {
        check_root_name(name)?;
        match view.get(ROOTS, name.as_bytes()).await? {
            Some(value) => space::pointer(&value).map(Some),
            None => Ok(None),
        }
    }

    /// Adds what moves `name` from `from` to `to`; whether that changes anything.
    ///
    /// The commit says `Conflict` when the root was moved since `view`: try again with a fresh one, which decides by where it is then.
    ///
    /// # Errors
    /// `Conflict` when it points elsewhere in `view`; `InvalidInput` as for [`RootStore::move_root`].
    pub async fn move_in(
        &self,
        batch: &mut Batch,
        view: &View<V>,
        name: &str,
        from: Option<Pointer>,
        to: Option<Pointer>,
    ) -> Result<bool> {
        let current = self.root_in(view, name).await?;
        if current != from && current != to {
            return Err(moved(name, current));
        }
        let key = Bytes::copy_from_slice(name.as_bytes());
        batch.require_unchanged(ROOTS, key.clone(), view);
        if current == to {
            return Ok(false);
        }
        match to {
            Some(to) => batch.put(ROOTS, key, space::key(&to)),
            None => batch.delete(ROOTS, key),
        }
        Ok(true)
    }
}

impl<V: Volume> RootStore for EngineRoots<V> {
    async fn root(&self, name: &str) -> Result<Option<Pointer>> {
        self.root_in(&self.store.view(), name).await
    }

    async fn move_root(
        &self,
        name: &str,
        from: Option<Pointer>,
        to: Option<Pointer>,
    ) -> Result<()> {
        loop {
            let view = self.store.view();
            let mut batch = Batch::new();
            self.move_in(&mut batch, &view, name, from, to).await?;
            drop(view);
            // Also where nothing changes: what is answered must be durable.
            match self.store.commit(batch, Durability::Strict).await {
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(()),
            }
        }
    }

    async fn roots(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Pointer)>> {
        let range = match after {
            Some(after) => KeyRange::after(after.as_bytes()),
            None => KeyRange::all(),
        };
        let mut scan = self.store.view().scan(ROOTS, range, Direction::Forward);
        let mut page = Vec::new();
        while page.len() < limit.max(1)
            && let Some(entry) = scan.next().await?
        {
            let name = String::from_utf8(entry.key.to_vec())
                .map_err(|error| space::unreadable("the name of a root").with_source(error))?;
            page.push((name, space::pointer(&scan.value().await?)?));
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::engine::tests::blobs;
    use futures::executor::block_on;

    fn to(n: u8) -> Option<Pointer> {
        Some(Pointer::from_bytes([n; 32]))
    }

    #[test]
    fn of_two_moves_that_read_the_same_value_the_second_conflicts() {
        block_on(async {
            let store = blobs().await.store().clone();
            let roots = EngineRoots::new(store.clone());
            let commit = |batch| store.commit(batch, Durability::Local);
            for (from, first, second) in [
                (None, to(1), to(2)),
                (to(1), to(3), to(4)),
                // Back and forth, so that the value is the same again.
                (to(3), to(3), to(5)),
                (to(3), None, to(5)),
            ] {
                let view = store.view();
                let (mut one, mut two) = (Batch::new(), Batch::new());
                let moved = roots.move_in(&mut one, &view, "tide", from, first);
                assert_eq!(moved.await.unwrap(), from != first);
                let moved = roots.move_in(&mut two, &view, "tide", from, second);
                assert!(moved.await.unwrap());
                if from == first {
                    let there_and_back = [(from, to(9)), (to(9), from)];
                    for (from, to) in there_and_back {
                        roots.move_root("tide", from, to).await.unwrap();
                    }
                    assert_eq!(commit(one).await.err().unwrap().kind(), Kind::Conflict);
                } else {
                    commit(one).await.unwrap();
                }
                assert_eq!(commit(two).await.err().unwrap().kind(), Kind::Conflict);
                assert_eq!(roots.root("tide").await.unwrap(), first);
            }
        });
    }

    #[test]
    fn a_move_in_a_larger_batch_happens_with_it_or_not_at_all() {
        block_on(async {
            let store = blobs().await.store().clone();
            let roots = EngineRoots::new(store.clone());
            let mut batch = Batch::new();
            batch.put(crate::engine::Space(0x80), "key", "value");
            let view = store.view();
            let moved = roots.move_in(&mut batch, &view, "tide", to(7), to(1)).await;
            assert_eq!(moved.unwrap_err().kind(), Kind::Conflict);
            roots
                .move_in(&mut batch, &view, "tide", None, to(1))
                .await
                .unwrap();
            roots.move_root("tide", None, to(2)).await.unwrap();
            let commit = store.commit(batch, Durability::Strict).await;
            assert_eq!(commit.err().unwrap().kind(), Kind::Conflict);
            let other = store.get(crate::engine::Space(0x80), b"key").await;
            assert_eq!(other.unwrap(), None);
            assert_eq!(roots.root("tide").await.unwrap(), to(2));
        });
    }
}
