//! The store: a pool, and the runtime that its connections live on.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use auth_domain::{FactKey, KeyedLock, NoMemory, Revocations, StoreError, UserId};
use diesel_async::{AsyncConnection, AsyncPgConnection, pooled_connection::deadpool::Pool};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};
use tracing::{Instrument, Span, debug_span};

use crate::{
    PostgresArchive,
    connections::{Connection, Connector, STATEMENT_WITHIN, pool},
    error::Failure,
    lag::RevocationLag,
    lane::Lane,
    listening::Listener,
    losses::Losses,
    migrations::{self, MigrateError},
    options::PostgresUrl,
    revocations::{self, Revoked},
    tls::InvalidAuthorities,
};

/// How long a caller waits for their turn: what is begun afterwards has time to end.
const TURN_WITHIN: Duration = Duration::from_secs(1);
/// How long a caller waits for the answer, the wait for a connection included.
pub(crate) const ANSWERED_WITHIN: Duration = Duration::from_millis(2800);
const _: () = assert!(STATEMENT_WITHIN.as_millis() < ANSWERED_WITHIN.as_millis());
/// How often a fact is begun that came to nothing because of somebody else's.
const ATTEMPTS: usize = 4;

/// A step of work on a connection.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;
/// Work on a connection, given what the caller handed in.
type Job<A, T> = for<'a> fn(&'a mut AsyncPgConnection, &'a A) -> Work<'a, T>;
/// What a job is given that runs another one.
type Wrapped<A, T> = (A, Job<A, T>);

/// How many connections there are, and how long a call waits for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolOptions {
    /// Connections at most.
    pub size: usize,
    /// The longest wait for one: then the call fails as [`Unavailable`](StoreError::Unavailable).
    pub wait: Duration,
    /// Connections besides, on which nothing but checks is asked: as many as the database's processors can keep busy.
    pub for_checks: usize,
}

impl Default for PoolOptions {
    /// Ten connections, half a second, two for checks.
    fn default() -> Self {
        Self { size: 10, wait: Duration::from_millis(500), for_checks: 2 }
    }
}

/// Everything that is remembered, in one PostgreSQL database. Any number of processes may share it.
///
/// Connections are made when they are needed: while the server is away, calls fail within three seconds, and they
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

/// Why a call came to nothing, as far as it matters to those who remember.
pub(crate) enum Undone {
    /// Nothing of it was begun.
    NotBegun(StoreError),
    /// It failed on the way: perhaps it took effect, and only nobody said so.
    Failed(StoreError),
}

impl From<Undone> for StoreError {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::NotBegun(error) | Undone::Failed(error) => error,
        }
    }
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
        let connector = Connector::new(url)?;
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
        self.run(None, input, 1, job).instrument(part(|| debug_span!("store.read"))).await
    }

    /// Runs a fact in a transaction of its own. One that came to nothing because of somebody else's is begun again.
    ///
    /// Of those with one `key`, one at a time has a connection, and the others wait without.
    pub(crate) async fn write<A, T>(&self, key: Option<FactKey>, input: A, job: Job<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (input, job) = in_transaction(input, job);
        self.write_at_once(key, input, job).await
    }

    /// The same for a fact that ends or changes something of a user's, `expected`'s if that is known beforehand. It
    /// [announces](revocations::announce) it; here this process is told, whether or not anybody still waits for the answer.
    pub(crate) async fn revoke<A, T>(
        &self,
        key: Option<FactKey>,
        input: A,
        expected: Option<UserId>,
        job: Job<A, Revoked<T>>,
    ) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (input, job) = in_transaction(input, job);
        self.revoke_at_once(key, input, expected, job).await
    }

    /// Runs a fact that is one statement: that is a transaction by itself, and one round trip.
    pub(crate) async fn write_at_once<A, T>(
        &self,
        key: Option<FactKey>,
        input: A,
        job: Job<A, T>,
    ) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.run(key, input, ATTEMPTS, job).instrument(part(|| debug_span!("store.write"))).await
    }

    /// The same for a fact that ends or changes something of a user's.
    pub(crate) async fn revoke_at_once<A, T>(
        &self,
        key: Option<FactKey>,
        input: A,
        expected: Option<UserId>,
        job: Job<A, Revoked<T>>,
    ) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (ways, memory) = (self.ways(), Arc::clone(&self.memory));
        let work = self.runtime.spawn(async move {
            let outcome = ways.carry_out(key, input, ATTEMPTS, job).await;
            revocations::tell(&*memory, expected, &outcome);
            Ok(outcome?.answer)
        });
        work.instrument(part(|| debug_span!("store.revoke"))).await.map_err(StoreError::unavailable)?
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
        self.run(None, (input, job), 1, in_snapshot).instrument(part(|| debug_span!("store.read"))).await
    }

    async fn run<A, T>(&self, key: Option<FactKey>, input: A, attempts: usize, job: Job<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let ways = self.ways();
        // On the connections' own runtime: whoever waits for it may go away, the work is done or undone all the same.
        let work = self.runtime.spawn(async move { ways.carry_out(key, input, attempts, job).await });
        Ok(work.await.map_err(StoreError::unavailable)??)
    }

    fn ways(&self) -> Ways {
        Ways { turns: self.turns.clone(), pool: self.pool.clone(), losses: self.connector.losses().clone() }
    }
}

/// What a call goes through on its way to the database.
struct Ways {
    turns: KeyedLock<FactKey>,
    pool: Pool<AsyncPgConnection>,
    losses: Losses,
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
        key: Option<FactKey>,
        input: A,
        attempts: usize,
        job: Job<A, T>,
    ) -> Result<T, Undone> {
        let deadline = Instant::now() + ANSWERED_WITHIN;
        let _turn = match key {
            Some(key) => Some(
                in_time(Instant::now() + TURN_WITHIN, self.turns.lock(key), "no turn in time: others ask for the same")
                    .await?,
            ),
            None => None,
        };
        let mut connection = in_time(deadline, self.pool.get(), "no connection in time").await?;
        let begun = Instant::now();
        for attempt in 1.. {
            match timeout_at(deadline, job(&mut connection, &input)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(Failure::Collided(_))) if attempt < attempts => {}
                Ok(Err(failure)) => return Err(Undone::Failed(failure.into())),
                Err(_elapsed) => {
                    // Nobody knows what it is still waiting for. A server that can be heard would have given up on it by then.
                    drop(Connection::take(connection));
                    if begun.elapsed() > STATEMENT_WITHIN {
                        self.losses.found();
                    }
                    return Err(Undone::Failed(StoreError::unavailable("the database did not answer in time")));
                }
            }
        }
        unreachable!("the last attempt returns")
    }
}

/// What is waited for before anything is begun.
async fn in_time<T, E>(
    deadline: Instant,
    waited_for: impl Future<Output = Result<T, E>>,
    late: &'static str,
) -> Result<T, Undone>
where
    E: std::error::Error + Send + Sync + 'static,
{
    match timeout_at(deadline, waited_for).await {
        Ok(Ok(got)) => Ok(got),
        Ok(Err(error)) => Err(Undone::NotBegun(StoreError::unavailable(error))),
        Err(_elapsed) => Err(Undone::NotBegun(StoreError::unavailable(late))),
    }
}
