//! The store: a pool, and the runtime that its connections live on.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use auth_domain::StoreError;
use diesel_async::{AsyncConnection, AsyncPgConnection, pooled_connection::deadpool::Pool};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use crate::{
    PostgresArchive,
    connections::{Connection, Connector, pool},
    error::Failure,
    migrations::{self, MigrateError},
    options::PostgresUrl,
    tls::InvalidAuthorities,
};

/// How long a caller waits for the answer, the wait for a connection included.
const ANSWERED_WITHIN: Duration = Duration::from_millis(2800);
/// How often a fact is begun that came to nothing because of somebody else's.
const ATTEMPTS: usize = 4;

/// A step of work on a connection.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;
/// Work on a connection, given what the caller handed in.
type Job<A, T> = for<'a> fn(&'a mut AsyncPgConnection, &'a A) -> Work<'a, T>;

/// How many connections there are, and how long a call waits for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolOptions {
    /// Connections at most.
    pub size: usize,
    /// The longest wait for one: then the call fails as [`Unavailable`](StoreError::Unavailable).
    pub wait: Duration,
}

impl Default for PoolOptions {
    /// Ten connections, half a second.
    fn default() -> Self {
        Self { size: 10, wait: Duration::from_millis(500) }
    }
}

/// Everything that is remembered, in one PostgreSQL database. Any number of processes may share it.
///
/// Connections are made when they are needed: while the server is away, calls fail within three seconds, and they
/// succeed again as soon as it is back.
pub struct PostgresStore {
    pool: Pool<AsyncPgConnection>,
    connector: Connector,
    runtime: Handle,
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
        Ok(Self { pool, connector, runtime: Handle::current() })
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
        self.run(input, 1, job).await
    }

    /// Runs a fact in a transaction of its own. One that came to nothing because of somebody else's is begun again.
    pub(crate) async fn write<A, T>(&self, input: A, job: Job<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let in_transaction: Job<(A, Job<A, T>), T> =
            |conn, (input, job)| Box::pin(conn.transaction(async move |conn| job(conn, input).await));
        self.run((input, job), ATTEMPTS, in_transaction).await
    }

    /// Runs several queries, all of which see the database as it is at the first one.
    pub(crate) async fn view<A, T>(&self, input: A, job: Job<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let in_snapshot: Job<(A, Job<A, T>), T> = |conn, (input, job)| {
            let mut snapshot = conn.build_transaction().repeatable_read().read_only();
            Box::pin(async move { snapshot.run(async move |conn| job(conn, input).await).await })
        };
        self.run((input, job), 1, in_snapshot).await
    }

    async fn run<A, T>(&self, input: A, attempts: usize, job: Job<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (pool, input) = (self.pool.clone(), Arc::new(input));
        // On the connections' own runtime: whoever waits for it may go away, the work is done or undone all the same.
        let work = self.runtime.spawn(async move {
            let deadline = Instant::now() + ANSWERED_WITHIN;
            let mut connection = timeout_at(deadline, pool.get())
                .await
                .map_err(|_elapsed| StoreError::unavailable("no connection in time"))?
                .map_err(StoreError::unavailable)?;
            for attempt in 1.. {
                match timeout_at(deadline, job(&mut connection, &input)).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(Failure::Collided(_))) if attempt < attempts => {}
                    Ok(Err(failure)) => return Err(StoreError::from(failure)),
                    Err(_elapsed) => {
                        // Nobody knows what it is still waiting for.
                        drop(Connection::take(connection));
                        return Err(StoreError::unavailable("the database did not answer in time"));
                    }
                }
            }
            unreachable!("the last attempt returns")
        });
        work.await.map_err(StoreError::unavailable)?
    }
}
