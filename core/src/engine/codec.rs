//! Fixed-width little-endian integers, short lengths, and the checksum: what every format here is made of.

use crate::{Error, Kind, Result};
use alloc::vec::Vec;
use bytes::Bytes;

/// XXH3-64. It guards against accidents; pointers guard against lies.
pub(crate) fn checksum(seed: u64, bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot_with_seed(seed, bytes)
}

/// Whether `sum` is the checksum of `bytes`.
pub(crate) fn verifies(seed: u64, bytes: &[u8], sum: u64) -> bool {
    checksum(seed, bytes) == sum || blind::is_on()
}

#[cfg(not(feature = "fuzzing"))]
mod blind {
    pub(super) const fn is_on() -> bool {
        false
    }
}

/// Only fuzz targets can turn checksums off, so that what they feed reaches the parsers behind them.
#[cfg(feature = "fuzzing")]
pub(crate) mod blind {
    use core::sync::atomic::{AtomicBool, Ordering};

    static ON: AtomicBool = AtomicBool::new(false);

    /// From now on every checksum passes, in the whole process.
    pub fn ignore_checksums() {
        ON.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_on() -> bool {
        ON.load(Ordering::Relaxed)
    }
}

/// Where checksummed bytes are in the file. The checksum lives with the reference, not with the
/// bytes, so that a write which went to the wrong place is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ref {
    pub offset: u64,
    pub len: u32,
    pub checksum: u64,
}

impl Ref {
    pub(crate) const SIZE: usize = 20;

    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.len))
    }
}

/// Appends to a byte vector.
pub(crate) trait Put {
    fn put_u16(&mut self, value: u16);
    fn put_u32(&mut self, value: u32);
    fn put_u64(&mut self, value: u64);
    /// LEB128, at most 5 bytes.
    fn put_short(&mut self, value: u32);
    /// A short length and the bytes.
    fn put_bytes(&mut self, bytes: &[u8]);
    fn put_ref(&mut self, reference: &Ref);
}

impl Put for Vec<u8> {
    fn put_u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_short(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_short(bytes.len() as u32);
        self.extend_from_slice(bytes);
    }

    fn put_ref(&mut self, reference: &Ref) {
        self.put_u64(reference.offset);
        self.put_u32(reference.len);
        self.put_u64(reference.checksum);
    }
}

/// Reads from a byte slice; every read is checked.
#[derive(Clone)]
pub(crate) struct Take<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Take<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Take { bytes, at: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(crate) fn slice(&mut self, len: usize) -> Result<&'a [u8]> {
        let slice = self
            .at
            .checked_add(len)
            .and_then(|end| self.bytes.get(self.at..end))
            .ok_or_else(short)?;
        self.at += len;
        Ok(slice)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.slice(N)?.try_into().map_err(|_| short())
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn short(&mut self) -> Result<u32> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let byte = self.u8()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0xf {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::new(Kind::Corrupt, "a length is out of bounds"))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.short()?;
        self.slice(len as usize)
    }

    pub(crate) fn reference(&mut self) -> Result<Ref> {
        Ok(Ref {
            offset: self.u64()?,
            len: self.u32()?,
            checksum: self.u64()?,
        })
    }
}

/// `len` bytes of `source` that end where `take` stands, without a copy.
pub(crate) fn behind(source: &Bytes, take: &Take<'_>, len: usize) -> Result<Bytes> {
    let end = take.position();
    let start = end.checked_sub(len).ok_or_else(short)?;
    if end > source.len() {
        return Err(short());
    }
    Ok(source.slice(start..end))
}

/// `value` rounded up to a multiple of `to`, a power of two.
pub(crate) fn align(value: u64, to: u64) -> u64 {
    value.saturating_add(to - 1) & !(to - 1)
}

fn short() -> Error {
    Error::new(Kind::Corrupt, "the bytes end too early")
}
