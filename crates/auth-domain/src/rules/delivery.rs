use std::time::Duration;

use crate::{ClaimedMail, MailClass, Timestamp};

/// How long a worker may hold a mail before another one takes it over.
pub const LEASE: Duration = Duration::from_secs(30);
/// No mail is put off for so long, neither by a lease nor by a wait: one that is not due until later was put off under a clock
/// that has been set back since, and is due now. Twice a lease, since the clocks of replicas differ by less than one.
pub const PUT_OFF_AT_MOST: Duration = Duration::from_mins(1);
/// How long a settled mail is kept, with what the mail server said of it.
pub const SETTLED_MAILS_KEPT: Duration = Duration::from_hours(7 * 24);
/// How long a notice is worth sending.
pub const GIVE_UP_NOTICES_AFTER: Duration = Duration::from_hours(24);
/// The first wait after a failed attempt; doubled by each further one.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest wait, so that everything due goes out soon after the mail server is back.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Whether a mail is still worth sending: a code mail while its code lives, a notice for a day.
pub fn is_worth_sending(mail: &ClaimedMail, now: Timestamp) -> bool {
    match mail.class {
        MailClass::Code | MailClass::Decoy => mail.code_is_living,
        MailClass::Notice => now < mail.created_at.plus(GIVE_UP_NOTICES_AFTER),
    }
}

/// How long to wait after the failed attempt number `attempt` (from 1).
///
/// `spread` is a random octet that takes up to a quarter off, so that mails which failed together come back apart.
pub fn wait_before_retry(attempt: u32, spread: u8) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    let wait = doubled.min(LONGEST_WAIT);
    wait.saturating_sub(wait / 4 * u32::from(spread) / 255)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{KeyId, MailId, SealedMail};

    #[test]
    fn waits_grow_from_under_five_seconds_to_half_a_minute() {
        let waits: Vec<_> = [1, 2, 3, 4, 5, 6, 1000].map(|attempt| wait_before_retry(attempt, 0).as_secs()).into();
        assert_eq!(waits, [2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(wait_before_retry(1, 255), Duration::from_millis(1500));
    }

    #[test]
    fn nothing_is_put_off_for_as_long_as_a_clock_that_was_set_back_makes_it_seem() {
        let longest = (1..100).map(|attempt| wait_before_retry(attempt, 0)).max();
        assert!(longest.is_some_and(|longest| longest + LEASE <= PUT_OFF_AT_MOST));
    }

    #[test]
    fn code_mails_are_given_up_with_their_code_and_notices_after_a_day() {
        let mail = |class, code_is_living| ClaimedMail {
            id: MailId::from(Uuid::nil()),
            class,
            sealed: SealedMail { key_id: "0".parse::<KeyId>().unwrap(), bytes: vec![] },
            created_at: Timestamp::from_unix_millis(0),
            attempt: 1,
            code_is_living,
            on_record: None,
        };
        let day = Timestamp::from_unix_millis(0).plus(GIVE_UP_NOTICES_AFTER);
        let before = day.minus(Duration::from_millis(1));
        assert!(is_worth_sending(&mail(MailClass::Code, true), day));
        assert!(!is_worth_sending(&mail(MailClass::Code, false), before));
        assert!(is_worth_sending(&mail(MailClass::Notice, false), before));
        assert!(!is_worth_sending(&mail(MailClass::Notice, true), day));
    }
}
