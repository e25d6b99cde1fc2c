//! CIDv1 text of raw bytes: `b`, then base32 (RFC 4648, lower case, no padding) of
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | version: 1 |
//! | 1 | 1 | codec: 0x55, raw |
//! | 2 | 1 | hash: 0x12, SHA-256 |
//! | 3 | 1 | its length: 32 |
//! | 4 | 32 | the SHA-256 |

use super::PointerError;
use alloc::string::String;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Bytes of the table above, and characters that they make: 36 * 8 = 57 * 5 + 3 bits.
const BYTES: usize = 36;
const CHARACTERS: usize = 58;

pub(super) fn write(sha256: &[u8; 32]) -> String {
    let mut text = String::with_capacity(1 + CHARACTERS);
    text.push('b');
    let (mut bits, mut count) = (0_u32, 0);
    for byte in [1, 0x55, 0x12, 32].into_iter().chain(*sha256) {
        bits = (bits << 8) | u32::from(byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            push(&mut text, bits >> count);
        }
    }
    push(&mut text, bits << (5 - count));
    text
}

fn push(text: &mut String, bits: u32) {
    let letter = ALPHABET.get((bits & 31) as usize);
    text.extend(letter.map(|letter| char::from(*letter)));
}

pub(super) fn parse(text: &str) -> Result<[u8; 32], PointerError> {
    let digits = text.strip_prefix('b').ok_or(PointerError::Multibase {
        found: text.chars().next(),
    })?;
    let mut bytes = [0; BYTES];
    let mut free = bytes.iter_mut();
    let (mut bits, mut count, mut characters) = (0_u32, 0, 0);
    for (i, found) in digits.chars().enumerate() {
        bits = (bits << 5)
            | value(found).ok_or(PointerError::Base32 {
                position: i + 1,
                found,
            })?;
        count += 5;
        if count >= 8 {
            count -= 8;
            if let Some(byte) = free.next() {
                *byte = (bits >> count) as u8;
            }
        }
        characters += 1;
    }
    // The last character has two bits behind the end: one text for each pointer, so they are zero.
    let behind = bits & ((1 << count) - 1);
    if characters != CHARACTERS || behind != 0 {
        return Err(PointerError::CidLength);
    }
    let [version, codec, hash, len, sha256 @ ..] = bytes;
    match (version, codec, hash, len) {
        (1, 0x55, 0x12, 32) => Ok(sha256),
        (1, 0x55, ..) => Err(PointerError::Multihash { found: [hash, len] }),
        (1, ..) => Err(PointerError::Codec { found: codec }),
        _ => Err(PointerError::Version { found: version }),
    }
}

fn value(letter: char) -> Option<u32> {
    match letter {
        'a'..='z' => Some(letter as u32 - 'a' as u32),
        '2'..='7' => Some(letter as u32 - '2' as u32 + 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Pointer;
    use alloc::borrow::ToOwned;

    const HELLO: &str = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
    const EMPTY: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

    #[test]
    fn known_cids_are_those_of_their_bytes() {
        for (data, cid) in [(&b"hello world"[..], HELLO), (b"", EMPTY)] {
            assert_eq!(Pointer::of(data).to_cid(), cid);
            assert_eq!(Pointer::from_cid(cid), Ok(Pointer::of(data)));
        }
    }

    #[test]
    fn a_cid_that_differs_in_anything_is_refused_by_what_differs() {
        use PointerError::*;
        let at = |i: usize, c: char| {
            let mut wrong: alloc::vec::Vec<char> = HELLO.chars().collect();
            wrong[i] = c;
            Pointer::from_cid(&wrong.into_iter().collect::<String>())
        };
        assert_eq!(Pointer::from_cid(""), Err(Multibase { found: None }));
        assert_eq!(at(0, 'z'), Err(Multibase { found: Some('z') }));
        assert_eq!(
            at(5, '1'),
            Err(Base32 {
                position: 5,
                found: '1'
            })
        );
        assert_eq!(
            at(5, 'K'),
            Err(Base32 {
                position: 5,
                found: 'K'
            })
        );
        assert_eq!(at(58, 'f'), Err(CidLength), "bits behind the end");
        assert_eq!(Pointer::from_cid(&HELLO[..58]), Err(CidLength));
        assert_eq!(Pointer::from_cid(&(HELLO.to_owned() + "a")), Err(CidLength));
        // The same hash, as other tools write it for a file in several blocks.
        let dag_pb = HELLO.replacen("bafkrei", "bafybei", 1);
        assert_eq!(Pointer::from_cid(&dag_pb), Err(Codec { found: 0x70 }));
        assert_eq!(at(1, 'b'), Err(Version { found: 0x09 }));
        assert_eq!(at(2, 'e'), Err(Codec { found: 0x15 }));
        assert_eq!(at(5, 'q'), Err(Multihash { found: [0x18, 32] }));
    }

    #[test]
    fn every_text_that_is_taken_is_the_one_that_is_written() {
        for i in 0..HELLO.len() {
            for c in ALPHABET {
                let mut text = HELLO.as_bytes().to_vec();
                text[i] = *c;
                let text = String::from_utf8(text).unwrap();
                if let Ok(pointer) = Pointer::from_cid(&text) {
                    assert_eq!(pointer.to_cid(), text);
                }
            }
        }
    }
}
