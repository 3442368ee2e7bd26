//! When an answer leaves whose time must not tell what had to be done for it.

use std::time::Duration;

use tokio::{
    join,
    time::{Instant, sleep_until},
};

/// How often answers leave to those who ask for a code. Longer than the work nearly always takes, and nothing to whoever waits
/// for a mail next.
pub(crate) const OF_SIGN_INS: Duration = Duration::from_millis(4);
/// The same for those who register: there is more to do, an earlier registration to replace perhaps, and people do it once.
pub(crate) const OF_SIGN_UPS: Duration = Duration::from_millis(16);

/// Does the work and waits for the next beat, counted from its beginning.
///
/// Every address is treated by the same statements, but what they find differs: a row to decode, a foreign key to look after,
/// an earlier registration to replace. On a beat, such differences show only in the few answers that they push beyond one.
///
/// The wait begins with the work, not after it. Of those who wait for one tick of the clock, the first to begin waiting is the
/// first to be answered: whose work took longer would be told by the order.
pub(crate) async fn on_the_beat<T>(beat: Duration, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let timed = async { (work.await, begun.elapsed()) };
    let ((outcome, took), ()) = join!(timed, sleep_until(begun + beat));
    if took > beat {
        sleep_until(begun + whole_beats(took, beat)).await;
    }
    outcome
}

/// The first beat that is not before `elapsed`.
fn whole_beats(elapsed: Duration, beat: Duration) -> Duration {
    let beats = elapsed.as_nanos().div_ceil(beat.as_nanos());
    beat.saturating_mul(u32::try_from(beats).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn answers_leave_at_the_next_beat() {
        let [beat, moment, almost] =
            [Duration::from_millis(4), Duration::from_nanos(1), Duration::from_nanos(3_999_999)];
        for (elapsed, beats) in
            [(moment, 1), (almost, 1), (beat, 1), (beat + moment, 2), (beat * 9, 9), (beat * 9 + moment, 10)]
        {
            assert_eq!(whole_beats(elapsed, beat), beat * beats, "{elapsed:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_took_less_waits_and_one_that_took_more_is_not_lost() {
        let begun = Instant::now();
        assert_eq!(on_the_beat(Duration::from_millis(20), async { 7 }).await, 7);
        assert!(begun.elapsed() >= Duration::from_millis(20));
        let begun = Instant::now();
        let work = tokio::time::sleep(Duration::from_millis(25));
        on_the_beat(Duration::from_millis(20), work).await;
        assert!(begun.elapsed() >= Duration::from_millis(40));
    }

    #[tokio::test]
    async fn whose_work_takes_longer_is_not_answered_after_who_came_later() {
        for _ in 0..5 {
            let answered = Arc::new(Mutex::new(Vec::new()));
            // A task each, as connections have.
            let ask = |name: &'static str, work| {
                let answered = Arc::clone(&answered);
                tokio::spawn(async move {
                    on_the_beat(Duration::from_millis(40), tokio::time::sleep(work)).await;
                    answered.lock().unwrap().push(name);
                })
            };
            let (first, second) = (ask("first", Duration::from_millis(20)), ask("second", Duration::from_millis(1)));
            first.await.unwrap();
            second.await.unwrap();
            assert_eq!(*answered.lock().unwrap(), ["first", "second"]);
        }
    }
}
