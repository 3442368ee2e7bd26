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
mod integrity;
mod limits;
mod lock_order;
mod migrations;
mod network;
mod plans;
mod revocations;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use auth_domain::{Changed, EventKind, Redeemed, Registered, Registration, SessionOwner, Store, StoreError, UserId};
use auth_postgres::{PoolOptions, PostgresStore};
use auth_testkit::{
    postgres::{self, Cluster},
    samples::{at, event, registration, right_guess},
};
use tokio::time::sleep;

fn connect(url: &str, size: usize) -> Arc<PostgresStore> {
    let options = PoolOptions { size, wait: Duration::from_millis(300), ..PoolOptions::default() };
    Arc::new(PostgresStore::new(url.parse().unwrap(), options).unwrap())
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
    assert_eq!(store.register_user(&registration).await.unwrap(), Registered::Yes);
    let redeemed = store.redeem_code(&right_guess(&registration.sign_in.code, at(0))).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Yes { .. }));
    registration
}

fn owner(registration: &Registration) -> SessionOwner {
    SessionOwner { user_id: registration.user_id, email_id: registration.email_id }
}

async fn delete_user(store: &dyn Store, user: UserId) -> Result<Changed, StoreError> {
    store.delete_user(user, &event(EventKind::UserDeleted, at(2)).about(user)).await
}

/// Two stores on one database: two replicas.
async fn replicas() -> [Arc<PostgresStore>; 2] {
    replicas_on(&database().await)
}

/// As in operation, but for a longer wait: their tests are about facts, not about a machine that is short of time.
fn replicas_on(url: &str) -> [Arc<PostgresStore>; 2] {
    let options = PoolOptions { size: 8, wait: Duration::from_secs(2), ..PoolOptions::default() };
    [(); 2].map(|()| Arc::new(PostgresStore::new(url.parse().unwrap(), options).unwrap()))
}

/// A server that a test may kill, with a migrated database `postgres`.
async fn cluster() -> Arc<Cluster> {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    connect(&cluster.url("postgres"), 1).migrate().await.unwrap();
    Arc::new(cluster)
}

#[expect(clippy::disallowed_methods, reason = "the port speaks of the process's own clock")]
fn now() -> Instant {
    Instant::now()
}

/// Polls until `condition` holds, and returns how long that took.
async fn until(what: &str, within: Duration, condition: impl Fn() -> bool) -> Duration {
    let begun = now();
    while !condition() {
        assert!(begun.elapsed() < within, "{what}: not within {within:?}");
        sleep(Duration::from_millis(1)).await;
    }
    begun.elapsed()
}
