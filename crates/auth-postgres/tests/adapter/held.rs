//! What is done behind the store's back: transactions that stay open for as long as a test wants, and what the server says.

use auth_testkit::{postgres::execute, waiting::Patience};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

/// A transaction that holds what it has locked until it is committed.
pub(crate) struct Held {
    client: Client,
    driven: JoinHandle<Result<(), tokio_postgres::Error>>,
}

impl Held {
    /// One in which `statements` have been run.
    pub(crate) async fn by(url: &str, statements: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let held = Self { client, driven: tokio::spawn(connection) };
        held.run(&format!("BEGIN; {statements}")).await;
        held
    }

    /// Runs more statements in it.
    pub(crate) async fn run(&self, statements: &str) {
        self.client.batch_execute(statements).await.unwrap();
    }

    /// Lets go of everything.
    pub(crate) async fn commit(self) {
        self.run("COMMIT").await;
        drop(self.client);
        self.driven.await.unwrap().unwrap();
    }
}

/// Waits until so many connections, or more, wait for `event`.
pub(crate) async fn until_waiting(url: &str, connections: u8, event: &str) {
    let waiting = format!(
        "count(*) >= {connections} FROM pg_stat_activity \
         WHERE datname = current_database() AND (wait_event = '{event}' OR wait_event_type = '{event}')"
    );
    until_so(url, &waiting).await;
}

/// Waits until nobody is connected to the database any more: who was has told what it did by then.
pub(crate) async fn until_alone(url: &str) {
    until_so(url, "count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()").await;
}

/// Waits until the server says that something is so.
pub(crate) async fn until_so(url: &str, what: &str) {
    let (so, patience) = (format!("DO $$ BEGIN ASSERT (SELECT {what}); END $$"), Patience::with(what));
    while execute(url, &so).await.is_err() {
        patience.moment().await;
    }
}

/// Cuts every connection to the database but this one, and waits until this side can know.
pub(crate) async fn cut_others(url: &str) {
    let cut = "DO $$ BEGIN ASSERT (SELECT bool_and(pg_terminate_backend(pid, 120000)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()); END $$";
    execute(url, cut).await.unwrap();
}
