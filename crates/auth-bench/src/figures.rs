//! Figures: what was measured, medians and ratios, and what is wanted of them.

use std::time::Duration;

/// How one load generator was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Which part of the answers was not 2xx.
    pub(crate) refused: f64,
}

/// The rounds of one contender, in the order in which they were run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rounds(pub(crate) Vec<Rate>);

impl Rounds {
    /// The median of each figure by itself.
    pub(crate) fn median(&self) -> Rate {
        let of = |figure: fn(&Rate) -> f64| median(self.0.iter().map(figure).collect());
        Rate {
            per_second: of(|rate| rate.per_second),
            p50: Duration::from_secs_f64(of(|rate| rate.p50.as_secs_f64())),
            p99: Duration::from_secs_f64(of(|rate| rate.p99.as_secs_f64())),
            refused: of(|rate| rate.refused),
        }
    }

    /// The median of the ratios to another contender's figures, round by round.
    pub(crate) fn against(&self, other: &Self, figure: fn(&Rate) -> f64) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(ours, theirs)| figure(ours) / figure(theirs)).collect())
    }
}

/// The middle one; 0 of none.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    percentile(values, 0.5)
}

/// The smallest value that so large a part is not above (nearest rank); 0 of none.
pub(crate) fn percentile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * part).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// What is wanted of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

/// A figure that something is wanted of.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) what: String,
    pub(crate) value: f64,
    /// As it stands behind the value; empty for a ratio.
    pub(crate) unit: &'static str,
    pub(crate) bar: Bar,
    /// What the value is made of.
    pub(crate) made_of: String,
}

impl Judged {
    /// A ratio to what the machine can do.
    pub(crate) fn ratio(what: &str, value: f64, bar: Bar, made_of: String) -> Self {
        Self { what: what.to_owned(), value, unit: "", bar, made_of }
    }

    pub(crate) fn is_met(&self) -> bool {
        match self.bar {
            Bar::AtLeast(wanted) => self.value >= wanted,
            Bar::AtMost(wanted) => self.value <= wanted,
        }
    }

    /// How many times better than wanted; below 1, it falls short.
    pub(crate) fn reached(&self) -> f64 {
        match self.bar {
            Bar::AtLeast(wanted) => self.value / wanted,
            // Where nothing is wanted, there is nothing to divide by.
            Bar::AtMost(_) if self.value <= 0.0 => f64::INFINITY,
            Bar::AtMost(wanted) => wanted / self.value,
        }
    }
}

/// One line of the tables of throughput.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) connections: u16,
    pub(crate) rate: Rate,
    /// Against the ceiling that the table names.
    pub(crate) ratio: f64,
}

/// Everything that a run has found.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) machine: Vec<(&'static str, String)>,
    pub(crate) judged: Vec<Judged>,
    pub(crate) lines: Vec<Line>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(rates: &[f64]) -> Rounds {
        let rate =
            |per_second: &f64| Rate { per_second: *per_second, p50: Duration::ZERO, p99: Duration::ZERO, refused: 0.0 };
        Rounds(rates.iter().map(rate).collect())
    }

    #[test]
    fn a_ratio_is_the_median_of_the_ratios_of_each_round() {
        // The machine got slower from round to round, and the ratio did not.
        let (ours, theirs) = (rounds(&[90.0, 45.0, 9.0]), rounds(&[100.0, 50.0, 10.0]));
        assert!((ours.against(&theirs, |rate| rate.per_second) - 0.9).abs() < 1e-9);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((percentile(values.clone(), 0.99), percentile(values, 0.5)), (99.0, 50.0));
        assert_eq!((median(vec![3.0, 1.0, 2.0]), median(Vec::new())), (2.0, 0.0));
    }

    #[test]
    fn what_is_reached_is_above_one_on_either_side_of_a_bar() {
        let judged = |value, bar| Judged { what: String::new(), value, unit: "", bar, made_of: String::new() };
        assert!(judged(0.9, Bar::AtLeast(0.85)).reached() > 1.0);
        assert!(judged(30.0, Bar::AtMost(20.0)).reached() < 1.0);
        assert!(judged(0.0, Bar::AtMost(0.0)).is_met() && judged(0.0, Bar::AtMost(0.0)).reached() > 1.0);
        assert!(!judged(1.0, Bar::AtMost(0.0)).is_met() && judged(1.0, Bar::AtMost(0.0)).reached() < 1.0);
    }
}
