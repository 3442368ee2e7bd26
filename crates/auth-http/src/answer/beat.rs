//! When an answer leaves whose time must not tell what had to be done for it.

use std::{io, pin::pin, thread, time::Duration};

use tokio::{
    runtime::{Builder, Handle},
    select,
    sync::oneshot,
    time::{Instant, sleep_until},
};

/// How often answers leave to those who ask for a code. Longer than the work nearly always takes, and nothing to whoever waits
/// for a mail next.
pub(crate) const OF_SIGN_INS: Duration = Duration::from_millis(4);
/// The same for those who register: there is more to do, an earlier registration to replace perhaps, and people do it once.
pub(crate) const OF_SIGN_UPS: Duration = Duration::from_millis(16);

/// Keeps the beat, on a thread of its own.
///
/// A runtime's timers go off a whole number of milliseconds after its thread went to sleep. On the thread that did the work,
/// that is when the work ended, and an answer would leave at a fraction of a millisecond that tells it. On this thread, nothing
/// happens but that requests begin and answers leave.
pub struct Metronome {
    timers: Handle,
    /// The thread ends when this is dropped.
    _running: oneshot::Sender<()>,
}

impl Metronome {
    /// Begins to keep it.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let timers = runtime.handle().clone();
        let (running, stopped) = oneshot::channel::<()>();
        let keep = move || {
            let _dropped = runtime.block_on(stopped);
        };
        thread::Builder::new().name("beat".to_owned()).spawn(keep)?;
        Ok(Self { timers, _running: running })
    }

    /// Does the work and waits for the next beat, counted from its beginning.
    ///
    /// Every address is treated by the same statements, but what they find differs: a row to decode, a foreign key to look
    /// after, an earlier registration to replace. On a beat, such differences show only in the few answers that they push
    /// beyond one.
    ///
    /// Each wait begins with the work or on a beat, and never when the work ends. Of those who wait for one tick of the clock,
    /// the first to begin waiting is the first to be answered: whose work took longer would be told by the order.
    pub(crate) async fn on_the_beat<T>(&self, beat: Duration, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let (mut outcome, mut next) = (None, Instant::now());
        loop {
            next += beat;
            // Made over there: a timer belongs to the runtime it is made on.
            let mut comes = self.timers.spawn(async move { sleep_until(next).await });
            let came = loop {
                select! {
                    biased;
                    done = &mut work, if outcome.is_none() => outcome = Some(done),
                    came = &mut comes => break came,
                }
            };
            match outcome.take() {
                Some(outcome) => return outcome,
                None if came.is_ok() => {}
                // Nobody keeps the beat any more: whoever began before that is answered all the same.
                None => return work.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn answers_leave_at_the_beat_after_their_work() {
        let (metronome, beat) = (Metronome::start().unwrap(), Duration::from_millis(20));
        for (work, beats) in [(0, 1), (15, 1), (25, 2), (45, 3)] {
            let begun = Instant::now();
            let work = async {
                tokio::time::sleep(Duration::from_millis(work)).await;
                work
            };
            metronome.on_the_beat(beat, work).await;
            assert!(begun.elapsed() >= beat * beats, "{beats}");
        }
    }

    #[tokio::test]
    async fn whose_work_takes_longer_is_not_answered_after_who_came_later() {
        let metronome = Arc::new(Metronome::start().unwrap());
        for _ in 0..5 {
            let answered = Arc::new(Mutex::new(Vec::new()));
            // A task each, as connections have.
            let ask = |name: &'static str, work| {
                let (metronome, answered) = (Arc::clone(&metronome), Arc::clone(&answered));
                tokio::spawn(async move {
                    metronome.on_the_beat(Duration::from_millis(40), tokio::time::sleep(work)).await;
                    answered.lock().unwrap().push(name);
                })
            };
            let (first, second) = (ask("first", Duration::from_millis(20)), ask("second", Duration::from_millis(1)));
            first.await.unwrap();
            second.await.unwrap();
            assert_eq!(*answered.lock().unwrap(), ["first", "second"]);
        }
    }

    #[tokio::test]
    async fn at_which_fraction_of_a_tick_the_work_ended_is_not_told() {
        let metronome = Metronome::start().unwrap();
        let mut took = [const { Vec::new() }; 2];
        for _ in 0..150 {
            for (work, took) in [1_200, 1_700].map(Duration::from_micros).into_iter().zip(&mut took) {
                // As the answer of a database: it comes from outside, whenever it does.
                let (answer, answered) = oneshot::channel();
                thread::spawn(move || {
                    thread::sleep(work);
                    answer.send(())
                });
                let begun = Instant::now();
                metronome.on_the_beat(OF_SIGN_INS, answered).await.unwrap();
                took.push(begun.elapsed());
            }
        }
        let [shorter, longer] = took.map(|mut took| {
            took.sort_unstable();
            took[took.len() / 2]
        });
        let apart = shorter.abs_diff(longer);
        assert!(apart < Duration::from_micros(200), "{shorter:?} and {longer:?}");
    }

    #[tokio::test]
    async fn when_nobody_keeps_the_beat_any_more_no_answer_is_lost() {
        let mut metronome = Metronome::start().unwrap();
        let ended = Builder::new_current_thread().enable_time().build().unwrap();
        metronome.timers = ended.handle().clone();
        tokio::task::spawn_blocking(move || drop(ended)).await.unwrap();
        let work = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            7
        };
        assert_eq!(metronome.on_the_beat(OF_SIGN_INS, work).await, 7);
    }
}
