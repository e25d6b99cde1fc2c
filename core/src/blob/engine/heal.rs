//! Writing again what is damaged.

use super::{
    super::{
        Pointer,
        space::{self, CHUNKS, REFERENCES},
    },
    EngineBlobs, references,
};
use crate::{
    Result,
    engine::{Batch, Durability},
    port::Volume,
};
use bytes::Bytes;

impl<V: Volume> EngineBlobs<V> {
    /// Writes the chunk `bytes` over what is stored of it, for when that is damaged: every blob that has the
    /// chunk is whole again. Whether something names it; nothing is written where nothing does.
    ///
    /// # Errors
    /// Those of a commit.
    pub async fn heal_chunk(&self, bytes: Bytes) -> Result<bool> {
        let chunk = Pointer::of(&bytes);
        let key = space::key(&chunk);
        loop {
            let view = self.store.view();
            if references::count(&view, &chunk).await? == 0 {
                return Ok(false);
            }
            let mut batch = Batch::new();
            batch.require_unchanged(REFERENCES, key.clone(), &view);
            batch.put(CHUNKS, key.clone(), bytes.clone());
            if self.try_commit(batch, Durability::Local).await? {
                self.known.mended(CHUNKS, &chunk);
                return Ok(true);
            }
        }
    }
}
