//! How long it takes until a replica hears what another one has revoked.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long heartbeats take through the database and back. What is revoked takes the same way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RevocationLag {
    /// The last one's time; that of one which is under way still, if that is longer by now.
    pub last: Duration,
    /// The longest time since the store was made.
    pub maximum: Duration,
}

/// Follows heartbeats.
pub(crate) struct Lag(Mutex<Followed>);

struct Followed {
    lag: RevocationLag,
    /// Since when one is awaited that has not been heard.
    awaited: Option<Instant>,
}

impl Lag {
    /// Of somebody who has waited for the first heartbeat since `now`.
    pub(crate) fn since(now: Instant) -> Self {
        Self(Mutex::new(Followed { lag: RevocationLag::default(), awaited: Some(now) }))
    }

    /// From `now` on a heartbeat is awaited: one was sent, or there is nothing to send it on.
    pub(crate) fn awaited(&self, now: Instant) {
        self.followed().awaited.get_or_insert(now);
    }

    /// A heartbeat is heard at `now` that was sent at `sent`.
    pub(crate) fn heard(&self, sent: Instant, now: Instant) {
        let mut followed = self.followed();
        let oldest = followed.awaited.take().unwrap_or(sent);
        followed.lag.last = now.saturating_duration_since(sent);
        followed.lag.maximum = followed.lag.maximum.max(now.saturating_duration_since(oldest.min(sent)));
    }

    pub(crate) fn at(&self, now: Instant) -> RevocationLag {
        let followed = self.followed();
        let waiting = followed.awaited.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let RevocationLag { last, maximum } = followed.lag;
        RevocationLag { last: last.max(waiting), maximum: maximum.max(waiting) }
    }

    fn followed(&self) -> MutexGuard<'_, Followed> {
        // Whoever panicked with it in hand had changed all of it or nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(last: u64, maximum: u64) -> RevocationLag {
        RevocationLag { last: Duration::from_millis(last), maximum: Duration::from_millis(maximum) }
    }

    #[test]
    fn a_heartbeat_that_does_not_come_back_counts_as_long_as_it_is_awaited() {
        let start = Instant::now();
        let at = |n| start + Duration::from_millis(n);
        let lag = Lag::since(start);
        assert_eq!(lag.at(at(7)), millis(7, 7), "nothing was heard yet");
        lag.awaited(at(10));
        lag.heard(at(10), at(12));
        assert_eq!(lag.at(at(200)), millis(2, 12));
        lag.awaited(at(250));
        lag.awaited(at(500));
        assert_eq!(lag.at(at(850)), millis(600, 600));
        // The connection was replaced: the first two are lost.
        lag.awaited(at(1000));
        lag.heard(at(1000), at(1005));
        assert_eq!(lag.at(at(1100)), millis(5, 755));
    }
}
