//! Response pacing: hides how long address-dependent work took.

use std::{
    io,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use auth_domain::{AuthError, StoreError};
use tokio::{
    runtime::{Builder, Handle},
    select,
    sync::oneshot,
    time::{Instant, sleep_until},
};
use tracing::warn;

use super::pacing_interval::PacingInterval;

/// What is paced. Each has an interval of its own, since each takes its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PacedRequest {
    /// A code to sign in with is asked for.
    SignIn,
    /// An account is asked for.
    SignUp,
    /// A code to sign in with or one for an address is redeemed.
    Redemption,
    /// An account adds an address, which may be another account's, or asks for another code for it.
    Address,
}

impl PacedRequest {
    const ALL: [Self; 4] = [Self::SignIn, Self::SignUp, Self::Redemption, Self::Address];

    fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SignUp => "sign_up",
            Self::Redemption => "redemption",
            Self::Address => "address",
        }
    }
}

/// Holds answers back until the next multiple of an interval that is longer than the work.
///
/// The waiting is done on a thread of its own. A runtime's timers go off a whole number of milliseconds after its thread went
/// to sleep. On the thread that did the work, that is when the work ended, and an answer would leave at a fraction of a
/// millisecond that tells it. On this thread, nothing happens but that requests begin and answers leave.
pub struct ResponsePacer {
    timers: Handle,
    sign_ins: Mutex<PacingInterval>,
    sign_ups: Mutex<PacingInterval>,
    redemptions: Mutex<PacingInterval>,
    addresses: Mutex<PacingInterval>,
    /// The thread ends when this is dropped.
    _running: oneshot::Sender<()>,
}

impl ResponsePacer {
    /// Starts its thread. Every interval begins at `min_interval`, which is
    /// [`MIN_PACING_INTERVAL`](crate::MIN_PACING_INTERVAL) wherever it has something to hide.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn start(min_interval: Duration) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let timers = runtime.handle().clone();
        let (running, stopped) = oneshot::channel::<()>();
        let run = move || {
            let _dropped = runtime.block_on(stopped);
        };
        thread::Builder::new().name("pacer".to_owned()).spawn(run)?;
        let interval = || Mutex::new(PacingInterval::new(min_interval, Instant::now()));
        let [sign_ins, sign_ups, redemptions, addresses] = [(); 4].map(|()| interval());
        Ok(Self { timers, sign_ins, sign_ups, redemptions, addresses, _running: running })
    }

    /// How long each interval is at the moment, by the name of what it paces.
    pub fn intervals(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        PacedRequest::ALL.iter().map(|paced| (paced.as_str(), self.interval(*paced).current()))
    }

    /// Does the work and waits for the next multiple of the interval, counted from its beginning.
    ///
    /// Every address is treated by the same statements, but what they find differs: a row to decode, a foreign key to look
    /// after, an earlier registration to replace. Paced, such differences show only in the few answers that they push beyond
    /// an interval.
    ///
    /// Each wait begins with the work or with an interval, and never when the work ends. Of those who wait for one tick of
    /// the clock, the first to begin waiting is the first to be answered: whose work took longer would be told by the order.
    pub(crate) async fn pace<T>(
        &self,
        paced: PacedRequest,
        work: impl Future<Output = Result<T, AuthError>>,
    ) -> Result<T, AuthError> {
        let begun = Instant::now();
        let interval = self.interval(paced).current();
        let mut work = pin!(async {
            let outcome = work.await;
            self.record(paced, &outcome, begun);
            outcome
        });
        let (mut outcome, mut next) = (None, begun);
        loop {
            next += interval;
            // Made over there: a timer belongs to the runtime it is made on.
            let mut timer = self.timers.spawn(async move { sleep_until(next).await });
            let elapsed = loop {
                select! {
                    biased;
                    done = &mut work, if outcome.is_none() => outcome = Some(done),
                    elapsed = &mut timer => break elapsed,
                }
            };
            match outcome.take() {
                Some(outcome) => return outcome,
                None if elapsed.is_ok() => {}
                // The thread has ended, as it does when the service stops: whoever began before that is answered all the same.
                None => return work.await,
            }
        }
    }

    /// Measures the work of a call. A call that a limit refused did none, and anybody can have any number of those; one that
    /// the store did not answer says how long the store was given.
    fn record<T>(&self, paced: PacedRequest, outcome: &Result<T, AuthError>, begun: Instant) {
        if matches!(outcome, Err(AuthError::Throttled { .. } | AuthError::Store(StoreError::Unavailable(_)))) {
            return;
        }
        let now = Instant::now();
        if let Some(interval) = self.interval(paced).record(now - begun, now) {
            warn!(
                paced = paced.as_str(),
                interval_ms = interval.as_millis(),
                "answers are paced more slowly: more than 1 % of this work took longer than half of the interval"
            );
        }
    }

    fn interval(&self, paced: PacedRequest) -> MutexGuard<'_, PacingInterval> {
        let interval = match paced {
            PacedRequest::SignIn => &self.sign_ins,
            PacedRequest::SignUp => &self.sign_ups,
            PacedRequest::Redemption => &self.redemptions,
            PacedRequest::Address => &self.addresses,
        };
        // Nothing that holds it panics half-way.
        interval.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        task::Poll,
    };

    use auth_domain::Limit;
    use futures_util::future::BoxFuture;
    use tokio::{sync::Notify, time::sleep};

    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[tokio::test(start_paused = true)]
    async fn answers_leave_at_a_multiple_of_the_interval_after_their_work() {
        let mut pacer = ResponsePacer::start(millis(20)).unwrap();
        // On this thread, whose time leaps from one timer to the next.
        pacer.timers = Handle::current();
        for (work, left) in [(0, 20), (15, 20), (25, 40), (45, 60)] {
            let begun = Instant::now();
            let work = async {
                sleep(millis(work)).await;
                Ok(())
            };
            pacer.pace(PacedRequest::SignIn, work).await.unwrap();
            assert_eq!(begun.elapsed().as_millis(), left);
        }
    }

    #[tokio::test]
    async fn whose_work_takes_longer_is_not_answered_after_who_came_later() {
        let pacer = Arc::new(ResponsePacer::start(millis(200)).unwrap());
        for _ in 0..5 {
            let (answered, second_is_done) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
            // A task each, as connections have.
            let ask = |name: &'static str, work: BoxFuture<'static, ()>| {
                let (pacer, answered) = (Arc::clone(&pacer), Arc::clone(&answered));
                tokio::spawn(async move {
                    let work = async move {
                        work.await;
                        Ok(())
                    };
                    pacer.pace(PacedRequest::SignIn, work).await.unwrap();
                    answered.lock().unwrap().push(name);
                })
            };
            let (waiting, done) = (Arc::clone(&second_is_done), second_is_done);
            let first = ask("first", Box::pin(async move { waiting.notified().await }));
            let second = ask("second", Box::pin(async move { done.notify_one() }));
            first.await.unwrap();
            second.await.unwrap();
            assert_eq!(*answered.lock().unwrap(), ["first", "second"]);
        }
    }

    #[test]
    fn the_timers_of_the_thread_that_does_the_work_play_no_part() {
        let pacer = ResponsePacer::start(millis(1)).unwrap();
        // It has none: to ask it for one would panic.
        let runtime = Builder::new_current_thread().build().unwrap();
        let mut polls = 0;
        let work = std::future::poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls < 1000 { Poll::Pending } else { Poll::Ready(Ok(7)) }
        });
        assert_eq!(runtime.block_on(pacer.pace(PacedRequest::Redemption, work)).unwrap(), 7);
    }

    #[tokio::test]
    async fn when_its_thread_has_ended_no_answer_is_lost() {
        let mut pacer = ResponsePacer::start(millis(1)).unwrap();
        let ended = Builder::new_current_thread().enable_time().build().unwrap();
        pacer.timers = ended.handle().clone();
        tokio::task::spawn_blocking(move || drop(ended)).await.unwrap();
        let work = async {
            sleep(millis(5)).await;
            Ok(7)
        };
        assert_eq!(pacer.pace(PacedRequest::SignIn, work).await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_work_makes_its_own_interval_grow_and_calls_that_were_refused_or_not_answered_do_not_count() {
        let pacer = ResponsePacer::start(millis(2)).unwrap();
        for _ in 0..3 {
            let begun = Instant::now();
            tokio::time::advance(Duration::from_secs(1)).await;
            pacer.record(PacedRequest::SignUp, &Ok(()), begun);
            for error in [
                AuthError::Throttled { limit: Limit::Guesses, retry_after: Duration::ZERO },
                AuthError::Store(StoreError::unavailable("away")),
            ] {
                pacer.record(PacedRequest::SignIn, &Err::<(), _>(error), begun);
            }
        }
        let intervals: Vec<_> = pacer.intervals().map(|(paced, interval)| (paced, interval.as_millis())).collect();
        assert_eq!(intervals, [("sign_in", 2), ("sign_up", 4), ("redemption", 2), ("address", 2)]);
    }
}
