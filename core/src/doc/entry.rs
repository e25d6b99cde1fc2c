//! What the log says of a commit.
//!
//! | bytes | field |
//! |---|---|
//! | number | milliseconds since 1970 |
//! | 1 | 0, or 1 if a match follows (scopes keep theirs for the day they are promoted) |
//! | | where the match was, as a path; the match as a value |
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
    pub ops: Vec<Op>,
}

impl Entry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.millis);
        match &self.condition {
            None => out.push(0),
            Some((path, pattern)) => {
                out.push(1);
                put_path(&mut out, path);
                put_value(&mut out, &pattern.to_value());
            }
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
            let condition = match reader.u8()? {
                0 => None,
                1 => Some((reader.path()?, Match::from_value(reader.value(0)?)?)),
                _ => return Err(unreadable("a commit")),
            };
            let ops = reader.list(Reader::op)?;
            reader.end()?;
            Ok(Entry {
                millis,
                condition,
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
        let entry = Entry {
            millis: 1_700_000_000_000,
            condition: Some((
                "a.b".parse().unwrap(),
                Match::from_json(r#"{"x": {"$gt": 3}}"#).unwrap(),
            )),
            ops: [Op::set("a.b.x", 4).unwrap()].into(),
        };
        assert_eq!(Entry::decode(&entry.encode()).unwrap(), entry);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_entry_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = Entry::decode(&bytes);
        }
    }
}
