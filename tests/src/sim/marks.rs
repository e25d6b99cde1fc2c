use std::{collections::BTreeMap, fmt};

/// How often each rare thing happened. A long run fails if one never did: a simulation that
/// does not reach a branch says nothing about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<&'static str, u64>);

impl Marks {
    /// One more.
    pub fn add(&mut self, mark: &'static str) {
        *self.0.entry(mark).or_default() += 1;
    }

    /// How often it happened.
    pub fn count(&self, mark: &str) -> u64 {
        self.0.get(mark).copied().unwrap_or(0)
    }

    /// Adds another run's marks.
    pub fn merge(&mut self, other: &Marks) {
        for (mark, count) in &other.0 {
            *self.0.entry(mark).or_default() += count;
        }
    }

    /// Those of `wanted` that never happened.
    pub fn missing<'a>(&self, wanted: &[&'a str]) -> Vec<&'a str> {
        let mut missing = wanted.to_vec();
        missing.retain(|mark| self.count(mark) == 0);
        missing
    }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (mark, count) in &self.0 {
            writeln!(f, "{count:>9}  {mark}")?;
        }
        Ok(())
    }
}
