//! What has to be there.

use crate::place::{noise, pointer};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a blob from the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// It was acknowledged, or seen.
    There,
    /// It was deleted with an answer, or seen not to be there.
    Gone,
    /// The process that was to put or delete it was killed before it said so. The next look decides, for good.
    Open,
}

/// Bytes that can be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    pub number: u64,
    pub len: usize,
}

impl Content {
    /// Different for each number; all large ones have most of their chunks in common.
    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = noise(self.len);
        let text = format!("number {} of the loop", self.number);
        let middle = self.len / 2;
        for at in [0, middle] {
            let room = bytes.len().saturating_sub(at).min(text.len());
            bytes[at..at + room].copy_from_slice(&text.as_bytes()[..room]);
        }
        bytes
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Blob {
    pub content: Content,
    pub belief: Belief,
    /// A tree names it: nothing deletes it.
    pub in_a_tree: bool,
}

/// Paths and what is in them.
pub type Tree = BTreeMap<String, Content>;

/// Where a root may point.
#[derive(Clone, Debug)]
pub enum Root {
    At(Option<String>),
    /// It was being moved when the process was killed.
    Either(Option<String>, Option<String>),
    /// The same; where to is known only by what is in the tree.
    OrTree(Option<String>, Tree),
}

impl Root {
    /// Where it was when nothing was open.
    pub fn settled(&self) -> Option<String> {
        match self {
            Root::At(at) => at.clone(),
            open => panic!("nobody has looked yet: {open:?}"),
        }
    }
}

#[derive(Default)]
pub struct Model {
    pub blobs: BTreeMap<String, Blob>,
    pub roots: BTreeMap<String, Root>,
    /// Trees by their pointer.
    pub trees: BTreeMap<String, Tree>,
    /// What the remote has acknowledged.
    pub remote: BTreeSet<String>,
    numbers: u64,
}

impl Model {
    pub fn new_content(&mut self, len: usize) -> Content {
        self.numbers += 1;
        // The number has to fit, so that no two are equal.
        let len = len.max(40);
        let number = self.numbers;
        Content { number, len }
    }

    /// Somebody begins to put this.
    pub fn attempt_put(&mut self, content: Content, in_a_tree: bool) -> String {
        let name = pointer(&content.bytes());
        let blob = self.blobs.entry(name.clone()).or_insert(Blob {
            content,
            belief: Belief::Open,
            in_a_tree,
        });
        if blob.belief == Belief::Gone {
            blob.belief = Belief::Open;
        }
        name
    }

    pub fn attempt_delete(&mut self, pointer: &str) {
        let blob = self.blobs.get_mut(pointer).unwrap();
        if blob.belief == Belief::There {
            blob.belief = Belief::Open;
        }
    }

    pub fn believe(&mut self, pointer: &str, belief: Belief) {
        self.blobs.get_mut(pointer).unwrap().belief = belief;
        if belief == Belief::Gone {
            self.remote.remove(pointer);
        }
    }

    pub fn believed(&self, belief: Belief) -> Vec<(String, Content)> {
        let of = self.blobs.iter().filter(|(_, blob)| blob.belief == belief);
        of.map(|(name, blob)| (name.clone(), blob.content))
            .collect()
    }

    /// Those that may be deleted.
    pub fn deletable(&self) -> Vec<String> {
        let alone = self.blobs.iter().filter(|(_, blob)| !blob.in_a_tree);
        let there = alone.filter(|(_, blob)| blob.belief == Belief::There);
        there.map(|(name, _)| name.clone()).collect()
    }

    /// The remote has acknowledged all that was put.
    pub fn everything_is_remote(&mut self) {
        let there = self.believed(Belief::There);
        self.remote = there.into_iter().map(|(name, _)| name).collect();
    }
}
