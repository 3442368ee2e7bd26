use std::sync::atomic::{AtomicU32, Ordering};

use auth_domain::Timestamp;

/// When a credential was last used, as far as is noted, in seconds since the Unix epoch; 0 for never.
///
/// Half of the seconds' octets are enough until 2106, and make each remembered credential a sixteenth smaller.
#[derive(Debug)]
pub(crate) struct LastUse(AtomicU32);

impl LastUse {
    pub(crate) fn of(last: Option<Timestamp>) -> Self {
        Self(AtomicU32::new(last.map_or(0, seconds)))
    }

    pub(crate) fn get(&self) -> Option<Timestamp> {
        let seconds = self.0.load(Ordering::Relaxed);
        (seconds > 0).then(|| Timestamp::from_unix_millis(i64::from(seconds) * 1000))
    }

    pub(crate) fn set(&self, at: Timestamp) {
        self.0.store(seconds(at), Ordering::Relaxed);
    }
}

fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.unix_seconds()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_to_the_second_and_what_does_not_fit_is_never() {
        let at = |millis| Some(Timestamp::from_unix_millis(millis));
        assert_eq!(LastUse::of(None).get(), None);
        assert_eq!(LastUse::of(at(1_795_478_400_999)).get(), at(1_795_478_400_000));
        for beyond in [-1, 0, i64::MAX] {
            assert_eq!(LastUse::of(at(beyond)).get(), None, "{beyond}");
        }
        let last = LastUse::of(None);
        last.set(Timestamp::from_unix_millis(2_000));
        assert_eq!(last.get(), at(2_000));
    }
}
