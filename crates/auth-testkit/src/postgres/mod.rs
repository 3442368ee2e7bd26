//! A throwaway PostgreSQL server, and a database of its own for every test.
//!
//! `AUTH_TEST_POSTGRES_URL` names a server to use (as a user who may create databases); without it one is started from the
//! machine's own binaries and ended with the test process. Without either, tests fail with a line that says what to install.

mod cluster;

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

use crate::waiting::Patience;
pub use cluster::Cluster;

static SHARED: OnceCell<Server> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// The server that the tests of this process share, and the template that their databases are cloned from.
struct Server {
    /// Up to the database's name.
    url: String,
    template: String,
    // Ended with the process.
    _cluster: Option<Cluster>,
}

/// The URL of a new database. The first call of a process migrates a template with `migrate`; the others clone it.
pub async fn database(migrate: impl AsyncFnOnce(String)) -> String {
    let server = SHARED.get_or_init(async || start(migrate).await).await;
    let name = unique("test");
    // Cloned file by file: for a database as small as this, the fastest way there is.
    let clone = format!("CREATE DATABASE {name} TEMPLATE {} STRATEGY file_copy", server.template);
    // The connection that migrated the template takes a moment to be gone.
    let patience = Patience::with("a template that nobody uses");
    loop {
        match execute(&at(&server.url, "postgres"), &clone).await {
            Ok(()) => return at(&server.url, &name),
            Err(error) if error.code().is_some_and(|code| code.code() == "55006") => patience.moment().await,
            Err(error) => panic!("a database cannot be cloned: {error:?}"),
        }
    }
}

/// Runs statements on the database at `url`, behind the back of whoever else uses it.
pub async fn execute(url: &str, statements: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let driven = tokio::spawn(connection);
    let outcome = client.batch_execute(statements).await;
    drop(client);
    let _closed = driven.await;
    outcome
}

async fn start(migrate: impl AsyncFnOnce(String)) -> Server {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says where the server is")]
    let given = std::env::var("AUTH_TEST_POSTGRES_URL").ok();
    let (url, cluster) = if let Some(url) = given {
        (url, None)
    } else {
        let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("the server starts");
        (cluster.url("postgres"), Some(cluster))
    };
    let template = unique("template");
    execute(&url, &format!("CREATE DATABASE {template}")).await.expect("databases can be created");
    migrate(at(&url, &template)).await;
    Server { url, template, _cluster: cluster }
}

/// `url` with another database.
fn at(url: &str, database: &str) -> String {
    let (before, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (server, _name) = before.rsplit_once('/').expect("a URL that names a database");
    format!("{server}/{database}?{parameters}")
}

fn unique(kind: &str) -> String {
    format!("auth_{kind}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst))
}
