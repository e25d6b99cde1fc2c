//! JSON pointers (RFC 6901), as they stand in a JSON patch.

use super::{MAX_DEPTH, refuse};
use crate::Result;
use alloc::{string::String, vec::Vec};

/// A pointer's tokens. What container each is applied to is known when it is applied.
pub(super) type Pointed = Vec<String>;

/// The tokens of a pointer.
pub(super) fn parse(text: &str) -> Result<Pointed> {
    let Some(rest) = text.strip_prefix('/') else {
        return match text {
            "" => Ok(Vec::new()),
            _ => Err(refuse(&alloc::format!(
                "{:?} is no JSON pointer: it does not begin with /",
                text.chars().take(100).collect::<String>()
            ))),
        };
    };
    let mut tokens = Vec::new();
    for token in rest.split('/') {
        if tokens.len() == MAX_DEPTH {
            return Err(refuse(&alloc::format!(
                "a JSON pointer of more than {MAX_DEPTH} tokens"
            )));
        }
        tokens.push(unescape(token)?);
    }
    Ok(tokens)
}

/// The text of a pointer.
pub(super) fn print(tokens: &[String]) -> String {
    let escaped = tokens
        .iter()
        .map(|token| token.replace('~', "~0").replace('/', "~1"));
    escaped.fold(String::new(), |text, token| text + "/" + &token)
}

fn unescape(token: &str) -> Result<String> {
    let mut out = String::with_capacity(token.len());
    let mut characters = token.chars();
    while let Some(character) = characters.next() {
        match character {
            '~' => match characters.next() {
                Some('0') => out.push('~'),
                Some('1') => out.push('/'),
                _ => return Err(refuse("a ~ in a JSON pointer is followed by 0 or 1")),
            },
            other => out.push(other),
        }
    }
    Ok(out)
}
