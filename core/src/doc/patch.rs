//! What a caller asks to be changed.

use super::{Op, Value, pointer, pointer::Pointed, refuse};
use crate::Result;
use alloc::{string::String, vec::Vec};

/// Changes to what is at a path.
///
/// ```
/// use littoral_core::doc::{Op, Patch, Value, apply};
/// let boat = Value::from_json(r#"{"name": "Ebb", "crew": ["Ann"]}"#)?;
///
/// let merge = Patch::merge(Value::from_json(r#"{"name": null, "berth": 7}"#)?);
/// assert_eq!(apply(&boat, &merge)?.to_json(), r#"{"berth":7,"crew":["Ann"]}"#);
///
/// let json = Patch::json(r#"[{"op": "add", "path": "/crew/-", "value": "Bo"}]"#)?;
/// assert_eq!(apply(&boat, &json)?.to_json(), r#"{"crew":["Ann","Bo"],"name":"Ebb"}"#);
///
/// let ops = Patch::ops([Op::increment("trips", 1)?, Op::insert("crew[0]", "Cy")?]);
/// assert_eq!(apply(&boat, &ops)?.to_json(), r#"{"crew":["Cy","Ann"],"name":"Ebb","trips":1}"#);
/// # Ok::<(), littoral_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch(pub(super) Form);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Merge(Value),
    Json(Vec<JsonOp>),
    Ops(Vec<Op>),
}

/// An operation of RFC 6902.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JsonOp {
    Add { path: Pointed, value: Value },
    Remove { path: Pointed },
    Replace { path: Pointed, value: Value },
    Move { from: Pointed, path: Pointed },
    Copy { from: Pointed, path: Pointed },
    Test { path: Pointed, value: Value },
}

impl Patch {
    /// RFC 7396: fields of objects are merged, null removes, anything else replaces.
    ///
    /// Where a sparse list is, an object with decimal keys is merged into it.
    pub fn merge(value: impl Into<Value>) -> Patch {
        Patch(Form::Merge(value.into()))
    }

    /// RFC 6902: a list of operations in JSON. A sparse list is an object with decimal keys for it.
    ///
    /// # Errors
    /// `InvalidInput` for anything else.
    pub fn json(json: impl AsRef<[u8]>) -> Result<Patch> {
        Patch::json_value(&Value::from_json(json)?)
    }

    /// As [`json`](Patch::json), from a value.
    ///
    /// # Errors
    /// See [`json`](Patch::json).
    pub fn json_value(value: &Value) -> Result<Patch> {
        let Value::List(ops) = value else {
            return Err(refuse("a JSON patch is a list of operations"));
        };
        let ops = ops.iter().enumerate().map(|(position, op)| {
            json_op(op).map_err(|error| error.context(alloc::format!("operation {position}")))
        });
        Ok(Patch(Form::Json(ops.collect::<Result<_>>()?)))
    }

    /// These operations in this order. Their paths begin where the patch is applied.
    pub fn ops(ops: impl IntoIterator<Item = Op>) -> Patch {
        Patch(Form::Ops(ops.into_iter().collect()))
    }

    /// Puts a value there, whatever was there before.
    pub fn set(value: impl Into<Value>) -> Patch {
        Patch::ops([Op::Set {
            path: super::Path::ROOT,
            value: value.into(),
        }])
    }
}

impl Patch {
    /// An RFC 6902 patch as the list that it was made of; nothing for other forms.
    pub(super) fn to_json_value(&self) -> Value {
        let Form::Json(ops) = &self.0 else {
            return Value::List(Vec::new());
        };
        let text = |tokens: &Pointed| Value::from(pointer::print(tokens));
        let ops = ops.iter().map(|op| {
            let (name, path) = match op {
                JsonOp::Add { path, .. } => ("add", path),
                JsonOp::Remove { path } => ("remove", path),
                JsonOp::Replace { path, .. } => ("replace", path),
                JsonOp::Move { path, .. } => ("move", path),
                JsonOp::Copy { path, .. } => ("copy", path),
                JsonOp::Test { path, .. } => ("test", path),
            };
            let more = match op {
                JsonOp::Add { value, .. }
                | JsonOp::Replace { value, .. }
                | JsonOp::Test { value, .. } => Some(("value", value.clone())),
                JsonOp::Move { from, .. } | JsonOp::Copy { from, .. } => Some(("from", text(from))),
                JsonOp::Remove { .. } => None,
            };
            let fields = [("op", Value::from(name)), ("path", text(path))];
            Value::object(fields.into_iter().chain(more))
        });
        Value::List(ops.collect())
    }
}

impl From<Vec<Op>> for Patch {
    fn from(ops: Vec<Op>) -> Patch {
        Patch(Form::Ops(ops))
    }
}

fn json_op(op: &Value) -> Result<JsonOp> {
    let text = |name: &str| match op.field(name) {
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(refuse(&alloc::format!("{name} is no string"))),
        None => Err(refuse(&alloc::format!("{name} is missing"))),
    };
    let path = |name| pointer::parse(text(name)?);
    let value = || match op.field("value") {
        Some(value) => Ok(value.clone()),
        None => Err(refuse("value is missing")),
    };
    Ok(match text("op")? {
        "add" => JsonOp::Add {
            path: path("path")?,
            value: value()?,
        },
        "remove" => JsonOp::Remove {
            path: path("path")?,
        },
        "replace" => JsonOp::Replace {
            path: path("path")?,
            value: value()?,
        },
        "move" => JsonOp::Move {
            from: path("from")?,
            path: path("path")?,
        },
        "copy" => JsonOp::Copy {
            from: path("from")?,
            path: path("path")?,
        },
        "test" => JsonOp::Test {
            path: path("path")?,
            value: value()?,
        },
        other => {
            let other: String = other.chars().take(40).collect();
            return Err(refuse(&alloc::format!("{other:?} is no operation")));
        }
    })
}
