//! Taking away what no blob has: lists of deleted blobs, leftovers of writers that are gone, and
//! chunks that came without a list and got none.

use super::{
    super::{
        Pointer,
        space::{self, ABANDONED, CHUNKS, ERA, LOOSE, STAGED, WRITING},
    },
    EngineBlobs, references,
};
use crate::{
    Kind, Result,
    engine::{Batch, Direction, Durability, KeyRange, View},
    port::Volume,
};
use alloc::vec::Vec;

impl<V: Volume> EngineBlobs<V> {
    /// Takes away what nothing names any more: what [`release`](Self::release) does, and the leftovers of streams
    /// whose process or future ended before their commit, and the chunks that were
    /// [put without a list](super::super::BlobStore::put_chunk) before the sweep *before* this one and still have none.
    ///
    /// So two sweeps should be at least as far apart as an upload by chunks may take: a day, say. Call it once
    /// after opening. Runs beside reads and writes, in slices; dropping the future leaves the rest to the next sweep.
    ///
    /// # Errors
    /// Those of a commit.
    pub async fn sweep(&self) -> Result<()> {
        let view = self.store.view();
        for id in self.staged_lists(&view, WRITING).await? {
            if !self.live.lock().contains(&id) {
                self.abandon_list(id).await?;
            }
        }
        self.sweep_loose().await?;
        self.release().await
    }

    /// Frees what deleted blobs' lists held: for whoever deletes with [`remove_in`](Self::remove_in), after the commit.
    /// Costs one short scan when there is nothing to do.
    ///
    /// # Errors
    /// Those of a commit. What was not done is done by the next call.
    pub async fn release(&self) -> Result<()> {
        let view = self.store.view();
        for id in self.staged_lists(&view, ABANDONED).await? {
            self.take_apart(id).await?;
        }
        Ok(())
    }

    async fn staged_lists(&self, view: &View<V>, says: u8) -> Result<Vec<u64>> {
        let mut lists = Vec::new();
        let mut scan = view.scan(
            STAGED,
            KeyRange::prefix(alloc::vec![says]),
            Direction::Forward,
        );
        while let Some(entry) = scan.next().await? {
            lists.push(space::staged_list(&entry.key)?);
        }
        Ok(lists)
    }

    async fn sweep_loose(&self) -> Result<()> {
        let view = self.store.view();
        let era = self.era(&view).await?;
        let mut scan = view.scan(
            STAGED,
            KeyRange::prefix(alloc::vec![LOOSE]),
            Direction::Forward,
        );
        while let Some(entry) = scan.next().await? {
            if space::number(&scan.value().await?)? < era {
                self.drop_loose(&space::staged_chunk(&entry.key)?, era)
                    .await?;
            }
        }
        let mut batch = Batch::new();
        batch.require_unchanged(STAGED, ERA, &view);
        batch.put(STAGED, ERA, (era + 1).to_le_bytes().to_vec());
        match self.store.commit(batch, Durability::Local).await {
            // Somebody else's sweep counted already.
            Err(error) if error.kind() != Kind::Conflict => Err(error),
            _ => Ok(()),
        }
    }

    async fn drop_loose(&self, chunk: &Pointer, era: u64) -> Result<()> {
        let key = space::staged_key(LOOSE, chunk.as_bytes());
        loop {
            let view = self.store.view();
            match view.get(STAGED, &key).await? {
                Some(value) if space::number(&value)? < era => {}
                _ => return Ok(()),
            }
            let mut batch = Batch::new();
            batch.require_unchanged(STAGED, key.clone(), &view);
            batch.delete(STAGED, key.clone());
            references::remove(&mut batch, &view, &[*chunk]).await?;
            match self.store.commit(batch, Durability::Local).await {
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(()),
            }
        }
    }

    pub(super) async fn era(&self, view: &View<V>) -> Result<u64> {
        match view.get(STAGED, ERA).await? {
            Some(value) => space::number(&value),
            None => Ok(0),
        }
    }

    /// Keeps a chunk that no list names yet.
    pub(super) async fn add_loose(&self, named: references::Named) -> Result<()> {
        let pointer = named.0.pointer;
        let key = space::staged_key(LOOSE, pointer.as_bytes());
        loop {
            let view = self.store.view();
            let era = self.era(&view).await?;
            let mut batch = Batch::new();
            batch.require_unchanged(STAGED, key.clone(), &view);
            match view.get(STAGED, &key).await? {
                Some(value) if space::number(&value)? == era => return Ok(()),
                Some(_) => {}
                None => {
                    references::add(&mut batch, &view, core::slice::from_ref(&named)).await?;
                }
            }
            batch.put(STAGED, key.clone(), era.to_le_bytes().to_vec());
            match self.store.commit(batch, Durability::Local).await {
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(()),
            }
        }
    }

    /// Whether a chunk's bytes are there.
    pub(super) async fn has_chunk(&self, view: &View<V>, chunk: &Pointer) -> Result<bool> {
        Ok(view.len(CHUNKS, chunk.as_bytes()).await?.is_some())
    }
}
