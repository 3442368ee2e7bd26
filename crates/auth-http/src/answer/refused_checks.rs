use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use auth_domain::Timestamp;

/// How many refused checks have a line of their own in the log, in each second.
const LOGGED_EACH_SECOND: u64 = 20;

/// Which refused checks have a line of their own in the log.
///
/// Showing invented credentials costs a stranger nothing and can be done a hundred thousand times a second. A line for each
/// would cost several times what refusing it does, and would push everything else out of the log. So the first ones of each
/// second are logged one by one, with the ids that their answers carry, and of the rest there is the number.
// All workers count it up, so what lies beside it would be taken from each other's caches: it has two lines for itself.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct RefusedChecks {
    /// The second that is counted, since the Unix epoch.
    second: AtomicI64,
    /// How many were refused in it.
    refused: AtomicU64,
}

/// What to log of a refused check.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line of its own, and before it one of how many had none in the second that is over, if any had not.
    Own {
        /// How many.
        before: u64,
    },
    /// None.
    None,
}

impl RefusedChecks {
    /// What to log of one that is refused at `now`.
    ///
    /// Exact as long as nobody is interrupted between two steps here; then a line more or fewer is written.
    pub(super) fn refused_at(&self, now: Timestamp) -> Line {
        let second = now.unix_seconds();
        // Looked at before it is written, which takes it from the other workers each time.
        let is_counted = self.second.load(Ordering::Relaxed) == second;
        let before = if is_counted || self.second.swap(second, Ordering::Relaxed) == second {
            0
        } else {
            self.refused.swap(0, Ordering::Relaxed).saturating_sub(LOGGED_EACH_SECOND)
        };
        let is_early = self.refused.fetch_add(1, Ordering::Relaxed) < LOGGED_EACH_SECOND;
        if is_early || before > 0 { Line::Own { before } } else { Line::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_logged_by_its_number_and_whoever_comes_alone_by_themselves() {
        let (refused, second) = (RefusedChecks::default(), |second: i64| Timestamp::from_unix_millis(second * 1000));
        for _ in 0..LOGGED_EACH_SECOND {
            assert_eq!(refused.refused_at(second(7)), Line::Own { before: 0 });
        }
        for _ in 0..500 {
            assert_eq!(refused.refused_at(second(7)), Line::None);
        }
        assert_eq!(refused.refused_at(second(9)), Line::Own { before: 500 });
        assert_eq!(refused.refused_at(second(9)), Line::Own { before: 0 });
        assert_eq!(refused.refused_at(second(10)), Line::Own { before: 0 });
    }
}
