//! Streams into the store: everything goes in before the one small commit that makes it a blob.

use super::{
    super::{
        Pointer,
        space::{self, Header, LISTED, STAGED, WHOLE},
    },
    EngineBlobs,
    lists::{self, Writing},
    split::{self, Read, Split},
};
use crate::{
    Result,
    engine::Batch,
    port::{Body, Volume},
};
use bytes::Bytes;

/// A blob whose bytes are in the store or in a batch, but which is not visible before that batch is committed.
///
/// Keep it until then: once it is dropped, a [sweep](EngineBlobs::sweep) may take the bytes away
/// (the commit then says `Conflict`).
#[derive(Debug)]
pub struct Staged {
    /// The blob.
    pub pointer: Pointer,
    /// Its length in bytes.
    pub size: u64,
    /// Chunks that it is kept as; 1 where it is kept whole.
    pub chunks: u32,
    pub(super) form: Form,
}

#[derive(Debug)]
pub(super) enum Form {
    Whole(Bytes),
    Listed(Writing),
}

impl<V: Volume> EngineBlobs<V> {
    /// Reads a stream in bounded memory (about 8 MiB, and one piece of the stream) and adds to `batch` what makes it a blob, for
    /// the caller to commit together with keys of its own.
    ///
    /// A blob of up to 1 MiB goes into the batch whole. The chunks of a larger one are committed
    /// as they come (`Durability::Local`; the batch's own commit covers them, being later in the log).
    ///
    /// The commit can say `Conflict` when another call put or removed the same blob meanwhile: call
    /// [`publish_in`](Self::publish_in) with a new batch, and commit that.
    ///
    /// Dropping the future leaves nothing visible; a [sweep](Self::sweep) frees the space.
    ///
    /// # Errors
    /// Those of the stream, `Quota`, `Closed`, `Poisoned`; nothing is kept then.
    pub async fn stage<B: Body>(&self, body: B, batch: &mut Batch) -> Result<Staged> {
        let staged = match split::read(body).await? {
            Read::Small(bytes) => Staged {
                pointer: Pointer::of(&bytes),
                size: bytes.len() as u64,
                chunks: 1,
                form: Form::Whole(bytes),
            },
            Read::Large(split) => self.stage_chunks(split).await?,
        };
        self.publish_in(&staged, batch).await?;
        Ok(staged)
    }

    /// Adds what makes a staged blob visible, as the store is now: for the next try after a `Conflict`.
    ///
    /// # Errors
    /// `Conflict` when a sweep took the bytes away; put the blob again then.
    pub async fn publish_in(&self, staged: &Staged, batch: &mut Batch) -> Result<()> {
        let view = self.store.view();
        let key = space::key(&staged.pointer);
        // What is there already stays as it is, as long as nobody removes it before the commit.
        for space in [WHOLE, LISTED] {
            if view.len(space, &key).await?.is_some() {
                batch.require_unchanged(space, key, &view);
                return Ok(());
            }
        }
        match &staged.form {
            Form::Whole(bytes) => self.put_in(batch, staged.pointer, bytes.clone()),
            Form::Listed(writing) => {
                lists::require_writing(batch, &view, writing.id).await?;
                batch.delete(STAGED, lists::writing_key(writing.id));
                let header = Header {
                    id: writing.id,
                    size: staged.size,
                    chunks: staged.chunks,
                };
                batch.require_unchanged(LISTED, key.clone(), &view);
                batch.put(LISTED, key, header.encode());
            }
        }
        Ok(())
    }

    async fn stage_chunks<B: Body>(&self, split: Split<B>) -> Result<Staged> {
        let writing = self.start_list().await?;
        let id = writing.id;
        let done = self.write_chunks(split, writing).await;
        if done.is_err() {
            // Best effort: what cannot be freed now, a sweep frees.
            let _ = self.give_up(id).await;
        }
        done
    }

    async fn write_chunks<B: Body>(&self, mut split: Split<B>, writing: Writing) -> Result<Staged> {
        let mut offset = 0;
        let mut group = split.group().await?;
        while !group.is_empty() {
            let next = split.size;
            // The next group is read and hashed while this one is written.
            let (written, read) =
                futures::future::join(self.add_part(&writing, offset, &group), split.group()).await;
            written?;
            group = read?;
            offset = next;
        }
        let (size, chunks) = (split.size, split.chunks);
        Ok(Staged {
            pointer: split.finish(),
            size,
            chunks,
            form: Form::Listed(writing),
        })
    }

    pub(super) async fn give_up(&self, id: u64) -> Result<()> {
        self.abandon_list(id).await?;
        self.take_apart(id).await
    }
}
