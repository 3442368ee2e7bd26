//! Who waits for an answer, and who is free to fetch some.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Questions that wait, in their order, and the workers that wait for questions.
///
/// Of the workers that are free, always the first one is called: as long as one of them keeps up, the others' connections are
/// not needed.
pub(crate) struct Queue<T>(Mutex<Waiting<T>>);

struct Waiting<T> {
    questions: VecDeque<T>,
    free: BTreeMap<usize, Arc<Notify>>,
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

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Waiting { questions: VecDeque::new(), free: BTreeMap::new() }))
    }

    pub(crate) fn add(&self, question: T) {
        let mut waiting = self.waiting();
        waiting.questions.push_back(question);
        waiting.call_one();
    }

    /// Takes the questions that wait, `limit` at most and one at least, those that are not `wanted` any more left out.
    pub(crate) async fn take(&self, place: &Place, limit: usize, wanted: fn(&T) -> bool) -> Vec<T> {
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
                } else {
                    waiting.free.remove(&place.number);
                    // What is left over is somebody else's.
                    if !waiting.questions.is_empty() {
                        waiting.call_one();
                    }
                    return taken;
                }
            }
            place.bell.notified().await;
        }
    }

    /// Says that the worker at `place` is about to take more questions: before it answers those that it has, so that whoever asks again at
    /// once finds it free.
    pub(crate) fn is_free(&self, place: &Place) {
        let mut waiting = self.waiting();
        waiting.free.insert(place.number, Arc::clone(&place.bell));
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        // Nothing that is done with it in hand leaves it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    fn call_one(&mut self) {
        if let Some((_number, bell)) = self.free.pop_first() {
            bell.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn take(queue: &Queue<u32>, place: &Place) -> Option<Vec<u32>> {
        // Odd ones are not wanted.
        let taking = queue.take(place, 3, |question| question % 2 == 0);
        timeout(Duration::from_millis(20), taking).await.ok()
    }

    #[tokio::test]
    async fn what_waits_together_is_taken_together_and_what_nobody_wants_is_left_out() {
        let (queue, place) = (Queue::new(), Place::new(0));
        for question in [2, 1, 4, 3, 6, 8, 5] {
            queue.add(question);
        }
        assert_eq!(take(&queue, &place).await, Some(vec![2, 4, 6]));
        assert_eq!(take(&queue, &place).await, Some(vec![8]));
        assert_eq!(take(&queue, &place).await, None);
    }

    #[tokio::test]
    async fn the_first_of_those_who_are_free_is_called_and_the_next_when_there_is_more() {
        let queue = Arc::new(Queue::new());
        let [first, second] = [0, 1].map(|number| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { queue.take(&Place::new(number), 2, |_| true).await })
        });
        tokio::task::yield_now().await;
        queue.add(2);
        assert_eq!(first.await.unwrap(), [2]);
        assert!(!second.is_finished());
        for question in [4, 6, 8] {
            queue.add(question);
        }
        assert_eq!(queue.take(&Place::new(0), 2, |_| true).await.len() + second.await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn one_that_is_about_to_be_free_is_called_before_another() {
        let (queue, first) = (Arc::new(Queue::new()), Place::new(0));
        let second = {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { queue.take(&Place::new(1), 3, |_| true).await })
        };
        tokio::task::yield_now().await;
        queue.is_free(&first);
        queue.add(2);
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        assert_eq!(take(&queue, &first).await, Some(vec![2]));
        second.abort();
    }
}
