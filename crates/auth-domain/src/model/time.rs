use std::time::Duration;

/// A moment, in milliseconds since the Unix epoch.
///
/// The domain never asks what time it is: a `Timestamp` arrives from the [`Clock`](crate::Clock) port. Arithmetic
/// saturates, so that an absurd setting cannot wrap an expiry into the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: what the wire contract calls a time.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The moment `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment `span` earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How much later it is than `earlier`; nothing if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_down_on_both_sides_of_the_epoch() {
        assert_eq!(Timestamp::from_unix_millis(1_999).unix_seconds(), 1);
        assert_eq!(Timestamp::from_unix_millis(-1).unix_seconds(), -1);
    }

    #[test]
    fn an_absurd_span_saturates() {
        let end = Timestamp::from_unix_millis(i64::MAX);
        assert_eq!(Timestamp::from_unix_millis(0).plus(Duration::MAX), end);
    }

    #[test]
    fn what_is_not_later_is_later_by_nothing() {
        let (early, late) = (Timestamp::from_unix_millis(-5), Timestamp::from_unix_millis(7));
        assert_eq!((late.since(early), early.since(late)), (Duration::from_millis(12), Duration::ZERO));
    }
}
