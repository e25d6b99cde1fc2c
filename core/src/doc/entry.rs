//! What the log says of a commit.
//!
//! | bytes | field |
//! |---|---|
//! | number | milliseconds since 1970 |
//! | 1 | 1 if a match follows (scopes keep theirs for the day they are promoted), 2 if an id does, 3 both, 0 none |
//! | | where the match was, as a path; the match as a value |
//! | number | the id of whoever may ask again (`once.rs`) |
//! | | the patch in normal form (`binary.rs`): the number of its operations, and these |

use super::{
    Match, Op, Path,
    binary::{Reader, put_number, put_op, put_path, put_value},
    rows::unreadable,
};
use crate::Result;
use alloc::vec::Vec;
use core::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub millis: u64,
    pub condition: Option<(Path, Match)>,
    pub id: Option<u64>,
    pub ops: Vec<Op>,
}

impl Entry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.millis);
        out.push(u8::from(self.condition.is_some()) + 2 * u8::from(self.id.is_some()));
        if let Some((path, pattern)) = &self.condition {
            put_path(&mut out, path);
            put_value(&mut out, &pattern.to_value());
        }
        if let Some(id) = self.id {
            put_number(&mut out, id);
        }
        put_number(&mut out, self.ops.len() as u64);
        for op in &self.ops {
            put_op(&mut out, op);
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Entry> {
        fn read(bytes: &[u8]) -> Result<Entry> {
            let mut reader = Reader::new(bytes);
            let millis = reader.number()?;
            let follows = reader.u8()?;
            if follows > 3 {
                return Err(unreadable("a commit"));
            }
            let condition = match follows & 1 {
                0 => None,
                _ => Some((reader.path()?, Match::from_value(reader.value(0)?)?)),
            };
            let id = match follows & 2 {
                0 => None,
                _ => Some(reader.number()?),
            };
            let ops = reader.list(Reader::op)?;
            reader.end()?;
            Ok(Entry {
                millis,
                condition,
                id,
                ops,
            })
        }
        read(bytes).map_err(|error| unreadable("a commit").with_source(error))
    }

    pub(crate) fn time(&self) -> Duration {
        Duration::from_millis(self.millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_are_read_back() {
        let pattern = Match::from_json(r#"{"x": {"$gt": 3}}"#).unwrap();
        for condition in [None, Some(("a.b".parse().unwrap(), pattern))] {
            for id in [None, Some(0), Some(u64::MAX)] {
                let entry = Entry {
                    millis: 1_700_000_000_000,
                    condition: condition.clone(),
                    id,
                    ops: [Op::set("a.b.x", 4).unwrap()].into(),
                };
                assert_eq!(Entry::decode(&entry.encode()).unwrap(), entry);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_entry_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = Entry::decode(&bytes);
        }
    }
}
