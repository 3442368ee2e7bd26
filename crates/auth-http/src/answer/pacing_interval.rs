//! How long the pacing interval of a kind of request is: the rule, without a clock.

use std::time::Duration;

use tokio::time::Instant;

/// No pacing interval is shorter: whoever asks for a code waits for a mail anyway.
pub const MIN_PACING_INTERVAL: Duration = Duration::from_millis(50);
/// No interval is longer. A store answers within less than this, or not at all.
const MAX_DOUBLINGS: u32 = 6;
/// How many calls a 99th percentile is taken of.
const WINDOW: u32 = 256;
/// So many slow ones among [`WINDOW`] calls are more than one in a hundred.
const SLOW_CALLS: u32 = 3;
/// How long an interval lasts before it doubles again: all calls that one pause of the store held up count as one.
const MIN_TIME_BEFORE_GROWTH: Duration = Duration::from_secs(1);
/// How long the work must have been short before the interval is halved.
const MIN_TIME_BEFORE_REDUCTION: Duration = Duration::from_mins(15);

/// The interval at which answers of one kind leave.
///
/// It doubles when the 99th percentile of the work comes near it: when more than one call in a hundred takes longer than half
/// of it. It is halved after 15 minutes in which no more than one call in a hundred took longer than an eighth of it. Between
/// these two bounds lies a factor of four, far more than what kinds of address can differ by: nobody can bring the work to
/// where its kind decides whether the interval changes.
#[derive(Debug)]
pub(super) struct PacingInterval {
    min: Duration,
    doublings: u32,
    /// Since when it is as long as it is.
    since: Instant,
    /// Calls of the current window, and how many of them took longer than half of the interval.
    window: Tally,
    /// Calls since `since`, and how many of them took longer than an eighth of the interval.
    period: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    calls: u32,
    long: u32,
}

impl Tally {
    fn add(&mut self, is_long: bool) {
        self.calls = self.calls.saturating_add(1);
        self.long = self.long.saturating_add(u32::from(is_long));
    }
}

impl PacingInterval {
    /// Begins at its minimum.
    pub(super) fn new(min: Duration, now: Instant) -> Self {
        Self { min, doublings: 0, since: now, window: Tally::default(), period: Tally::default() }
    }

    pub(super) fn current(&self) -> Duration {
        self.min * 2_u32.pow(self.doublings)
    }

    /// Takes note of how long the work of a call took that ended at `now`. Returns the new interval if that made it grow.
    pub(super) fn record(&mut self, work: Duration, now: Instant) -> Option<Duration> {
        let stood = now.saturating_duration_since(self.since);
        self.period.add(work > self.current() / 8);
        if stood >= MIN_TIME_BEFORE_GROWTH {
            self.window.add(work > self.current() / 2);
        }
        if self.window.long >= SLOW_CALLS {
            if self.doublings < MAX_DOUBLINGS {
                self.change(self.doublings + 1, now);
                return Some(self.current());
            }
        } else if self.window.calls >= WINDOW {
            self.window = Tally::default();
        }
        if stood >= MIN_TIME_BEFORE_REDUCTION && self.period.calls >= WINDOW {
            let was_short = self.period.long <= self.period.calls / 100;
            self.change(self.doublings.saturating_sub(u32::from(was_short)), now);
        }
        None
    }

    fn change(&mut self, doublings: u32, now: Instant) {
        *self = Self { doublings, ..Self::new(self.min, now) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// An interval, and a clock that is set by hand.
    struct Run {
        interval: PacingInterval,
        now: Instant,
    }

    impl Run {
        fn new() -> Self {
            let now = Instant::now();
            Self { interval: PacingInterval::new(MIN_PACING_INTERVAL, now), now }
        }

        fn wait(&mut self, span: Duration) -> &mut Self {
            self.now += span;
            self
        }

        /// Records this many calls at once. Returns each new interval, in milliseconds.
        fn record(&mut self, calls: u32, work: Duration) -> Vec<u128> {
            let grown = (0..calls).filter_map(|_| self.interval.record(work, self.now));
            grown.map(|interval| interval.as_millis()).collect()
        }

        fn millis(&self) -> u128 {
            self.interval.current().as_millis()
        }
    }

    #[test]
    fn it_stays_at_its_minimum_while_work_takes_up_to_half_of_it() {
        let mut run = Run::new();
        for _ in 0..10 {
            assert_eq!(run.wait(Duration::from_secs(10)).record(1000, 25 * MS), []);
        }
        assert_eq!(run.millis(), 50);
    }

    #[test]
    fn it_doubles_when_more_than_one_call_in_a_hundred_takes_longer_than_half_of_it() {
        let mut run = Run::new();
        for _ in 0..20 {
            // Two of 256.
            run.wait(Duration::from_secs(1));
            assert_eq!(run.record(2, 26 * MS), []);
            assert_eq!(run.record(254, MS), []);
        }
        assert_eq!(run.record(2, 26 * MS), []);
        assert_eq!(run.record(200, MS), []);
        assert_eq!(run.record(1, 26 * MS), [100]);
        // By the longer interval, as much is short.
        assert_eq!(run.wait(Duration::from_secs(1)).record(1000, 50 * MS), []);
        assert_eq!(run.record(3, 51 * MS), [200]);
    }

    #[test]
    fn calls_that_are_few_and_far_between_make_it_grow_too() {
        let mut run = Run::new();
        let grown: Vec<_> = (0..9).flat_map(|_| run.wait(Duration::from_hours(1)).record(1, 400 * MS)).collect();
        assert_eq!(grown, [100, 200, 400]);
        let grown: Vec<_> = (0..9).flat_map(|_| run.wait(Duration::from_hours(1)).record(1, 400 * MS)).collect();
        assert_eq!(grown, [800]);
    }

    #[test]
    fn one_pause_of_the_store_doubles_it_once_however_many_calls_it_holds_up() {
        let mut run = Run::new();
        run.wait(Duration::from_mins(1));
        assert_eq!(run.record(500, Duration::from_secs(2)), [100]);
        assert_eq!(run.wait(999 * MS).record(500, Duration::from_secs(2)), []);
        assert_eq!(run.wait(MS).record(100, MS), []);
        assert_eq!(run.record(3, Duration::from_secs(2)), [200]);
    }

    #[test]
    fn it_has_a_maximum() {
        let mut run = Run::new();
        let grown: Vec<_> = (0..20).flat_map(|_| run.wait(Duration::from_secs(1)).record(9, 9000 * MS)).collect();
        assert_eq!(grown, [100, 200, 400, 800, 1600, 3200]);
    }

    #[test]
    fn it_is_halved_once_work_was_short_for_long_enough_and_not_by_what_made_it_grow() {
        let mut run = Run::new();
        run.wait(Duration::from_secs(1)).record(3, 30 * MS);
        assert_eq!(run.millis(), 100);
        // What is just too short to make it grow is too long to make it shrink.
        for _ in 0..10 {
            run.wait(Duration::from_mins(15)).record(256, 13 * MS);
            assert_eq!(run.millis(), 100);
        }
        run.wait(Duration::from_mins(14)).record(300, 12 * MS);
        assert_eq!(run.millis(), 100);
        run.wait(Duration::from_mins(1)).record(1, 12 * MS);
        assert_eq!(run.millis(), 50);
        run.wait(Duration::from_hours(9)).record(300, MS);
        assert_eq!(run.millis(), 50);
    }

    #[test]
    fn nothing_is_concluded_from_a_few_calls() {
        let mut run = Run::new();
        run.wait(Duration::from_secs(1)).record(3, 30 * MS);
        run.wait(Duration::from_hours(9)).record(255, MS);
        assert_eq!(run.millis(), 100);
        run.record(1, MS);
        assert_eq!(run.millis(), 50);
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_harms_nothing() {
        let mut run = Run::new();
        assert_eq!(run.record(1000, Duration::from_secs(9)), []);
        run.now -= Duration::from_millis(1);
        assert_eq!(run.record(1000, Duration::from_secs(9)), []);
    }
}
