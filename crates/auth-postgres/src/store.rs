//! The store: a pool, and the runtime that its connections live on.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use auth_domain::{Fact, FactKey, KeyedLock, Network, NoMemory, Revocations, StoreError, Timeouts};
use diesel_async::{AsyncConnection, AsyncPgConnection, pooled_connection::deadpool::Pool};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};
use tracing::{Instrument, Span, debug_span};

use crate::{
    PostgresArchive,
    connections::{Connection, Connector, pool},
    error::Failure,
    facts::{Attempts, Progress},
    lag::RevocationLag,
    lane::Lane,
    listening::Listener,
    losses::Losses,
    migrations::{self, MigrateError},
    options::PostgresUrl,
    tls::InvalidAuthorities,
};

/// How often a fact is begun that came to nothing because of somebody else's.
const ATTEMPTS: usize = 4;

/// A step of work on a connection.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;
/// Work on a connection, given what the caller handed in.
type Job<A, T> = for<'a> fn(&'a mut AsyncPgConnection, &'a A) -> Work<'a, T>;
/// What a job is given that runs another one.
type Wrapped<A, T> = (A, Job<A, T>);

/// How many connections there are, and how long a call waits for one and for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolOptions {
    /// Connections at most.
    pub size: usize,
    /// The longest wait for one: then the call fails as [`Unavailable`](StoreError::Unavailable).
    pub wait: Duration,
    /// Connections besides, on which nothing but checks is asked: as many as the database's processors can keep busy.
    pub for_checks: usize,
    /// The longest that a call may take, the wait for a connection included: then it fails as
    /// [`Unavailable`](StoreError::Unavailable). Its statements, and the locks that they wait for, get nine tenths of it.
    pub timeout: Duration,
}

impl Default for PoolOptions {
    /// Ten connections, half a second, two for checks, 2.8 seconds.
    fn default() -> Self {
        Self { size: 10, wait: Duration::from_millis(500), for_checks: 2, timeout: Timeouts::USUAL_CALL }
    }
}

/// Everything that is remembered, in one PostgreSQL database. Any number of processes may share it.
///
/// Connections are made when they are needed: while the server is away, calls fail in time, and they
/// succeed again as soon as it is back.
///
/// Whoever remembers what a check has found names a [`Revocations`] to be [told](Self::telling).
pub struct PostgresStore {
    pool: Pool<AsyncPgConnection>,
    pub(crate) connector: Connector,
    pub(crate) runtime: Handle,
    /// What checks are asked on.
    pub(crate) checks: Lane,
    memory: Arc<dyn Revocations>,
    listener: Option<Listener>,
    /// Held by whoever works on what a caller has chosen, before a connection is.
    turns: KeyedLock<FactKey>,
}

/// How much of the pool is in use at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections that there are, in use or not.
    pub size: usize,
    /// Those that nobody uses.
    pub available: usize,
    /// Calls that wait for one.
    pub waiting: usize,
}

impl PostgresStore {
    /// A store on the database at `url`. Nothing is connected to yet, and nothing migrated.
    ///
    /// Its connections, and every call's work, run on the runtime that this is called on, which must outlive the store:
    /// a request that is given up, or a worker's runtime that ends, leaves no transaction open and no fact half done.
    ///
    /// # Errors
    /// [`InvalidAuthorities`] when the certificates to trust cannot be read.
    pub fn new(url: PostgresUrl, options: PoolOptions) -> Result<Self, InvalidAuthorities> {
        let connector = Connector::new(url, Timeouts::of_a_call(options.timeout))?;
        let pool = pool(connector.clone(), options.size, options.wait)
            .unwrap_or_else(|_| unreachable!("a pool with a runtime and time limits can be built"));
        let runtime = Handle::current();
        // One at least: without it, checks would wait for nobody.
        let checks = Lane::start(&runtime, &connector, options.for_checks.max(1));
        Ok(Self {
            pool,
            connector,
            runtime,
            checks,
            memory: Arc::new(NoMemory),
            listener: None,
            turns: KeyedLock::default(),
        })
    }

    /// The same, telling `memory` of everything that any process on this database revokes or changes: what this store does
    /// before whoever did it is answered, what others do as soon as it is heard, on a connection of its own.
    ///
    /// It is heard within milliseconds. When the connection is lost, `memory` is told nothing, not even that there is
    /// nothing to tell, until there is a new one; then it is told to forget everything.
    #[must_use]
    pub fn telling(self, memory: Arc<dyn Revocations>) -> Self {
        let listener = Listener::start(&self.runtime, self.connector.clone(), Arc::clone(&memory));
        Self { memory, listener: Some(listener), ..self }
    }

    /// How long it takes until this process hears what another one has revoked; `None` if it does not listen.
    pub fn revocation_lag(&self) -> Option<RevocationLag> {
        self.listener.as_ref().map(Listener::lag)
    }

    /// How much of the pool is in use.
    pub fn pool_use(&self) -> PoolUse {
        let status = self.pool.status();
        PoolUse { size: status.size, available: status.available, waiting: status.waiting }
    }

    /// Brings the database up to date. Returns the names of the migrations that were applied now, oldest first.
    ///
    /// Processes that start together do this one after the other.
    pub async fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        let connector = self.connector.clone();
        let migrating = self.runtime.spawn(async move { migrations::apply(&connector).await });
        migrating.await.unwrap_or_else(|interrupted| Err(MigrateError::Interrupted(interrupted.to_string())))
    }

    /// Begins to write everything that another kind of store keeps, into a database that is up to date.
    pub async fn begin_archive(&self) -> Result<PostgresArchive, StoreError> {
        let connector = self.connector.clone();
        let beginning = self.runtime.spawn(async move { PostgresArchive::begin(&connector).await });
        beginning.await.map_err(StoreError::unavailable)?
    }

    /// Runs one query, which needs no transaction.
    pub(crate) async fn read<A, T>(&self, input: A, job: Job<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.run(input, 1, job).instrument(part(|| debug_span!("store.read"))).await
    }

    /// Writes in a transaction. One that came to nothing because of somebody else's is begun again.
    pub(crate) async fn write<A, T>(&self, input: A, job: Job<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (input, job) = in_transaction(input, job);
        self.write_at_once(input, job).await
    }

    /// The same for statements of which each is a transaction by itself.
    pub(crate) async fn write_at_once<A, T>(&self, input: A, job: Job<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.run(input, ATTEMPTS, job).instrument(part(|| debug_span!("store.write"))).await
    }

    /// Carries out a fact that the domain decides, whether or not anybody waits for it.
    pub(crate) async fn carry_out(&self, fact: Arc<dyn Fact>) -> Result<(), StoreError> {
        let (ways, memory) = (self.ways(), Arc::clone(&self.memory));
        let work = self.runtime.spawn(async move {
            let turn = fact.turn().cloned().map(|key| (key, fact.asker()));
            let attempts = Attempts::new(fact);
            let outcome = ways
                .carry_out(turn, &attempts, ATTEMPTS, attempts.progress(), |conn, attempts| {
                    Box::pin(attempts.make(conn))
                })
                .await;
            // Before anybody is answered. Of one that failed nobody knows whether it took effect all the same.
            for user in attempts.into_revoked() {
                memory.forget_user(user);
            }
            outcome
        });
        work.instrument(part(|| debug_span!("store.fact"))).await.map_err(StoreError::unavailable)?
    }

    /// Runs several queries, all of which see the database as it is at the first one.
    pub(crate) async fn view<A, T>(&self, input: A, job: Job<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let in_snapshot: Job<Wrapped<A, T>, T> = |conn, (input, job)| {
            let mut snapshot = conn.build_transaction().repeatable_read().read_only();
            Box::pin(async move { snapshot.run(async move |conn| job(conn, input).await).await })
        };
        self.run((input, job), 1, in_snapshot).instrument(part(|| debug_span!("store.read"))).await
    }

    async fn run<A, T>(&self, input: A, attempts: usize, job: Job<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let ways = self.ways();
        // On the connections' own runtime: whoever waits for it may go away, the work is done or undone all the same.
        let work =
            self.runtime.spawn(async move { ways.carry_out(None, &input, attempts, &Progress::new(), job).await });
        work.await.map_err(StoreError::unavailable)?
    }

    fn ways(&self) -> Ways {
        let connector = &self.connector;
        Ways {
            turns: self.turns.clone(),
            pool: self.pool.clone(),
            losses: connector.losses().clone(),
            timeouts: connector.timeouts(),
        }
    }
}

/// What a call goes through on its way to the database.
struct Ways {
    turns: KeyedLock<FactKey>,
    pool: Pool<AsyncPgConnection>,
    losses: Losses,
    timeouts: Timeouts,
}

/// A span for work on the store, as a part of whatever it is done for. What the jobs ask for all the time is part of nothing
/// and gets none.
fn part(make: fn() -> Span) -> Span {
    if Span::current().is_disabled() { Span::none() } else { make() }
}

/// A job, and what it is given, that runs another one in a transaction.
fn in_transaction<A, T>(input: A, job: Job<A, T>) -> (Wrapped<A, T>, Job<Wrapped<A, T>, T>)
where
    A: Send + Sync + 'static,
    T: Send + 'static,
{
    ((input, job), |conn, (input, job)| Box::pin(conn.transaction(async move |conn| job(conn, input).await)))
}

impl Ways {
    async fn carry_out<A, T>(
        &self,
        turn: Option<(FactKey, Option<Network>)>,
        input: &A,
        attempts: usize,
        progress: &Progress,
        job: Job<A, T>,
    ) -> Result<T, StoreError> {
        let asked = Instant::now();
        let (deadline, turn_until) = (asked + self.timeouts.call(), asked + self.timeouts.turn());
        let _turn = match turn {
            Some((key, network)) => {
                let turn = self.turns.lock(key, network);
                Some(in_time(turn_until, turn, "no turn in time: others ask for the same").await?)
            }
            None => None,
        };
        let mut connection = Taken(Some(in_time(deadline, self.pool.get(), "no connection in time").await?));
        let begun = Instant::now();
        for attempt in 1.. {
            let Taken(Some(open)) = &mut connection else { break };
            match timeout_at(deadline, job(open, input)).await {
                Ok(Ok(answer)) => {
                    connection.give_back();
                    return Ok(answer);
                }
                Ok(Err(Failure::Collided(_))) if attempt < attempts => {}
                Ok(Err(failure)) => {
                    connection.give_back();
                    return Err(failure.into());
                }
                Err(_elapsed) => {
                    // Nobody knows what it is still waiting for. A server that can be heard would have given up on one statement by
                    // then.
                    drop(connection);
                    if begun.elapsed().min(progress.silence()) > self.timeouts.statement() {
                        self.losses.found();
                    }
                    return Err(StoreError::unavailable("the database did not answer in time"));
                }
            }
        }
        unreachable!("the last attempt returns")
    }
}

/// A connection that goes back to the pool if its job has ended, and is closed otherwise: a job that was given up, or has panicked,
/// may have left it inside a transaction.
struct Taken(Option<Connection>);

impl Taken {
    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Connection::take(connection));
        }
    }
}

/// What is waited for before anything is begun.
async fn in_time<T, E>(
    deadline: Instant,
    waited_for: impl Future<Output = Result<T, E>>,
    late: &'static str,
) -> Result<T, StoreError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    match timeout_at(deadline, waited_for).await {
        Ok(Ok(got)) => Ok(got),
        Ok(Err(error)) => Err(StoreError::unavailable(error)),
        Err(_elapsed) => Err(StoreError::unavailable(late)),
    }
}
