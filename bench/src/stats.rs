//! Percentiles and medians. Pure functions over samples; every sample is kept, nothing is binned.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a set of latencies amounts to, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// How many.
    pub(crate) count: u64,
    /// Half are faster.
    pub(crate) p50_us: f64,
    /// Nine of ten are faster.
    pub(crate) p90_us: f64,
    /// 99 of 100 are faster.
    pub(crate) p99_us: f64,
    /// 999 of 1000 are faster.
    pub(crate) p999_us: f64,
}

/// Latencies as they come in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    nanos: Vec<u64>,
}

impl Samples {
    /// Adds one.
    pub(crate) fn push(&mut self, took: Duration) {
        self.nanos.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds all of another set.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.nanos.extend_from_slice(&other.nanos);
    }

    /// Sorts and sums up.
    pub(crate) fn summary(&mut self) -> Summary {
        self.nanos.sort_unstable();
        let at = |per_mille| float(percentile(&self.nanos, per_mille)) / 1_000.0;
        Summary {
            count: u64::try_from(self.nanos.len()).unwrap_or(u64::MAX),
            p50_us: at(500),
            p90_us: at(900),
            p99_us: at(990),
            p999_us: at(999),
        }
    }
}

/// The nearest-rank percentile of sorted samples, in thousandths: the smallest sample that at least so many
/// thousandths of all do not exceed. 0 when there are none.
fn percentile(sorted: &[u64], per_mille: usize) -> u64 {
    let rank = sorted.len().saturating_mul(per_mille).div_ceil(1_000).max(1);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

/// Median, smallest and largest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) min: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Spread {
    /// Of some values; none when there are none.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), min: *sorted.first()?, max: *sorted.last()? })
    }

    /// A single value.
    pub(crate) const fn exact(value: f64) -> Self {
        Self { median: value, min: value, max: value }
    }
}

/// A count as a number to divide.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "counts and nanoseconds of a run stay far below 2^53"
)]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

/// A length as a number to divide.
pub(crate) fn float_len(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}

/// `count` per second.
pub(crate) fn rate(count: u64, took: Duration) -> f64 {
    let seconds = took.as_secs_f64();
    if seconds > 0.0 { float(count) / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_sample_and_never_between_two() {
        let table: [(&[u64], usize, u64); 7] = [
            (&[], 500, 0),
            (&[7], 500, 7),
            (&[7], 999, 7),
            (&[1, 2], 500, 1),
            (&[1, 2, 3], 500, 2),
            (&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 900, 9),
            (&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 990, 10),
        ];
        for (sorted, per_mille, expect) in table {
            assert_eq!(percentile(sorted, per_mille), expect, "{sorted:?} at {per_mille}");
        }
    }

    #[test]
    fn a_summary_is_in_microseconds_whatever_the_order() {
        let mut samples = Samples::default();
        for micros in [300_u64, 100, 200] {
            samples.push(Duration::from_micros(micros));
        }
        let summary = samples.summary();
        assert_eq!(summary.count, 3);
        assert!((summary.p50_us - 200.0).abs() < 1e-9 && (summary.p99_us - 300.0).abs() < 1e-9);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[4.0, 1.0, 3.0, 2.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of(&[5.0]), Some(Spread::exact(5.0)));
    }
}
