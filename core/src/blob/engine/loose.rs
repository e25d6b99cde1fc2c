//! Chunks that came before the list that will name them.

use super::{
    super::{
        Pointer,
        space::{self, ERA, LOOSE, STAGED},
    },
    EngineBlobs,
    references::{self, Named},
};
use crate::{
    Result,
    engine::{Batch, Direction, Durability, KeyRange, View},
    port::Volume,
};

impl<V: Volume> EngineBlobs<V> {
    /// Keeps a chunk that no list names yet.
    pub(super) async fn add_loose(&self, named: Named) -> Result<()> {
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
                    let named = core::slice::from_ref(&named);
                    references::add(&mut batch, &view, &self.known, named).await?;
                }
            }
            batch.put(STAGED, key.clone(), era.to_le_bytes().to_vec());
            if self.try_commit(batch, Durability::Local).await? {
                return Ok(());
            }
        }
    }

    /// Lets go of the chunks that came before the sweep before this one, and counts this one.
    pub(super) async fn sweep_loose(&self) -> Result<()> {
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
        self.count_sweep(era).await
    }

    async fn count_sweep(&self, era: u64) -> Result<()> {
        loop {
            let view = self.store.view();
            if self.era(&view).await? != era {
                // Somebody else's sweep counted already.
                return Ok(());
            }
            let mut batch = Batch::new();
            batch.require_unchanged(STAGED, ERA, &view);
            batch.put(STAGED, ERA, (era + 1).to_le_bytes().to_vec());
            if self.try_commit(batch, Durability::Local).await? {
                return Ok(());
            }
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
            if self.try_commit(batch, Durability::Local).await? {
                return Ok(());
            }
        }
    }

    /// How many sweeps there were.
    async fn era(&self, view: &View<V>) -> Result<u64> {
        match view.get(STAGED, ERA).await? {
            Some(value) => space::number(&value),
            None => Ok(0),
        }
    }
}
