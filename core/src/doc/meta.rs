//! What a document keeps beside its tree.
//!
//! | key in `0x33` | value |
//! |---|---|
//! | `v` | the format of these rows: 1 |
//! | `n` | no node has this number or a larger one |
//! | `k`, a pattern's text | the declared key field of the lists it stands for |
//! | `r` | what retention has removed: see `retention.rs` |
//! | `S` | the number that the next scope gets |
//! | `s`, a scope's name | its number, and the commit of the document that it began with |
//! | `T`, `t`, `j` | transactions: see `transaction_rows.rs` |

use super::{
    Pattern,
    binary::{Reader, put_number},
    keys::Keys,
    retention::Removed,
    rows::{FIRST_FREE, META, unreadable},
};
use crate::{
    Error, Kind, Result,
    engine::{Batch, Direction, KeyRange, View},
    port::Volume,
};
use alloc::{format, string::String, vec::Vec};

const FORMAT: &[u8] = b"v";
const NODES: &[u8] = b"n";
pub(crate) const REMOVED: &[u8] = b"r";
const KEY: u8 = b'k';

pub(crate) fn number_row(number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, number);
    out
}

pub(crate) async fn read_number<V: Volume>(view: &View<V>, key: &[u8]) -> Result<Option<u64>> {
    match view.get(META, key).await? {
        Some(row) => {
            let mut reader = Reader::new(&row);
            let number = reader.number().and_then(|number| {
                reader.end()?;
                Ok(number)
            });
            let number = number.map_err(|error| unreadable("a number").with_source(error));
            number.map(Some)
        }
        None => Ok(None),
    }
}

pub(crate) fn two_numbers(row: &[u8]) -> Result<(u64, u64)> {
    let mut reader = Reader::new(row);
    let numbers = (reader.number()?, reader.number()?);
    reader.end()?;
    Ok(numbers)
}

/// `InvalidInput` for rows that a newer release wrote.
pub(crate) async fn check_format<V: Volume>(view: &View<V>) -> Result<()> {
    match read_number(view, FORMAT).await? {
        None | Some(1) => Ok(()),
        Some(other) => Err(Error::new(
            Kind::InvalidInput,
            format!(
                "the store's document has format {other}, and this release reads 1: use a newer release"
            ),
        )),
    }
}

pub(crate) async fn free_node<V: Volume>(view: &View<V>) -> Result<u64> {
    Ok(read_number(view, NODES).await?.unwrap_or(FIRST_FREE))
}

pub(crate) fn reserve_nodes(batch: &mut Batch, below: u64) {
    batch.put(META, FORMAT, number_row(1));
    batch.put(META, NODES, number_row(below));
}

pub(crate) async fn read_removed<V: Volume>(view: &View<V>) -> Result<Removed> {
    match view.get(META, REMOVED).await? {
        Some(row) => Removed::decode(&row)
            .map_err(|error| unreadable("what retention removed").with_source(error)),
        None => Ok(Removed::default()),
    }
}

pub(crate) async fn read_keys<V: Volume>(view: &View<V>) -> Result<Keys> {
    let mut keys = Keys::default();
    let mut scan = view.scan(META, KeyRange::prefix([KEY].to_vec()), Direction::Forward);
    while let Some(entry) = scan.next().await? {
        let wrong = || unreadable("a declared key");
        let text = core::str::from_utf8(entry.key.get(1..).unwrap_or_default());
        let pattern: Pattern = text.map_err(|_| wrong())?.parse().map_err(|_| wrong())?;
        let field = String::from_utf8(scan.value().await?.to_vec()).map_err(|_| wrong())?;
        keys.0.push((pattern, field));
    }
    Ok(keys)
}

pub(crate) fn put_key(batch: &mut Batch, pattern: &Pattern, field: &str) {
    let key = [&[KEY], format!("{pattern}").as_bytes()].concat();
    batch.put(META, key, field.as_bytes().to_vec());
}
