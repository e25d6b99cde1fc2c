//! How documents are laid out in the engine.
//!
//! | space | key | value |
//! |---|---|---|
//! | `0x30` head | scope, node, step | edge |
//! | `0x31` past | scope, node, step (escaped), `0`, end | edge that was there until before commit `end` |
//! | `0x32` log | scope, commit | what the commit did (`entry.rs`) |
//! | `0x33` meta | see `meta.rs` | |
//!
//! Numbers in keys (*ordered*) are the number of their bytes and these bytes, big-endian, without zeros in front: they sort. Numbers in values are
//! LEB128. Scope 0 is the document itself; a scope's rows lie together, so that dropping it is deleting four ranges. Node 0 has the root of the tree as
//! its only child, under the empty step; node 1 is the object that is the root as long as nothing else was set there.
//!
//! A step is a field's name, a sparse index (ordered), or the slot of an element (`slot.rs`). In past keys each zero byte of a step is
//! followed by `0xff`, and the zero that ends the step is not: steps sort there as they do in head.
//!
//! | an edge | |
//! |---|---|
//! | number | the commit that made it |
//! | 1 byte | what is there: a scalar's tag (`binary.rs`, with the scalar behind it), or one of the following |
//! | `0x20` + kind (0 object, 1 sparse list, 2 list) + flags | a container; its node's number follows. Flags: 4 the list is dense, 8 the node has gone on to another edge, 16 it came from one |
//! | `0x40` + kind and flags | in a scope: a container of the document with changes; the number of the node that has them and the number of the document's node follow |
//! | `0x60` | in a scope: nothing, whatever the document has there |

use super::{
    Value, ValueKind,
    binary::{Reader, put_number, put_value},
};
use crate::{Error, Kind, Result, engine::Space};
use alloc::vec::Vec;
use bytes::Bytes;

pub(crate) const HEAD: Space = Space(0x30);
pub(crate) const PAST: Space = Space(0x31);
pub(crate) const LOG: Space = Space(0x32);
pub(crate) const META: Space = Space(0x33);

/// The document itself, among its scopes.
pub(crate) const DOCUMENT: u64 = 0;
/// The node whose only child is the root.
pub(crate) const ABOVE: u64 = 0;
/// The empty object that a document begins with.
pub(crate) const FIRST: u64 = 1;
/// The first number that a new node may have.
pub(crate) const FIRST_FREE: u64 = 2;

/// What kind of container a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Object,
    Sparse,
    /// Dense while its slots are consecutive numbers.
    List {
        dense: bool,
    },
}

impl Shape {
    pub(crate) fn kind(self) -> ValueKind {
        match self {
            Shape::Object => ValueKind::Object,
            Shape::Sparse => ValueKind::Sparse,
            Shape::List { .. } => ValueKind::List,
        }
    }
}

/// A container: the node with its edges, and in a scope the node of the document whose edges show through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub shape: Shape,
    /// `None` while a scope has changed nothing of it.
    pub own: Option<u64>,
    /// In a scope: the document's node.
    pub base: Option<u64>,
}

impl Node {
    pub(crate) fn own(shape: Shape, node: u64) -> Node {
        Node {
            shape,
            own: Some(node),
            base: None,
        }
    }
}

/// What is somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Here {
    Scalar(Value),
    Node(Node),
}

impl Here {
    pub(crate) fn kind(&self) -> ValueKind {
        match self {
            Here::Scalar(value) => value.kind(),
            Here::Node(node) => node.shape.kind(),
        }
    }

    /// What a scope sees where the document has this.
    pub(crate) fn shown(self) -> Here {
        match self {
            Here::Node(node) => Here::Node(Node {
                shape: node.shape,
                own: None,
                base: node.own,
            }),
            scalar => scalar,
        }
    }
}

/// What an edge leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Scalar(Value),
    Node {
        shape: Shape,
        node: u64,
    },
    /// In a scope: the document's container `base`, with changes.
    Over {
        shape: Shape,
        node: u64,
        base: u64,
    },
    /// In a scope: nothing.
    Gone,
}

impl What {
    /// What is there, if something is.
    pub(crate) fn here(&self) -> Option<Here> {
        match self {
            What::Scalar(value) => Some(Here::Scalar(value.clone())),
            What::Node { shape, node } => Some(Here::Node(Node::own(*shape, *node))),
            What::Over { shape, node, base } => Some(Here::Node(Node {
                shape: *shape,
                own: Some(*node),
                base: Some(*base),
            })),
            What::Gone => None,
        }
    }

    /// The node whose edges are below this one.
    pub(crate) fn node(&self) -> Option<u64> {
        match self {
            What::Node { node, .. } | What::Over { node, .. } => Some(*node),
            _ => None,
        }
    }
}

/// A row of head or past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub since: u64,
    pub what: What,
    /// The node was at another edge before.
    pub came: bool,
    /// In past: the node went on to another edge.
    pub went: bool,
}

const NODE: u8 = 0x20;
const DENSE: u8 = 4;
const WENT: u8 = 8;
const CAME: u8 = 16;
const OVER: u8 = 0x40;
const GONE: u8 = 0x60;

impl Edge {
    pub(crate) fn new(since: u64, what: What) -> Edge {
        Edge {
            since,
            what,
            came: false,
            went: false,
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        put_number(&mut out, self.since);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let flags = flag(self.went, WENT) | flag(self.came, CAME);
        match &self.what {
            What::Scalar(value) => put_value(&mut out, value),
            What::Node { shape, node } => {
                out.push(NODE | tag(*shape) | flags);
                put_number(&mut out, *node);
            }
            What::Over { shape, node, base } => {
                out.push(OVER | tag(*shape) | flags);
                put_number(&mut out, *node);
                put_number(&mut out, *base);
            }
            What::Gone => out.push(GONE),
        }
        out.into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Edge> {
        fn read(bytes: &[u8]) -> Result<Edge> {
            let mut reader = Reader::new(bytes);
            let since = reader.number()?;
            let mut flags = 0;
            let what = match reader.peek()? {
                tag if tag < NODE => What::Scalar(reader.value(0)?),
                tag if tag < GONE => {
                    reader.u8()?;
                    flags = tag;
                    let (shape, node) = (shape(tag)?, reader.number()?);
                    match tag < OVER {
                        true => What::Node { shape, node },
                        false => What::Over {
                            shape,
                            node,
                            base: reader.number()?,
                        },
                    }
                }
                GONE => {
                    reader.u8()?;
                    What::Gone
                }
                _ => return Err(unreadable("an edge")),
            };
            reader.end()?;
            Ok(Edge {
                since,
                what,
                came: flags & CAME != 0,
                went: flags & WENT != 0,
            })
        }
        let edge = read(bytes).map_err(|error| unreadable("an edge").with_source(error))?;
        match &edge.what {
            What::Scalar(value) if value.kind().is_container() => Err(unreadable("an edge")),
            _ => Ok(edge),
        }
    }
}

fn tag(shape: Shape) -> u8 {
    match shape {
        Shape::Object => 0,
        Shape::Sparse => 1,
        Shape::List { dense: false } => 2,
        Shape::List { dense: true } => 2 | DENSE,
    }
}

fn shape(tag: u8) -> Result<Shape> {
    match tag & 3 {
        0 => Ok(Shape::Object),
        1 => Ok(Shape::Sparse),
        2 => Ok(Shape::List {
            dense: tag & DENSE != 0,
        }),
        _ => Err(unreadable("an edge")),
    }
}

/// Appends a number that sorts as bytes.
pub(crate) fn put_ordered(out: &mut Vec<u8>, number: u64) {
    let bytes = number.to_be_bytes();
    let zeros = (number.leading_zeros() / 8) as usize;
    out.push((8 - zeros) as u8);
    out.extend_from_slice(bytes.get(zeros..).unwrap_or_default());
}

pub(crate) fn ordered(number: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(9);
    put_ordered(&mut out, number);
    out
}

/// An ordered number at the front of `bytes`, and what follows it.
pub(crate) fn take_ordered(bytes: &[u8]) -> Result<(u64, &[u8])> {
    let wrong = || unreadable("a key");
    let (len, rest) = bytes.split_first().ok_or_else(wrong)?;
    if *len > 8 {
        return Err(wrong());
    }
    let (digits, rest) = rest.split_at_checked(usize::from(*len)).ok_or_else(wrong)?;
    let number = digits
        .iter()
        .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    Ok((number, rest))
}

/// What the keys of all edges of a node begin with, in head and in past.
pub(crate) fn node_prefix(scope: u64, node: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(24);
    put_ordered(&mut key, scope);
    put_ordered(&mut key, node);
    key
}

/// The key of an edge in head.
pub(crate) fn head_key(scope: u64, node: u64, step: &[u8]) -> Vec<u8> {
    let mut key = node_prefix(scope, node);
    key.extend_from_slice(step);
    key
}

/// The node and the step of an edge in head.
pub(crate) fn head_parts(key: &[u8]) -> Result<(u64, &[u8])> {
    let (_, rest) = take_ordered(key)?;
    take_ordered(rest)
}

/// What the keys of one step's edges in past begin with.
pub(crate) fn past_prefix(scope: u64, node: u64, step: &[u8]) -> Vec<u8> {
    let mut key = node_prefix(scope, node);
    for byte in step {
        key.push(*byte);
        if *byte == 0 {
            key.push(0xff);
        }
    }
    key.push(0);
    key
}

/// The key of an edge that was there until before `end`.
pub(crate) fn past_key(scope: u64, node: u64, step: &[u8], end: u64) -> Vec<u8> {
    let mut key = past_prefix(scope, node, step);
    put_ordered(&mut key, end);
    key
}

/// A key behind all edges of one step in past, and before those of the next.
pub(crate) fn past_behind(scope: u64, node: u64, step: &[u8]) -> Vec<u8> {
    let mut key = past_prefix(scope, node, step);
    key.push(9);
    key
}

/// The node, step and end of a key in past.
pub(crate) fn past_parts(key: &[u8]) -> Result<(u64, Vec<u8>, u64)> {
    let wrong = || unreadable("a key");
    let (_, rest) = take_ordered(key)?;
    let (node, mut rest) = take_ordered(rest)?;
    let mut step = Vec::new();
    loop {
        let (byte, behind) = rest.split_first().ok_or_else(wrong)?;
        rest = behind;
        if *byte != 0 {
            step.push(*byte);
            continue;
        }
        match rest.split_first() {
            Some((0xff, behind)) => {
                step.push(0);
                rest = behind;
            }
            _ => break,
        }
    }
    let (end, rest) = take_ordered(rest)?;
    match rest {
        [] => Ok((node, step, end)),
        _ => Err(wrong()),
    }
}

/// A key in the log.
pub(crate) fn log_key(scope: u64, commit: u64) -> Vec<u8> {
    let mut key = ordered(scope);
    put_ordered(&mut key, commit);
    key
}

/// Rows that checksums call whole and that make no sense all the same.
pub(crate) fn unreadable(what: &str) -> Error {
    Error::new(
        Kind::Corrupt,
        alloc::format!("{what} of a document in the store is not of this format"),
    )
}

/// Parses `bytes` as each kind of row and key: for fuzzing. An edge and an entry of the log encode to something that is the same again.
///
/// Returns whether any of them parsed.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) -> bool {
    let edge = Edge::decode(bytes).ok();
    let entry = super::entry::Entry::decode(bytes).ok();
    if let Some(edge) = &edge {
        assert!(Edge::decode(&edge.encode()).is_ok_and(|again| again == *edge));
    }
    if let Some(entry) = &entry {
        let again = super::entry::Entry::decode(&entry.encode());
        assert!(again.is_ok_and(|again| again == *entry));
    }
    let others = [
        super::transaction_rows::is_row(bytes),
        super::retention::Removed::decode(bytes).is_ok(),
        past_parts(bytes).is_ok(),
        head_parts(bytes).is_ok(),
        super::slot::as_number(bytes).is_ok(),
        super::slot::between(Some(bytes), None).is_ok(),
    ];
    edge.is_some() || entry.is_some() || others.contains(&true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_of_the_past_are_read_back_and_sort_as_those_of_the_head(
            a in (0..3u64, proptest::collection::vec(prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 0..5)),
            b in (0..3u64, proptest::collection::vec(prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 0..5)),
            end in any::<u64>(),
            other in any::<u64>(),
        ) {
            let key = past_key(7, a.0, &a.1, end);
            prop_assert_eq!(past_parts(&key).unwrap(), (a.0, a.1.clone(), end));
            let here = head_key(7, a.0, &a.1);
            prop_assert_eq!(head_parts(&here).unwrap(), (a.0, a.1.as_slice()));
            let head = head_key(7, a.0, &a.1).cmp(&head_key(7, b.0, &b.1));
            let past = key.cmp(&past_key(7, b.0, &b.1, other));
            prop_assert_eq!(past, head.then(end.cmp(&other)));
            prop_assert!(key < past_behind(7, a.0, &a.1));
            if head.is_lt() {
                prop_assert!(past_behind(7, a.0, &a.1) < past_key(7, b.0, &b.1, other));
            }
        }

        #[test]
        fn any_bytes_are_an_edge_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let _ = (past_parts(&bytes), head_parts(&bytes));
            if let Ok(edge) = Edge::decode(&bytes) {
                prop_assert_eq!(Edge::decode(&edge.encode()).unwrap(), edge);
            }
        }
    }
}
