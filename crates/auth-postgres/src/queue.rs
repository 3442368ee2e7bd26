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
    ///
    /// To be asked by one worker at a time under one `number`.
    pub(crate) async fn take(&self, number: usize, limit: usize, wanted: fn(&T) -> bool) -> Vec<T> {
        let bell = Arc::new(Notify::new());
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
                if !taken.is_empty() {
                    // What is left over is somebody else's.
                    if !waiting.questions.is_empty() {
                        waiting.call_one();
                    }
                    return taken;
                }
                waiting.free.insert(number, Arc::clone(&bell));
            }
            bell.notified().await;
        }
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

    async fn take(queue: &Queue<u32>, number: usize) -> Option<Vec<u32>> {
        // Odd ones are not wanted.
        let taking = queue.take(number, 3, |question| question % 2 == 0);
        timeout(Duration::from_millis(20), taking).await.ok()
    }

    #[tokio::test]
    async fn what_waits_together_is_taken_together_and_what_nobody_wants_is_left_out() {
        let queue = Queue::new();
        for question in [2, 1, 4, 3, 6, 8, 5] {
            queue.add(question);
        }
        assert_eq!(take(&queue, 0).await, Some(vec![2, 4, 6]));
        assert_eq!(take(&queue, 0).await, Some(vec![8]));
        assert_eq!(take(&queue, 0).await, None);
    }

    #[tokio::test]
    async fn the_first_of_those_who_are_free_is_called_and_the_next_when_there_is_more() {
        let queue = Arc::new(Queue::new());
        let workers = [0, 1].map(|number| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { queue.take(number, 2, |_| true).await })
        });
        tokio::task::yield_now().await;
        let [first, second] = workers;
        queue.add(1);
        assert_eq!(first.await.unwrap(), [1]);
        assert!(!second.is_finished());
        for question in [2, 3, 4] {
            queue.add(question);
        }
        assert_eq!(queue.take(0, 2, |_| true).await.len() + second.await.unwrap().len(), 3);
    }
}
