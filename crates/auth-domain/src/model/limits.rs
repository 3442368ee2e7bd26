use std::time::Duration;

/// So much in so long: a bucket of so many that fills evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    times: u32,
    /// How long it takes until one more fits in, in whole milliseconds.
    every: Duration,
}

/// The rate makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate is at least once, at most a thousand times a second, in at most a year")]
pub struct ImpossibleRate;

/// How much is let through: of guesses, of mails, of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wrong guesses a day for one address.
    pub failures_per_day: u32,
    /// Wrong guesses in a row for one address, on however many days.
    pub failures_in_a_row: u32,
    /// How long an address rests after the fifth wrong guess of a day; each further one doubles it.
    pub first_wait: Duration,
    /// Mails with codes to one address.
    pub mails_per_address: Rate,
    /// Mails with codes that one network asks for.
    pub mails_per_network: Rate,
    /// Registrations from one network.
    pub sign_ups_per_network: Rate,
    /// Requests from one network that reach the store without a credential.
    pub requests_per_network: Rate,
    /// How long a network stays known from which the owner of an address has signed in.
    pub networks_known_for: Duration,
}

impl Rate {
    /// The longest span that a rate can be given for.
    const LONGEST: Duration = Duration::from_hours(365 * 24);

    /// `times` in every span of `per`.
    pub fn new(times: u32, per: Duration) -> Result<Self, ImpossibleRate> {
        if times == 0 || per > Self::LONGEST {
            return Err(ImpossibleRate);
        }
        let every = per.as_millis() / u128::from(times);
        let every = u64::try_from(every).map_or(Duration::MAX, Duration::from_millis);
        if every.is_zero() { Err(ImpossibleRate) } else { Ok(Self { times, every }) }
    }

    /// How many fit in at once.
    pub const fn times(self) -> u32 {
        self.times
    }

    /// How long it takes until one more fits in: whole milliseconds, at least one.
    pub const fn every(self) -> Duration {
        self.every
    }

    /// How long it takes from empty to full.
    pub fn span(self) -> Duration {
        self.every.saturating_mul(self.times)
    }

    const fn each(times: u32, every: Duration) -> Self {
        Self { times, every }
    }
}

impl Default for Limits {
    /// 10 wrong guesses a day and 100 in a row with a first wait of a minute; 6 mails an hour to an address; from a network 100
    /// mails and 20 registrations an hour and 300 requests a minute; networks are known for 90 days.
    fn default() -> Self {
        Self {
            failures_per_day: 10,
            failures_in_a_row: 100,
            first_wait: Duration::from_mins(1),
            mails_per_address: Rate::each(6, Duration::from_mins(10)),
            mails_per_network: Rate::each(100, Duration::from_secs(36)),
            sign_ups_per_network: Rate::each(20, Duration::from_mins(3)),
            requests_per_network: Rate::each(300, Duration::from_millis(200)),
            networks_known_for: Duration::from_hours(90 * 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_what_they_are_said_to_be() {
        let (limits, hour, minute) = (Limits::default(), Duration::from_hours(1), Duration::from_mins(1));
        assert_eq!(Rate::new(6, hour), Ok(limits.mails_per_address));
        assert_eq!(Rate::new(100, hour), Ok(limits.mails_per_network));
        assert_eq!(Rate::new(20, hour), Ok(limits.sign_ups_per_network));
        assert_eq!(Rate::new(300, minute), Ok(limits.requests_per_network));
    }

    #[test]
    fn a_rate_that_is_never_or_faster_than_time_is_counted_is_refused() {
        for (times, per) in [
            (0, Duration::from_secs(1)),
            (1, Duration::ZERO),
            (1001, Duration::from_secs(1)),
            (1, Duration::from_hours(365 * 24 + 1)),
            (1, Duration::MAX),
        ] {
            assert_eq!(Rate::new(times, per), Err(ImpossibleRate), "{times} in {per:?}");
        }
        assert!(Rate::new(1000, Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn what_does_not_divide_evenly_lets_as_many_through_at_once_all_the_same() {
        let rate = Rate::new(7, Duration::from_secs(1)).unwrap();
        assert_eq!(
            (rate.times(), rate.every(), rate.span()),
            (7, Duration::from_millis(142), Duration::from_millis(994))
        );
    }
}
