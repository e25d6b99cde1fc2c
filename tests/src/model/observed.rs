use super::{Key, State, history::keys_in};
use bytes::Bytes;
use littoral_core::engine::{Direction, KeyRange};

/// What a reader was told, to be held against the model once all commit numbers are known: it
/// must be true of one commit of those from `from` to `until`.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The earliest state that it may be about.
    pub from: u64,
    /// The latest state that it may be about.
    pub until: u64,
    /// What it says.
    pub seen: Seen,
}

/// What a reader was told.
#[derive(Clone, Debug)]
pub enum Seen {
    /// The value of a key.
    Value(Key, Option<Bytes>),
    /// The length of a key's value.
    Length(Key, Option<u64>),
    /// A scan.
    Scan {
        /// Of this space,
        space: u8,
        /// over these keys,
        range: KeyRange,
        /// this way.
        direction: Direction,
        /// Key, length, and the value where it was asked for.
        rows: Vec<(Bytes, u64, Option<Bytes>)>,
        /// Whether the scan said that this was all.
        ended: bool,
    },
    /// A whole store, such as a backup.
    Whole(State),
}

impl Seen {
    /// Whether it is true of `state`; what differs, if not.
    ///
    /// # Errors
    /// What differs.
    pub fn holds(&self, state: &State) -> Result<(), String> {
        match self {
            Seen::Value(key, value) => {
                let expected = state.get(key);
                (expected == value.as_ref()).then_some(()).ok_or_else(|| {
                    format!(
                        "{} is {}, not {}",
                        name(key),
                        summary(expected),
                        summary(value.as_ref())
                    )
                })
            }
            Seen::Length(key, length) => {
                let expected = state.get(key).map(|value| value.len() as u64);
                (expected == *length).then_some(()).ok_or_else(|| {
                    format!("{} is {expected:?} bytes long, not {length:?}", name(key))
                })
            }
            Seen::Scan {
                space,
                range,
                direction,
                rows,
                ended,
            } => {
                let mut keys = keys_in(state, *space, range);
                if *direction == Direction::Backward {
                    keys.reverse();
                }
                if keys.len() < rows.len() || (*ended && keys.len() > rows.len()) {
                    return Err(format!(
                        "a {direction:?} scan of {space:#x} over {range:?} gives {} keys, not {}: {}",
                        keys.len(),
                        rows.len(),
                        first_difference(&keys, rows)
                    ));
                }
                for (expected, (key, len, value)) in keys.iter().zip(rows) {
                    let there = &state[expected];
                    if expected.1 != key
                        || there.len() as u64 != *len
                        || value.as_ref().is_some_and(|value| value != there)
                    {
                        return Err(format!(
                            "a {direction:?} scan over {range:?} gives {} as {}, not {} as {} of {len} bytes",
                            name(expected),
                            summary(Some(there)),
                            name(&(*space, key.clone())),
                            summary(value.as_ref())
                        ));
                    }
                }
                Ok(())
            }
            Seen::Whole(whole) => difference(state, whole),
        }
    }
}

/// The first keys in which `found` is not as `expected`.
///
/// # Errors
/// What differs.
pub fn difference(expected: &State, found: &State) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    let mut lines = Vec::new();
    for (key, value) in expected {
        if found.get(key) != Some(value) {
            lines.push(format!(
                "{} is {}, not {}",
                name(key),
                summary(Some(value)),
                summary(found.get(key))
            ));
        }
    }
    for (key, value) in found {
        if !expected.contains_key(key) {
            lines.push(format!(
                "{} is not there, not {}",
                name(key),
                summary(Some(value))
            ));
        }
    }
    let count = lines.len();
    lines.truncate(4);
    Err(format!("{count} keys differ: {}", lines.join("; ")))
}

fn first_difference(keys: &[Key], rows: &[(Bytes, u64, Option<Bytes>)]) -> String {
    let at = keys
        .iter()
        .zip(rows)
        .position(|(expected, (key, _, _))| expected.1 != key)
        .unwrap_or(keys.len().min(rows.len()));
    let expected = keys.get(at).map_or("the end".into(), name);
    let found = rows.get(at).map_or("the end".into(), |(key, _, _)| {
        name(&(keys.first().map_or(0, |k| k.0), key.clone()))
    });
    format!("at place {at} {expected}, not {found}")
}

/// A key for people.
pub fn name(key: &Key) -> String {
    let shown: String = key
        .1
        .iter()
        .take(12)
        .flat_map(|byte| std::ascii::escape_default(*byte))
        .map(char::from)
        .collect();
    match key.1.len() {
        0..=12 => format!("{:x}:\"{shown}\"", key.0),
        len => format!("{:x}:\"{shown}...\" ({len} bytes)", key.0),
    }
}

/// A value for people.
pub fn summary(value: Option<&Bytes>) -> String {
    match value {
        None => "nothing".into(),
        Some(value) => {
            let start: String = value.iter().take(8).map(|b| format!("{b:02x}")).collect();
            format!("[{start}; {}]", value.len())
        }
    }
}
