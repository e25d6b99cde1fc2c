//! What a tree is made of.

use super::{refusal::Refusal, refuse, syntax::decimal};
use crate::{Result, blob::Pointer};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use bytes::Bytes;
use core::fmt;

/// Containers within containers, and steps of a path: no tree is deeper.
pub const MAX_DEPTH: usize = 100;
/// Longest name of a field, in bytes of UTF-8.
pub const MAX_NAME: usize = 1024;

/// A value: a scalar, or a container of values.
///
/// ```
/// use littoral_core::doc::Value;
/// let boat = Value::object([("name", Value::from("Ebb")), ("length", 7.5.try_into()?)]);
/// assert_eq!(boat.field("name"), Some(&Value::from("Ebb")));
/// assert_eq!(boat.to_json(), r#"{"length":7.5,"name":"Ebb"}"#);
/// # Ok::<(), littoral_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, on purpose.
    Null,
    /// True or false.
    Bool(bool),
    /// A signed integer of 64 bits.
    Int(i64),
    /// A finite number that is not an integer, or was not meant as one.
    Float(Float),
    /// Text.
    String(String),
    /// Bytes. Large ones belong in a blob, with a link here.
    Bytes(Bytes),
    /// The name of a blob.
    Link(Pointer),
    /// Values in a row.
    List(Vec<Value>),
    /// Values by name, in byte order of the names.
    Object(BTreeMap<String, Value>),
    /// Values by number, with gaps.
    Sparse(BTreeMap<u64, Value>),
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum ValueKind {
    Null,
    Bool,
    Int,
    Float,
    String,
    Bytes,
    Link,
    List,
    Object,
    Sparse,
}

impl ValueKind {
    /// Whether it has values in it.
    pub fn is_container(self) -> bool {
        matches!(
            self,
            ValueKind::List | ValueKind::Object | ValueKind::Sparse
        )
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueKind::Null => "null",
            ValueKind::Bool => "a bool",
            ValueKind::Int => "an integer",
            ValueKind::Float => "a float",
            ValueKind::String => "a string",
            ValueKind::Bytes => "bytes",
            ValueKind::Link => "a link",
            ValueKind::List => "a list",
            ValueKind::Object => "an object",
            ValueKind::Sparse => "a sparse list",
        })
    }
}

impl Value {
    /// An object with these fields; of two with one name, the last counts.
    pub fn object<K: Into<String>>(fields: impl IntoIterator<Item = (K, Value)>) -> Value {
        let mut all = BTreeMap::new();
        for (name, value) in fields {
            all.insert(name.into(), value);
        }
        Value::Object(all)
    }

    /// A list of these values.
    pub fn list(values: impl IntoIterator<Item = impl Into<Value>>) -> Value {
        Value::List(values.into_iter().map(Into::into).collect())
    }

    /// A sparse list of these values.
    pub fn sparse(values: impl IntoIterator<Item = (u64, Value)>) -> Value {
        Value::Sparse(values.into_iter().collect())
    }

    /// What it is.
    pub fn kind(&self) -> ValueKind {
        match self {
            Value::Null => ValueKind::Null,
            Value::Bool(_) => ValueKind::Bool,
            Value::Int(_) => ValueKind::Int,
            Value::Float(_) => ValueKind::Float,
            Value::String(_) => ValueKind::String,
            Value::Bytes(_) => ValueKind::Bytes,
            Value::Link(_) => ValueKind::Link,
            Value::List(_) => ValueKind::List,
            Value::Object(_) => ValueKind::Object,
            Value::Sparse(_) => ValueKind::Sparse,
        }
    }

    /// The field of an object.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(fields) => fields.get(name),
            _ => None,
        }
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// Values that are in it, if it is a container.
    pub fn len(&self) -> Option<usize> {
        match self {
            Value::List(values) => Some(values.len()),
            Value::Object(fields) => Some(fields.len()),
            Value::Sparse(values) => Some(values.len()),
            _ => None,
        }
    }

    /// Whether it is a container with nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Whether both are the same, numbers being compared as numbers: `1` is `1.0`.
    ///
    /// This is how tests in patches and matches compare; `==` tells an integer from a float.
    pub fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Int(int), Value::Float(float)) | (Value::Float(float), Value::Int(int)) => {
                float.is_int(*int)
            }
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
            }
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|((key, a), (other, b))| key == other && a.equals(b))
            }
            (Value::Sparse(a), Value::Sparse(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|((key, a), (other, b))| key == other && a.equals(b))
            }
            // An object with decimal keys is how a sparse list is written in JSON.
            (Value::Sparse(a), Value::Object(b)) | (Value::Object(b), Value::Sparse(a)) => {
                a.len() == b.len()
                    && b.iter().all(|(key, b)| {
                        decimal(key).is_some_and(|key| a.get(&key).is_some_and(|a| a.equals(b)))
                    })
            }
            _ => self == other,
        }
    }

    /// Containers within each other, itself included; 0 for a scalar.
    ///
    /// `None` when they are more than [`MAX_DEPTH`]: such a value is taken nowhere.
    pub fn depth(&self) -> Option<usize> {
        depth(self, MAX_DEPTH)
    }

    /// Whether it can stand in a tree below `above` steps.
    pub(crate) fn check(&self, above: usize) -> Result<(), Refusal> {
        if self.depth().is_none_or(|depth| depth + above > MAX_DEPTH) {
            return Err(Refusal::invalid(alloc::format!(
                "it would be nested deeper than {MAX_DEPTH}"
            )));
        }
        check_names(self)
    }
}

fn depth(value: &Value, left: usize) -> Option<usize> {
    fn deepest<'a>(values: impl Iterator<Item = &'a Value>, left: usize) -> Option<usize> {
        let left = left.checked_sub(1)?;
        let mut most = 0;
        for value in values {
            most = most.max(depth(value, left)?);
        }
        Some(most + 1)
    }
    match value {
        Value::List(values) => deepest(values.iter(), left),
        Value::Object(fields) => deepest(fields.values(), left),
        Value::Sparse(values) => deepest(values.values(), left),
        _ => Some(0),
    }
}

/// Its depth has been checked before.
fn check_names(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::List(values) => values.iter().try_for_each(check_names),
        Value::Sparse(values) => values.values().try_for_each(check_names),
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            if name.len() > MAX_NAME {
                return Err(Refusal::invalid(alloc::format!(
                    "the name of a field has {} bytes, more than {MAX_NAME}",
                    name.len()
                )));
            }
            check_names(value)
        }),
        _ => Ok(()),
    }
}

/// As JSON.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

/// As JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

/// A finite float of 64 bits; zero has no sign. So it can be compared with itself, and written as JSON.
#[derive(Clone, Copy, PartialEq)]
pub struct Float(f64);

impl Float {
    /// The float, unless it is infinite or no number.
    pub fn new(float: f64) -> Option<Float> {
        // Adding zero takes the sign off a negative zero.
        float.is_finite().then_some(Float(float + 0.0))
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }

    /// Whether it is exactly this integer.
    fn is_int(self, int: i64) -> bool {
        // 2^63 as a float is out of an i64's range; the cast saturates and would call it i64::MAX.
        self.0 == int as f64 && self.0 < 9_223_372_036_854_775_808.0 && self.0 as i64 == int
    }

    /// How it stands to an integer, without rounding the integer.
    pub(crate) fn compare_int(self, int: i64) -> core::cmp::Ordering {
        use core::cmp::Ordering;
        if self.0 >= 9_223_372_036_854_775_808.0 {
            return Ordering::Greater;
        }
        if self.0 < -9_223_372_036_854_775_808.0 {
            return Ordering::Less;
        }
        let whole = self.0 as i64;
        whole.cmp(&int).then_with(|| {
            let rest = self.0 - whole as f64;
            rest.partial_cmp(&0.0).unwrap_or(Ordering::Equal)
        })
    }
}

impl Eq for Float {}

impl fmt::Debug for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<Float> for Value {
    fn from(float: Float) -> Value {
        Value::Float(float)
    }
}

/// `InvalidInput` for what is not finite.
impl TryFrom<f64> for Value {
    type Error = crate::Error;

    fn try_from(float: f64) -> Result<Value> {
        match Float::new(float) {
            Some(float) => Ok(Value::Float(float)),
            None => Err(refuse("a float in a document is finite")),
        }
    }
}

macro_rules! from {
    ($($from:ty => $value:ident => $made:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Value {
                $made
            }
        })*
    };
}

from! {
    bool => value => Value::Bool(value);
    i64 => value => Value::Int(value);
    i32 => value => Value::Int(value.into());
    u32 => value => Value::Int(value.into());
    u8 => value => Value::Int(value.into());
    &str => value => Value::String(value.into());
    String => value => Value::String(value);
    Bytes => value => Value::Bytes(value);
    Pointer => value => Value::Link(value);
    Vec<Value> => value => Value::List(value);
    BTreeMap<String, Value> => value => Value::Object(value);
    BTreeMap<u64, Value> => value => Value::Sparse(value);
}
