use super::Chance;
use littoral_core::{Error, Kind};
use std::ops::Range;

/// What goes wrong on one handle of a volume, besides crashes. Counts are calls from now; the
/// fault happens when its count has run down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A read fails once.
    pub read_fails_in: Option<u64>,
    /// Reads that touch this range fail for ever.
    pub unreadable: Option<Range<u64>>,
    /// A write fails; its bytes may be there in part.
    pub write_fails_in: Option<u64>,
    /// A sync fails; what it should have covered is dropped, and a later sync would succeed.
    pub sync_fails_in: Option<u64>,
    /// A sync never returns.
    pub sync_hangs_in: Option<u64>,
    /// A write lands somewhere else.
    pub misdirected_in: Option<u64>,
    /// Every call fails from then on: the handle was taken away.
    pub revoked_in: Option<u64>,
    /// The volume cannot become longer than this.
    pub capacity: Option<u64>,
    /// What has gone wrong so far.
    pub happened: Vec<&'static str>,
}

impl Faults {
    /// One fault, or rarely two, at a time that a run of about `calls` calls reaches.
    pub fn draw(chance: &mut Chance, calls: u64) -> Faults {
        let mut faults = Faults::default();
        for _ in 0..chance.within(1..3) {
            let calls = calls / *chance.pick(&[1, 4, 16]);
            let at = Some(chance.below(calls));
            match chance.below(8) {
                0 => faults.read_fails_in = at,
                1 => {
                    let start = chance.below(400_000);
                    faults.unreadable = Some(start..start + chance.within(1..20_000));
                }
                2 => faults.write_fails_in = at,
                3 => faults.sync_fails_in = Some(chance.below(calls / 4 + 1)),
                4 => faults.sync_hangs_in = Some(chance.below(calls / 4 + 1)),
                5 => faults.revoked_in = at,
                6 => faults.capacity = Some(chance.within(200_000..1_500_000)),
                _ => faults.misdirected_in = at,
            }
        }
        faults
    }

    /// Whether one of these has gone wrong by now.
    pub fn any(&self, what: &[&str]) -> bool {
        self.happened.iter().any(|happened| what.contains(happened))
    }

    /// Whether something that has gone wrong by now is a reason for `error`.
    pub fn explain(&self, error: &Error) -> bool {
        let writes = self.any(&["write failed", "sync failed", "handle revoked"]);
        match error.kind() {
            Kind::Poisoned => writes,
            Kind::Transient => writes || self.any(&["read failed", "unreadable range"]),
            Kind::Quota => self.any(&["no space"]),
            Kind::Corrupt | Kind::InvalidInput => self.any(&["write misdirected", "bit flipped"]),
            _ => false,
        }
    }

    /// It goes wrong.
    pub(super) fn happens(&mut self, what: &'static str) {
        if !self.happened.contains(&what) {
            self.happened.push(what);
        }
    }

    /// Whether nothing goes wrong.
    pub fn is_none(&self) -> bool {
        *self == Faults::default()
    }
}

/// Runs a count down; true when its time has come, once.
pub(super) fn due(count: &mut Option<u64>) -> bool {
    match count {
        Some(0) => {
            *count = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}
