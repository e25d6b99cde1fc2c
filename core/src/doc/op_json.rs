//! Operations, patches and what documents answer, as values, and so as JSON.

use super::{Commit, Event, Match, Op, Outcome, Patch, Path, Refused, Snapshot, Value, refuse};
use crate::Result;
use alloc::{format, string::String, vec::Vec};

impl Op {
    /// The operation as an object: `{"op": "set", "path": "a.b", "value": 1}`. The others are `delete`, `splice` with `at`, `remove` and `insert`,
    /// `append` with `values`, `increment` with `by`, `move` with `from` and `to`, and `test`, whose `value` is missing if nothing has to be there.
    ///
    /// ```
    /// use littoral_core::doc::Op;
    /// let op = Op::increment("trips", 1)?;
    /// assert_eq!(op.to_value().to_json(), r#"{"by":1,"op":"increment","path":"trips"}"#);
    /// assert_eq!(Op::from_value(&op.to_value())?, op);
    /// # Ok::<(), littoral_core::Error>(())
    /// ```
    pub fn to_value(&self) -> Value {
        let text = |path: &Path| Value::from(format!("{path}"));
        let list = |values: &[Value]| Value::List(values.to_vec());
        let (name, fields) = match self {
            Op::Test { path, expected } => {
                let expected = expected.clone().map(|value| ("value", value));
                let fields = [("path", text(path))].into_iter().chain(expected);
                ("test", fields.collect::<Vec<_>>())
            }
            Op::Set { path, value } => (
                "set",
                [("path", text(path)), ("value", value.clone())].into(),
            ),
            Op::Delete { path } => ("delete", [("path", text(path))].into()),
            Op::Splice {
                path,
                at,
                remove,
                insert,
            } => (
                "splice",
                [
                    ("path", text(path)),
                    ("at", number(*at)),
                    ("remove", number(*remove)),
                    ("insert", list(insert)),
                ]
                .into(),
            ),
            Op::Append { path, values } => (
                "append",
                [("path", text(path)), ("values", list(values))].into(),
            ),
            Op::Increment { path, by } => (
                "increment",
                [("path", text(path)), ("by", by.clone())].into(),
            ),
            Op::Move { from, to } => ("move", [("from", text(from)), ("to", text(to))].into()),
        };
        Value::object(fields.into_iter().chain([("op", Value::from(name))]))
    }

    /// The operation that such an object says.
    ///
    /// # Errors
    /// `InvalidInput` for anything else.
    pub fn from_value(value: &Value) -> Result<Op> {
        let path = |name: &str| -> Result<Path> { text(value, name)?.parse() };
        let list = |name: &str| match value.field(name) {
            Some(Value::List(values)) => Ok(values.clone()),
            _ => Err(refuse(&format!("{name} has to be a list"))),
        };
        let index = |name: &str| match value.field(name) {
            Some(Value::Int(int)) if *int >= 0 => Ok(*int as u64),
            _ => Err(refuse(&format!("{name} has to be an index"))),
        };
        Ok(match text(value, "op")? {
            "test" => Op::Test {
                path: path("path")?,
                expected: value.field("value").cloned(),
            },
            "set" => Op::Set {
                path: path("path")?,
                value: field(value, "value")?.clone(),
            },
            "delete" => Op::Delete {
                path: path("path")?,
            },
            "splice" => Op::Splice {
                path: path("path")?,
                at: index("at")?,
                remove: index("remove")?,
                insert: list("insert")?,
            },
            "append" => Op::Append {
                path: path("path")?,
                values: list("values")?,
            },
            "increment" => Op::Increment {
                path: path("path")?,
                by: field(value, "by")?.clone(),
            },
            "move" => Op::Move {
                from: path("from")?,
                to: path("to")?,
            },
            other => {
                let other: String = other.chars().take(40).collect();
                return Err(refuse(&format!("{other:?} is no operation")));
            }
        })
    }
}

impl Patch {
    /// The patch that the fields of an object say: one of `merge` (RFC 7396), `json_patch` (RFC 6902), `ops` (see [`Op::to_value`]) and
    /// `set` (puts that value there). Other fields are left alone.
    ///
    /// # Errors
    /// `InvalidInput` for none of them, for two, and for what is no patch.
    pub fn from_fields(value: &Value) -> Result<Patch> {
        let mut found = None;
        for name in ["merge", "json_patch", "ops", "set"] {
            let Some(given) = value.field(name) else {
                continue;
            };
            if found.is_some() {
                return Err(refuse("one of merge, json_patch, ops and set is enough"));
            }
            found = Some(match (name, given) {
                ("merge", given) => Patch::merge(given.clone()),
                ("set", given) => Patch::set(given.clone()),
                ("json_patch", given) => Patch::json_value(given)?,
                (_, Value::List(ops)) => {
                    Patch::ops(ops.iter().map(Op::from_value).collect::<Result<Vec<_>>>()?)
                }
                _ => return Err(refuse("ops has to be a list of operations")),
            });
        }
        found.ok_or_else(|| refuse("a patch is needed: one of merge, json_patch, ops and set"))
    }
}

impl Match {
    /// The match that the field `match` of an object says, if it has one.
    ///
    /// # Errors
    /// Those of [`from_value`](Match::from_value).
    pub fn from_field(value: &Value) -> Result<Option<Match>> {
        let pattern = value.field("match").cloned();
        pattern.map(Match::from_value).transpose()
    }
}

impl Commit {
    /// As an object with `commit`, `time` (milliseconds since 1970) and `ops`.
    pub fn to_value(&self) -> Value {
        let millis = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        Value::object([
            ("commit", number(self.number)),
            ("time", number(millis)),
            ("ops", Value::list(self.ops.iter().map(Op::to_value))),
        ])
    }
}

impl Event {
    /// As an object: `{"event": "state", "commit", "values": [{"path", "value"}], "missed"}`, or
    /// `{"event": "change", "commit", "time", "ops", "behind"}`.
    pub fn to_value(&self) -> Value {
        match self {
            Event::State {
                commit,
                values,
                missed,
            } => {
                let values = values.iter().map(|(path, value)| {
                    Value::object([
                        ("path", Value::from(format!("{path}"))),
                        ("value", value.clone()),
                    ])
                });
                Value::object([
                    ("event", Value::from("state")),
                    ("commit", number(*commit)),
                    ("values", Value::list(values)),
                    ("missed", number(*missed)),
                ])
            }
            Event::Change { commit, behind } => {
                let more = [
                    (String::from("event"), Value::from("change")),
                    (String::from("behind"), number(*behind)),
                ];
                match commit.to_value() {
                    Value::Object(fields) => Value::object(fields.into_iter().chain(more)),
                    other => other,
                }
            }
        }
    }
}

impl Outcome {
    /// As an object with `committed`, `matched`, `commit`, and where they are there, `value` and `refused`.
    pub fn to_value(&self) -> Value {
        let value = self.value.clone().map(|value| ("value", value));
        let refused = self.refused.as_ref();
        let refused = refused.map(|refused| ("refused", refused.to_value()));
        let fields = [
            ("committed", Value::from(self.committed)),
            ("matched", Value::from(self.matched)),
            ("commit", number(self.commit)),
        ];
        Value::object(fields.into_iter().chain(value).chain(refused))
    }
}

impl Refused {
    /// As an object with `path` and `reason`.
    pub fn to_value(&self) -> Value {
        Value::object([
            ("path", Value::from(format!("{}", self.path()))),
            ("reason", Value::from(self.reason())),
        ])
    }
}

impl Snapshot {
    /// As an object with `commit`, `horizon` and `removed_rows`.
    pub fn to_value(&self) -> Value {
        Value::object([
            ("commit", number(self.commit)),
            ("horizon", number(self.horizon)),
            ("removed_rows", number(self.removed_rows)),
        ])
    }
}

/// A number as JSON has it; one beyond 63 bits is no commit that anybody gets to.
fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a Value> {
    value
        .field(name)
        .ok_or_else(|| refuse(&format!("{name} is missing")))
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    match field(value, name)? {
        Value::String(text) => Ok(text),
        _ => Err(refuse(&format!("{name} has to be a string"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::strategy::{choice, op_for, tree};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn operations_are_values_and_back(tree in tree(), choice in choice()) {
            let op = op_for(&tree, choice);
            prop_assert_eq!(Op::from_value(&op.to_value()).unwrap(), op);
        }

        #[test]
        fn any_value_is_an_operation_and_a_patch_or_an_error(value in tree()) {
            let _ = (Op::from_value(&value), Patch::from_fields(&value), Match::from_field(&value));
        }
    }

    #[test]
    fn a_patch_is_said_in_one_way() {
        let patch = |json: &str| Patch::from_fields(&Value::from_json(json).unwrap());
        assert_eq!(patch(r#"{"set": 1}"#).unwrap(), Patch::set(1));
        assert_eq!(
            patch(r#"{"merge": null}"#).unwrap(),
            Patch::merge(Value::Null)
        );
        assert!(patch(r#"{"json_patch": [{"op": "remove", "path": "/a"}]}"#).is_ok());
        assert!(patch(r#"{"ops": [{"op": "delete", "path": "a"}]}"#).is_ok());
        for wrong in [
            r#"{"set": 1, "merge": 1}"#,
            "{}",
            "1",
            r#"{"ops": 1}"#,
            r#"{"ops": [{"op": "x"}]}"#,
        ] {
            assert!(patch(wrong).is_err(), "{wrong}");
        }
    }
}
