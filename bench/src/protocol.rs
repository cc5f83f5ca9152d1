//! The protocol: rounds of yardstick, subject, yardstick, and what they allow one to say.
//!
//! A machine shared with others is slow now and quick a second later. A ratio to a yardstick taken just before
//! and just after survives that; a round in which the yardstick itself moved too far says nothing and is void.

use crate::stats::Spread;

/// How far the two yardsticks of a round may lie apart.
const YARDSTICKS_APART_MAX: f64 = 1.5;
/// Fewer valid rounds than this say nothing.
const VALID_ROUNDS_MIN: usize = 4;

/// One round. All three are the same quantity in the same unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Round {
    /// The yardstick, before.
    pub(crate) before: f64,
    /// What is measured.
    pub(crate) subject: f64,
    /// The yardstick, after.
    pub(crate) after: f64,
}

impl Round {
    /// The mean of the two yardsticks.
    fn yardstick(&self) -> f64 {
        f64::midpoint(self.before, self.after)
    }

    /// Subject ÷ yardstick; none when the round is void.
    fn ratio(&self) -> Option<f64> {
        // A zero, a negative number or NaN is no measurement.
        let measured = [self.before, self.subject, self.after].iter().all(|v| v.is_finite() && *v > 0.0);
        let apart = self.before.max(self.after) / self.before.min(self.after);
        let valid = measured && apart <= YARDSTICKS_APART_MAX;
        valid.then(|| self.subject / self.yardstick())
    }
}

/// What the rounds of one figure say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    /// Per-round ratios of the valid rounds; none when they are too few.
    pub(crate) ratio: Option<Spread>,
    /// The subject in the valid rounds.
    pub(crate) subject: Option<Spread>,
    /// The yardstick in the valid rounds.
    pub(crate) yardstick: Option<Spread>,
    /// Valid rounds.
    pub(crate) valid: usize,
    /// All rounds.
    pub(crate) total: usize,
}

/// Sums up the rounds of a figure.
pub(crate) fn judge(rounds: &[Round]) -> Outcome {
    let valid: Vec<(&Round, f64)> = rounds.iter().filter_map(|r| Some((r, r.ratio()?))).collect();
    let spread = |of: fn(&(&Round, f64)) -> f64| Spread::of(&valid.iter().map(of).collect::<Vec<_>>());
    let enough = valid.len() >= VALID_ROUNDS_MIN;
    Outcome {
        ratio: spread(|(_, ratio)| *ratio).filter(|_| enough),
        subject: spread(|(round, _)| round.subject),
        yardstick: spread(|(round, _)| round.yardstick()),
        valid: valid.len(),
        total: rounds.len(),
    }
}

/// Where a figure has to lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    /// More is better.
    AtLeast(f64),
    /// Less is better.
    AtMost(f64),
}

impl Bound {
    /// Whether a value lies there. NaN lies nowhere.
    pub(crate) fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

/// What is said about a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Within the bound.
    Pass,
    /// Not within the bound.
    Below,
    /// Too little is known to say either.
    Inconclusive,
}

/// Judges a value against its bound.
pub(crate) fn verdict(value: Option<f64>, bound: Bound) -> Verdict {
    match value {
        None => Verdict::Inconclusive,
        Some(value) if bound.holds(value) => Verdict::Pass,
        Some(_) => Verdict::Below,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(before: f64, subject: f64, after: f64) -> Round {
        Round { before, subject, after }
    }

    #[test]
    fn a_round_is_void_when_its_yardsticks_lie_too_far_apart() {
        let table = [
            (round(100.0, 50.0, 100.0), Some(0.5)),
            (round(100.0, 50.0, 150.0), Some(0.4)),
            (round(150.0, 50.0, 100.0), Some(0.4)),
            (round(100.0, 50.0, 151.0), None),
            (round(0.0, 50.0, 0.0), None),
            (round(100.0, 0.0, 100.0), None),
            (round(f64::NAN, 50.0, 100.0), None),
            (round(100.0, f64::NAN, 100.0), None),
        ];
        for (round, expect) in table {
            assert_eq!(round.ratio(), expect, "{round:?}");
        }
    }

    #[test]
    fn fewer_than_four_valid_rounds_say_nothing() {
        let good = round(100.0, 50.0, 100.0);
        let void = round(100.0, 50.0, 200.0);
        let three = judge(&[good, good, good, void, void]);
        assert_eq!((three.ratio, three.valid, three.total), (None, 3, 5));
        assert_eq!(verdict(three.ratio.map(|s| s.median), Bound::AtLeast(0.1)), Verdict::Inconclusive);
        let four = judge(&[good, good, good, void, good]);
        assert_eq!(four.ratio, Some(Spread::exact(0.5)));
    }

    #[test]
    fn the_statistic_is_the_median_of_the_ratios_not_the_ratio_of_the_medians() {
        let rounds =
            [round(10.0, 5.0, 10.0), round(100.0, 90.0, 100.0), round(1.0, 0.1, 1.0), round(2.0, 1.0, 2.0)];
        let outcome = judge(&rounds);
        assert_eq!(outcome.ratio, Some(Spread { median: 0.5, min: 0.1, max: 0.9 }));
    }

    #[test]
    fn a_bound_holds_at_its_own_value() {
        assert_eq!(verdict(Some(0.3), Bound::AtLeast(0.3)), Verdict::Pass);
        assert_eq!(verdict(Some(0.29), Bound::AtLeast(0.3)), Verdict::Below);
        assert_eq!(verdict(Some(1.5), Bound::AtMost(1.5)), Verdict::Pass);
        assert_eq!(verdict(Some(1.51), Bound::AtMost(1.5)), Verdict::Below);
        assert_eq!(verdict(Some(f64::NAN), Bound::AtMost(1.5)), Verdict::Below);
    }
}
