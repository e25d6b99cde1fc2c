//! Lists of chunks while they are written, read and taken apart.

use super::{
    super::{
        Chunk, ChunkList,
        space::{self, ABANDONED, Header, NEXT_LIST, PARTS, STAGED, WRITING},
    },
    EngineBlobs,
    known::Known,
    references::{self, Named},
};
use crate::{
    Error, Kind, Result,
    engine::{Batch, Direction, Durability, KeyRange, Scan, View},
    port::Volume,
};
use alloc::{sync::Arc, vec::Vec};

/// A list that is being written. Once it is dropped, a sweep may take away what it wrote.
#[derive(Debug)]
pub(super) struct Writing {
    pub id: u64,
    known: Arc<Known>,
}

impl Writing {
    /// Takes the first number from `next` on that nobody else is about to take.
    fn next(known: &Arc<Known>, next: u64) -> Self {
        let mut taken = known.live.lock();
        let mut id = next;
        while !taken.insert(id) {
            id += 1;
        }
        Writing {
            id,
            known: known.clone(),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.known.live.lock().remove(&self.id);
    }
}

impl<V: Volume> EngineBlobs<V> {
    /// Starts a list.
    pub(super) async fn start_list(&self) -> Result<Writing> {
        loop {
            let view = self.store.view();
            let next = match view.get(STAGED, NEXT_LIST).await? {
                Some(value) => space::number(&value)?,
                None => 0,
            };
            // Live before it is in the store: a sweep never sees a list that nobody seems to write.
            let writing = Writing::next(&self.known, next);
            let id = writing.id;
            let mut batch = Batch::new();
            batch.require_unchanged(STAGED, NEXT_LIST, &view);
            batch.put(STAGED, NEXT_LIST, (id + 1).to_le_bytes().to_vec());
            batch.put(STAGED, writing_key(id), &[][..]);
            if self.try_commit(batch, Durability::Local).await? {
                return Ok(writing);
            }
        }
    }

    /// Writes the next part of a list: the chunks that start at `offset` of the blob.
    pub(super) async fn add_part(
        &self,
        writing: &Writing,
        offset: u64,
        chunks: &[Named],
    ) -> Result<()> {
        let rows = ChunkList(chunks.iter().map(|(chunk, _)| *chunk).collect()).encode();
        loop {
            let view = self.store.view();
            let mut batch = Batch::new();
            require_writing(&mut batch, &view, writing.id).await?;
            references::add(&mut batch, &view, &self.known, chunks).await?;
            batch.put(PARTS, space::part_key(writing.id, offset), rows.clone());
            if self.try_commit(batch, Durability::Local).await? {
                references::added(&self.known, chunks);
                return Ok(());
            }
        }
    }

    /// Gives a list up that is still being written. Does nothing to one that a blob has got.
    pub(super) async fn abandon_list(&self, id: u64) -> Result<()> {
        loop {
            let view = self.store.view();
            if view.len(STAGED, &writing_key(id)).await?.is_none() {
                return Ok(());
            }
            let mut batch = Batch::new();
            batch.require_unchanged(STAGED, writing_key(id), &view);
            batch.delete(STAGED, writing_key(id));
            batch.put(STAGED, abandoned_key(id), &[][..]);
            if self.try_commit(batch, Durability::Local).await? {
                return Ok(());
            }
        }
    }

    /// Takes an abandoned list apart, in slices, and with it the chunks that nothing else names.
    pub(super) async fn take_apart(&self, id: u64) -> Result<()> {
        loop {
            let view = self.store.view();
            if view.len(STAGED, &abandoned_key(id)).await?.is_none() {
                // Somebody else did it; or a blob has the list, and it is nobody's to take apart.
                return Ok(());
            }
            let mut batch = Batch::new();
            let mut chunks = Vec::new();
            let mut parts = scan_parts(&view, id, 0);
            let mut last = true;
            while chunks.len() < SLICE
                && let Some(entry) = parts.next().await?
            {
                last = false;
                match rows(&parts).await {
                    Ok(part) => chunks.extend(part.iter().map(|chunk| chunk.pointer)),
                    // Nobody can tell any more what it named: those chunks stay.
                    Err(error) if error.kind() == Kind::Corrupt => {}
                    Err(error) => return Err(error),
                }
                // Of two who take the same part apart one fails on the counts of its chunks.
                batch.delete(PARTS, entry.key);
            }
            references::remove(&mut batch, &view, &chunks).await?;
            if last {
                batch.delete(STAGED, abandoned_key(id));
            }
            if self.try_commit(batch, Durability::Local).await? && last {
                return Ok(());
            }
        }
    }
}

/// Chunks that are named, or let go, in one commit: a batch that also a store with a small log takes.
pub(super) const SLICE: usize = 128;

/// Adds the condition that list `id` is still being written.
///
/// # Errors
/// `Conflict` when it was swept.
pub(super) async fn require_writing<V: Volume>(
    batch: &mut Batch,
    view: &View<V>,
    id: u64,
) -> Result<()> {
    if view.len(STAGED, &writing_key(id)).await?.is_none() {
        return Err(Error::new(
            Kind::Conflict,
            "what was written of the blob so far was swept away: put it again",
        ));
    }
    batch.require_unchanged(STAGED, writing_key(id), view);
    Ok(())
}

pub(super) fn writing_key(id: u64) -> bytes::Bytes {
    space::staged_key(WRITING, &id.to_be_bytes())
}

pub(super) fn abandoned_key(id: u64) -> bytes::Bytes {
    space::staged_key(ABANDONED, &id.to_be_bytes())
}

/// The chunks of a list from an offset on, part by part: memory for one part, whatever the size.
pub(super) struct Chunks<V> {
    parts: Scan<V>,
    rows: alloc::vec::IntoIter<Chunk>,
    /// Where the next row's chunk starts in the blob.
    at: u64,
    end: u64,
    from: u64,
}

impl<V: Volume> Chunks<V> {
    /// The chunks that have bytes of `from..` of the blob.
    pub async fn open(view: &View<V>, header: &Header, from: u64) -> Result<Self> {
        // The last part that starts at or before `from`.
        let upto = KeyRange::between(
            space::part_key(header.id, 0),
            space::part_key(header.id, from.saturating_add(1)),
        );
        let mut before = view.scan(PARTS, upto, Direction::Backward);
        let start = match before.next().await? {
            Some(entry) => space::part_offset(&entry.key)?,
            None => 0,
        };
        Ok(Chunks {
            parts: scan_parts(view, header.id, start),
            rows: Vec::new().into_iter(),
            at: start,
            end: header.size,
            from,
        })
    }

    /// The next chunk and where it starts in the blob.
    pub async fn next(&mut self) -> Result<Option<(u64, Chunk)>> {
        loop {
            if let Some(chunk) = self.rows.next() {
                let start = self.at;
                self.at = start.saturating_add(u64::from(chunk.len));
                if self.at > self.from {
                    return Ok(Some((start, chunk)));
                }
                continue;
            }
            let Some(entry) = self.parts.next().await? else {
                return match self.at == self.end {
                    true => Ok(None),
                    false => Err(space::unreadable("a list that ends too early")),
                };
            };
            if space::part_offset(&entry.key)? != self.at {
                return Err(space::unreadable("a list with a gap"));
            }
            self.rows = rows(&self.parts).await?.into_iter();
        }
    }
}

/// Reads a whole list: 36 bytes for each chunk.
pub(super) async fn read<V: Volume>(view: &View<V>, header: &Header) -> Result<ChunkList> {
    let mut chunks = Chunks::open(view, header, 0).await?;
    let mut list = Vec::new();
    while let Some((_, chunk)) = chunks.next().await? {
        list.push(chunk);
    }
    Ok(ChunkList(list))
}

fn scan_parts<V: Volume>(view: &View<V>, id: u64, from: u64) -> Scan<V> {
    let end = match id.checked_add(1) {
        Some(next) => KeyRange::between(space::part_key(id, from), space::part_key(next, 0)),
        None => KeyRange::from(space::part_key(id, from)),
    };
    view.scan(PARTS, end, Direction::Forward)
}

async fn rows<V: Volume>(parts: &Scan<V>) -> Result<Vec<Chunk>> {
    let value = parts.value().await?;
    match ChunkList::decode(&value) {
        Ok(list) => Ok(list.0),
        Err(error) => Err(space::unreadable("a part of a list").with_source(error)),
    }
}
