//! Transactions in the store, so that an unfinished one survives a restart.
//!
//! | key in `0x33` | value |
//! |---|---|
//! | `T` | the number that the next transaction gets |
//! | `t`, transaction (ordered) | participants, deadline (milliseconds since 1970), when it may be forgotten, meta, how it ended, and, if there are any, ids of those who joined |
//! | `j`, transaction (ordered), join (ordered) | path, 1 and the match or 0, patch, and, if there is one, the id of whoever may ask again (`once.rs`) |
//!
//! How it ended: 0 not yet; 1 and the commit; 2 and the commit whose state did not match; 3, the commit whose state refused it, where, why; 4 in time
//! not at all; 5 it was aborted. A patch: 0 and the value that is merged; 1 and an RFC 6902 list as a value; 2 and path operations.

use super::{
    Match, Op, Patch, Path, Value,
    binary::{Reader, put_bytes, put_number, put_op, put_path, put_value},
    patch::Form,
    rows::{META, ordered, put_ordered, take_ordered, unreadable},
};
use crate::{
    Result,
    engine::{Batch, Direction, KeyRange, View},
    port::Volume,
};
use alloc::{string::String, vec::Vec};

pub(crate) const NEXT: &[u8] = b"T";
const TRANSACTION: u8 = b't';
const JOIN: u8 = b'j';

/// A transaction as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub participants: u64,
    /// Milliseconds since 1970.
    pub deadline: u64,
    pub forget: u64,
    pub meta: Value,
    /// Of those who joined, once it has ended.
    pub ids: Vec<u64>,
    pub ending: Option<Ending>,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Committed(u64),
    Unmatched(u64),
    Refused {
        commit: u64,
        path: Path,
        reason: String,
    },
    TimedOut,
    Aborted,
}

/// What one participant brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    pub path: Path,
    pub matching: Option<Match>,
    pub patch: Patch,
    /// By which he may ask again.
    pub id: Option<u64>,
}

fn key(kind: u8, transaction: u64) -> Vec<u8> {
    let mut key = [kind].to_vec();
    put_ordered(&mut key, transaction);
    key
}

fn join_key(transaction: u64, join: u64) -> Vec<u8> {
    let mut key = key(JOIN, transaction);
    put_ordered(&mut key, join);
    key
}

pub(crate) fn put(batch: &mut Batch, id: u64, kept: &Kept) {
    batch.put(META, key(TRANSACTION, id), kept.encode());
}

pub(crate) fn forget(batch: &mut Batch, id: u64) {
    batch.delete(META, key(TRANSACTION, id));
}

pub(crate) fn put_join(batch: &mut Batch, id: u64, position: u64, join: &Join) {
    batch.put(META, join_key(id, position), join.encode());
}

pub(crate) fn delete_joins(batch: &mut Batch, id: u64, count: u64) {
    for position in 0..count {
        batch.delete(META, join_key(id, position));
    }
}

/// All transactions with what has been joined, in order.
pub(crate) async fn read_all<V: Volume>(view: &View<V>) -> Result<Vec<(u64, Kept, Vec<Join>)>> {
    let mut all = Vec::new();
    let prefix = KeyRange::prefix([TRANSACTION].to_vec());
    let mut scan = view.scan(META, prefix, Direction::Forward);
    while let Some(entry) = scan.next().await? {
        let (id, _) = take_ordered(entry.key.get(1..).unwrap_or_default())?;
        all.push((id, Kept::decode(&scan.value().await?)?, Vec::new()));
    }
    for (id, _, joins) in &mut all {
        let prefix = [&[JOIN], ordered(*id).as_slice()].concat();
        let mut scan = view.scan(META, KeyRange::prefix(prefix), Direction::Forward);
        while scan.next().await?.is_some() {
            joins.push(Join::decode(&scan.value().await?)?);
        }
    }
    Ok(all)
}

impl Kept {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for number in [self.participants, self.deadline, self.forget] {
            put_number(&mut out, number);
        }
        put_value(&mut out, &self.meta);
        match &self.ending {
            None => out.push(0),
            Some(Ending::Committed(commit)) => {
                out.push(1);
                put_number(&mut out, *commit);
            }
            Some(Ending::Unmatched(commit)) => {
                out.push(2);
                put_number(&mut out, *commit);
            }
            Some(Ending::Refused {
                commit,
                path,
                reason,
            }) => {
                out.push(3);
                put_number(&mut out, *commit);
                put_path(&mut out, path);
                put_bytes(&mut out, reason.as_bytes());
            }
            Some(Ending::TimedOut) => out.push(4),
            Some(Ending::Aborted) => out.push(5),
        }
        if !self.ids.is_empty() {
            put_number(&mut out, self.ids.len() as u64);
        }
        for id in &self.ids {
            put_number(&mut out, *id);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<Kept> {
        let read = || {
            let mut reader = Reader::new(bytes);
            let mut kept = Kept {
                participants: reader.number()?,
                deadline: reader.number()?,
                forget: reader.number()?,
                meta: reader.value(0)?,
                ids: Vec::new(),
                ending: match reader.u8()? {
                    0 => None,
                    1 => Some(Ending::Committed(reader.number()?)),
                    2 => Some(Ending::Unmatched(reader.number()?)),
                    3 => Some(Ending::Refused {
                        commit: reader.number()?,
                        path: reader.path()?,
                        reason: reader.text()?,
                    }),
                    4 => Some(Ending::TimedOut),
                    5 => Some(Ending::Aborted),
                    _ => return Err(unreadable("a transaction")),
                },
            };
            if reader.end().is_err() {
                kept.ids = reader.list(Reader::number)?;
            }
            reader.end()?;
            Ok(kept)
        };
        read().map_err(|error: crate::Error| unreadable("a transaction").with_source(error))
    }
}

impl Join {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_path(&mut out, &self.path);
        match &self.matching {
            None => out.push(0),
            Some(pattern) => {
                out.push(1);
                put_value(&mut out, &pattern.to_value());
            }
        }
        match &self.patch.0 {
            Form::Merge(value) => {
                out.push(0);
                put_value(&mut out, value);
            }
            Form::Json(_) => {
                out.push(1);
                put_value(&mut out, &self.patch.to_json_value());
            }
            Form::Ops(ops) => {
                out.push(2);
                put_number(&mut out, ops.len() as u64);
                ops.iter().for_each(|op| put_op(&mut out, op));
            }
        }
        if let Some(id) = self.id {
            put_number(&mut out, id);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<Join> {
        let read = || {
            let mut reader = Reader::new(bytes);
            let path = reader.path()?;
            let matching = match reader.u8()? {
                0 => None,
                1 => Some(Match::from_value(reader.value(0)?)?),
                _ => return Err(unreadable("a participant")),
            };
            let patch = match reader.u8()? {
                0 => Patch::merge(reader.value(0)?),
                1 => Patch::json_value(&reader.value(0)?)?,
                2 => Patch::ops(reader.list(Reader::op)? as Vec<Op>),
                _ => return Err(unreadable("a participant")),
            };
            let id = match reader.end() {
                Ok(()) => None,
                Err(_) => Some(reader.number()?),
            };
            reader.end()?;
            Ok(Join {
                path,
                matching,
                patch,
                id,
            })
        };
        read().map_err(|error: crate::Error| unreadable("a participant").with_source(error))
    }
}

/// Whether it is a transaction, or what a participant joined with.
pub(crate) fn is_row(bytes: &[u8]) -> bool {
    Kept::decode(bytes).is_ok() || Join::decode(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn transactions_and_joins_are_read_back() {
        let endings = [
            None,
            Some(Ending::Committed(7)),
            Some(Ending::Unmatched(0)),
            Some(Ending::Refused {
                commit: 3,
                path: "a[1]".parse().unwrap(),
                reason: "nothing is there".into(),
            }),
            Some(Ending::TimedOut),
            Some(Ending::Aborted),
        ];
        for ending in endings {
            let kept = Kept {
                participants: 2,
                deadline: 1 << 40,
                forget: 1 << 41,
                meta: Value::from("x"),
                ids: [7, u64::MAX].into(),
                ending,
            };
            assert_eq!(Kept::decode(&kept.encode()).unwrap(), kept);
        }
        let json = r#"[{"op":"add","path":"/a~1b/~0","value":[1]},{"op":"move","from":"/x","path":"/y"},
            {"op":"copy","from":"/x","path":"/y"},{"op":"remove","path":""},{"op":"test","path":"/","value":null},
            {"op":"replace","path":"/a","value":1}]"#;
        for patch in [
            Patch::merge(Value::Null),
            Patch::json(json).unwrap(),
            Patch::ops([Op::delete("a.b").unwrap()]),
        ] {
            for matching in [None, Some(Match::Exists)] {
                let join = Join {
                    path: "a(id=x)".parse().unwrap(),
                    matching,
                    patch: patch.clone(),
                    id: Some(1 << 53),
                };
                assert_eq!(Join::decode(&join.encode()).unwrap(), join);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_transaction_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = (Kept::decode(&bytes), Join::decode(&bytes));
        }
    }
}
