//! A stream as groups of chunks, in bounded memory.

use super::{Chunk, Hasher, Pointer};
use crate::{
    Result,
    chunk::{Cutter, MAX},
    port::Body,
};
use alloc::{collections::VecDeque, vec::Vec};
use bytes::{Bytes, BytesMut};

/// Bytes of chunks that are committed together; what a stream takes of memory is about twice this.
const GROUP: usize = 4 << 20;

/// A stream that is being read.
pub(crate) struct Split<B> {
    body: B,
    /// Read ahead, to see whether the blob is small.
    ahead: VecDeque<Bytes>,
    pub cut: Cut,
}

/// What was cut so far. Whatever the stream is, this is one piece of code.
pub(crate) struct Cut {
    piece: Bytes,
    cutter: Cutter,
    chunk: BytesMut,
    whole: Hasher,
    /// Bytes in chunks so far.
    pub size: u64,
    /// Chunks so far.
    pub chunks: u32,
}

/// What a stream turned out to be.
pub(crate) enum Read<B> {
    Small(Bytes),
    Large(Split<B>),
}

/// Reads until it is clear whether the blob is kept whole.
pub(crate) async fn read<B: Body>(mut body: B) -> Result<Read<B>> {
    let mut ahead = VecDeque::new();
    let mut len = 0_usize;
    while len <= MAX {
        match body.next().await? {
            Some(piece) => {
                len = len.saturating_add(piece.len());
                ahead.push_back(piece);
            }
            None => return Ok(Read::Small(joined(ahead, len))),
        }
    }
    Ok(Read::Large(Split {
        body,
        ahead,
        cut: Cut {
            piece: Bytes::new(),
            cutter: Cutter::new(),
            chunk: BytesMut::new(),
            whole: Hasher::new(),
            size: 0,
            chunks: 0,
        },
    }))
}

fn joined(mut pieces: VecDeque<Bytes>, len: usize) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop_front().unwrap_or_default();
    }
    let mut all = BytesMut::with_capacity(len);
    for piece in &pieces {
        all.extend_from_slice(piece);
    }
    all.freeze()
}

impl<B: Body> Split<B> {
    /// The next chunks, about [`GROUP`] bytes of them; none at the end.
    pub async fn group(&mut self) -> Result<Vec<(Chunk, Bytes)>> {
        let mut group = Vec::new();
        while !self.cut.fill(&mut group) {
            match self.next_piece().await? {
                Some(piece) => self.cut.piece = piece,
                None => {
                    self.cut.end(&mut group);
                    break;
                }
            }
        }
        Ok(group)
    }

    /// The pointer of all that was read.
    pub fn finish(self) -> Pointer {
        self.cut.whole.finish()
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>> {
        match self.ahead.pop_front() {
            Some(piece) => Ok(Some(piece)),
            None => self.body.next().await,
        }
    }
}

impl Cut {
    /// Cuts the piece at hand. Whether the group is as large as it should be; otherwise the piece is used up.
    fn fill(&mut self, group: &mut Vec<(Chunk, Bytes)>) -> bool {
        let mut len: usize = group.iter().map(|(_, bytes)| bytes.len()).sum();
        while len < GROUP {
            if self.piece.is_empty() {
                return false;
            }
            match self.cutter.cut(&self.piece) {
                Some(n) => {
                    self.chunk.extend_from_slice(&self.piece.split_to(n));
                    len += self.chunk.len();
                    group.push(self.take_chunk());
                }
                None => {
                    self.chunk.extend_from_slice(&self.piece);
                    self.piece.clear();
                }
            }
        }
        true
    }

    /// What is left is the last chunk.
    fn end(&mut self, group: &mut Vec<(Chunk, Bytes)>) {
        if !self.chunk.is_empty() {
            group.push(self.take_chunk());
        }
    }

    fn take_chunk(&mut self) -> (Chunk, Bytes) {
        let bytes = self.chunk.split().freeze();
        self.whole.update(&bytes);
        self.size += bytes.len() as u64;
        self.chunks = self.chunks.saturating_add(1);
        let chunk = Chunk {
            pointer: Pointer::of(&bytes),
            len: bytes.len() as u32,
        };
        (chunk, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::conformance::{Pieces, noise};
    use futures::executor::block_on;

    fn split(bytes: &Bytes, piece: usize) -> Split<Pieces> {
        match block_on(read(Pieces::new(bytes.clone(), piece))).unwrap() {
            Read::Large(split) => split,
            Read::Small(_) => panic!("a large stream was taken for a small one"),
        }
    }

    #[test]
    fn a_stream_of_any_length_is_held_a_group_at_a_time() {
        let bytes = noise(1, 40_000_000);
        for piece in [1000, 3_000_000] {
            let mut split = split(&bytes, piece);
            let mut at = 0;
            loop {
                let group = block_on(split.group()).unwrap();
                let len: usize = group.iter().map(|(_, bytes)| bytes.len()).sum();
                assert!(len < GROUP + MAX, "{len}");
                for (chunk, part) in &group {
                    assert_eq!(part.len(), chunk.len as usize);
                    assert_eq!(Pointer::of(part), chunk.pointer);
                    assert_eq!(*part, bytes.slice(at..at + part.len()));
                    at += part.len();
                }
                if group.is_empty() {
                    break;
                }
            }
            assert_eq!(at, bytes.len());
            assert_eq!(split.cut.size, bytes.len() as u64);
            assert_eq!(split.finish(), Pointer::of(&bytes));
        }
    }

    #[test]
    fn a_stream_of_up_to_the_longest_chunk_is_small_however_it_comes() {
        for (len, piece, small) in [
            (0, 1, true),
            (MAX, 100_000, true),
            (MAX, MAX, true),
            (MAX + 1, MAX, false),
            (MAX + 1, MAX + 1, false),
        ] {
            let bytes = noise(2, len);
            match block_on(read(Pieces::new(bytes.clone(), piece))).unwrap() {
                Read::Small(whole) => assert!(small && whole == bytes),
                Read::Large(_) => assert!(!small),
            }
        }
    }
}
