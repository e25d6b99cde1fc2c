//! Values as JSON, both ways.
//!
//! Links and bytes are written as in DAG-JSON: `{"/": "bafkrei..."}` and `{"/": {"bytes": "base64"}}`. An object that
//! only looks like one of these is written as `{"/": {"map": {...}}}`, so that every value has a JSON text and none has that of another.
//! The exception is the sparse list: it is written as an object with decimal keys, and is read as an object; it is the path that says which of both is meant.

use super::{
    refuse,
    value::{Float, Value},
};
use crate::{Error, Kind, Result, blob::Pointer};
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use core::fmt;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};

impl Value {
    /// The value that this JSON text says.
    ///
    /// Of two fields with one name the last counts. An integer that does not fit in 64 signed bits is read as a float.
    ///
    /// ```
    /// use littoral_core::doc::Value;
    /// let value = Value::from_json(r#"{"n": 1, "f": 1.0, "bytes": {"/": {"bytes": "AQI"}}}"#)?;
    /// assert_eq!(value.field("bytes"), Some(&Value::Bytes(vec![1, 2].into())));
    /// assert_eq!(value.to_json(), r#"{"bytes":{"/":{"bytes":"AQI"}},"f":1.0,"n":1}"#);
    /// # Ok::<(), littoral_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for what is no JSON, or is nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Value> {
        let value: Value = serde_json::from_slice(json.as_ref()).map_err(|error| {
            Error::new(Kind::InvalidInput, format!("not a value in JSON: {error}"))
        })?;
        if value.depth().is_none() {
            return Err(refuse("the value is nested too deep"));
        }
        Ok(value)
    }

    /// The value as JSON text, without spaces, fields in byte order.
    pub fn to_json(&self) -> String {
        // Writing into memory cannot fail, and every key is a string.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Float(value) => serializer.serialize_f64(value.value()),
            Value::String(value) => serializer.serialize_str(value),
            Value::Bytes(bytes) => {
                let inner = One("bytes", &STANDARD_NO_PAD.encode(bytes));
                One("/", &inner).serialize(serializer)
            }
            Value::Link(pointer) => One("/", &pointer.to_cid()).serialize(serializer),
            Value::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Value::Object(fields) if looks_reserved(fields) => {
                One("/", &One("map", &Fields(fields))).serialize(serializer)
            }
            Value::Object(fields) => Fields(fields).serialize(serializer),
            Value::Sparse(values) => {
                let mut map = serializer.serialize_map(Some(values.len()))?;
                for (index, value) in values {
                    map.serialize_entry(&format!("{index}"), value)?;
                }
                map.end()
            }
        }
    }
}

/// An object with one field.
struct One<'a, T>(&'static str, &'a T);

impl<T: Serialize> Serialize for One<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, self.1)?;
        map.end()
    }
}

struct Fields<'a>(&'a BTreeMap<String, Value>);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The only field of an object that has one.
fn only<'a>(fields: &'a BTreeMap<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|_| fields.len() == 1)
}

/// Whether the JSON of this object would be taken for something else.
fn looks_reserved(fields: &BTreeMap<String, Value>) -> bool {
    match only(fields, "/") {
        // The JSON of a link or of bytes in there is an object with the field `/`: never one of these.
        Some(Value::String(_)) => true,
        Some(Value::Object(inner)) => {
            matches!(only(inner, "bytes"), Some(Value::String(_))) || only(inner, "map").is_some()
        }
        _ => false,
    }
}

/// What a value stands for whose objects are still as they were read. Its depth has been checked.
fn interpret(raw: Value) -> Result<Value> {
    match raw {
        Value::List(values) => values
            .into_iter()
            .map(interpret)
            .collect::<Result<_>>()
            .map(Value::List),
        Value::Object(mut fields) => {
            if looks_reserved(&fields)
                && let Some(behind) = fields.remove("/")
            {
                return reserved(behind);
            }
            interpret_fields(fields)
        }
        other => Ok(other),
    }
}

fn interpret_fields(fields: BTreeMap<String, Value>) -> Result<Value> {
    let mut out = BTreeMap::new();
    for (name, value) in fields {
        out.insert(name, interpret(value)?);
    }
    Ok(Value::Object(out))
}

/// What stands behind the field `/` where that is the only one.
fn reserved(behind: Value) -> Result<Value> {
    match behind {
        Value::String(cid) => Ok(Value::Link(Pointer::from_cid(&cid)?)),
        Value::Object(mut inner) => match (inner.remove("bytes"), inner.remove("map")) {
            (Some(Value::String(text)), _) => STANDARD_NO_PAD
                .decode(text)
                .map(|bytes| Value::Bytes(bytes.into()))
                .map_err(|error| refuse(&format!("bytes in base64: {error}"))),
            // An object as it is, whatever it looks like.
            (_, Some(Value::Object(fields))) => interpret_fields(fields),
            _ => Err(refuse("what is behind {\"/\": {\"map\": is no object")),
        },
        _ => Err(refuse("what is behind {\"/\": is neither link nor bytes")),
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?.0;
        if raw.depth().is_none() {
            return Err(de::Error::custom("the value is nested too deep"));
        }
        interpret(raw).map_err(de::Error::custom)
    }
}

/// A value in which an object is just an object.
struct Raw(Value);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FromAny).map(Raw)
    }
}

struct FromAny;

impl<'de> Visitor<'de> for FromAny {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(int) => Ok(Value::Int(int)),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Float::new(value)
            .map(Value::Float)
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Raw(value)) = from.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((name, Raw(value))) = from.next_entry::<String, Raw>()? {
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}
