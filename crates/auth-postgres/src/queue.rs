//! Who waits for an answer, who is on the way to fetch some, and who is free to go.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Questions that wait, in their order, and the workers that fetch answers to them.
///
/// As few of them as keep up: questions that are asked together cost less than those that are asked beside one another. So new
/// questions wait for a worker that is on its way and expected back; only when it is late, or there is more than it can carry,
/// the next one is called.
pub(crate) struct Queue<T>(Mutex<Waiting<T>>);

struct Waiting<T> {
    questions: VecDeque<T>,
    free: BTreeMap<usize, Arc<Notify>>,
    /// The worker that was called, or that is expected back at any moment.
    expected: Option<usize>,
}

/// The place of a worker at a queue.
pub(crate) struct Place {
    number: usize,
    bell: Arc<Notify>,
}

impl Place {
    /// The one of this number: the lower it is, the sooner its worker is called. No two at a queue have the same.
    pub(crate) fn new(number: usize) -> Self {
        Self { number, bell: Arc::new(Notify::new()) }
    }
}

/// The way of a worker that has taken questions and is expected back. Whichever way this ends, it is not any more.
pub(crate) struct Errand<'a, T> {
    queue: &'a Queue<T>,
    place: &'a Place,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Waiting { questions: VecDeque::new(), free: BTreeMap::new(), expected: None }))
    }

    pub(crate) fn add(&self, question: T) {
        let mut waiting = self.waiting();
        waiting.questions.push_back(question);
        if waiting.expected.is_none() {
            waiting.call_one();
        }
    }

    /// Takes the questions that wait, `limit` at most and one at least, those that are not `wanted` any more left out.
    pub(crate) async fn take<'a>(
        &'a self,
        place: &'a Place,
        limit: usize,
        wanted: fn(&T) -> bool,
    ) -> (Vec<T>, Errand<'a, T>) {
        loop {
            {
                let mut waiting = self.waiting();
                let mut taken = Vec::new();
                while taken.len() < limit
                    && let Some(question) = waiting.questions.pop_front()
                {
                    if wanted(&question) {
                        taken.push(question);
                    }
                }
                if taken.is_empty() {
                    waiting.free.insert(place.number, Arc::clone(&place.bell));
                    waiting.is_back(place);
                } else {
                    waiting.free.remove(&place.number);
                    waiting.expected = Some(place.number);
                    // What is left over is somebody else's.
                    if !waiting.questions.is_empty() {
                        waiting.call_one();
                    }
                    return (taken, Errand { queue: self, place });
                }
            }
            place.bell.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        // Nothing that is done with it in hand leaves it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Errand<'_, T> {
    /// Says that it takes longer: whoever waits for this worker waits for the next one instead.
    pub(crate) fn is_late(&self) {
        self.queue.waiting().is_back(self.place);
    }

    /// Says that the worker is about to take more questions: before it answers those that it has, so that whoever asks again
    /// at once finds it free.
    pub(crate) fn end(self) {
        self.queue.waiting().free.insert(self.place.number, Arc::clone(&self.place.bell));
    }
}

impl<T> Drop for Errand<'_, T> {
    fn drop(&mut self) {
        self.is_late();
    }
}

impl<T> Waiting<T> {
    /// Nobody waits any longer for the worker at `place` to come back: it is, or it takes too long.
    fn is_back(&mut self, place: &Place) {
        if self.expected == Some(place.number) {
            self.expected = None;
            if !self.questions.is_empty() {
                self.call_one();
            }
        }
    }

    fn call_one(&mut self) {
        if let Some((number, bell)) = self.free.pop_first() {
            bell.notify_one();
            self.expected = Some(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use auth_testkit::waiting::until;
    use futures_util::FutureExt;
    use tokio::task::JoinHandle;

    use super::*;

    /// What there is to take at once.
    fn take(queue: &Queue<u32>, place: &Place) -> Option<Vec<u32>> {
        // Odd ones are not wanted.
        let taking = queue.take(place, 3, |question| question % 2 == 0);
        taking.now_or_never().map(|(taken, _errand)| taken)
    }

    /// Waits until a worker has nothing to do.
    async fn until_free(queue: &Queue<u32>, number: usize) {
        until("a worker that is free", || is_free(queue, number)).await;
    }

    /// Whether a worker has nothing to do, and nobody has called it.
    fn is_free(queue: &Queue<u32>, number: usize) -> bool {
        queue.waiting().free.contains_key(&number)
    }

    #[test]
    fn what_waits_together_is_taken_together_and_what_nobody_wants_is_left_out() {
        let (queue, place) = (Queue::new(), Place::new(0));
        for question in [2, 1, 4, 3, 6, 8, 5] {
            queue.add(question);
        }
        assert_eq!(take(&queue, &place), Some(vec![2, 4, 6]));
        assert_eq!(take(&queue, &place), Some(vec![8]));
        assert_eq!(take(&queue, &place), None);
    }

    /// A worker that takes questions once, two at most, and stays away with them until it is told to come back.
    fn worker(queue: &Arc<Queue<u32>>, number: usize) -> (JoinHandle<Vec<u32>>, Arc<Notify>) {
        let (queue, come_back) = (Arc::clone(queue), Arc::new(Notify::new()));
        let told = Arc::clone(&come_back);
        let working = tokio::spawn(async move {
            let place = Place::new(number);
            let (taken, errand) = queue.take(&place, 2, |_| true).await;
            told.notified().await;
            drop(errand);
            taken
        });
        (working, come_back)
    }

    #[tokio::test]
    async fn the_first_of_those_who_are_free_is_called_and_the_next_when_there_is_more() {
        let queue = Arc::new(Queue::new());
        let ((first, back), (second, back_too)) = (worker(&queue, 0), worker(&queue, 1));
        until_free(&queue, 0).await;
        until_free(&queue, 1).await;
        for question in [2, 4, 6] {
            queue.add(question);
        }
        back_too.notify_one();
        assert_eq!(second.await.unwrap(), [6]);
        back.notify_one();
        assert_eq!(first.await.unwrap(), [2, 4]);
    }

    #[tokio::test]
    async fn who_asks_waits_for_a_worker_that_is_expected_back_and_for_the_next_one_once_it_is_late() {
        let (queue, place) = (Arc::new(Queue::new()), Place::new(0));
        queue.add(2);
        let (taken, errand) = queue.take(&place, 2, |_| true).await;
        assert_eq!(taken, [2]);
        let (second, back) = worker(&queue, 1);
        back.notify_one();
        until_free(&queue, 1).await;
        queue.add(4);
        assert!(is_free(&queue, 1));
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        errand.is_late();
        assert_eq!(second.await.unwrap(), [4]);
        // The one that is late is not waited for by anybody who asks from here on.
        let (third, back) = worker(&queue, 2);
        back.notify_one();
        until_free(&queue, 2).await;
        queue.add(6);
        assert_eq!(third.await.unwrap(), [6]);
    }

    #[tokio::test]
    async fn a_worker_that_never_comes_back_is_not_waited_for() {
        let (queue, place) = (Arc::new(Queue::new()), Place::new(0));
        queue.add(2);
        let (_taken, errand) = queue.take(&place, 2, |_| true).await;
        let (second, back) = worker(&queue, 1);
        back.notify_one();
        until_free(&queue, 1).await;
        queue.add(4);
        drop(errand);
        assert_eq!(second.await.unwrap(), [4]);
    }

    #[tokio::test]
    async fn a_worker_that_was_called_for_what_nobody_wants_any_more_is_called_again() {
        let (queue, place) = (Arc::new(Queue::new()), Place::new(0));
        let taking = {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { queue.take(&place, 3, |question| question % 2 == 0).await.0 })
        };
        until_free(&queue, 0).await;
        queue.add(1);
        // It is called, and finds nothing to take.
        assert!(!is_free(&queue, 0));
        until_free(&queue, 0).await;
        queue.add(2);
        until("what is wanted", || taking.is_finished()).await;
        assert_eq!(taking.await.unwrap(), [2]);
    }

    #[tokio::test]
    async fn one_that_is_about_to_be_free_is_called_before_another() {
        let (queue, first) = (Arc::new(Queue::new()), Place::new(0));
        queue.add(2);
        let (_taken, errand) = queue.take(&first, 3, |_| true).await;
        let (second, _back) = worker(&queue, 1);
        until_free(&queue, 1).await;
        errand.end();
        queue.add(4);
        assert!(is_free(&queue, 1) && !is_free(&queue, 0));
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        assert_eq!(take(&queue, &first), Some(vec![4]));
        second.abort();
    }
}
