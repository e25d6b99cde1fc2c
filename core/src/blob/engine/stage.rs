//! Streams into the store: everything goes in before the one small commit that makes it a blob.

use super::{
    super::{
        BlobStore, ChunkList, Hasher, Pointer,
        space::{self, CHUNKS, Header, LISTED, STAGED, WHOLE},
        split::{self, Read, Split},
        store::not_the_blob,
    },
    EngineBlobs, header,
    lists::{self, Writing},
    references::Named,
};
use crate::{
    Error, Kind, Result, chunk,
    engine::{Batch, Durability, Space, View},
    port::{Body, Volume},
};
use alloc::vec::Vec;
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

impl Staged {
    /// A blob that a host has hashed, being faster at it than core: [put](EngineBlobs::put_staged) it. It is in no batch yet.
    ///
    /// Nobody hashes it again: `pointer` must be the SHA-256 of `bytes`.
    ///
    /// # Errors
    /// `InvalidInput` for more than 1 MiB, which is kept as chunks: put it as a stream.
    pub fn hashed(pointer: Pointer, bytes: Bytes) -> Result<Self> {
        if bytes.len() > chunk::MAX {
            return Err(Error::new(
                Kind::InvalidInput,
                "a blob of more than 1 MiB is hashed while it is cut: put it as a stream",
            ));
        }
        Ok(Staged::whole(pointer, bytes))
    }

    fn header(&self, writing: &Writing) -> Header {
        Header {
            id: writing.id,
            size: self.size,
            chunks: self.chunks,
        }
    }

    pub(super) fn whole(pointer: Pointer, bytes: Bytes) -> Self {
        Staged {
            pointer,
            size: bytes.len() as u64,
            chunks: 1,
            form: Form::Whole(bytes),
        }
    }
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
            Read::Small(bytes) => Staged::whole(Pointer::of(&bytes), bytes),
            Read::Large(split) => self.stage_chunks(split).await?,
        };
        self.publish_in(&staged, batch).await?;
        Ok(staged)
    }

    /// Adds what makes a staged blob visible, as the store is now: for the next try after a `Conflict`. What is there already
    /// is read before it is trusted, and replaced where it is damaged.
    ///
    /// # Errors
    /// `Conflict` when a sweep took the bytes away; put the blob again then.
    pub async fn publish_in(&self, staged: &Staged, batch: &mut Batch) -> Result<()> {
        let view = self.store.view();
        let key = space::key(&staged.pointer);
        for space in [WHOLE, LISTED] {
            if view.len(space, &key).await?.is_none() {
                continue;
            }
            if self.is_sound(&view, space, staged).await? {
                // It stays as it is, as long as nobody removes it before the commit.
                batch.require_unchanged(space, key, &view);
                return Ok(());
            }
            batch.require_unchanged(space, key.clone(), &view);
            batch.delete(space, key.clone());
            if space == LISTED
                && let Ok(Some(old)) = header(&view, &staged.pointer).await
                && lists::read(&view, &old).await.is_ok()
            {
                batch.put(STAGED, lists::abandoned_key(old.id), &[][..]);
            }
        }
        match &staged.form {
            Form::Whole(bytes) => self.put_in(batch, staged.pointer, bytes.clone()),
            Form::Listed(writing) => {
                lists::require_writing(batch, &view, writing.id).await?;
                batch.delete(STAGED, lists::writing_key(writing.id));
                batch.require_unchanged(LISTED, key.clone(), &view);
                batch.put(LISTED, key, staged.header(writing).encode());
            }
        }
        Ok(())
    }

    /// Whether what `space` has of a staged blob is the whole blob.
    async fn is_sound(&self, view: &View<V>, space: Space, staged: &Staged) -> Result<bool> {
        if space == WHOLE {
            return self.known.is_sound(view, WHOLE, &staged.pointer).await;
        }
        let old = match header(view, &staged.pointer).await {
            Ok(Some(header)) => lists::read(view, &header).await,
            Ok(None) => return Ok(false),
            Err(error) => Err(error),
        };
        let old = match old {
            Ok(old) => old,
            Err(error) if error.kind() == Kind::Corrupt => return Ok(false),
            Err(error) => return Err(error),
        };
        if let Form::Listed(writing) = &staged.form {
            // Its own chunks were read when they were named, or written. Cut otherwise, the old list is not worth reading.
            return Ok(lists::read(view, &staged.header(writing)).await? == old);
        }
        for chunk in &old.0 {
            if !self.known.is_sound(view, CHUNKS, &chunk.pointer).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets go of what was staged and does not become a blob. Nothing happens to what a commit has made one.
    ///
    /// # Errors
    /// Those of a commit; what could not be freed then, a [sweep](Self::sweep) frees.
    pub async fn let_go(&self, staged: &Staged) -> Result<()> {
        match &staged.form {
            Form::Whole(_) => Ok(()),
            Form::Listed(writing) => self.give_up(writing.id).await,
        }
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
            let next = split.cut.size;
            let named: Vec<Named> = group
                .into_iter()
                .map(|(c, bytes)| (c, Some(bytes)))
                .collect();
            // The next group is read and hashed while this one is written.
            let (written, read) =
                futures::future::join(self.add_part(&writing, offset, &named), split.group()).await;
            written?;
            group = read?;
            offset = next;
        }
        let (size, chunks) = (split.cut.size, split.cut.chunks);
        Ok(Staged {
            pointer: split.finish(),
            size,
            chunks,
            form: Form::Listed(writing),
        })
    }

    /// Writes a list of chunks that are there already, and checks that they are the blob.
    pub(super) async fn stage_list(&self, pointer: &Pointer, list: &ChunkList) -> Result<Staged> {
        let writing = self.start_list().await?;
        let id = writing.id;
        match self.write_list(pointer, list, writing).await {
            Ok(staged) => Ok(staged),
            Err(error) => {
                let _ = self.give_up(id).await;
                Err(error)
            }
        }
    }

    async fn write_list(
        &self,
        pointer: &Pointer,
        list: &ChunkList,
        writing: Writing,
    ) -> Result<Staged> {
        let mut size = 0;
        for part in list.0.chunks(lists::SLICE) {
            let named: Vec<Named> = part.iter().map(|chunk| (*chunk, None)).collect();
            self.add_part(&writing, size, &named).await?;
            size += part.iter().map(|chunk| u64::from(chunk.len)).sum::<u64>();
        }
        // From here on no chunk can go away.
        let mut whole = Hasher::new();
        for chunk in &list.0 {
            let bytes = self.get_chunk(&chunk.pointer).await?;
            chunk.check_bytes(&bytes)?;
            whole.update(&bytes);
        }
        if whole.finish() != *pointer {
            return Err(not_the_blob(pointer));
        }
        Ok(Staged {
            pointer: *pointer,
            size,
            chunks: u32::try_from(list.0.len()).unwrap_or(u32::MAX),
            form: Form::Listed(writing),
        })
    }

    /// Commits what `staged` is, `Strict`.
    async fn publish(&self, staged: &Staged) -> Result<()> {
        loop {
            let mut batch = Batch::new();
            self.publish_in(staged, &mut batch).await?;
            if batch.is_empty() {
                return self.settle().await;
            }
            if self.try_commit(batch, Durability::Strict).await? {
                return Ok(());
            }
        }
    }

    /// Makes a staged blob visible, in a commit of its own (`Strict`), and lets go of what that did not need.
    ///
    /// Dropping the future leaves the blob put or not put.
    ///
    /// # Errors
    /// Those of a [put](BlobStore::put).
    pub async fn put_staged(&self, staged: Staged) -> Result<Pointer> {
        let published = self.publish(&staged).await;
        // Nothing to do unless the blob was there before, or could not be published. Best effort, as above.
        let _ = self.let_go(&staged).await;
        published.map(|()| staged.pointer)
    }

    pub(super) async fn give_up(&self, id: u64) -> Result<()> {
        self.abandon_list(id).await?;
        self.take_apart(id).await
    }
}
