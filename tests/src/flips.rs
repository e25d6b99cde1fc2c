//! Every bit of a small store, turned over one at a time.

use crate::{
    model::{Recovered, State},
    sim::{Chance, SimEntropy},
    workload::dump_spaces,
};
use futures::executor::block_on;
use littoral_core::{
    Error, Kind,
    engine::{Options, Space, Store},
    port::MemoryVolume,
};
use std::fmt;

/// The spaces that the flipped stores use.
const SPACES: [u8; 3] = [0x80, 0x81, 0x82];

/// What became of all bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flips {
    /// Bits turned over.
    pub bits: u64,
    /// Everything is there as if nothing had happened.
    pub harmless: u64,
    /// The store does not open, and says why.
    pub refused: u64,
    /// The store opens; what is damaged says `Corrupt`, everything else is right.
    pub reported: u64,
    /// The last record of an unclean log is gone, as if it had been torn.
    pub torn: u64,
}

impl Flips {
    /// Adds others.
    pub fn add(&mut self, other: &Flips) {
        self.bits += other.bits;
        self.harmless += other.harmless;
        self.refused += other.refused;
        self.reported += other.reported;
        self.torn += other.torn;
    }
}

impl fmt::Display for Flips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bits: {} harmless, {} refused by open, {} reported by reads, {} like a torn tail",
            self.bits, self.harmless, self.refused, self.reported, self.torn
        )
    }
}

/// What a store with a flipped bit may be.
pub struct Expected {
    /// What it is without.
    pub whole: Recovered,
    /// What it is without its last record, if it was not closed.
    pub without_last_record: Option<Recovered>,
}

/// Flips every bit of `bytes` in `range` and opens the store each time.
///
/// # Errors
/// The first bit that makes the store give wrong data, or lose something without an error.
pub fn flip_every_bit(
    bytes: &[u8],
    range: std::ops::Range<usize>,
    options: &Options,
    expected: &Expected,
) -> Result<Flips, String> {
    let mut flips = Flips::default();
    let mut copy = bytes.to_vec();
    for byte in range {
        for bit in 0..8 {
            copy[byte] ^= 1 << bit;
            flips.bits += 1;
            let verdict = judge(&copy, options, expected)
                .map_err(|wrong| format!("bit {bit} of byte {byte}: {wrong}"))?;
            copy[byte] ^= 1 << bit;
            match verdict {
                Verdict::Harmless => flips.harmless += 1,
                Verdict::Refused => flips.refused += 1,
                Verdict::Reported => flips.reported += 1,
                Verdict::Torn => flips.torn += 1,
            }
        }
    }
    Ok(flips)
}

enum Verdict {
    Harmless,
    Refused,
    Reported,
    Torn,
}

fn judge(bytes: &[u8], options: &Options, expected: &Expected) -> Result<Verdict, String> {
    let volume = MemoryVolume::from_bytes(bytes.to_vec());
    let entropy = SimEntropy::new(Chance::new(7));
    let opened = block_on(Store::open(volume, &entropy, options.clone()));
    let store = match opened {
        Ok(store) => store,
        Err(error) if typed(&error) => return Ok(Verdict::Refused),
        Err(error) => return Err(format!("open says {error:?}")),
    };
    match block_on(dump_spaces(&store, &SPACES)) {
        Ok(found) if found == expected.whole => Ok(Verdict::Harmless),
        Ok(found) if Some(&found) == expected.without_last_record.as_ref() => Ok(Verdict::Torn),
        Ok(found) => Err(format!(
            "without a word the store is at commit {}: {:?}",
            found.last,
            crate::model::difference(&expected.whole.state, &found.state)
        )),
        Err(error) if typed(&error) => {
            block_on(key_by_key(&store, expected))?;
            Ok(Verdict::Reported)
        }
        Err(error) => Err(format!("a read says {error:?}")),
    }
}

/// What does not say `Corrupt` must be right.
async fn key_by_key(store: &Store<MemoryVolume>, expected: &Expected) -> Result<(), String> {
    let view = store.view();
    let states: Vec<&State> = [Some(&expected.whole), expected.without_last_record.as_ref()]
        .into_iter()
        .flatten()
        .filter(|recovered| recovered.last == view.commit())
        .map(|recovered| &recovered.state)
        .collect();
    let Some(state) = states.first() else {
        return Err(format!("the store is at commit {}", view.commit()));
    };
    for (key, value) in *state {
        match view.get(Space(key.0), &key.1).await {
            Ok(Some(found)) if found == *value => {}
            Ok(found) => return Err(format!("{key:?} is {:?} bytes", found.map(|v| v.len()))),
            Err(error) if typed(&error) => {}
            Err(error) => return Err(format!("{key:?} says {error:?}")),
        }
    }
    for space in SPACES {
        match view.get(Space(space), b"never put").await {
            Ok(None) => {}
            Ok(Some(_)) => return Err("a key that was never put is there".into()),
            Err(error) if typed(&error) => {}
            Err(error) => return Err(format!("a get says {error:?}")),
        }
    }
    Ok(())
}

fn typed(error: &Error) -> bool {
    // A flip in the magic or the version makes it another file, or a newer one.
    matches!(error.kind(), Kind::Corrupt | Kind::InvalidInput)
}
