//! What is particular to PostgreSQL: connections, encryption, migrations, damaged rows, collisions.
#![expect(clippy::unwrap_used, reason = "a test that meets something it did not expect panics")]

mod archive;
mod concurrency;
mod connections;
mod encryption;
mod integrity;
mod migrations;

use std::{sync::Arc, time::Duration};

use auth_domain::{Redeemed, Registered, Registration, SessionOwner, Store};
use auth_postgres::{PoolOptions, PostgresStore};
use auth_testkit::{
    postgres,
    samples::{at, registration, right_guess},
};

fn connect(url: &str, size: usize) -> Arc<PostgresStore> {
    let options = PoolOptions { size, wait: Duration::from_millis(300) };
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
    let redeemed = store.redeem_code(&right_guess(&registration.sign_in.code), None, at(0)).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Yes { .. }));
    registration
}

fn owner(registration: &Registration) -> SessionOwner {
    SessionOwner { user_id: registration.user_id, email_id: registration.email_id }
}
