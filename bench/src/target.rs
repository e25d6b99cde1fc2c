//! What must be reached, and whether a run did.

use crate::{report::Report, suite::Suite};

pub struct Target {
    /// Who must reach it.
    pub who: &'static str,
    pub metric: &'static str,
    pub rule: Rule,
}

pub enum Rule {
    /// At least this share of what this contender does.
    OfOne(f64, &'static str),
    /// At least this many times the best of these.
    OfBest(f64, &'static [&'static str]),
    /// At most this, in the metric's unit.
    AtMost(f64),
    /// At least this, in the metric's unit.
    AtLeast(f64),
    /// At most so many times another of its own figures.
    Times(f64, &'static str),
    /// As good as another contender's figure, but for this factor.
    Within(f64, &'static str),
}

/// A target beside what was measured.
pub struct Judged {
    /// The metric in words.
    pub what: String,
    /// What was asked for.
    pub asked: String,
    /// What was measured, the same way; `None` where the run does not tell.
    pub measured: Option<String>,
    pub reached: Option<bool>,
}

impl Target {
    pub fn judge(&self, suite: &Suite, report: &Report) -> Judged {
        let known = suite.metric(self.metric);
        let title = known.map_or(self.metric, |metric| metric.title);
        let what = match self.who == suite.ours {
            true => title.to_owned(),
            false => format!("{title}, {}", below(suite.title(self.who), suite)),
        };
        let of = |share: f64, whom: Option<&str>, asked: String| {
            let ratio = whom.and_then(|whom| report.ratio(self.metric, self.who, whom));
            Judged {
                what: what.clone(),
                asked,
                measured: ratio.map(|ratio| format!("{ratio:.2} x {}", whom.unwrap_or(""))),
                reached: ratio.map(|ratio| ratio >= share),
            }
        };
        let bound = |asked: String, reached: &dyn Fn(f64) -> bool| {
            let unit = known.map_or("", |metric| metric.unit.text());
            let figure = report.figure(self.metric, self.who);
            let measured = figure.and_then(|figure| figure.median());
            let number = |value: f64| match known {
                Some(metric) if value >= 1000.0 => metric.unit.number(value),
                _ => format!("{value:.2}"),
            };
            Judged {
                what: what.clone(),
                asked: format!("{asked} {unit}"),
                measured: measured.map(|value| format!("{} {unit}", number(value))),
                reached: measured.map(reached),
            }
        };
        match &self.rule {
            Rule::OfOne(share, whom) => {
                of(*share, Some(whom), format!("at least {share} x {whom}"))
            }
            Rule::OfBest(share, whom) => {
                let best = report.best(self.metric, whom.iter().copied(), false);
                let names = match whom {
                    [one] => (*one).to_owned(),
                    many => format!("the best of {}", many.join(", ")),
                };
                of(*share, best, format!("at least {share} x {names}"))
            }
            Rule::AtMost(most) => bound(format!("at most {most}"), &|value| value <= *most),
            Rule::AtLeast(least) => bound(format!("at least {least}"), &|value| value >= *least),
            Rule::Times(most, other) => {
                let ratio = report.ratio_of((self.metric, self.who), (other, self.who));
                let other = suite.metric(other).map_or(*other, |metric| metric.title);
                Judged {
                    what,
                    asked: format!("at most {most} x: {other}"),
                    measured: ratio.map(|ratio| format!("{ratio:.2} x")),
                    reached: ratio.map(|ratio| ratio <= *most),
                }
            }
            Rule::Within(factor, whom) => {
                let ratio = report.ratio(self.metric, self.who, whom);
                let worse = match known.is_some_and(|metric| metric.unit.lower_is_better()) {
                    true => ratio,
                    false => ratio.map(|ratio| 1.0 / ratio),
                };
                Judged {
                    what,
                    asked: format!("at most {factor} x worse than {}", suite.title(whom)),
                    measured: worse.map(|worse| format!("{worse:.2} x")),
                    reached: worse.map(|worse| worse <= *factor),
                }
            }
        }
    }
}

/// What of a contender's title says how it differs from ours.
fn below<'a>(title: &'a str, suite: &Suite) -> &'a str {
    let ours = suite.title(suite.ours);
    title
        .strip_prefix(ours)
        .and_then(|rest| rest.strip_prefix(", "))
        .unwrap_or(title)
}
