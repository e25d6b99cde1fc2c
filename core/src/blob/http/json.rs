//! As much JSON as the protocol speaks: read in one pass, without a tree of it, and without its floats.

use crate::blob::Pointer;
use alloc::{string::String, vec::Vec};

/// Objects and arrays inside one another, in what is skipped.
const DEPTH: usize = 128;

/// What an answer is read into. `None`: it is no JSON, or other JSON than this.
pub(super) trait Answer: Sized {
    fn read(json: &mut Json<'_>) -> Option<Self>;
}

/// The whole text as an answer. Fields that it does not know are passed over.
pub(super) fn parse<A: Answer>(text: &[u8]) -> Option<A> {
    let mut json = Json(text);
    let answer = A::read(&mut json)?;
    json.peek().is_none().then_some(answer)
}

/// What is left of a text.
pub(super) struct Json<'a>(&'a [u8]);

impl Json<'_> {
    /// Reads an object: `field` is called with each name, and reads or skips what is behind it.
    pub fn object(&mut self, field: &mut dyn FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        self.items(b'{', b'}', &mut |json| {
            let name = json.string()?;
            json.eat(b':').then_some(())?;
            field(json, &name)
        })
    }

    pub fn array(&mut self, item: &mut dyn FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.items(b'[', b']', item)
    }

    pub fn bool(&mut self) -> Option<bool> {
        match self.word(b"true") {
            true => Some(true),
            false => self.word(b"false").then_some(false),
        }
    }

    /// A whole number.
    pub fn number(&mut self) -> Option<u64> {
        self.peek()?;
        let len = self.0.iter().take_while(|byte| byte.is_ascii_digit());
        let digits = self.take(len.count())?;
        let plain = digits.first() != Some(&b'0') || digits.len() == 1;
        plain.then(|| core::str::from_utf8(digits).ok()?.parse().ok())?
    }

    pub fn pointer(&mut self) -> Option<Pointer> {
        Pointer::from_hex(&self.string()?).ok()
    }

    /// A pointer or `null`.
    pub fn maybe_pointer(&mut self) -> Option<Option<Pointer>> {
        match self.word(b"null") {
            true => Some(None),
            false => self.pointer().map(Some),
        }
    }

    pub fn string(&mut self) -> Option<String> {
        self.eat(b'"').then_some(())?;
        let mut text = Vec::new();
        loop {
            let plain = self
                .0
                .iter()
                .take_while(|byte| !matches!(byte, b'"' | b'\\' | ..0x20));
            text.extend_from_slice(self.take(plain.count())?);
            match self.byte()? {
                b'"' => return String::from_utf8(text).ok(),
                b'\\' => {
                    let c = self.escaped()?;
                    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return None,
            }
        }
    }

    /// Passes over any value.
    pub fn skip(&mut self) -> Option<()> {
        self.skip_at(DEPTH)
    }

    fn skip_at(&mut self, depth: usize) -> Option<()> {
        let deeper = depth.checked_sub(1)?;
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'[' => self.array(&mut |json| json.skip_at(deeper)),
            b'{' => self.object(&mut |json, _| json.skip_at(deeper)),
            b'-' | b'0'..=b'9' => {
                let number = self.0.iter().take_while(|byte| {
                    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
                });
                self.take(number.count()).map(drop)
            }
            _ => (self.word(b"null") || self.bool().is_some()).then_some(()),
        }
    }

    fn items(
        &mut self,
        open: u8,
        close: u8,
        item: &mut dyn FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.eat(open).then_some(())?;
        if self.eat(close) {
            return Some(());
        }
        loop {
            item(self)?;
            if self.eat(close) {
                return Some(());
            }
            self.eat(b',').then_some(())?;
        }
    }

    /// What stands behind a backslash.
    fn escaped(&mut self) -> Option<char> {
        Some(match self.byte()? {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => match self.hex()? {
                high @ 0xd800..0xdc00 => {
                    let low = self.word_here(b"\\u").then(|| self.hex())??;
                    let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)?
                }
                code => char::from_u32(code)?,
            },
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let mut code = 0;
        for byte in self.take(4)? {
            code = code * 16 + char::from(*byte).to_digit(16)?;
        }
        Some(code)
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        self.0 = self.0.trim_ascii_start();
        self.0.first().copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.word(&[byte])
    }

    fn word(&mut self, word: &[u8]) -> bool {
        self.peek();
        self.word_here(word)
    }

    fn word_here(&mut self, word: &[u8]) -> bool {
        match self.0.strip_prefix(word) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn take(&mut self, len: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    struct Text(String);

    impl Answer for Text {
        fn read(json: &mut Json<'_>) -> Option<Self> {
            json.string().map(Text)
        }
    }

    struct Any;

    impl Answer for Any {
        fn read(json: &mut Json<'_>) -> Option<Self> {
            json.skip().map(|()| Any)
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_json_text_is_passed_over_to_its_end(value in values(), pretty: bool) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            prop_assert!(parse::<Any>(text.as_bytes()).is_some(), "{}", text);
            prop_assert!(parse::<Any>((text + " ]").as_bytes()).is_none());
        }

        #[test]
        fn a_string_is_what_another_reader_takes_it_for(text in r#""(\\["\\/bfnrtux]|\\u[dD][89abcdEF][0-9a-f]{2}|\\u[0-9a-f]{4}|[^"]|\n){0,6}""#) {
            let known: Option<String> = serde_json::from_str(&text).ok();
            prop_assert_eq!(parse::<Text>(text.as_bytes()).map(|text| text.0), known);
        }

        #[test]
        fn no_bytes_stop_it(bytes: Vec<u8>) {
            let _ = parse::<Any>(&bytes);
            let _ = parse::<Text>(&bytes);
        }
    }

    #[test]
    fn a_number_is_whole_and_fits() {
        struct Number(u64);
        impl Answer for Number {
            fn read(json: &mut Json<'_>) -> Option<Self> {
                json.number().map(Number)
            }
        }
        let number = |text: &str| parse::<Number>(text.as_bytes()).map(|number| number.0);
        assert_eq!(number(" 0\n"), Some(0));
        assert_eq!(number("18446744073709551615"), Some(u64::MAX));
        for other in [
            "18446744073709551616",
            "-1",
            "1.0",
            "1e3",
            "01",
            "",
            "+1",
            "null",
        ] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse::<Any>(nested(DEPTH).as_bytes()).is_some());
        assert!(parse::<Any>(nested(DEPTH + 1).as_bytes()).is_none());
        assert!(parse::<Any>("[".repeat(1 << 20).as_bytes()).is_none());
        assert!(parse::<Any>(json!({"a": [{}, null]}).to_string().as_bytes()).is_some());
    }
}
