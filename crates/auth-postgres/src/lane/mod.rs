//! A lane for look-ups: a few connections that do nothing but find sessions and key pairs.
//!
//! Look-ups that wait together are asked together, with one statement for all of a kind: the more there are, the less each one
//! costs, and no check waits for a connection that somebody's sign-in holds. See `docs/adr/0014-look-ups-have-a-lane.md`.

mod askers;
mod questions;

use std::{pin::pin, sync::Arc, time::Duration};

use auth_domain::{LiveKeyPair, LiveSession, StoreError, Timeouts, TokenDigest};
use diesel_async::{AsyncPgConnection, pooled_connection::PoolableConnection};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::AbortHandle,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    connections::Connector,
    error::Failure,
    queue::{Place, Queue},
    rows::{live_key_pair, live_session},
};
use askers::{Answer, Asker};
use questions::{Batch, Found, Question};

/// More would save little, and make the first of them wait for the last.
const TOGETHER: usize = 64;
/// How long new questions wait for a connection that is under way, rather than being asked on the next one. A full load takes a
/// database close by about a millisecond.
const BACK_WITHIN: Duration = Duration::from_millis(5);
/// There is one good plan: all rows by their indexes. It is made once, and no statistics of a table that was small that day
/// talk the planner out of it.
const ONE_PLAN: &str = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off \
                        -c enable_mergejoin=off -c jit=off";

/// A lane. Its connections are made when they are needed, and end with it.
pub(crate) struct Lane {
    queue: Arc<Queue<Question>>,
    workers: Vec<AbortHandle>,
    timeouts: Timeouts,
}

impl Lane {
    /// A lane of so many connections, driven by `runtime`.
    pub(crate) fn start(runtime: &Handle, connector: &Connector, connections: usize) -> Self {
        let queue = Arc::new(Queue::new());
        let start = |number| {
            let worker = Worker { connector: connector.clone(), connection: None };
            runtime.spawn(worker.run(Arc::clone(&queue), Place::new(number))).abort_handle()
        };
        let workers = (0..connections).map(start).collect();
        Self { queue, workers, timeouts: connector.timeouts() }
    }

    /// The session with this digest, and its user.
    pub(crate) async fn find_session(&self, digest: TokenDigest) -> Result<Option<LiveSession>, StoreError> {
        let found = self.ask(digest, Question::Session).await?;
        // Whoever asked for a row that does not make sense is told so, and nobody else.
        Ok(found.map(live_session).transpose()?.flatten())
    }

    /// The key pair with this digest, and its user.
    pub(crate) async fn find_key_pair(&self, digest: TokenDigest) -> Result<Option<LiveKeyPair>, StoreError> {
        self.ask(digest, Question::KeyPair).await?.map(live_key_pair).transpose()
    }

    async fn ask<R>(&self, digest: TokenDigest, question: fn(Asker<R>) -> Question) -> Answer<R> {
        let (answer, answered) = oneshot::channel();
        self.queue.add(question(Asker { digest, answer }));
        match timeout(self.timeouts.call(), answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_gone)) => Err(StoreError::unavailable("the runtime of the connections has ended")),
            Err(_elapsed) => Err(StoreError::unavailable("the database did not answer in time")),
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.workers.iter().for_each(AbortHandle::abort);
    }
}

/// Who fetches the answers, on a connection of its own.
struct Worker {
    connector: Connector,
    /// And when it was made.
    connection: Option<(AsyncPgConnection, Instant)>,
}

impl Worker {
    async fn run(mut self, queue: Arc<Queue<Question>>, place: Place) {
        loop {
            let (questions, errand) = queue.take(&place, TOGETHER, Question::is_wanted).await;
            let batch = Batch::of(questions);
            let found = {
                let mut found = pin!(self.look_up(&batch));
                match timeout(BACK_WITHIN, found.as_mut()).await {
                    Ok(found) => found,
                    Err(_elapsed) => {
                        errand.is_late();
                        found.await
                    }
                }
            };
            errand.end();
            match found {
                Ok(found) => batch.answer(found),
                Err(error) => batch.fail(&error),
            }
        }
    }

    async fn look_up(&mut self, batch: &Batch) -> Result<Found, StoreError> {
        let deadline = Instant::now() + self.connector.timeouts().look_up();
        let found = timeout_at(deadline, self.look_up_on_some_connection(batch)).await;
        found.unwrap_or_else(|_elapsed| {
            // Nobody knows what it is still waiting for.
            self.connection = None;
            Err(StoreError::unavailable("the database did not answer in time"))
        })
    }

    async fn look_up_on_some_connection(&mut self, batch: &Batch) -> Result<Found, StoreError> {
        if let Some((connection, made)) = &mut self.connection
            && self.connector.losses().spared(made.into_std())
        {
            match batch.look_up(connection).await {
                // Cut while nobody used it, as by a restart of the server: nothing that a check should hear of.
                Err(_cut) if connection.is_broken() => {}
                answered => return Ok(answered.map_err(Failure::from)?),
            }
        }
        self.connection = None;
        let statement = self.connector.timeouts().statement();
        let connecting = self.connector.connect_planning_by(ONE_PLAN, Some(statement));
        let connection = connecting.await.map_err(StoreError::unavailable)?;
        let (connection, _made) = self.connection.insert((connection, Instant::now()));
        Ok(batch.look_up(connection).await.map_err(Failure::from)?)
    }
}
