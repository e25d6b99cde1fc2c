//! Results to standard output, the rest to standard error; both as text or as JSON.

use super::exit::Failure;
use console::Style;
use serde::Serialize;
use std::{
    fmt::Display,
    io::{self, Write},
};

/// How the user wants to be told.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    pub json: bool,
    pub quiet: bool,
}

impl Output {
    /// One result: a line of JSON, or its text.
    pub fn result(self, value: &(impl Serialize + Display)) -> Result<(), Failure> {
        let line = if self.json {
            json(value)
        } else {
            format!("{value}\n")
        };
        self.bytes(line.as_bytes())
    }

    /// Bytes as they are.
    pub fn bytes(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        written(out.write_all(bytes).and_then(|()| out.flush()))
    }

    /// Something worth knowing that is not the result.
    pub fn note(self, text: impl Display) {
        if !self.quiet && !self.json {
            let style = Style::new().for_stderr().dim();
            say(format_args!("{}", style.apply_to(text)));
        }
    }

    /// Something that did not go as asked, though the command goes on.
    pub fn warn(self, text: impl Display) {
        let style = Style::new().for_stderr().yellow();
        say(format_args!("{} {text}", style.apply_to("warning:")));
    }

    /// Why the command failed: on standard error, and for programs as a document on standard output
    /// unless that holds a blob's bytes.
    pub fn failure(self, failure: &Failure, place: Place) {
        if failure.is_silent() {
            return;
        }
        if self.json {
            let line = json(&Report {
                error: Reported {
                    code: failure.code,
                    message: &failure.message,
                    hint: failure.hint.as_deref(),
                },
            });
            // There is nobody to tell when this fails.
            let _ = match place {
                Place::Result => self.bytes(line.as_bytes()).is_ok(),
                Place::Aside => io::stderr().write_all(line.as_bytes()).is_ok(),
            };
            return;
        }
        let red = Style::new().for_stderr().red().bold();
        say(format_args!(
            "{} {}",
            red.apply_to("error:"),
            failure.message
        ));
        if let Some(hint) = &failure.hint {
            let cyan = Style::new().for_stderr().cyan();
            say(format_args!("{} {hint}", cyan.apply_to("hint:")));
        }
    }
}

/// Where an error goes when the user wants JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Standard output, like a result.
    Result,
    /// Standard error: standard output holds a blob's bytes.
    Aside,
}

#[derive(Serialize)]
struct Report<'a> {
    error: Reported<'a>,
}

#[derive(Serialize)]
struct Reported<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

/// Standard error that went away is no reason to stop.
fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn json(value: &impl Serialize) -> String {
    match serde_json::to_string(value) {
        Ok(line) => line + "\n",
        Err(error) => format!("{{\"error\":{{\"code\":\"Other\",\"message\":\"{error}\"}}}}\n"),
    }
}

/// What came of writing to standard output.
pub fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::nobody_reads()),
        Err(error) => {
            let error = littoral::core::Error::from(error).context("standard output");
            Err(error.into())
        }
    }
}

/// Bytes for people: `4.10 MB`.
pub fn size(bytes: u64) -> impl Display {
    indicatif::DecimalBytes(bytes)
}

/// A count for people: `12,345`.
pub fn count(n: u64) -> impl Display {
    indicatif::HumanCount(n)
}

/// `1 file`, `2 files`.
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A message without the requests in front of it, for where the remote is known.
pub fn without_urls(message: &str) -> String {
    let parts = message.split(": ");
    let parts: Vec<&str> = parts.skip_while(|part| part.contains("://")).collect();
    match parts.is_empty() {
        true => message.to_owned(),
        false => without_number(parts.join(": ")),
    }
}

/// Without the number of the system's error, for its name is there.
fn without_number(mut message: String) -> String {
    if let Some(at) = message.find(" (os error ") {
        message.truncate(at);
    }
    message
}

/// A message in which nothing is said that was said just before.
pub fn without_repetition(message: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in message.split(": ") {
        if !parts.last().is_some_and(|before| before.contains(part)) {
            parts.push(part);
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "PUT http://a:1/v1/x: http://a:1/v1/x: it cannot be reached: refused";

    #[test]
    fn a_message_is_shown_without_its_requests() {
        assert_eq!(without_urls(TOLD), "it cannot be reached: refused");
        assert_eq!(without_urls("refused (os error 111)"), "refused");
        assert_eq!(without_urls("http://a:1/"), "http://a:1/");
    }

    #[test]
    fn nothing_is_said_twice() {
        let told = "PUT http://a:1/v1/x: it cannot be reached: refused";
        assert_eq!(without_repetition(TOLD), told);
        assert_eq!(without_repetition("a: b: a"), "a: b: a");
    }
}
