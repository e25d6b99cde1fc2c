//! The name of a blob, and the ways to write it down.

use super::cid;
use crate::{Error, Kind, Result, port::Entropy};
use alloc::{string::String, vec::Vec};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// The SHA-256 of a blob's bytes. 32 bytes, `Copy`, ordered and hashed as bytes.
///
/// ```
/// use littoral_core::blob::Pointer;
/// let pointer = Pointer::of(b"high tide");
/// let hex = pointer.to_string();
/// assert_eq!(hex.len(), 64);
/// assert_eq!(hex.parse::<Pointer>()?, pointer);
/// assert_eq!(Pointer::from_cid(&pointer.to_cid())?, pointer);
/// # Ok::<(), littoral_core::blob::PointerError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer([u8; 32]);

impl Pointer {
    /// Resolves to nothing: no blob is kept under it, and putting cannot make it.
    pub const NULL: Pointer = Pointer([0; 32]);

    /// The pointer with these 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Pointer(bytes)
    }

    /// The pointer with these bytes, which must be 32.
    ///
    /// ```
    /// use littoral_core::blob::{Pointer, PointerError};
    /// assert_eq!(Pointer::from_slice(&[0; 32]), Ok(Pointer::NULL));
    /// assert_eq!(Pointer::from_slice(&[0; 31]), Err(PointerError::Length { bytes: 31 }));
    /// ```
    ///
    /// # Errors
    /// [`PointerError::Length`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, PointerError> {
        match bytes.try_into() {
            Ok(bytes) => Ok(Pointer(bytes)),
            Err(_) => Err(PointerError::Length { bytes: bytes.len() }),
        }
    }

    /// The pointer with these 64 hex digits, in either case. `Display` and [`to_hex`](Self::to_hex) write them in lower case.
    ///
    /// ```
    /// use littoral_core::blob::{Pointer, PointerError};
    /// let hex = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
    /// assert_eq!(Pointer::from_hex(hex)?, Pointer::of(b"abc"));
    /// assert_eq!(Pointer::from_hex("ba78"), Err(PointerError::Digits { digits: 4 }));
    /// let error = Pointer::from_hex(&hex.replace('5', "x")).unwrap_err();
    /// assert_eq!(error, PointerError::Digit { position: 24, found: 'x' });
    /// # Ok::<(), PointerError>(())
    /// ```
    ///
    /// # Errors
    /// [`PointerError::Digit`] for the first character that is no digit, [`PointerError::Digits`] for another number of them.
    pub fn from_hex(hex: &str) -> Result<Self, PointerError> {
        let mut bytes = [0; 32];
        let mut digits = 0;
        for (position, found) in hex.chars().enumerate() {
            let digit = found
                .to_digit(16)
                .ok_or(PointerError::Digit { position, found })?;
            if let Some(byte) = bytes.get_mut(position / 2) {
                *byte = (*byte << 4) | digit as u8;
            }
            digits += 1;
        }
        match digits {
            64 => Ok(Pointer(bytes)),
            _ => Err(PointerError::Digits { digits }),
        }
    }

    /// The pointer of the block that this CIDv1 names: raw codec, SHA-256, written in lower-case base32 (`bafkrei...`).
    ///
    /// ```
    /// use littoral_core::blob::Pointer;
    /// let cid = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
    /// assert_eq!(Pointer::from_cid(cid)?, Pointer::of(b"hello world"));
    /// assert!(Pointer::from_cid(&cid.to_uppercase()).is_err());
    /// # Ok::<(), littoral_core::blob::PointerError>(())
    /// ```
    ///
    /// # Errors
    /// [`PointerError`] says what is different: there is exactly one text for each pointer, and only that is taken.
    pub fn from_cid(cid: &str) -> Result<Self, PointerError> {
        cid::parse(cid).map(Pointer)
    }

    /// A pointer that most likely names nothing: 32 random bytes.
    ///
    /// # Errors
    /// The host's, when it has no chance to give.
    pub fn random(entropy: &impl Entropy) -> Result<Self> {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes)?;
        Ok(Pointer(bytes))
    }

    /// The pointer of `data`. [`Hasher`](super::Hasher) finds it piece by piece.
    pub fn of(data: &[u8]) -> Self {
        Pointer(Sha256::digest(data).into())
    }

    /// Its 32 bytes, borrowed.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether it is [`NULL`](Self::NULL).
    pub fn is_null(&self) -> bool {
        *self == Self::NULL
    }

    /// 64 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        alloc::format!("{self}")
    }

    /// The CIDv1 that the IPFS world knows these bytes by: raw codec, SHA-256, lower-case base32.
    ///
    /// A blob has this CID there when it is added as one raw block (`ipfs block put`).
    pub fn to_cid(&self) -> String {
        cid::write(&self.0)
    }
}

impl AsRef<[u8]> for Pointer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; 32]> for Pointer {
    fn from(bytes: [u8; 32]) -> Self {
        Pointer(bytes)
    }
}

impl TryFrom<&[u8]> for Pointer {
    type Error = PointerError;

    fn try_from(bytes: &[u8]) -> Result<Self, PointerError> {
        Pointer::from_slice(bytes)
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    /// Parses hex, as [`Pointer::from_hex`].
    fn from_str(hex: &str) -> Result<Self, PointerError> {
        Pointer::from_hex(hex)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = Vec::with_capacity(64);
        for byte in self.0 {
            for nibble in [byte >> 4, byte & 15] {
                digits.push(match nibble {
                    0..10 => b'0' + nibble,
                    _ => b'a' + nibble - 10,
                });
            }
        }
        f.pad(core::str::from_utf8(&digits).unwrap_or_default())
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pointer({self})")
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FromHex;

        impl de::Visitor<'_> for FromHex {
            type Value = Pointer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pointer of 64 hex digits")
            }

            fn visit_str<E: de::Error>(self, hex: &str) -> Result<Pointer, E> {
                hex.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(FromHex)
    }
}

/// Why something is not a [`Pointer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PointerError {
    /// Not 32 bytes.
    Length {
        /// Bytes that there were.
        bytes: usize,
    },
    /// Hex digits, but not 64.
    Digits {
        /// Digits that there were.
        digits: usize,
    },
    /// A character that is no hex digit.
    Digit {
        /// Characters in front of it.
        position: usize,
        /// The character.
        found: char,
    },
    /// A CID that does not begin with `b`, the sign of lower-case base32.
    Multibase {
        /// What it begins with, if with anything.
        found: Option<char>,
    },
    /// A character that is none of lower-case base32.
    Base32 {
        /// Characters in front of it.
        position: usize,
        /// The character.
        found: char,
    },
    /// Base32 of another length than a CIDv1 of a SHA-256 has, or with bits set behind its end.
    CidLength,
    /// A CID of another version than 1.
    Version {
        /// The version that it says.
        found: u8,
    },
    /// A CID of something else than raw bytes (0x55).
    Codec {
        /// The codec that it says.
        found: u8,
    },
    /// A CID with another hash than SHA-256 of 32 bytes (0x12, 0x20).
    Multihash {
        /// The hash and its length that it says.
        found: [u8; 2],
    },
}

impl fmt::Display for PointerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PointerError::Length { bytes } => write!(f, "a pointer has 32 bytes, not {bytes}"),
            PointerError::Digits { digits } => {
                write!(f, "a pointer has 64 hex digits, not {digits}")
            }
            PointerError::Digit { position, found } => {
                write!(
                    f,
                    "a pointer has only hex digits: {found:?} is at position {position}"
                )
            }
            PointerError::Multibase { found: Some(found) } => {
                write!(f, "a CID in base32 begins with b, not with {found:?}")
            }
            PointerError::Multibase { found: None } => f.write_str("an empty CID"),
            PointerError::Base32 { position, found } => {
                write!(
                    f,
                    "a CID in base32 has only a-z and 2-7: {found:?} is at position {position}"
                )
            }
            PointerError::CidLength => f.write_str("a CIDv1 of a SHA-256 has 59 characters"),
            PointerError::Version { found } => {
                write!(f, "a CID of version {found}; only version 1 is taken")
            }
            PointerError::Codec { found } => {
                write!(
                    f,
                    "a CID of codec {found:#x}; only raw bytes (0x55) are taken"
                )
            }
            PointerError::Multihash { found: [hash, len] } => write!(
                f,
                "a CID with hash {hash:#x} of {len} bytes; only SHA-256 (0x12) of 32 is taken"
            ),
        }
    }
}

impl core::error::Error for PointerError {}

impl From<PointerError> for Error {
    fn from(error: PointerError) -> Self {
        Error::new(Kind::InvalidInput, alloc::format!("{error}")).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashSet, string::ToString, vec::Vec};

    #[test]
    fn hex_goes_both_ways_in_either_case() {
        let pointer = Pointer::of(b"abc");
        let hex = pointer.to_hex();
        assert_eq!(
            hex,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(Pointer::from_hex(&hex), Ok(pointer));
        assert_eq!(Pointer::from_hex(&hex.to_uppercase()), Ok(pointer));
        assert_eq!(hex.parse::<Pointer>(), Ok(pointer));
    }

    #[test]
    fn wrong_hex_says_what_is_wrong_and_where() {
        let hex = Pointer::of(b"abc").to_hex();
        assert_eq!(
            Pointer::from_hex(&hex[1..]),
            Err(PointerError::Digits { digits: 63 })
        );
        assert_eq!(
            Pointer::from_hex(&(hex.clone() + "0")),
            Err(PointerError::Digits { digits: 65 })
        );
        for found in ['g', ' ', '+', '\u{e9}', '\u{ff11}'] {
            let mut wrong: Vec<char> = hex.chars().collect();
            wrong[17] = found;
            let wrong: String = wrong.into_iter().collect();
            assert_eq!(
                Pointer::from_hex(&wrong),
                Err(PointerError::Digit {
                    position: 17,
                    found
                })
            );
        }
        let error = Error::from(Pointer::from_hex("").unwrap_err());
        assert_eq!(error.kind(), Kind::InvalidInput);
        assert_eq!(error.to_string(), "a pointer has 64 hex digits, not 0");
    }

    #[test]
    fn json_has_a_pointer_as_a_string_of_hex() {
        let pointer = Pointer::of(b"abc");
        let json = serde_json::to_string(&pointer).unwrap();
        assert_eq!(json, alloc::format!("\"{pointer}\""));
        assert_eq!(serde_json::from_str::<Pointer>(&json).unwrap(), pointer);
        let error = serde_json::from_str::<Pointer>("\"xyz\"").unwrap_err();
        assert!(
            error.to_string().contains("'x' is at position 0"),
            "{error}"
        );
        assert!(serde_json::from_str::<Pointer>("7").is_err());
    }

    #[test]
    fn pointers_are_ordered_and_hashed_as_bytes() {
        let low = Pointer::from_bytes([1; 32]);
        let high = Pointer::from_bytes([2; 32]);
        assert!(Pointer::NULL < low && low < high);
        assert!(Pointer::NULL.is_null() && !low.is_null());
        assert_eq!(HashSet::from([low, high, low]).len(), 2);
        let borrowed: &[u8] = low.as_ref();
        assert!(core::ptr::eq(borrowed, low.as_bytes().as_slice()));
    }

    #[test]
    fn a_random_pointer_is_what_the_host_gives_and_fails_with_it() {
        struct Chance(Result<u8>);
        impl Entropy for Chance {
            fn fill(&self, bytes: &mut [u8]) -> Result<()> {
                bytes.fill(self.0.clone()?);
                Ok(())
            }
        }
        let nine = Pointer::random(&Chance(Ok(9))).unwrap();
        assert_eq!(nine, Pointer::from_bytes([9; 32]));
        let none = Chance(Err(Error::new(Kind::Transient, "no chance")));
        assert_eq!(Pointer::random(&none).unwrap_err().kind(), Kind::Transient);
    }
}
