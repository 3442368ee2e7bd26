use std::time::Duration;

use crate::{Failures, Limits, Timestamp};

/// How long a day of wrong guesses is, from its first one.
pub const DAY: Duration = Duration::from_hours(24);
/// Wrong guesses of a day that cost no wait.
pub const WITHOUT_WAIT: u32 = 4;
/// When to ask again about an address that no time opens.
const ASK_AGAIN_AFTER: Duration = Duration::from_hours(24);
/// How long wrong guesses are remembered after the last one, unless they have shut the address.
pub const REMEMBERED_FOR: Duration = Duration::from_hours(365 * 24);

/// Whether the codes of an address can be guessed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guessing {
    /// They can.
    Open,
    /// They cannot.
    Shut {
        /// Until when. Where only an administrator opens it, or its owner who signs in from a network that is known, in a day: it
        /// is worth asking again then.
        until: Timestamp,
    },
}

/// Judges whether a guess at `now` is let through to the code, after these wrong ones.
///
/// A `now` before the first one of the day, which only a clock that stepped back can tell, is taken for that moment. Wrong guesses
/// that cost no wait shut nothing, whatever the clock says.
pub fn judge_guessing(failures: Option<&Failures>, limits: &Limits, now: Timestamp) -> Guessing {
    let Some(failures) = failures else { return Guessing::Open };
    let end_of_day = failures.day_began_at.plus(DAY);
    if failures.in_a_row >= limits.failures_in_a_row {
        Guessing::Shut { until: now.plus(ASK_AGAIN_AFTER) }
    } else if now >= end_of_day {
        Guessing::Open
    } else if failures.of_day >= limits.failures_per_day {
        Guessing::Shut { until: end_of_day }
    } else if let Some(wait) = wait_after(failures.of_day, limits) {
        let until = failures.last_at.plus(wait).min(end_of_day);
        if now.max(failures.day_began_at) < until { Guessing::Shut { until } } else { Guessing::Open }
    } else {
        Guessing::Open
    }
}

/// How long an address rests after the wrong guess number `of_day`; `None` if that costs no wait.
fn wait_after(of_day: u32, limits: &Limits) -> Option<Duration> {
    let doublings = of_day.checked_sub(WITHOUT_WAIT + 1)?;
    Some(limits.first_wait.saturating_mul(2_u32.saturating_pow(doublings)))
}

/// What is remembered after one more wrong guess.
pub fn after_failure(failures: Option<&Failures>, now: Timestamp) -> Failures {
    let Some(failures) = failures else {
        return Failures {
            day_began_at: now,
            of_day: 1,
            in_a_row: 1,
            last_at: now,
            told_at: None,
            owner_told_at: None,
        };
    };
    let (day_began_at, of_day) = if now >= failures.day_began_at.plus(DAY) {
        (now, 1)
    } else {
        (failures.day_began_at, failures.of_day.saturating_add(1))
    };
    let in_a_row = failures.in_a_row.saturating_add(1);
    Failures { day_began_at, of_day, in_a_row, last_at: failures.last_at.max(now), ..*failures }
}

/// What is remembered of the strangers' wrong guesses after a right one, whoever made it. They keep their day: an owner who
/// signs in often hands nobody another ten guesses. What is remembered of the guesser's own network goes entirely.
pub fn after_success(strangers: &Failures) -> Failures {
    Failures { in_a_row: 0, owner_told_at: None, ..*strangers }
}

/// Whether these wrong guesses make no difference any more: their day is over, and so is the row, or it is a year old. Those that
/// have shut an address for good stay.
pub fn failures_are_over(failures: &Failures, now: Timestamp) -> bool {
    let day_is_over = now >= failures.day_began_at.plus(DAY);
    let row_is_over =
        failures.in_a_row == 0 || (failures.owner_told_at.is_none() && now >= failures.last_at.plus(REMEMBERED_FOR));
    day_is_over && row_is_over
}

/// Whether the audit log is to be told of another refusal by the same limit, when it was told at `told_at`: once in every `span`. A
/// moment to come, which only a clock that stepped back can tell, does not silence it.
pub fn is_to_be_told(told_at: Option<Timestamp>, span: Duration, now: Timestamp) -> bool {
    told_at.is_none_or(|told_at| now < told_at || now >= told_at.plus(span))
}

/// The same for guesses that are refused: once a day.
pub fn refused_guess_is_to_be_told(failures: &Failures, now: Timestamp) -> bool {
    is_to_be_told(failures.told_at, DAY, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    /// So many on a day that began at second 0, and in a row, the last one at second `last`.
    fn failures(of_day: u32, in_a_row: u32, last: i64) -> Failures {
        Failures { day_began_at: at(0), of_day, in_a_row, last_at: at(last), told_at: None, owner_told_at: None }
    }

    fn judged(failures: Failures, now: i64) -> Guessing {
        judge_guessing(Some(&failures), &Limits::default(), at(now))
    }

    #[test]
    fn guessing_is_open_until_something_was_guessed_wrong() {
        assert_eq!(judge_guessing(None, &Limits::default(), at(0)), Guessing::Open);
    }

    #[test]
    fn guessing_is_judged_by_the_table() {
        let shut = |until| Guessing::Shut { until: at(until) };
        for (of_day, in_a_row, last, now, expected) in [
            (1, 1, 0, 0, Guessing::Open),
            (4, 4, 100, 100, Guessing::Open),
            // The waits: 1, 2, 4, 8 and 16 minutes.
            (5, 5, 100, 100, shut(160)),
            (5, 5, 100, 159, shut(160)),
            (5, 5, 100, 160, Guessing::Open),
            (6, 6, 100, 219, shut(220)),
            (6, 6, 100, 220, Guessing::Open),
            (9, 9, 100, 1059, shut(1060)),
            (9, 9, 100, 1060, Guessing::Open),
            // Ten on a day are all of that day.
            (10, 10, 100, 1060, shut(24 * HOUR)),
            (10, 10, 100, 24 * HOUR - 1, shut(24 * HOUR)),
            (10, 10, 100, 24 * HOUR, Guessing::Open),
            (11, 11, 100, 1060, shut(24 * HOUR)),
            // No wait goes beyond the day.
            (9, 9, 24 * HOUR - 10, 24 * HOUR - 1, shut(24 * HOUR)),
            (9, 9, 24 * HOUR - 10, 24 * HOUR, Guessing::Open),
            // A hundred in a row are all there are, and it makes no difference on how many days.
            (1, 99, 0, 0, Guessing::Open),
            (1, 100, 0, 0, shut(24 * HOUR)),
            (1, 100, 0, 1000 * HOUR, shut(1024 * HOUR)),
            // What was in a row was forgiven, the day was not.
            (10, 0, 100, 1060, shut(24 * HOUR)),
            // The clock stepped back: it does not open anything earlier, and the day is no longer than it was.
            (4, 4, 0, -1000 * HOUR, Guessing::Open),
            (1, 1, 100, 99, Guessing::Open),
            (4, 4, 100, 50, Guessing::Open),
            (4, 4, 100, -1000 * HOUR, Guessing::Open),
            (5, 5, 100, -1000 * HOUR, shut(160)),
            (10, 10, 100, -1000 * HOUR, shut(24 * HOUR)),
        ] {
            assert_eq!(judged(failures(of_day, in_a_row, last), now), expected, "{of_day}, {in_a_row}, {last}, {now}");
        }
    }

    #[test]
    fn an_absurd_setting_saturates() {
        let limits = Limits { failures_per_day: u32::MAX, first_wait: Duration::MAX, ..Limits::default() };
        let shut = Guessing::Shut { until: at(24 * HOUR) };
        for of_day in [5, 36, 37, 1000, u32::MAX] {
            assert_eq!(judge_guessing(Some(&failures(of_day, 1, 0)), &limits, at(10)), shut, "{of_day}");
        }
    }

    #[test]
    fn a_wrong_guess_counts_for_its_day_and_in_a_row() {
        let first = after_failure(None, at(5));
        assert_eq!(first, Failures { day_began_at: at(5), last_at: at(5), ..failures(1, 1, 5) });
        let told = Failures { told_at: Some(at(50)), owner_told_at: Some(at(51)), ..failures(3, 7, 100) };
        for (now, expected) in [
            (200, Failures { last_at: at(200), of_day: 4, in_a_row: 8, ..told }),
            (24 * HOUR - 1, Failures { last_at: at(24 * HOUR - 1), of_day: 4, in_a_row: 8, ..told }),
            (
                24 * HOUR,
                Failures { day_began_at: at(24 * HOUR), last_at: at(24 * HOUR), of_day: 1, in_a_row: 8, ..told },
            ),
            // The clock stepped back.
            (-1, Failures { of_day: 4, in_a_row: 8, ..told }),
        ] {
            assert_eq!(after_failure(Some(&told), at(now)), expected, "{now}");
        }
        let full = failures(u32::MAX, u32::MAX, 0);
        assert_eq!(after_failure(Some(&full), at(0)), full);
    }

    #[test]
    fn a_success_forgives_what_was_in_a_row_and_not_the_day() {
        let before = Failures { owner_told_at: Some(at(51)), told_at: Some(at(50)), ..failures(10, 100, 100) };
        assert_eq!(after_success(&before), Failures { told_at: Some(at(50)), ..failures(10, 0, 100) });
    }

    #[test]
    fn ten_a_day_are_a_hundred_in_ten_days_and_then_no_more() {
        let limits = Limits::default();
        let (mut row, mut let_through) = (None, 0);
        // Somebody who tries every minute for a month.
        for minute in 0..30 * 24 * 60 {
            let now = at(minute * 60);
            if judge_guessing(row.as_ref(), &limits, now) == Guessing::Open {
                row = Some(after_failure(row.as_ref(), now));
                let_through += 1;
            }
        }
        assert_eq!(let_through, 100);
        assert!(row.unwrap().last_at < at(11 * 24 * HOUR));
    }

    #[test]
    fn wrong_guesses_are_forgotten_once_they_make_no_difference() {
        let year = 365 * 24 * HOUR;
        for (row, now, expected) in [
            (failures(3, 0, 10), 24 * HOUR - 1, false),
            (failures(3, 0, 10), 24 * HOUR, true),
            (failures(3, 1, 10), 24 * HOUR, false),
            (failures(3, 99, 10), year + 9, false),
            (failures(3, 99, 10), year + 10, true),
            (Failures { owner_told_at: Some(at(11)), ..failures(3, 100, 10) }, 10 * year, false),
        ] {
            assert_eq!(failures_are_over(&row, at(now)), expected, "{row:?} at {now}");
        }
    }

    #[test]
    fn a_flood_of_refusals_is_told_once_in_a_while() {
        let span = Duration::from_secs(10);
        assert!(is_to_be_told(None, span, at(0)));
        for (now, expected) in [(100, false), (109, false), (110, true), (99, true)] {
            assert_eq!(is_to_be_told(Some(at(100)), span, at(now)), expected, "{now}");
        }
    }
}
