//! The text of paths and patterns.
//!
//! ```text
//! path  = [ first *rest ]
//! first = name / index / sparse / key
//! rest  = "." name / index / sparse / key
//! index = "[" digits "]"          sparse = "{" digits "}"
//! key   = "(" name [ "=" name ] ")"
//! name  = 1*plain / "'" *( any but "'" / "''" ) "'"
//! ```
//!
//! In patterns `*`, `[*]`, `{*}` and `(*)` stand for any step of their kind. Digits are those of a number below 2^64 without a zero in front.

use super::{MAX_DEPTH, Step, refuse};
use crate::{Error, Result};
use alloc::{format, string::String, vec::Vec};
use core::fmt::{self, Write};

/// What a pattern may have where a path has a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Step(Step),
    Any(Container),
}

/// What kind of container a step is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Container {
    Object,
    List,
    Sparse,
    Keyed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wildcards {
    Allowed,
    Refused,
}

/// Whether a character can stand in a name that is not quoted.
fn is_plain(character: char) -> bool {
    !matches!(
        character,
        '.' | '[' | ']' | '{' | '}' | '(' | ')' | '\'' | '"' | '=' | '*'
    ) && !character.is_whitespace()
        && !character.is_control()
}

pub(super) fn parse(text: &str, wildcards: Wildcards) -> Result<Vec<Parsed>> {
    let mut parser = Parser {
        text,
        at: 0,
        wildcards,
    };
    let mut steps = Vec::new();
    while let Some(next) = parser.peek() {
        if steps.len() == MAX_DEPTH {
            return Err(parser.wrong(&format!("more than {MAX_DEPTH} steps")));
        }
        let first = steps.is_empty();
        let step = match next {
            '[' => {
                parser.skip();
                let step = parser.number(Container::List, Step::Index)?;
                parser.expect(']')?;
                step
            }
            '{' => {
                parser.skip();
                let step = parser.number(Container::Sparse, Step::Sparse)?;
                parser.expect('}')?;
                step
            }
            '(' => {
                parser.skip();
                let step = parser.key()?;
                parser.expect(')')?;
                step
            }
            '.' if !first => {
                parser.skip();
                parser.field()?
            }
            _ if first => parser.field()?,
            _ => return Err(parser.wrong("expected one of . [ { ( or the end")),
        };
        steps.push(step);
    }
    Ok(steps)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    wildcards: Wildcards,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    fn take(&mut self, character: char) -> bool {
        let found = self.peek() == Some(character);
        if found {
            self.skip();
        }
        found
    }

    fn expect(&mut self, character: char) -> Result<()> {
        if self.take(character) {
            Ok(())
        } else {
            Err(self.wrong(&format!("expected {character}")))
        }
    }

    fn any(&mut self) -> bool {
        self.wildcards == Wildcards::Allowed && self.take('*')
    }

    fn field(&mut self) -> Result<Parsed> {
        if self.any() {
            return Ok(Parsed::Any(Container::Object));
        }
        self.name().map(Step::Field).map(Parsed::Step)
    }

    fn number(&mut self, container: Container, step: fn(u64) -> Step) -> Result<Parsed> {
        if self.any() {
            return Ok(Parsed::Any(container));
        }
        let digits: usize = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let text = self.rest().get(..digits).unwrap_or_default();
        let number = decimal(text).ok_or_else(|| self.wrong("expected a number below 2^64"))?;
        self.at += digits;
        Ok(Parsed::Step(step(number)))
    }

    fn key(&mut self) -> Result<Parsed> {
        if self.any() {
            return Ok(Parsed::Any(Container::Keyed));
        }
        let first = self.name()?;
        let step = if self.take('=') {
            Step::Key {
                field: Some(first),
                key: self.name()?,
            }
        } else {
            Step::Key {
                field: None,
                key: first,
            }
        };
        Ok(Parsed::Step(step))
    }

    fn name(&mut self) -> Result<String> {
        if !self.take('\'') {
            let plain = |character: &char| is_plain(*character);
            let name: String = self.rest().chars().take_while(plain).collect();
            if name.is_empty() {
                return Err(self.wrong("expected a name"));
            }
            self.at += name.len();
            return Ok(name);
        }
        let mut name = String::new();
        loop {
            match self.peek() {
                None => return Err(self.wrong("a quote is not closed")),
                Some('\'') => {
                    self.skip();
                    if !self.take('\'') {
                        return Ok(name);
                    }
                    name.push('\'');
                }
                Some(character) => {
                    self.skip();
                    name.push(character);
                }
            }
        }
    }

    fn wrong(&self, what: &str) -> Error {
        let shown: String = self.text.chars().take(100).collect();
        refuse(&format!("{shown:?} is no path: {what} at byte {}", self.at))
    }
}

/// A number below 2^64 as it is printed: digits without a zero in front.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let lawful = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    lawful.then(|| text.parse().ok()).flatten()
}

pub(super) fn write_step(f: &mut impl Write, step: &Step, first: bool) -> fmt::Result {
    match step {
        Step::Field(name) => {
            if !first {
                f.write_char('.')?;
            }
            write_name(f, name)
        }
        Step::Index(index) => write!(f, "[{index}]"),
        Step::Sparse(index) => write!(f, "{{{index}}}"),
        Step::Key { field, key } => {
            f.write_char('(')?;
            if let Some(field) = field {
                write_name(f, field)?;
                f.write_char('=')?;
            }
            write_name(f, key)?;
            f.write_char(')')
        }
    }
}

pub(super) fn write_any(f: &mut impl Write, container: Container, first: bool) -> fmt::Result {
    f.write_str(match container {
        Container::Object if first => "*",
        Container::Object => ".*",
        Container::List => "[*]",
        Container::Sparse => "{*}",
        Container::Keyed => "(*)",
    })
}

fn write_name(f: &mut impl Write, name: &str) -> fmt::Result {
    if !name.is_empty() && name.chars().all(is_plain) {
        return f.write_str(name);
    }
    f.write_char('\'')?;
    for character in name.chars() {
        if character == '\'' {
            f.write_char('\'')?;
        }
        f.write_char(character)?;
    }
    f.write_char('\'')
}
