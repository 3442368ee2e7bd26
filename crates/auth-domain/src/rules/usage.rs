use std::time::Duration;

use crate::Timestamp;

/// How far apart the uses of a credential are that are written down.
///
/// Whoever uses one all the time would have its row written every few seconds otherwise, for a time that nobody reads to the
/// second.
pub const USES_APART: Duration = Duration::from_mins(1);

/// Whether a use at `now` is worth writing down of a credential whose `last` use that was is known.
pub fn use_is_worth_noting(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_none_or(|last| now >= last.plus(USES_APART))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_use_is_worth_noting_and_then_one_in_a_minute() {
        let noon = Timestamp::from_unix_millis(1_795_478_400_000);
        for (last, now, expected) in [
            (None, noon, true),
            (Some(noon), noon, false),
            (Some(noon), noon.plus(Duration::from_millis(59_999)), false),
            (Some(noon), noon.plus(USES_APART), true),
            (Some(noon.plus(USES_APART)), noon, false),
        ] {
            assert_eq!(use_is_worth_noting(last, now), expected, "{last:?} {now:?}");
        }
    }
}
