//! What the pair keeps in the engine, byte by byte.
//!
//! | space | key | value |
//! |---|---|---|
//! | `0x20` queue | order (u64) | one change that slow has not acknowledged, see below |
//! | `0x21` trouble | order (u64) | why that change does not move by itself: version, state (`1` refused, `2` bytes missing), kind (u8), attempts (u32), since (u64), message (UTF-8, at most 1,024 bytes) |
//! | `0x22` unsettled | pointer (32) | version, flags (`1` hidden), put (u64), delete (u64), size (u64): the orders of the put and the delete that are queued for the blob, 0 for none |
//! | `0x23` remote | pointer (32) | version, since (u64): slow has acknowledged the blob |
//! | `0x24` pins | pointer (32) | version: stays in fast whatever the bound |
//! | `0x25` cached | pointer (32) | version, stamp (u64), size (u64): when it was used last |
//! | `0x26` recency | stamp (u64), pointer (32) | nothing; means something only if `0x25` has the same stamp |
//! | `0x27` roots | name (UTF-8) | version, known (`0` nothing, `1` not there, `2` at), pointer (32), order of the last move queued (u64), 0 for none |
//! | `0x28` meta | `order` | version, a number above every order ever used (u64) |
//! | | `cache` | version: every blob in fast has its row in `0x25` |
//! | | `barrier` | version: written to learn that what was handed over before it has ended |
//! | `0x29` quarantine | pointer (32) | version, since (u64), message: the blob's bytes in fast are damaged |
//!
//! A change in the queue: version, what (u8), since (u64), then
//!
//! | what | fields |
//! |---|---|
//! | `1` put | pointer (32), size (u64) |
//! | `2` delete | pointer (32) |
//! | `3` root | flags (`1` from, `2` to), from (32), to (32), name (the rest) |
//!
//! The version is one byte, 1. Numbers in keys are big-endian, so that they sort; in values little-endian. Times
//! are milliseconds since 1970. Flags and codes that are not listed make a row unreadable: `Corrupt`, never a panic.

#[cfg(test)]
mod tests;

use crate::{Error, Kind, Result, blob::Pointer, engine::Space};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::time::Duration;

pub(super) const QUEUE: Space = Space(0x20);
pub(super) const TROUBLE: Space = Space(0x21);
pub(super) const UNSETTLED: Space = Space(0x22);
pub(super) const REMOTE: Space = Space(0x23);
pub(super) const PINS: Space = Space(0x24);
pub(super) const CACHED: Space = Space(0x25);
pub(super) const RECENCY: Space = Space(0x26);
pub(super) const ROOTS: Space = Space(0x27);
pub(super) const META: Space = Space(0x28);
pub(super) const QUARANTINE: Space = Space(0x29);

pub(super) const META_ORDER: &[u8] = b"order";
pub(super) const META_CACHE: &[u8] = b"cache";
pub(super) const META_BARRIER: &[u8] = b"barrier";

const VERSION: u8 = 1;
const MESSAGE: usize = 1024;

/// One change that slow has not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub since: Duration,
    pub job: Job,
}

/// What is to be done on slow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Put {
        pointer: Pointer,
        size: u64,
    },
    Delete {
        pointer: Pointer,
    },
    Root {
        name: String,
        from: Option<Pointer>,
        to: Option<Pointer>,
    },
}

impl Job {
    /// Bytes that count against the queue's bound.
    pub fn bytes(&self) -> u64 {
        match self {
            Job::Put { size, .. } => *size,
            Job::Delete { .. } | Job::Root { .. } => 0,
        }
    }

    /// The blob that it is about.
    pub fn pointer(&self) -> Option<Pointer> {
        match self {
            Job::Put { pointer, .. } | Job::Delete { pointer } => Some(*pointer),
            Job::Root { .. } => None,
        }
    }
}

impl Row {
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(128);
        out.push(VERSION);
        let what = match self.job {
            Job::Put { .. } => 1,
            Job::Delete { .. } => 2,
            Job::Root { .. } => 3,
        };
        out.push(what);
        put_time(&mut out, self.since);
        match &self.job {
            Job::Put { pointer, size } => {
                out.extend_from_slice(pointer.as_bytes());
                out.extend_from_slice(&size.to_le_bytes());
            }
            Job::Delete { pointer } => out.extend_from_slice(pointer.as_bytes()),
            Job::Root { name, from, to } => {
                out.push(u8::from(from.is_some()) | u8::from(to.is_some()) << 1);
                out.extend_from_slice(from.unwrap_or(Pointer::NULL).as_bytes());
                out.extend_from_slice(to.unwrap_or(Pointer::NULL).as_bytes());
                out.extend_from_slice(name.as_bytes());
            }
        }
        out.into()
    }

    pub fn decode(bytes: &[u8]) -> Result<Row> {
        let mut input = Input::of("a row of the queue", bytes)?;
        let what = input.u8()?;
        let since = input.time()?;
        let job = match what {
            1 => Job::Put {
                pointer: input.pointer()?,
                size: input.u64()?,
            },
            2 => Job::Delete {
                pointer: input.pointer()?,
            },
            3 => {
                let flags = input.u8()?;
                let (from, to) = (input.pointer()?, input.pointer()?);
                if flags > 3 {
                    return Err(input.unreadable());
                }
                Job::Root {
                    from: (flags & 1 != 0).then_some(from),
                    to: (flags & 2 != 0).then_some(to),
                    name: input.text()?,
                }
            }
            _ => return Err(input.unreadable()),
        };
        input.end()?;
        Ok(Row { since, job })
    }
}

/// Why a change does not move by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub missing: bool,
    pub kind: Kind,
    pub attempts: u32,
    pub since: Duration,
    pub message: String,
}

impl Note {
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(64 + self.message.len().min(MESSAGE));
        out.push(VERSION);
        out.push(if self.missing { 2 } else { 1 });
        out.push(kind_code(self.kind));
        out.extend_from_slice(&self.attempts.to_le_bytes());
        put_time(&mut out, self.since);
        put_message(&mut out, &self.message);
        out.into()
    }

    pub fn decode(bytes: &[u8]) -> Result<Note> {
        let mut input = Input::of("the reason of a queued change", bytes)?;
        let missing = match input.u8()? {
            1 => false,
            2 => true,
            _ => return Err(input.unreadable()),
        };
        let code = input.u8()?;
        let kind = kind_of(code).ok_or_else(|| input.unreadable())?;
        Ok(Note {
            missing,
            kind,
            attempts: input.u32()?,
            since: input.time()?,
            message: input.text()?,
        })
    }

    pub fn error(&self) -> Error {
        Error::new(self.kind, self.message.clone())
    }
}

/// What is queued for a blob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Queued {
    pub hidden: bool,
    pub put: Option<u64>,
    pub delete: Option<u64>,
    /// Bytes of the queued put.
    pub size: u64,
}

impl Queued {
    /// Nothing is queued: there is no row.
    pub fn is_settled(&self) -> bool {
        !self.hidden && self.put.is_none() && self.delete.is_none()
    }

    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(26);
        out.push(VERSION);
        out.push(u8::from(self.hidden));
        out.extend_from_slice(&self.put.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&self.delete.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.into()
    }

    pub fn decode(bytes: &[u8]) -> Result<Queued> {
        let mut input = Input::of("what is queued for a blob", bytes)?;
        let hidden = match input.u8()? {
            0 => false,
            1 => true,
            _ => return Err(input.unreadable()),
        };
        let (put, delete, size) = (input.u64()?, input.u64()?, input.u64()?);
        input.end()?;
        Ok(Queued {
            hidden,
            put: (put != 0).then_some(put),
            delete: (delete != 0).then_some(delete),
            size,
        })
    }
}

/// When a blob in fast was used last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Used {
    pub stamp: u64,
    pub size: u64,
}

impl Used {
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(17);
        out.push(VERSION);
        out.extend_from_slice(&self.stamp.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.into()
    }

    pub fn decode(bytes: &[u8]) -> Result<Used> {
        let mut input = Input::of("when a blob was used last", bytes)?;
        let used = Used {
            stamp: input.u64()?,
            size: input.u64()?,
        };
        input.end()?;
        Ok(used)
    }
}

/// What is known of a root on slow, and which move of it was queued last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Root {
    /// `None`: never asked. `Some(None)`: not there.
    pub known: Option<Option<Pointer>>,
    pub last: Option<u64>,
}

impl Root {
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(42);
        out.push(VERSION);
        let (known, pointer) = match self.known {
            None => (0, Pointer::NULL),
            Some(None) => (1, Pointer::NULL),
            Some(Some(pointer)) => (2, pointer),
        };
        out.push(known);
        out.extend_from_slice(pointer.as_bytes());
        out.extend_from_slice(&self.last.unwrap_or(0).to_le_bytes());
        out.into()
    }

    pub fn decode(bytes: &[u8]) -> Result<Root> {
        let mut input = Input::of("what is known of a root", bytes)?;
        let known = input.u8()?;
        let pointer = input.pointer()?;
        let known = match known {
            0 => None,
            1 => Some(None),
            2 => Some(Some(pointer)),
            _ => return Err(input.unreadable()),
        };
        let last = input.u64()?;
        input.end()?;
        Ok(Root {
            known,
            last: (last != 0).then_some(last),
        })
    }
}

/// A row that only says since when.
pub(super) fn encode_since(since: Duration, message: &str) -> Bytes {
    let mut out = Vec::with_capacity(9 + message.len().min(MESSAGE));
    out.push(VERSION);
    put_time(&mut out, since);
    put_message(&mut out, message);
    out.into()
}

/// Since when, and the message.
pub(super) fn decode_since(bytes: &[u8]) -> Result<(Duration, String)> {
    let mut input = Input::of("a mark of a blob", bytes)?;
    Ok((input.time()?, input.text()?))
}

/// A row that says something by being there.
pub(super) fn encode_mark() -> Bytes {
    Bytes::from_static(&[VERSION])
}

/// A row that holds one number.
pub(super) fn encode_number(number: u64) -> Bytes {
    let mut out = Vec::with_capacity(9);
    out.push(VERSION);
    out.extend_from_slice(&number.to_le_bytes());
    out.into()
}

pub(super) fn decode_number(bytes: &[u8]) -> Result<u64> {
    let mut input = Input::of("a counter of the queue", bytes)?;
    let number = input.u64()?;
    input.end()?;
    Ok(number)
}

/// The key of the change with this order.
pub(super) fn order_key(order: u64) -> Bytes {
    Bytes::copy_from_slice(&order.to_be_bytes())
}

/// The order that `key` is.
pub(super) fn order_of(key: &[u8]) -> Result<u64> {
    key.try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| unreadable("a key of the queue"))
}

/// The key of what is kept of a blob.
pub(super) fn blob_key(pointer: &Pointer) -> Bytes {
    Bytes::copy_from_slice(pointer.as_bytes())
}

/// The blob that `key` is about.
pub(super) fn blob_of(key: &[u8]) -> Result<Pointer> {
    key.try_into()
        .map(Pointer::from_bytes)
        .map_err(|_| unreadable("the key of a blob"))
}

pub(super) fn recency_key(stamp: u64, pointer: &Pointer) -> Bytes {
    let mut key = Vec::with_capacity(40);
    key.extend_from_slice(&stamp.to_be_bytes());
    key.extend_from_slice(pointer.as_bytes());
    key.into()
}

pub(super) fn recency_of(key: &[u8]) -> Result<(u64, Pointer)> {
    key.split_first_chunk::<8>()
        .and_then(|(stamp, pointer)| {
            Some((
                u64::from_be_bytes(*stamp),
                Pointer::from_bytes(pointer.try_into().ok()?),
            ))
        })
        .ok_or_else(|| unreadable("a key of the cache"))
}

fn unreadable(what: &str) -> Error {
    Error::new(
        Kind::Corrupt,
        alloc::format!("{what} in the store is not of this format"),
    )
}

fn put_time(out: &mut Vec<u8>, time: Duration) {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    out.extend_from_slice(&millis.to_le_bytes());
}

fn put_message(out: &mut Vec<u8>, message: &str) {
    let end = message.floor_char_boundary(MESSAGE);
    out.extend_from_slice(message.get(..end).unwrap_or_default().as_bytes());
}

/// The numbers of kinds never change: they are in files.
const KINDS: [(u8, Kind); 15] = [
    (1, Kind::NotFound),
    (2, Kind::AlreadyExists),
    (3, Kind::ReadOnly),
    (4, Kind::Conflict),
    (5, Kind::InvalidInput),
    (6, Kind::OutOfRange),
    (7, Kind::Corrupt),
    (8, Kind::Busy),
    (9, Kind::Quota),
    (10, Kind::Closed),
    (11, Kind::Poisoned),
    (12, Kind::Transient),
    (13, Kind::Auth),
    (14, Kind::Timeout),
    (15, Kind::NotImplemented),
];

fn kind_code(kind: Kind) -> u8 {
    KINDS
        .iter()
        .find(|(_, k)| *k == kind)
        .map_or(0, |(code, _)| *code)
}

fn kind_of(code: u8) -> Option<Kind> {
    KINDS
        .iter()
        .find(|(c, _)| *c == code)
        .map(|(_, kind)| *kind)
}

/// Bytes that are read field by field.
struct Input<'a> {
    what: &'static str,
    left: &'a [u8],
}

impl<'a> Input<'a> {
    /// Behind the version.
    fn of(what: &'static str, bytes: &'a [u8]) -> Result<Self> {
        let mut input = Input { what, left: bytes };
        match input.u8()? {
            VERSION => Ok(input),
            0 => Err(input.unreadable()),
            newer => Err(Error::new(
                Kind::InvalidInput,
                alloc::format!(
                    "{what} is of version {newer}, written by a newer release; this one reads version {VERSION}"
                ),
            )),
        }
    }

    fn unreadable(&self) -> Error {
        unreadable(self.what)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (field, left) = self
            .left
            .split_first_chunk::<N>()
            .ok_or_else(|| unreadable(self.what))?;
        self.left = left;
        Ok(*field)
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.take()?))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn time(&mut self) -> Result<Duration> {
        Ok(Duration::from_millis(self.u64()?))
    }

    fn pointer(&mut self) -> Result<Pointer> {
        Ok(Pointer::from_bytes(self.take()?))
    }

    /// The rest, as text.
    fn text(&mut self) -> Result<String> {
        let text = core::str::from_utf8(core::mem::take(&mut self.left))
            .map_err(|_| unreadable(self.what))?;
        Ok(text.into())
    }

    fn end(&self) -> Result<()> {
        match self.left {
            [] => Ok(()),
            _ => Err(self.unreadable()),
        }
    }
}

/// Parses `bytes` as each kind of row: for fuzzing. What parses must encode to what it was parsed from.
///
/// Returns whether any of them parsed.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) -> bool {
    let again = [
        Row::decode(bytes).map(|row| row.encode()).ok(),
        Queued::decode(bytes).map(|row| row.encode()).ok(),
        Used::decode(bytes).map(|row| row.encode()).ok(),
        decode_number(bytes).map(encode_number).ok(),
    ];
    let lossy = [
        Note::decode(bytes).is_ok(),
        Root::decode(bytes).is_ok(),
        decode_since(bytes).is_ok(),
        order_of(bytes).is_ok(),
        blob_of(bytes).is_ok(),
        recency_of(bytes).is_ok(),
    ];
    let mut parsed = lossy.contains(&true);
    for encoded in again.into_iter().flatten() {
        debug_assert_eq!(encoded.len(), bytes.len(), "a row changed its length");
        parsed = true;
    }
    parsed
}
