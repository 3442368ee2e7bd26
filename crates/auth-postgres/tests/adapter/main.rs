//! What is particular to PostgreSQL: connections, encryption, migrations, damaged rows, collisions, what two replicas make of
//! one account and of one limit, and what they tell each other.
#![expect(clippy::unwrap_used, reason = "a test that meets something it did not expect panics")]

mod administration;
mod archive;
mod audit;
mod checks;
mod concurrency;
mod connections;
mod encryption;
mod held;
mod integrity;
mod limits;
mod lock_order;
mod migrations;
mod network;
mod plans;
mod revocations;

use std::{sync::Arc, time::Instant};

use auth_domain::{EventKind, Outcome, Redeemed, Registration, SessionOwner, Store, StoreError, UserId};
use auth_postgres::{PoolOptions, PostgresStore};
use auth_testkit::{
    postgres::{self, Cluster},
    samples::{at, event, registration, right_guess},
    waiting::PATIENCE,
};

/// Waits as long as it takes: most tests are about facts, not about a machine that is short of time.
const PATIENT: PoolOptions = PoolOptions { size: 8, wait: PATIENCE, for_checks: 2, timeout: PATIENCE };

/// The port that a store is, whose facts the domain decides.
trait Port {
    fn port(&self) -> &dyn Store;
}

impl Port for Arc<PostgresStore> {
    fn port(&self) -> &dyn Store {
        &**self
    }
}

fn connect_with(url: &str, options: PoolOptions) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::new(url.parse().unwrap(), options).unwrap())
}

fn connect(url: &str, size: usize) -> Arc<PostgresStore> {
    connect_with(url, PoolOptions { size, ..PATIENT })
}

/// One that gives up as soon as in operation.
fn connect_impatiently(url: &str, size: usize) -> Arc<PostgresStore> {
    connect_with(url, PoolOptions { timeout: PoolOptions::default().timeout, size, ..PATIENT })
}

/// A migrated database of its own.
async fn database() -> String {
    postgres::database(async |url| {
        connect(&url, 1).migrate().await.unwrap();
    })
    .await
}

/// Registers and verifies `alias`.
async fn account(store: &dyn Store, alias: &str) -> Registration {
    let registration = registration(alias, &format!("{alias}@example.org"), at(0));
    assert_eq!(store.register_user(&registration).await.unwrap(), Outcome::Done(()));
    let redeemed = store.redeem_code(&right_guess(&registration.sign_in.code, at(0))).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Yes { .. }));
    registration
}

fn owner(registration: &Registration) -> SessionOwner {
    SessionOwner { user_id: registration.user_id, email_id: registration.email_id }
}

async fn delete_user(store: &dyn Store, user: UserId) -> Result<Outcome, StoreError> {
    store.delete_user(user, &event(EventKind::UserDeleted, at(2)).about(user)).await
}

/// Two stores on one database: two replicas.
async fn replicas() -> [Arc<PostgresStore>; 2] {
    replicas_on(&database().await)
}

fn replicas_on(url: &str) -> [Arc<PostgresStore>; 2] {
    [(); 2].map(|()| connect_with(url, PATIENT))
}

/// A server that a test may kill, with a migrated database `postgres`.
async fn cluster() -> Arc<Cluster> {
    // It gives up on nobody who says nothing: that is this side's to do.
    let start = || Cluster::start_with(|_| "authentication_timeout = 600".to_owned());
    let cluster = tokio::task::spawn_blocking(start).await.unwrap();
    connect(&cluster.url("postgres"), 1).migrate().await.unwrap();
    Arc::new(cluster)
}

/// A moment by the clock that the port speaks of. Where a test has stopped time, it has stopped this.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
