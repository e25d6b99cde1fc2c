use littoral_core::{Result, port::Entropy};
use std::{cell::RefCell, ops::Range, rc::Rc};

/// All chance of one run, drawn from one seed.
///
/// SplitMix64, written out here because a pinned seed must mean the same run for ever, whatever a
/// dependency does to its generator.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds shall not start as neighbours.
        let mut chance = Chance(seed ^ 0x6c69_7474_6f72_616c);
        chance.next();
        chance
    }

    /// The next 64 bits.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 for 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// A number in `range`.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    /// True `percent` times of a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of `choices`.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// A stream of its own that starts here.
    pub fn fork(&mut self) -> Chance {
        Chance::new(self.next())
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

/// The port over a [`Chance`]. Clones share the stream.
#[derive(Clone, Debug)]
pub struct SimEntropy(Rc<RefCell<Chance>>);

impl SimEntropy {
    /// The port over this stream.
    pub fn new(chance: Chance) -> Self {
        SimEntropy(Rc::new(RefCell::new(chance)))
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        self.0.borrow_mut().fill(bytes);
        Ok(())
    }
}
