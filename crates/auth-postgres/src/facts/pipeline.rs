//! Statements that are sent one after the other without waiting for answers in between.
//!
//! Diesel sends a statement when its future is polled first, and one that has to be prepared holds up those behind it: so
//! statements arrive in the order in which their futures are polled first.

use std::{
    future::poll_fn,
    sync::{Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use diesel::QueryResult;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

/// A statement on its way.
pub(super) type Sent<'a> = BoxFuture<'a, QueryResult<usize>>;

/// When a connection has answered last.
pub(crate) struct Progress(Mutex<Instant>);

impl Progress {
    /// It has just been taken.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// How long it has been silent.
    pub(crate) fn silence(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn answered(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// Sends all of these in their order, waits for all answers, and returns the first failure. Behind one that cannot be sent, none is.
pub(super) async fn in_order(mut statements: Vec<Sent<'_>>, progress: &Progress) -> QueryResult<()> {
    let mut answers: Vec<Option<QueryResult<usize>>> = statements.iter().map(|_| None).collect();
    let mut all_are_sent = false;
    poll_fn(move |context| {
        let mut is_complete = true;
        for (statement, answer) in statements.iter_mut().zip(&mut answers) {
            if answer.is_some() {
                continue;
            }
            match statement.as_mut().poll(context) {
                Poll::Ready(Err(error)) if !all_are_sent => return Poll::Ready(Err(error)),
                Poll::Ready(answered) => {
                    progress.answered();
                    *answer = Some(answered);
                }
                Poll::Pending => is_complete = false,
            }
        }
        all_are_sent = true;
        // What follows a failure fails because of it.
        let mut failed = || answers.iter_mut().filter_map(Option::take).find_map(QueryResult::err);
        if is_complete { Poll::Ready(failed().map_or(Ok(()), Err)) } else { Poll::Pending }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use diesel::result::Error;
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn behind_a_statement_that_cannot_be_sent_none_is() {
        let executed = AtomicUsize::new(0);
        let counter = &executed;
        let send = |works: bool| {
            async move { if works { Ok(counter.fetch_add(1, Ordering::Relaxed)) } else { Err(Error::NotFound) } }
                .boxed()
        };
        assert_eq!(in_order(vec![send(true), send(false), send(true)], &Progress::new()).await, Err(Error::NotFound));
        assert_eq!(executed.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn the_first_failure_is_what_all_come_to_once_all_are_answered() {
        let later = |answer: QueryResult<usize>| {
            async move {
                tokio::task::yield_now().await;
                answer
            }
            .boxed()
        };
        let statements = vec![later(Ok(1)), later(Err(Error::RollbackTransaction)), later(Err(Error::NotFound))];
        assert_eq!(in_order(statements, &Progress::new()).await, Err(Error::RollbackTransaction));
        assert_eq!(in_order(vec![later(Ok(1)), later(Ok(2))], &Progress::new()).await, Ok(()));
    }
}
