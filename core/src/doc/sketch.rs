//! A value in the words of an error: as JSON, but cut short.
//!
//! Not [`to_json`](Value::to_json): what prints every float exactly weighs more than all errors together, and a browser
//! has to load it.

use super::value::Value;
use alloc::{format, string::String};

/// Characters of a value that an error shows.
const SHOWN: usize = 80;

pub(super) fn sketch(value: &Value) -> String {
    let mut all = String::new();
    write(&mut all, value);
    match all.char_indices().nth(SHOWN) {
        Some((end, _)) => {
            all.truncate(end);
            all + "..."
        }
        None => all,
    }
}

/// Stops soon after there is enough.
fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push_str(&format!("{value}")),
        Value::Float(value) => float(out, value.value()),
        Value::String(value) => text(out, value),
        Value::Bytes(_) | Value::Link(_) => out.push_str(&format!("{}", value.kind())),
        Value::List(values) => {
            let mut open = '[';
            for value in values {
                if out.len() > SHOWN * 4 {
                    return;
                }
                out.push(core::mem::replace(&mut open, ','));
                write(out, value);
            }
            out.push_str(if open == '[' { "[]" } else { "]" });
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.as_str(), value));
            object(out, &mut fields.map(|(name, value)| (name.into(), value)));
        }
        Value::Sparse(values) => {
            let fields = values.iter();
            object(
                out,
                &mut fields.map(|(index, value)| (format!("{index}"), value)),
            );
        }
    }
}

fn object(out: &mut String, fields: &mut dyn Iterator<Item = (String, &Value)>) {
    let mut open = '{';
    for (name, value) in fields {
        if out.len() > SHOWN * 4 {
            return;
        }
        out.push(core::mem::replace(&mut open, ','));
        text(out, &name);
        out.push(':');
        write(out, value);
    }
    out.push_str(if open == '{' { "{}" } else { "}" });
}

fn text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars().take(SHOWN) {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// To 15 digits, which every float keeps.
fn float(out: &mut String, value: f64) {
    let (mut scaled, mut exponent) = (value.abs(), 0_i32);
    while scaled >= 1e15 {
        scaled /= 10.0;
        exponent += 1;
    }
    while scaled < 1e14 && scaled > 0.0 {
        scaled *= 10.0;
        exponent -= 1;
    }
    let mut digits = (scaled + 0.5) as u64;
    while digits.is_multiple_of(10) && digits > 0 {
        digits /= 10;
        exponent += 1;
    }
    if value < 0.0 {
        out.push('-');
    }
    match exponent {
        0 => out.push_str(&format!("{digits}.0")),
        1..=5 => out.push_str(&format!("{digits}{:0>1$}.0", "", exponent as usize)),
        -20..0 => {
            let behind = exponent.unsigned_abs() as usize;
            let all = format!("{digits:0>0$}", behind + 1);
            let (whole, part) = all.split_at(all.len() - behind);
            out.push_str(&format!("{whole}.{part}"));
        }
        _ => out.push_str(&format!("{digits}e{exponent}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> String {
        sketch(&Value::from_json(json).unwrap())
    }

    #[test]
    fn a_short_value_is_shown_as_its_json() {
        for json in [
            "null",
            "true",
            "-7",
            "[]",
            "{}",
            r#"[1,"a\"b\n",{"c":[false]}]"#,
            "7.5",
            "-0.1",
            "0.0",
            "1200.0",
            "0.001",
            "3.141592653589793",
        ] {
            let shown = if json.len() > 15 && json.starts_with('3') {
                "3.14159265358979"
            } else {
                json
            };
            assert_eq!(of(json), shown);
        }
        assert_eq!(of("1e300"), "1e300");
        assert_eq!(of("2.5e-300"), "25e-301");
    }

    #[test]
    fn a_long_value_is_cut() {
        let long = of(&format!("[{}1]", "[1234,\"é\"],".repeat(1 << 16)));
        assert_eq!(long.chars().count(), SHOWN + 3);
        assert!(long.ends_with("..."));
        assert!(of(&format!("\"{}\"", "é".repeat(1000))).starts_with("\"éé"));
    }
}
