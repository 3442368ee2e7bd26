use super::Guessing;
use crate::{AddressKey, Limit, Limits, Network, Rate, ThrottleKey, ThrottleKind, Timestamp};

/// Who asks for a code, as far as limits are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// A stranger, for a session.
    SignIn,
    /// A stranger, for an account.
    SignUp,
    /// Somebody who is signed in, for an address or a key pair.
    SignedIn,
}

/// What one more comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// There is room: once it is let through, all of the room is there again at this moment.
    Room(Timestamp),
    /// There is none before this moment.
    Full(Timestamp),
}

/// A request that is not let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// By what.
    pub by: HeldBackBy,
    /// Until when.
    pub until: Timestamp,
}

/// What a request is held back by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldBackBy {
    /// Wrong guesses at the codes of its address.
    Guesses,
    /// This throttle.
    Throttle(ThrottleKey),
}

impl Asking {
    /// What the request is measured by, sorted.
    pub const fn throttles(self) -> &'static [ThrottleKind] {
        match self {
            Self::SignIn => &[ThrottleKind::MailsFromNetwork, ThrottleKind::MailsToAddress, ThrottleKind::Requests],
            Self::SignUp => &[
                ThrottleKind::MailsFromNetwork,
                ThrottleKind::MailsToAddress,
                ThrottleKind::Requests,
                ThrottleKind::SignUps,
            ],
            Self::SignedIn => &[ThrottleKind::MailsFromNetwork, ThrottleKind::MailsToAddress],
        }
    }

    /// The buckets that a request from `network` about `address` is measured by, sorted. `known` says whether the network is
    /// known to the address.
    pub fn keys(self, address: &AddressKey, network: Network, known: bool) -> Vec<ThrottleKey> {
        self.throttles().iter().map(|kind| ThrottleKey::new(*kind, address, network, known)).collect()
    }
}

impl ThrottleKind {
    /// How much of it is let through.
    pub const fn rate(self, limits: &Limits) -> Rate {
        match self {
            Self::MailsFromNetwork => limits.mails_per_network,
            Self::MailsToAddress => limits.mails_per_address,
            Self::LookUps | Self::Requests => limits.requests_per_network,
            Self::SignUps => limits.sign_ups_per_network,
        }
    }

    /// Whether a registration is charged for it although its alias turns out to be taken: it mails nothing, but tells something.
    pub const fn is_charged_for_a_taken_alias(self) -> bool {
        matches!(self, Self::Requests | Self::SignUps)
    }
}

impl HeldBackBy {
    /// The limit.
    pub const fn limit(&self) -> Limit {
        match self {
            Self::Guesses => Limit::Guesses,
            Self::Throttle(key) => Limit::Throttle(key.kind),
        }
    }
}

/// Judges whether one more fits into a bucket that is full again at `full_at`, if it was ever drawn from: the generic cell rate
/// algorithm, which remembers a single moment.
///
/// It is never further off than the bucket takes to fill, but for clocks that differ. Further off than twice that is what a
/// clock has left that was set back since, and counts for nothing: nobody waits until it gets there again.
pub fn judge_throttle(full_at: Option<Timestamp>, rate: Rate, now: Timestamp) -> Charge {
    let latest = now.plus(rate.span());
    let believed = full_at.filter(|full_at| *full_at <= latest.plus(rate.span()));
    let full_at = believed.map_or(now, |full_at| full_at.max(now));
    let charged = full_at.plus(rate.every());
    if charged <= latest { Charge::Room(charged) } else { Charge::Full(charged.minus(rate.span())) }
}

/// Judges whether a request for a code is let through: guessing must be open, and all the throttles must have room. Each
/// comes with the moment at which it is full again.
///
/// The caller holds them all for writing from before the read until the outcome is stored: all of the charges, or none.
///
/// # Errors
/// What holds the request back longest.
pub fn judge_asking(
    guessing: Guessing,
    throttles: Vec<(ThrottleKey, Option<Timestamp>)>,
    limits: &Limits,
    now: Timestamp,
) -> Result<Vec<(ThrottleKey, Timestamp)>, HeldBack> {
    let mut held_back = match guessing {
        Guessing::Open => None,
        Guessing::Shut { until } => Some(HeldBack { by: HeldBackBy::Guesses, until }),
    };
    let mut charges = Vec::with_capacity(throttles.len());
    for (key, full_at) in throttles {
        match judge_throttle(full_at, key.kind.rate(limits), now) {
            Charge::Room(full_at) => charges.push((key, full_at)),
            Charge::Full(until) if held_back.as_ref().is_none_or(|longest| longest.until < until) => {
                held_back = Some(HeldBack { by: HeldBackBy::Throttle(key), until });
            }
            Charge::Full(_) => {}
        }
    }
    held_back.map_or(Ok(charges), Err)
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn three_a_second() -> Rate {
        Rate::new(3, Duration::from_millis(999)).unwrap()
    }

    #[test]
    fn a_throttle_is_judged_by_the_table() {
        let (room, full) = (|moment| Charge::Room(at(moment)), |moment| Charge::Full(at(moment)));
        for (full_at, now, expected) in [
            (None, 0, room(333)),
            (Some(-5000), 0, room(333)),
            (Some(0), 0, room(333)),
            (Some(333), 0, room(666)),
            (Some(666), 0, room(999)),
            (Some(667), 0, full(1)),
            (Some(999), 0, full(333)),
            (Some(999), 332, full(333)),
            (Some(999), 333, room(1332)),
            (Some(999), 998, room(1332)),
            (Some(999), 5000, room(5333)),
            // The clock stepped back, or another replica's is ahead: nothing is forgotten.
            (Some(1000), 0, full(334)),
            (Some(1998), 0, full(1332)),
            // It stepped back by a lot: nobody waits until it gets there again.
            (Some(1999), 0, room(333)),
            (Some(1_000_000), 0, room(333)),
        ] {
            assert_eq!(judge_throttle(full_at.map(at), three_a_second(), at(now)), expected, "{full_at:?} at {now}");
        }
    }

    #[test]
    fn as_many_as_the_rate_says_fit_in_at_once_and_then_one_at_a_time() {
        let (mut full_at, mut let_through) = (None, Vec::new());
        for now in 0..5000 {
            while let Charge::Room(charged) = judge_throttle(full_at, three_a_second(), at(now)) {
                full_at = Some(charged);
                let_through.push(now);
            }
        }
        assert_eq!(let_through.get(..6), Some(&[0, 0, 0, 333, 666, 999][..]));
        assert_eq!(let_through.len(), 3 + 5000 / 333);
    }

    #[test]
    fn what_is_told_to_wait_is_let_through_then_and_not_a_moment_earlier() {
        let mut full_at = None;
        while let Charge::Room(charged) = judge_throttle(full_at, three_a_second(), at(7)) {
            full_at = Some(charged);
        }
        let Charge::Full(until) = judge_throttle(full_at, three_a_second(), at(7)) else { panic!("there is no room") };
        let before = until.minus(Duration::from_millis(1));
        assert_eq!(judge_throttle(full_at, three_a_second(), before), Charge::Full(until));
        assert!(matches!(judge_throttle(full_at, three_a_second(), until), Charge::Room(_)));
    }

    fn keys(asking: Asking) -> Vec<ThrottleKey> {
        let address = AddressKey::from_stored("ada@example.org".to_owned());
        asking.keys(&address, Network::of(IpAddr::from([192, 0, 2, 7])), true)
    }

    /// The same for all throttles of a registration: drawn from so that these hold back until so many milliseconds from now.
    fn asked(guessing: Guessing, mails_to_address: i64, sign_ups: i64) -> Result<usize, (Limit, Timestamp)> {
        let limits = Limits::default();
        let throttles = keys(Asking::SignUp).into_iter().map(|key| {
            let held = match key.kind {
                ThrottleKind::MailsToAddress => mails_to_address,
                ThrottleKind::SignUps => sign_ups,
                ThrottleKind::MailsFromNetwork | ThrottleKind::Requests | ThrottleKind::LookUps => 0,
            };
            let rate = key.kind.rate(&limits);
            let full_at = at(held).plus(rate.span()).minus(rate.every());
            (key, Some(full_at))
        });
        let judged = judge_asking(guessing, throttles.collect(), &limits, at(0));
        judged.map(|charges| charges.len()).map_err(|held_back| (held_back.by.limit(), held_back.until))
    }

    #[test]
    fn asking_is_judged_by_the_table() {
        let shut = |until| Guessing::Shut { until: at(until) };
        let by = ThrottleKind::MailsToAddress;
        for (guessing, mails_to_address, sign_ups, expected) in [
            (Guessing::Open, 0, 0, Ok(4)),
            (Guessing::Open, 5, 0, Err((Limit::Throttle(by), at(5)))),
            (Guessing::Open, 5, 9, Err((Limit::Throttle(ThrottleKind::SignUps), at(9)))),
            (Guessing::Open, 9, 5, Err((Limit::Throttle(by), at(9)))),
            (shut(7), 0, 0, Err((Limit::Guesses, at(7)))),
            (shut(7), 5, 0, Err((Limit::Guesses, at(7)))),
            (shut(7), 9, 0, Err((Limit::Throttle(by), at(9)))),
        ] {
            let found = asked(guessing, mails_to_address, sign_ups);
            assert_eq!(found, expected, "{guessing:?}, {mails_to_address}, {sign_ups}");
        }
    }

    #[test]
    fn everybody_is_measured_by_mails_and_strangers_by_more() {
        let kinds = |asking| keys(asking).iter().map(|key| key.kind.as_str()).collect::<Vec<_>>();
        assert_eq!(kinds(Asking::SignedIn), ["mails-from-network", "mails-to-address"]);
        assert_eq!(kinds(Asking::SignIn), ["mails-from-network", "mails-to-address", "requests"]);
        assert_eq!(kinds(Asking::SignUp), ["mails-from-network", "mails-to-address", "requests", "sign-ups"]);
        for asking in [Asking::SignedIn, Asking::SignIn, Asking::SignUp] {
            assert!(keys(asking).is_sorted());
        }
    }
}
