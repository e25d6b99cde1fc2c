//! Values, paths and operations as bytes: compact, and one text for each.
//!
//! Numbers are LEB128 of 64 bits (at most 10 bytes, no longer than needed); signed ones are folded first (`0, -1, 1, -2, ...`).
//! A length stands before what it counts.
//!
//! | tag | value | bytes behind it |
//! |---|---|---|
//! | 0, 1, 2 | null, false, true | |
//! | 3 | integer | signed number |
//! | 4 | float | 8, little-endian; finite, no negative zero |
//! | 5 | string | length, UTF-8 |
//! | 6 | bytes | length, bytes |
//! | 7 | link | 32 |
//! | 8 | list | number of values, values |
//! | 9 | object | number of fields; each: length and name, value; names ascending |
//! | 10 | sparse list | number of values; each: index, value; indices ascending |
//!
//! | tag | step of a path | bytes behind it |
//! |---|---|---|
//! | 0 | field | length, name |
//! | 1 | index | number |
//! | 2 | sparse index | number |
//! | 3 | key of an element | length, key |
//! | 4 | key with its field | length, field, length, key |
//!
//! A path is the number of its steps and the steps. An operation is a tag (`Test` 0, with nothing expected 1, `Set` 2, `Delete` 3, `Splice` 4,
//! `Append` 5, `Increment` 6, `Move` 7) and its fields in the order of their declaration.

use super::{Float, MAX_DEPTH, MAX_NAME, Op, Path, Step, Value};
use crate::{Error, Kind, Result, blob::Pointer};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use bytes::Bytes;

impl Value {
    /// The value as bytes. Equal values have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_value(&mut out, self);
        out
    }

    /// The value that these bytes are.
    ///
    /// # Errors
    /// `InvalidInput` for anything that [`encode`](Value::encode) does not write.
    pub fn decode(bytes: &[u8]) -> Result<Value> {
        let mut reader = Reader::new(bytes);
        let value = reader.value(0)?;
        reader.end()?;
        Ok(value)
    }
}

impl Path {
    /// The path as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_path(&mut out, self);
        out
    }

    /// The path that these bytes are.
    ///
    /// # Errors
    /// `InvalidInput` for anything that [`encode`](Path::encode) does not write.
    pub fn decode(bytes: &[u8]) -> Result<Path> {
        let mut reader = Reader::new(bytes);
        let path = reader.path()?;
        reader.end()?;
        Ok(path)
    }
}

impl Op {
    /// Operations as bytes.
    pub fn encode_all(ops: &[Op]) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, ops.len() as u64);
        for op in ops {
            put_op(&mut out, op);
        }
        out
    }

    /// The operations that these bytes are.
    ///
    /// # Errors
    /// `InvalidInput` for anything that [`encode_all`](Op::encode_all) does not write.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Op>> {
        let mut reader = Reader::new(bytes);
        let ops = reader.list(Reader::op)?;
        reader.end()?;
        Ok(ops)
    }
}

pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Small numbers of either sign become small ones.
pub(crate) fn fold(int: i64) -> u64 {
    ((int << 1) ^ (int >> 63)) as u64
}

pub(crate) fn unfold(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

pub(crate) fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(0),
        Value::Bool(value) => out.push(1 + u8::from(*value)),
        Value::Int(int) => {
            out.push(3);
            put_number(out, fold(*int));
        }
        Value::Float(float) => {
            out.push(4);
            out.extend_from_slice(&float.value().to_le_bytes());
        }
        Value::String(text) => {
            out.push(5);
            put_bytes(out, text.as_bytes());
        }
        Value::Bytes(bytes) => {
            out.push(6);
            put_bytes(out, bytes);
        }
        Value::Link(pointer) => {
            out.push(7);
            out.extend_from_slice(pointer.as_bytes());
        }
        Value::List(values) => {
            out.push(8);
            put_number(out, values.len() as u64);
            for value in values {
                put_value(out, value);
            }
        }
        Value::Object(fields) => {
            out.push(9);
            put_number(out, fields.len() as u64);
            for (name, value) in fields {
                put_bytes(out, name.as_bytes());
                put_value(out, value);
            }
        }
        Value::Sparse(values) => {
            out.push(10);
            put_number(out, values.len() as u64);
            for (index, value) in values {
                put_number(out, *index);
                put_value(out, value);
            }
        }
    }
}

pub(crate) fn put_path(out: &mut Vec<u8>, path: &Path) {
    put_number(out, path.steps().len() as u64);
    for step in path.steps() {
        match step {
            Step::Field(name) => {
                out.push(0);
                put_bytes(out, name.as_bytes());
            }
            Step::Index(index) => {
                out.push(1);
                put_number(out, *index);
            }
            Step::Sparse(index) => {
                out.push(2);
                put_number(out, *index);
            }
            Step::Key { field: None, key } => {
                out.push(3);
                put_bytes(out, key.as_bytes());
            }
            Step::Key {
                field: Some(field),
                key,
            } => {
                out.push(4);
                put_bytes(out, field.as_bytes());
                put_bytes(out, key.as_bytes());
            }
        }
    }
}

pub(crate) fn put_op(out: &mut Vec<u8>, op: &Op) {
    let put_values = |out: &mut Vec<u8>, values: &[Value]| {
        put_number(out, values.len() as u64);
        for value in values {
            put_value(out, value);
        }
    };
    match op {
        Op::Test {
            path,
            expected: Some(expected),
        } => {
            out.push(0);
            put_path(out, path);
            put_value(out, expected);
        }
        Op::Test {
            path,
            expected: None,
        } => {
            out.push(1);
            put_path(out, path);
        }
        Op::Set { path, value } => {
            out.push(2);
            put_path(out, path);
            put_value(out, value);
        }
        Op::Delete { path } => {
            out.push(3);
            put_path(out, path);
        }
        Op::Splice {
            path,
            at,
            remove,
            insert,
        } => {
            out.push(4);
            put_path(out, path);
            put_number(out, *at);
            put_number(out, *remove);
            put_values(out, insert);
        }
        Op::Append { path, values } => {
            out.push(5);
            put_path(out, path);
            put_values(out, values);
        }
        Op::Increment { path, by } => {
            out.push(6);
            put_path(out, path);
            put_value(out, by);
        }
        Op::Move { from, to } => {
            out.push(7);
            put_path(out, from);
            put_path(out, to);
        }
    }
}

/// Reads what the functions above write; every read is checked.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes }
    }

    pub(crate) fn end(&self) -> Result<()> {
        match self.bytes {
            [] => Ok(()),
            _ => Err(unreadable("bytes follow the end")),
        }
    }

    pub(crate) fn slice(&mut self, len: usize) -> Result<&'a [u8]> {
        let (slice, rest) = self
            .bytes
            .split_at_checked(len)
            .ok_or_else(|| unreadable("the bytes end too early"))?;
        self.bytes = rest;
        Ok(slice)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let slice = self.slice(N)?;
        slice
            .try_into()
            .map_err(|_| unreadable("the bytes end too early"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    /// The byte that comes next, which stays there.
    pub(crate) fn peek(&self) -> Result<u8> {
        let first = self.bytes.first().copied();
        first.ok_or_else(|| unreadable("the bytes end too early"))
    }

    pub(crate) fn number(&mut self) -> Result<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(unreadable("a number is longer than needed"));
                }
                return Ok(number);
            }
        }
        Err(unreadable("a number is out of bounds"))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.number()?;
        let len = usize::try_from(len).map_err(|_| unreadable("a length is out of bounds"))?;
        self.slice(len)
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        core::str::from_utf8(self.bytes()?)
            .map(String::from)
            .map_err(|_| unreadable("text that is not UTF-8"))
    }

    /// A name of a field, or a key.
    pub(crate) fn name(&mut self) -> Result<String> {
        let name = self.text()?;
        if name.len() > MAX_NAME {
            return Err(unreadable("a name is too long"));
        }
        Ok(name)
    }

    /// Things with their number in front. Each takes a byte at least, so that the number is checked before it allocates.
    pub(crate) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let count = self.count()?;
        let mut out = Vec::new();
        for _ in 0..count {
            out.push(read(self)?);
        }
        Ok(out)
    }

    fn count(&mut self) -> Result<usize> {
        let count = self.number()?;
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= self.bytes.len())
            .ok_or_else(|| unreadable("more is counted than there are bytes"))
    }

    /// A value below `above` containers.
    pub(crate) fn value(&mut self, above: usize) -> Result<Value> {
        let tag = self.u8()?;
        if (8..=10).contains(&tag) && above >= MAX_DEPTH {
            return Err(unreadable("the value is nested too deep"));
        }
        Ok(match tag {
            0 => Value::Null,
            1 => Value::Bool(false),
            2 => Value::Bool(true),
            3 => Value::Int(unfold(self.number()?)),
            4 => {
                let float = f64::from_le_bytes(self.array()?);
                match Float::new(float) {
                    Some(checked) if checked.value().to_bits() == float.to_bits() => {
                        Value::Float(checked)
                    }
                    _ => return Err(unreadable("a float that is not finite")),
                }
            }
            5 => Value::String(self.text()?),
            6 => Value::Bytes(Bytes::copy_from_slice(self.bytes()?)),
            7 => Value::Link(Pointer::from_bytes(self.array()?)),
            8 => Value::List(self.list(|reader| reader.value(above + 1))?),
            9 => {
                let mut fields = BTreeMap::new();
                for _ in 0..self.count()? {
                    let name = self.name()?;
                    if fields
                        .last_key_value()
                        .is_some_and(|(last, _)| *last >= name)
                    {
                        return Err(unreadable("names do not ascend"));
                    }
                    let value = self.value(above + 1)?;
                    fields.insert(name, value);
                }
                Value::Object(fields)
            }
            10 => {
                let mut values = BTreeMap::new();
                for _ in 0..self.count()? {
                    let index = self.number()?;
                    if values
                        .last_key_value()
                        .is_some_and(|(last, _)| *last >= index)
                    {
                        return Err(unreadable("indices do not ascend"));
                    }
                    let value = self.value(above + 1)?;
                    values.insert(index, value);
                }
                Value::Sparse(values)
            }
            _ => return Err(unreadable("an unknown kind of value")),
        })
    }

    pub(crate) fn path(&mut self) -> Result<Path> {
        let steps = self.list(|reader| {
            Ok(match reader.u8()? {
                0 => Step::Field(reader.name()?),
                1 => Step::Index(reader.number()?),
                2 => Step::Sparse(reader.number()?),
                3 => Step::Key {
                    field: None,
                    key: reader.name()?,
                },
                4 => Step::Key {
                    field: Some(reader.name()?),
                    key: reader.name()?,
                },
                _ => return Err(unreadable("an unknown kind of step")),
            })
        })?;
        Path::from_steps(steps)
    }

    pub(crate) fn op(&mut self) -> Result<Op> {
        Ok(match self.u8()? {
            0 => Op::Test {
                path: self.path()?,
                expected: Some(self.value(0)?),
            },
            1 => Op::Test {
                path: self.path()?,
                expected: None,
            },
            2 => Op::Set {
                path: self.path()?,
                value: self.value(0)?,
            },
            3 => Op::Delete { path: self.path()? },
            4 => Op::Splice {
                path: self.path()?,
                at: self.number()?,
                remove: self.number()?,
                insert: self.list(|reader| reader.value(0))?,
            },
            5 => Op::Append {
                path: self.path()?,
                values: self.list(|reader| reader.value(0))?,
            },
            6 => Op::Increment {
                path: self.path()?,
                by: self.value(0)?,
            },
            7 => Op::Move {
                from: self.path()?,
                to: self.path()?,
            },
            _ => return Err(unreadable("an unknown kind of operation")),
        })
    }
}

fn unreadable(what: &str) -> Error {
    Error::new(
        Kind::InvalidInput,
        alloc::format!("not a document's bytes: {what}"),
    )
}
