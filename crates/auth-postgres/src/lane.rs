//! The lane of the checks: a few connections that do nothing but look up sessions and key pairs.
//!
//! Look-ups that wait together are asked together, with one statement for all of them: the more there are, the less each one
//! costs, and no check waits for a connection that somebody's sign-in holds. See `docs/adr/0014-checks-have-a-lane.md`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use auth_domain::{LiveKeyPair, LiveSession, StoreError, TokenDigest};
use diesel::{ExpressionMethods, QueryDsl, QueryResult, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection, pooled_connection::PoolableConnection};
use futures_util::future::try_join;
use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::AbortHandle,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    connections::{Connector, STATEMENT_WITHIN},
    error::Failure,
    queue::{Place, Queue},
    rows::{KeyPairRow, SessionRow, UserRow, live_key_pair, live_session},
    schema::{key_pairs, sessions, users},
    store::ANSWERED_WITHIN,
};

/// More would save little, and make the first of them wait for the last.
const TOGETHER: usize = 64;
/// What asking may take, connecting included. Less than what a check may: one that finds a dead connection is not the last
/// one to do so, and the next one should be answered within two seconds of the database's return.
const ASKED_WITHIN: Duration = Duration::from_millis(1500);
/// There is one good plan: both rows by their indexes. It is made once, and no statistics of a table that was small that day
/// talk the planner out of it.
const ONE_PLAN: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
                        SET enable_mergejoin = off";

type Answer<R> = Result<Option<R>, StoreError>;
type FoundSession = (SessionRow, UserRow);
type FoundKeyPair = (KeyPairRow, UserRow);

/// Somebody who waits for what there is with this digest.
struct Asker<R> {
    digest: TokenDigest,
    answer: oneshot::Sender<Answer<R>>,
}

enum Question {
    Session(Asker<FoundSession>),
    KeyPair(Asker<FoundKeyPair>),
}

impl Question {
    fn is_wanted(&self) -> bool {
        match self {
            Self::Session(asker) => !asker.answer.is_closed(),
            Self::KeyPair(asker) => !asker.answer.is_closed(),
        }
    }
}

/// The lane. Its connections are made when they are needed, and end with it.
pub(crate) struct Lane {
    queue: Arc<Queue<Question>>,
    workers: Vec<AbortHandle>,
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
        Self { queue, workers }
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
        match timeout(ANSWERED_WITHIN, answered).await {
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
            let (mut sessions, mut key_pairs) = (Askers::default(), Askers::default());
            for question in queue.take(&place, TOGETHER, Question::is_wanted).await {
                match question {
                    Question::Session(asker) => sessions.add(asker),
                    Question::KeyPair(asker) => key_pairs.add(asker),
                }
            }
            let found = self.look_up(&sessions.digests(), &key_pairs.digests()).await;
            queue.is_free(&place);
            match found {
                Ok((of_sessions, of_key_pairs)) => {
                    sessions.answer(of_sessions.into_iter().map(|(digest, session, user)| (digest, (session, user))));
                    key_pairs.answer(of_key_pairs.into_iter().map(|(digest, pair, user)| (digest, (pair, user))));
                }
                Err(error) => {
                    sessions.fail(&error);
                    key_pairs.fail(&error);
                }
            }
        }
    }

    async fn look_up(&mut self, sessions: &[&[u8]], key_pairs: &[&[u8]]) -> Result<Found, StoreError> {
        let deadline = Instant::now() + ASKED_WITHIN;
        let found = timeout_at(deadline, self.look_up_on_some_connection(sessions, key_pairs)).await;
        found.unwrap_or_else(|_elapsed| {
            // Nobody knows what it is still waiting for.
            self.connection = None;
            Err(StoreError::unavailable("the database did not answer in time"))
        })
    }

    async fn look_up_on_some_connection(
        &mut self,
        sessions: &[&[u8]],
        key_pairs: &[&[u8]],
    ) -> Result<Found, StoreError> {
        if let Some((connection, made)) = &mut self.connection
            && self.connector.losses().spared(made.into_std())
        {
            match look_up(connection, sessions, key_pairs).await {
                // Cut while nobody used it, as by a restart of the server: nothing that a check should hear of.
                Err(_cut) if connection.is_broken() => {}
                answered => return Ok(answered.map_err(Failure::from)?),
            }
        }
        self.connection = None;
        let mut connection = self.connector.connect(Some(STATEMENT_WITHIN)).await.map_err(StoreError::unavailable)?;
        connection.batch_execute(ONE_PLAN).await.map_err(Failure::from)?;
        let (connection, _made) = self.connection.insert((connection, Instant::now()));
        Ok(look_up(connection, sessions, key_pairs).await.map_err(Failure::from)?)
    }
}

type Found = (Vec<(Vec<u8>, SessionRow, UserRow)>, Vec<(Vec<u8>, KeyPairRow, UserRow)>);

/// What every check asks: a statement that is prepared once for each connection, in one round trip.
async fn look_up(conn: &AsyncPgConnection, sessions: &[&[u8]], key_pairs: &[&[u8]]) -> QueryResult<Found> {
    // Both kinds are on their way at the same time, if both are asked for.
    try_join(find_sessions(conn, sessions), find_key_pairs(conn, key_pairs)).await
}

async fn find_sessions(
    mut conn: &AsyncPgConnection,
    digests: &[&[u8]],
) -> QueryResult<Vec<(Vec<u8>, SessionRow, UserRow)>> {
    if digests.is_empty() {
        return Ok(Vec::new());
    }
    sessions::table
        .inner_join(users::table)
        .filter(sessions::digest.eq_any(digests))
        .select((sessions::digest, SessionRow::as_select(), UserRow::as_select()))
        .load(&mut conn)
        .await
}

async fn find_key_pairs(
    mut conn: &AsyncPgConnection,
    digests: &[&[u8]],
) -> QueryResult<Vec<(Vec<u8>, KeyPairRow, UserRow)>> {
    if digests.is_empty() {
        return Ok(Vec::new());
    }
    key_pairs::table
        .inner_join(users::table)
        .filter(key_pairs::digest.eq_any(digests))
        .select((key_pairs::digest, KeyPairRow::as_select(), UserRow::as_select()))
        .load(&mut conn)
        .await
}

/// Those who are answered together. Several may ask for the same.
struct Askers<R>(HashMap<TokenDigest, Vec<oneshot::Sender<Answer<R>>>>);

impl<R> Default for Askers<R> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<R: Clone> Askers<R> {
    fn add(&mut self, Asker { digest, answer }: Asker<R>) {
        self.0.entry(digest).or_default().push(answer);
    }

    fn digests(&self) -> Vec<&[u8]> {
        self.0.keys().map(|digest| digest.as_bytes().as_slice()).collect()
    }

    /// Answers everybody: with what was found under their digest, else with nothing.
    fn answer(mut self, found: impl Iterator<Item = (Vec<u8>, R)>) {
        for (digest, row) in found {
            let digest = <[u8; 32]>::try_from(digest).map(TokenDigest::from_stored);
            // What nobody asked for does not come.
            let askers = digest.ok().and_then(|digest| self.0.remove(&digest)).unwrap_or_default();
            for asker in askers {
                let _gone_away = asker.send(Ok(Some(row.clone())));
            }
        }
        for asker in self.0.into_values().flatten() {
            let _gone_away = asker.send(Ok(None));
        }
    }

    fn fail(self, error: &StoreError) {
        for asker in self.0.into_values().flatten() {
            let _gone_away = asker.send(Err(error.clone()));
        }
    }
}
