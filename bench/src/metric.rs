//! What a figure is: its name, its unit, and which way is better.

pub struct Metric {
    pub name: &'static str,
    /// As a table's row says it.
    pub title: &'static str,
    pub unit: Unit,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    PerSecond,
    MegabytesPerSecond,
    Milliseconds,
    Microseconds,
    Mebibytes,
    Bytes,
    /// Bytes on the disk for each byte stored.
    Share,
}

impl Unit {
    pub fn lower_is_better(self) -> bool {
        !matches!(self, Unit::PerSecond | Unit::MegabytesPerSecond)
    }

    pub fn text(self) -> &'static str {
        match self {
            Unit::PerSecond => "/s",
            Unit::MegabytesPerSecond => "MB/s",
            Unit::Milliseconds => "ms",
            Unit::Microseconds => "us",
            Unit::Mebibytes => "MiB",
            Unit::Bytes => "B",
            Unit::Share => "x",
        }
    }

    /// Three digits that count.
    pub fn number(self, value: f64) -> String {
        match self {
            Unit::Share => format!("{value:.2}"),
            Unit::Milliseconds | Unit::Microseconds | Unit::Mebibytes => match value {
                long if long >= 1e4 => format!("{:.1} k", long / 1e3),
                short => format!("{short:.1}"),
            },
            Unit::Bytes => format!("{value:.0}"),
            Unit::PerSecond | Unit::MegabytesPerSecond => match value {
                million if million >= 1e6 => format!("{:.2} M", million / 1e6),
                many if many >= 1e5 => format!("{:.0} k", many / 1e3),
                many if many >= 1e4 => format!("{:.1} k", many / 1e3),
                some if some >= 1e3 => format!("{:.2} k", some / 1e3),
                few => format!("{few:.0}"),
            },
        }
    }
}

pub const fn metric(name: &'static str, title: &'static str, unit: Unit) -> Metric {
    Metric { name, title, unit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!(Unit::PerSecond.number(168_321.0), "168 k");
        assert_eq!(Unit::PerSecond.number(51_234.0), "51.2 k");
        assert_eq!(Unit::PerSecond.number(4_321.0), "4.32 k");
        assert_eq!(Unit::Share.number(1.0437), "1.04");
    }
}
