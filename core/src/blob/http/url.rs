//! Where a remote is, and what stands in its paths.

use crate::{Error, Kind, Result};
use alloc::string::{String, ToString};
use core::fmt;

/// The URL that the protocol's paths follow, without a slash at its end.
pub(super) fn base(url: &str) -> Result<String> {
    let wrong = |why: &str| {
        // Without the URL: what is wrong with it may be a password.
        Err(Error::new(
            Kind::InvalidInput,
            alloc::format!("the URL of a remote {why}"),
        ))
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        return wrong("begins with http:// or https://");
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return wrong("begins with http:// or https://");
    }
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return wrong("names a host");
    }
    if host.contains('@') {
        return wrong("has no credentials in it: give a token");
    }
    if rest.contains(['?', '#']) {
        return wrong("has no query and no fragment");
    }
    if !rest.chars().all(|c| c.is_ascii_graphic()) {
        return wrong("has only visible ASCII characters");
    }
    Ok(url.trim_end_matches('/').to_string())
}

/// Text that is percent-encoded so that it can stand anywhere in a path or query.
pub(super) struct Encoded<'a>(pub &'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    write!(f, "{}", char::from(byte))?;
                }
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_a_url_that_paths_can_follow() {
        for (given, taken) in [
            ("http://localhost:8080", "http://localhost:8080"),
            ("https://example.org/store//", "https://example.org/store"),
            ("HTTP://[::1]:80/", "HTTP://[::1]:80"),
        ] {
            assert_eq!(base(given).unwrap(), taken);
        }
        for wrong in [
            "",
            "example.org",
            "ftp://example.org",
            "http://",
            "http:///path",
            "http://:80",
            "http://me:secret@example.org",
            "http://example.org/?a",
            "http://example.org/#a",
            "http://example.org/a b",
        ] {
            let error = base(wrong).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidInput, "{wrong}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn names_are_encoded_so_that_no_byte_of_them_means_anything() {
        let encoded = Encoded("a/b ?#%&+\u{e9}~.-_Z9").to_string();
        assert_eq!(encoded, "a%2Fb%20%3F%23%25%26%2B%C3%A9~.-_Z9");
    }
}
