//! FastCDC with normalized chunking (Xia et al., USENIX ATC'16 and IEEE TPDS'20), written from the papers.
//!
//! A gear hash rolls over the bytes behind the first [`MIN`] of a chunk: `hash = (hash << 1) + GEAR[byte]`.
//! The chunk ends behind the first byte after which the hash's top bits are all zero: the top 20
//! before the chunk is [`AVERAGE`] long, the top 16 after that, so that lengths gather around the
//! average; and at [`MAX`] at the latest.
//!
//! `GEAR[i]` is output number `i` of SplitMix64 started with the state that the ASCII letters
//! `littoral` make as a little-endian number. Both sides of a pair must cut alike for equal
//! chunks to meet, so none of these numbers may change: a test pins them.

/// No chunk but a blob's last one is shorter, in bytes.
pub const MIN: usize = 64 << 10;
/// Lengths gather around this many bytes.
pub const AVERAGE: usize = 256 << 10;
/// No chunk is longer, in bytes. A blob up to this length is kept whole.
pub const MAX: usize = 1 << 20;

/// How many top bits must be zero before a chunk reaches [`AVERAGE`], and after.
const BITS_BEFORE: u32 = 20;
const BITS_AFTER: u32 = 16;

/// Finds the ends of chunks in a stream, whatever pieces it arrives in.
#[derive(Clone, Debug, Default)]
pub struct Cutter {
    /// Bytes of the current chunk so far.
    len: usize,
    hash: u64,
}

impl Cutter {
    /// A cutter at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the next bytes of the stream: `Some(n)` when a chunk ends behind the first `n` of them
    /// (call again with the rest), `None` when the chunk goes on behind all of them.
    pub fn cut(&mut self, bytes: &[u8]) -> Option<usize> {
        let start = self.len;
        // Nothing in the first MIN bytes can end a chunk: they are not even looked at.
        let mut at = MIN.saturating_sub(start).min(bytes.len());
        for (end, bits) in [(AVERAGE, BITS_BEFORE), (MAX, BITS_AFTER)] {
            let stop = end.saturating_sub(start).clamp(at, bytes.len().max(at));
            if let Some(n) = self.roll(bytes.get(at..stop).unwrap_or_default(), bits) {
                return self.end(at + n);
            }
            at = stop;
        }
        self.len = start + at;
        if self.len >= MAX {
            return self.end(at);
        }
        None
    }

    fn end(&mut self, n: usize) -> Option<usize> {
        *self = Self::default();
        Some(n)
    }

    /// Rolls over `bytes` until the top `bits` of the hash are zero behind one of them.
    ///
    /// Two bytes a step: the first one's hash is kept shifted by one, with a table that is too.
    fn roll(&mut self, bytes: &[u8], bits: u32) -> Option<usize> {
        let limit = 1_u64 << (64 - bits);
        let mut hash = self.hash;
        let mut pairs = bytes.chunks_exact(2);
        for (i, pair) in pairs.by_ref().enumerate() {
            let &[first, second] = pair else { break };
            // The bit that the shift by two pushes out belongs to no later hash and to this one's top.
            let once = (hash << 1).wrapping_add(gear(first));
            if once < limit {
                return Some(2 * i + 1);
            }
            hash = (hash << 2)
                .wrapping_add(gear_shifted(first))
                .wrapping_add(gear(second));
            if hash < limit {
                return Some(2 * i + 2);
            }
        }
        if let &[last] = pairs.remainder() {
            hash = (hash << 1).wrapping_add(gear(last));
            if hash < limit {
                return Some(bytes.len());
            }
        }
        self.hash = hash;
        None
    }
}

pub(super) fn gear(byte: u8) -> u64 {
    GEAR.get(usize::from(byte)).copied().unwrap_or_default()
}

fn gear_shifted(byte: u8) -> u64 {
    GEAR_SHIFTED
        .get(usize::from(byte))
        .copied()
        .unwrap_or_default()
}

static GEAR: [u64; 256] = table(0);
static GEAR_SHIFTED: [u64; 256] = table(1);

#[allow(clippy::indexing_slicing)] // Runs in the compiler.
const fn table(shift: u32) -> [u64; 256] {
    let mut table = [0; 256];
    let mut state = u64::from_le_bytes(*b"littoral");
    let mut i = 0;
    while i < table.len() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        table[i] = (mixed ^ (mixed >> 31)) << shift;
        i += 1;
    }
    table
}
