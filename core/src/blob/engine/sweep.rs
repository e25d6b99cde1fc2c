//! Taking away what no blob has: lists of deleted blobs, leftovers of writers that are gone, and
//! chunks that came without a list and got none.

use super::{
    super::space::{self, ABANDONED, STAGED, WRITING},
    EngineBlobs,
};
use crate::{
    Result,
    engine::{Direction, KeyRange, View},
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
            if !self.known.live.lock().contains(&id) {
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
}
