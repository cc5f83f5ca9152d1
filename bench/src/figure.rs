//! One figure and its one line: `P4 decision c=64 18234/s ratio=0.41 pass>=0.30 …`.

use std::fmt;

use crate::protocol::{Bound, Outcome, Verdict, verdict};
use crate::stats::Spread;

/// A measured figure beside its target.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// `P4`.
    pub(crate) id: &'static str,
    /// What was measured, such as `decision c=64`.
    pub(crate) label: String,
    /// The absolute behind a ratio, with its unit, for the reader; empty when the figure is one itself.
    pub(crate) absolute: String,
    /// `ratio=`, or empty when the figure is an absolute.
    pub(crate) name: &'static str,
    /// The unit of the figure and of its bounds; empty for a ratio.
    pub(crate) unit: &'static str,
    /// The figure; none when nothing can be said.
    pub(crate) value: Option<Spread>,
    /// Valid and all rounds, when it was taken in rounds.
    pub(crate) rounds: Option<(usize, usize)>,
    /// What must be reached.
    pub(crate) pass: Bound,
    /// What is aimed at.
    pub(crate) aim: Option<Bound>,
    /// A remark, such as why nothing can be said.
    pub(crate) note: String,
}

impl Figure {
    /// A ratio taken in rounds. `absolute` says what one subject value means.
    pub(crate) fn ratio(
        id: &'static str,
        label: impl Into<String>,
        outcome: &Outcome,
        absolute: impl Fn(f64) -> String,
        pass: Bound,
    ) -> Self {
        Self {
            id,
            label: label.into(),
            absolute: outcome.subject.map_or_else(String::new, |s| absolute(s.median)),
            name: "ratio=",
            unit: "",
            value: outcome.ratio,
            rounds: Some((outcome.valid, outcome.total)),
            pass,
            aim: None,
            note: String::new(),
        }
    }

    /// A value with a unit.
    pub(crate) fn value(
        id: &'static str,
        label: impl Into<String>,
        value: Option<Spread>,
        unit: &'static str,
        pass: Bound,
    ) -> Self {
        Self {
            id,
            label: label.into(),
            absolute: String::new(),
            name: "",
            unit,
            value,
            rounds: None,
            pass,
            aim: None,
            note: String::new(),
        }
    }

    /// A figure that could not be taken, and why.
    pub(crate) fn missing(id: &'static str, label: impl Into<String>, pass: Bound, why: &str) -> Self {
        Self::value(id, label, None, "", pass).note(why)
    }

    /// Adds what is aimed at.
    #[must_use]
    pub(crate) fn aim(self, aim: Bound) -> Self {
        Self { aim: Some(aim), ..self }
    }

    /// Adds a remark.
    #[must_use]
    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Pass, below, or neither.
    pub(crate) fn verdict(&self) -> Verdict {
        verdict(self.value.map(|v| v.median), self.pass)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.label)?;
        if !self.absolute.is_empty() {
            write!(f, " {}", self.absolute)?;
        }
        match self.value {
            Some(value) => write!(f, " {}{}{}", self.name, number(value.median), self.unit)?,
            None => f.write_str(if self.rounds.is_some() { " void" } else { " -" })?,
        }
        write!(f, " pass{}{}", bound(self.pass), self.unit)?;
        if let Some(aim) = self.aim {
            write!(f, " aim{}{}", bound(aim), self.unit)?;
        }
        if let Some(Spread { min, max, .. }) = self.value.filter(|v| v.min < v.max) {
            write!(f, " min-max={}..{}", number(min), number(max))?;
        }
        if let Some((valid, total)) = self.rounds {
            write!(f, " rounds={valid}/{total}")?;
        }
        f.write_str(match self.verdict() {
            Verdict::Pass => " ok",
            Verdict::Below => " BELOW",
            Verdict::Inconclusive => " inconclusive",
        })?;
        if self.note.is_empty() { Ok(()) } else { write!(f, " ({})", self.note) }
    }
}

/// Two decimals below ten, as a ratio needs; fewer above; more for what is almost nothing.
fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 0.1 || size == 0.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}

fn bound(bound: Bound) -> String {
    match bound {
        Bound::AtLeast(value) => format!(">={}", number(value)),
        Bound::AtMost(value) => format!("<={}", number(value)),
    }
}

/// How many figures, how many below pass, how many that say nothing.
pub(crate) fn summary(figures: &[Figure]) -> (String, bool) {
    let count = |verdict| figures.iter().filter(|f| f.verdict() == verdict).count();
    let below = count(Verdict::Below);
    let text = format!(
        "{} figures, {below} below pass, {} inconclusive",
        figures.len(),
        count(Verdict::Inconclusive)
    );
    (text, below > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Round, judge};

    fn outcome(yardsticks: (f64, f64), subject: f64) -> Outcome {
        judge(&[Round { before: yardsticks.0, subject, after: yardsticks.1 }; 5])
    }

    #[test]
    fn a_figure_is_one_line_and_says_what_it_is_held_to() {
        let rps = |v: f64| format!("{v:.0}/s");
        let good =
            Figure::ratio("P4", "decision c=64", &outcome((4e4, 4e4), 16_400.0), rps, Bound::AtLeast(0.3))
                .aim(Bound::AtLeast(0.5));
        assert_eq!(
            good.to_string(),
            "P4 decision c=64 16400/s ratio=0.41 pass>=0.30 aim>=0.50 rounds=5/5 ok"
        );
        let bad = Figure::ratio("P4", "decision c=64", &outcome((4e4, 4e4), 4e3), rps, Bound::AtLeast(0.3));
        assert!(bad.to_string().ends_with("ratio=0.10 pass>=0.30 rounds=5/5 BELOW"), "{bad}");
        let void = Figure::ratio("P4", "decision c=64", &outcome((4e4, 1e4), 4e3), rps, Bound::AtLeast(0.3));
        assert_eq!(void.to_string(), "P4 decision c=64 void pass>=0.30 rounds=0/5 inconclusive");
        let start = Spread::of(&[40.0, 41.5, 90.0]);
        let value = Figure::value("P14", "start rows=1000000", start, "ms", Bound::AtMost(100.0));
        assert_eq!(value.to_string(), "P14 start rows=1000000 41.5ms pass<=100ms min-max=40.0..90.0 ok");
        let gone = Figure::missing("P21", "sql/decision", Bound::AtMost(2.0), "no counter");
        assert_eq!(gone.to_string(), "P21 sql/decision - pass<=2.00 inconclusive (no counter)");
        assert_eq!(
            summary(&[good, bad, void, value, gone]),
            ("5 figures, 1 below pass, 2 inconclusive".to_owned(), true)
        );
    }

    #[test]
    fn exactly_nothing_is_within_at_most_nothing() {
        let none = Figure::value("P16", "fdatasync", Some(Spread::exact(0.0)), "", Bound::AtMost(0.0));
        assert_eq!(none.to_string(), "P16 fdatasync 0.00 pass<=0.00 ok");
    }
}
