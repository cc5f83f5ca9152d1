//! One figure and its one line: `P4 decision c=64 18234/s ratio=0.41 aim>=0.28 … met`.

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
    /// What is aimed at.
    pub(crate) aim: Bound,
    /// What would be better still.
    pub(crate) beyond: Option<Bound>,
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
        aim: Bound,
    ) -> Self {
        Self {
            id,
            label: label.into(),
            absolute: outcome.subject.map_or_else(String::new, |s| absolute(s.median)),
            name: "ratio=",
            unit: "",
            value: outcome.ratio,
            rounds: Some((outcome.valid, outcome.total)),
            aim,
            beyond: None,
            note: String::new(),
        }
    }

    /// A value with a unit.
    pub(crate) fn value(
        id: &'static str,
        label: impl Into<String>,
        value: Option<Spread>,
        unit: &'static str,
        aim: Bound,
    ) -> Self {
        Self {
            id,
            label: label.into(),
            absolute: String::new(),
            name: "",
            unit,
            value,
            rounds: None,
            aim,
            beyond: None,
            note: String::new(),
        }
    }

    /// A figure that could not be taken, and why.
    pub(crate) fn missing(id: &'static str, label: impl Into<String>, aim: Bound, why: &str) -> Self {
        Self::value(id, label, None, "", aim).note(why)
    }

    /// Adds what would be better still.
    #[must_use]
    pub(crate) fn beyond(self, beyond: Bound) -> Self {
        Self { beyond: Some(beyond), ..self }
    }

    /// Adds a remark.
    #[must_use]
    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Met, missed, or neither.
    pub(crate) fn verdict(&self) -> Verdict {
        verdict(self.value.map(|v| v.median), self.aim)
    }

    /// How far the figure is from its aim.
    fn distance(&self) -> String {
        let Some(value) = self.value.map(|v| v.median) else { return " not measured".to_owned() };
        if self.verdict() == Verdict::Pass {
            return " met".to_owned();
        }
        match self.aim {
            Bound::AtLeast(aim) if aim > 0.0 => {
                format!(" MISSED, {:.0} % short", (1.0 - value / aim) * 100.0)
            }
            Bound::AtMost(aim) if aim > 0.0 => format!(" MISSED, {:.0} % over", (value / aim - 1.0) * 100.0),
            Bound::AtLeast(_) | Bound::AtMost(_) => format!(" MISSED by {}", number(value)),
        }
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
        write!(f, " aim{}{}", bound(self.aim), self.unit)?;
        if let Some(beyond) = self.beyond {
            write!(f, " beyond{}{}", bound(beyond), self.unit)?;
        }
        if let Some(Spread { min, max, .. }) = self.value.filter(|v| v.min < v.max) {
            write!(f, " min-max={}..{}", number(min), number(max))?;
        }
        if let Some((valid, total)) = self.rounds {
            write!(f, " rounds={valid}/{total}")?;
        }
        f.write_str(&self.distance())?;
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

/// How many figures, how many miss their aim, how many say nothing; then each that missed.
pub(crate) fn summary(figures: &[Figure]) -> String {
    let of = |verdict| figures.iter().filter(move |f| f.verdict() == verdict);
    let mut text = format!(
        "{} figures: {} met their aim, {} missed it, {} were not measured",
        figures.len(),
        of(Verdict::Pass).count(),
        of(Verdict::Below).count(),
        of(Verdict::Inconclusive).count()
    );
    for figure in of(Verdict::Below) {
        text.push_str(&format!("\nmissed: {} {}{}", figure.id, figure.label, figure.distance()));
    }
    text
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
                .beyond(Bound::AtLeast(0.5));
        assert_eq!(
            good.to_string(),
            "P4 decision c=64 16400/s ratio=0.41 aim>=0.30 beyond>=0.50 rounds=5/5 met"
        );
        let bad = Figure::ratio("P4", "decision c=64", &outcome((4e4, 4e4), 4e3), rps, Bound::AtLeast(0.3));
        assert!(bad.to_string().ends_with("ratio=0.10 aim>=0.30 rounds=5/5 MISSED, 67 % short"), "{bad}");
        let void = Figure::ratio("P4", "decision c=64", &outcome((4e4, 1e4), 4e3), rps, Bound::AtLeast(0.3));
        assert_eq!(void.to_string(), "P4 decision c=64 void aim>=0.30 rounds=0/5 not measured");
        let start = Spread::of(&[40.0, 41.5, 90.0]);
        let value = Figure::value("P14", "start rows=1000000", start, "ms", Bound::AtMost(100.0));
        assert_eq!(value.to_string(), "P14 start rows=1000000 41.5ms aim<=100ms min-max=40.0..90.0 met");
        let gone = Figure::missing("P21", "sql/decision", Bound::AtMost(2.0), "no counter");
        assert_eq!(gone.to_string(), "P21 sql/decision - aim<=2.00 not measured (no counter)");
        assert_eq!(
            summary(&[good, bad, void, value, gone]),
            "5 figures: 2 met their aim, 1 missed it, 2 were not measured\n\
             missed: P4 decision c=64 MISSED, 67 % short"
        );
    }

    #[test]
    fn exactly_nothing_is_within_at_most_nothing() {
        let none = Figure::value("P16", "fdatasync", Some(Spread::exact(0.0)), "", Bound::AtMost(0.0));
        assert_eq!(none.to_string(), "P16 fdatasync 0.00 aim<=0.00 met");
    }
}
