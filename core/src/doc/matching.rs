//! What a state must be for a patch to be applied.

use super::{MAX_DEPTH, Value, refuse};
use crate::Result;
use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};
use core::cmp::Ordering;

/// A pattern that what is at a path must satisfy.
///
/// In JSON it is a value: scalars stand for themselves, a list for a list of the same length whose values match, an object for
/// one that has at least these fields and whose fields match. An object with a single field that begins with `$` is an operator:
///
/// | operator | matches |
/// |---|---|
/// | `{"$exists": true}`, `{"$absent": true}` | anything; nothing |
/// | `{"$eq": value}` | exactly this value, also an object |
/// | `{"$has": {...}}` | an object with these fields, also a single one that begins with `$` |
/// | `{"$not": pattern}` | what does not match; also nothing, unless `pattern` matches nothing |
/// | `{"$any": [pattern, ...]}`, `{"$all": [pattern, ...]}` | what matches one of them, all of them |
/// | `{"$glob": "e*b?"}` | a string: `*` any characters, `?` any one, `\` takes the next as it is |
/// | `{"$gt": x}`, `$ge`, `$lt`, `$le` | a number, or a string (in byte order), in that range |
///
/// ```
/// use littoral_core::doc::{Match, Value};
/// let boat = Value::from_json(r#"{"name": "Ebb", "length": 7.5, "owner": null}"#)?;
/// let fits = |json: &str| Match::from_json(json).map(|pattern| pattern.matches(Some(&boat)));
/// assert!(fits(r#"{"name": "Ebb", "length": {"$gt": 7}}"#)?);
/// assert!(fits(r#"{"mast": {"$absent": true}, "owner": {"$exists": true}}"#)?);
/// assert!(!fits(r#"{"name": {"$not": {"$glob": "E*"}}}"#)?);
/// # Ok::<(), littoral_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Match {
    /// Anything, if it is there.
    Exists,
    /// Nothing is there.
    Absent,
    /// This value; numbers are compared as numbers.
    Equals(Value),
    /// An object with these fields, or a sparse list with these decimal numbers, and others.
    Object(BTreeMap<String, Match>),
    /// A list of as many values, each matching.
    List(Vec<Match>),
    /// What does not match.
    Not(Box<Match>),
    /// What matches one of them.
    Any(Vec<Match>),
    /// What matches all of them.
    All(Vec<Match>),
    /// A string like this one.
    Glob(String),
    /// A number or string before or behind this one.
    Range(Order, Value),
}

/// How a value has to stand to the one in a [`Match::Range`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `$gt`
    Greater,
    /// `$ge`
    GreaterOrEqual,
    /// `$lt`
    Less,
    /// `$le`
    LessOrEqual,
}

impl Match {
    /// The pattern that this JSON says.
    ///
    /// # Errors
    /// `InvalidInput` for what is no JSON, for an unknown operator, and for an operator with something it does not take.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Match> {
        Match::from_value(Value::from_json(json)?)
    }

    /// As [`from_json`](Match::from_json), from a value.
    ///
    /// # Errors
    /// See [`from_json`](Match::from_json).
    pub fn from_value(value: Value) -> Result<Match> {
        if value.depth().is_none() {
            return Err(refuse(&format!(
                "a match is nested deeper than {MAX_DEPTH}"
            )));
        }
        parse(value)
    }

    /// Whether this state satisfies it; `None` is nothing.
    pub fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Match::Absent, value) => value.is_none(),
            (Match::Not(pattern), value) => !pattern.matches(value),
            (Match::Any(patterns), value) => patterns.iter().any(|pattern| pattern.matches(value)),
            (Match::All(patterns), value) => patterns.iter().all(|pattern| pattern.matches(value)),
            (_, None) => false,
            (Match::Exists, Some(_)) => true,
            (Match::Equals(expected), Some(value)) => value.equals(expected),
            (Match::Object(fields), Some(value)) => {
                let child = |name: &str| match value {
                    Value::Object(there) => there.get(name),
                    Value::Sparse(there) => there.get(&super::syntax::decimal(name)?),
                    _ => None,
                };
                matches!(value, Value::Object(_) | Value::Sparse(_))
                    && fields
                        .iter()
                        .all(|(name, pattern)| pattern.matches(child(name)))
            }
            (Match::List(patterns), Some(Value::List(values))) => {
                patterns.len() == values.len()
                    && patterns
                        .iter()
                        .zip(values)
                        .all(|(pattern, value)| pattern.matches(Some(value)))
            }
            (Match::List(_), Some(_)) => false,
            (Match::Glob(glob), Some(Value::String(text))) => like(glob, text),
            (Match::Glob(_), Some(_)) => false,
            (Match::Range(order, bound), Some(value)) => {
                compare(value, bound).is_some_and(|is| match order {
                    Order::Greater => is == Ordering::Greater,
                    Order::GreaterOrEqual => is != Ordering::Less,
                    Order::Less => is == Ordering::Less,
                    Order::LessOrEqual => is != Ordering::Greater,
                })
            }
        }
    }

    /// The pattern as a value, which [`from_value`](Match::from_value) reads.
    pub fn to_value(&self) -> Value {
        let operator = |name: &str, value: Value| Value::object([(name, value)]);
        let all = |patterns: &[Match]| Value::List(patterns.iter().map(Match::to_value).collect());
        match self {
            Match::Exists => operator("$exists", true.into()),
            Match::Absent => operator("$absent", true.into()),
            Match::Equals(value) if value.kind().is_container() => operator("$eq", value.clone()),
            Match::Equals(value) => value.clone(),
            Match::Object(fields) => {
                let value = Value::Object(
                    fields
                        .iter()
                        .map(|(name, pattern)| (name.clone(), pattern.to_value()))
                        .collect(),
                );
                match fields.keys().next() {
                    Some(name) if fields.len() == 1 && name.starts_with('$') => {
                        operator("$has", value)
                    }
                    _ => value,
                }
            }
            Match::List(patterns) => all(patterns),
            Match::Not(pattern) => operator("$not", pattern.to_value()),
            Match::Any(patterns) => operator("$any", all(patterns)),
            Match::All(patterns) => operator("$all", all(patterns)),
            Match::Glob(glob) => operator("$glob", glob.as_str().into()),
            Match::Range(order, bound) => {
                let name = match order {
                    Order::Greater => "$gt",
                    Order::GreaterOrEqual => "$ge",
                    Order::Less => "$lt",
                    Order::LessOrEqual => "$le",
                };
                operator(name, bound.clone())
            }
        }
    }
}

fn parse(value: Value) -> Result<Match> {
    let fields = match value {
        Value::List(values) => return parse_all(values).map(Match::List),
        Value::Sparse(values) => {
            let fields = values.into_iter();
            return parse_fields(&mut fields.map(|(index, value)| (format!("{index}"), value)));
        }
        Value::Object(fields) => fields,
        scalar => return Ok(Match::Equals(scalar)),
    };
    let operates = fields.len() == 1 && fields.keys().any(|name| name.starts_with('$'));
    if !operates {
        return parse_fields(&mut fields.into_iter());
    }
    fields
        .into_iter()
        .next()
        .map_or(Ok(Match::Exists), |(name, value)| operator(&name, value))
}

fn parse_fields(fields: &mut dyn Iterator<Item = (String, Value)>) -> Result<Match> {
    let mut all = Vec::new();
    for (name, value) in fields {
        all.push((name, parse(value)?));
    }
    Ok(Match::Object(all.into_iter().collect()))
}

fn parse_all(values: Vec<Value>) -> Result<Vec<Match>> {
    values.into_iter().map(parse).collect()
}

fn operator(name: &str, value: Value) -> Result<Match> {
    let wrong = |wants: &str| refuse(&format!("the operator {name} takes {wants}"));
    let order = match name {
        "$exists" | "$absent" => {
            return match (name, value) {
                ("$exists", Value::Bool(true)) | ("$absent", Value::Bool(false)) => {
                    Ok(Match::Exists)
                }
                (_, Value::Bool(_)) => Ok(Match::Absent),
                _ => Err(wrong("true or false")),
            };
        }
        "$eq" => return Ok(Match::Equals(value)),
        "$has" => {
            return match value {
                Value::Object(fields) => parse_fields(&mut fields.into_iter()),
                _ => Err(wrong("an object of patterns")),
            };
        }
        "$not" => return Ok(Match::Not(Box::new(parse(value)?))),
        "$any" | "$all" => {
            let Value::List(patterns) = value else {
                return Err(wrong("a list of patterns"));
            };
            let patterns = parse_all(patterns)?;
            return Ok(match name {
                "$any" => Match::Any(patterns),
                _ => Match::All(patterns),
            });
        }
        "$glob" => {
            return match value {
                Value::String(glob) => Ok(Match::Glob(glob)),
                _ => Err(wrong("a string")),
            };
        }
        "$gt" => Order::Greater,
        "$ge" => Order::GreaterOrEqual,
        "$lt" => Order::Less,
        "$le" => Order::LessOrEqual,
        _ => {
            let name: String = name.chars().take(40).collect();
            return Err(refuse(&format!("{name} is no operator of a match")));
        }
    };
    match value {
        Value::Int(_) | Value::Float(_) | Value::String(_) => Ok(Match::Range(order, value)),
        _ => Err(wrong("a number or a string")),
    }
}

/// How two numbers, or two strings, stand to each other.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.value().partial_cmp(&b.value()),
        (Value::Float(a), Value::Int(b)) => Some(a.compare_int(*b)),
        (Value::Int(a), Value::Float(b)) => Some(b.compare_int(*a).reverse()),
        _ => None,
    }
}

/// Whether a text is like a glob. Takes at most the product of their lengths in steps, and no memory.
fn like(glob: &str, text: &str) -> bool {
    let (mut glob, mut text) = (glob, text);
    // Where the last star stood, and the text that it has not taken yet.
    let mut star: Option<(&str, &str)> = None;
    loop {
        let mut pattern = glob.chars();
        let fits = match (pattern.next(), text.chars().next()) {
            (Some('*'), _) => {
                glob = pattern.as_str();
                star = Some((glob, text));
                continue;
            }
            (None, None) => return true,
            (Some('?'), Some(_)) => true,
            (Some('\\'), Some(found)) => pattern.next() == Some(found),
            (Some(wanted), Some(found)) => wanted == found,
            (Some(_), None) => return false,
            (None, Some(_)) => false,
        };
        if fits {
            glob = pattern.as_str();
            text = behind_first(text);
            continue;
        }
        match star {
            Some((behind, left)) => {
                let left = behind_first(left);
                star = Some((behind, left));
                (glob, text) = (behind, left);
            }
            None => return false,
        }
    }
}

fn behind_first(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}
