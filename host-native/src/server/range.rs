//! `Range` headers (RFC 9110, section 14).

use std::ops::Range;

#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    /// No range, or one that a server is free to ignore: another unit, or several.
    Whole,
    Part(Range<u64>),
    /// Outside of the blob, or no range at all.
    Unsatisfiable,
}

/// What `header` asks of a blob of `size` bytes.
pub(super) fn parse(header: Option<&str>, size: u64) -> Asked {
    let Some((unit, range)) = header.and_then(|header| header.split_once('=')) else {
        return Asked::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
        return Asked::Whole;
    }
    match part(range.trim(), size) {
        Some(range) if range.start < range.end => Asked::Part(range),
        _ => Asked::Unsatisfiable,
    }
}

fn part(range: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = range.split_once('-')?;
    match (first, last) {
        ("", suffix) => Some(size.saturating_sub(number(suffix)?)..size),
        (first, "") => Some(number(first)?..size),
        (first, last) => Some(number(first)?..number(last)?.saturating_add(1).min(size)),
    }
}

/// Digits and nothing else; a number beyond all blobs is as good as the largest.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_the_blob_and_what_is_outside_of_it_is_unsatisfiable() {
        for (header, size, asked) in [
            ("bytes=0-9", 100, Asked::Part(0..10)),
            ("bytes=90-", 100, Asked::Part(90..100)),
            ("bytes=90-1000", 100, Asked::Part(90..100)),
            ("bytes=-10", 100, Asked::Part(90..100)),
            ("bytes=-1000", 100, Asked::Part(0..100)),
            ("Bytes = 5-5", 100, Asked::Part(5..6)),
            ("bytes=0-99999999999999999999999", 100, Asked::Part(0..100)),
            ("bytes=100-", 100, Asked::Unsatisfiable),
            ("bytes=0-0", 0, Asked::Unsatisfiable),
            ("bytes=-0", 100, Asked::Unsatisfiable),
            ("bytes=9-3", 100, Asked::Unsatisfiable),
            ("bytes=a-b", 100, Asked::Unsatisfiable),
            ("bytes=+1-2", 100, Asked::Unsatisfiable),
            ("bytes=1--2", 100, Asked::Unsatisfiable),
            ("bytes=", 100, Asked::Unsatisfiable),
            ("bytes=-", 100, Asked::Unsatisfiable),
            ("bytes=0-1,3-4", 100, Asked::Whole),
            ("lines=0-1", 100, Asked::Whole),
            ("nonsense", 100, Asked::Whole),
        ] {
            assert_eq!(parse(Some(header), size), asked, "{header} of {size}");
        }
        assert_eq!(parse(None, 100), Asked::Whole);
    }
}
