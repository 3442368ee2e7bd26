use std::{path::Path, time::Duration};

use auth_postgres::{PoolOptions, PostgresStore};
use auth_testkit::postgres::{Cluster, execute};
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

use super::{Credentials, Dialect, Scale, statements};
use crate::Measured;

/// As a careful operator of a small server would have it: what is acknowledged is on the disk.
const SETTINGS: &str = "fsync = on\nfull_page_writes = on\nsynchronous_commit = on\nautovacuum = on\n\
                        shared_buffers = 512MB\nmax_wal_size = 4GB\ntrack_activity_query_size = 8192\n";

/// A throwaway server with two full databases. It ends when this is dropped.
pub(crate) struct Postgres {
    cluster: Cluster,
}

impl Postgres {
    /// Starts the server and fills the database that checks are measured on.
    pub(crate) async fn start(scale: &Scale, credentials: &Credentials) -> Measured<Self> {
        let cluster = tokio::task::spawn_blocking(|| Cluster::start_with(|_: &Path| SETTINGS.to_owned())).await?;
        let server = Self { cluster };
        let url = server.url();
        let store = PostgresStore::new(url.parse()?, PoolOptions::default())?;
        store.migrate().await?;
        // It is made again from nothing at the next run: nothing of it needs to survive a crash while it is filled.
        let fast = "SET synchronous_commit = off; SET maintenance_work_mem = '256MB'; ";
        let all = statements::<Postgres>(scale, credentials).join(";\n");
        execute(&url, &format!("{fast}{all}")).await?;
        execute(&url, "VACUUM ANALYZE").await?;
        execute(&url, "CHECKPOINT").await?;
        Ok(server)
    }

    /// Where its database is, over its socket: for the service and for `pgbench` alike.
    pub(crate) fn url(&self) -> String {
        self.cluster.url("postgres")
    }

    /// A second database with all that the first one holds. Nobody may be connected to that one meanwhile.
    pub(crate) async fn twin(&self) -> Measured<String> {
        let copied = connect(&self.cluster.url("template1")).await?;
        copied.batch_execute("CREATE DATABASE twin TEMPLATE postgres").await?;
        Ok(self.cluster.url("twin"))
    }

    /// A connection to ask the server about itself.
    pub(crate) async fn connect(&self) -> Measured<Client> {
        connect(&self.url()).await
    }

    /// The statement with which the service looks sessions up, `$1` being their digests. To be asked for when it has just
    /// done so.
    pub(crate) async fn look_up_statement(&self) -> Measured<String> {
        // A connection that is idle says which statement it ran last.
        let last = "SELECT query FROM pg_stat_activity WHERE query LIKE 'SELECT %' AND query LIKE $1 LIMIT 1";
        let row = self.connect().await?.query_opt(last, &[&r#"%"sessions"."digest" = ANY($1)%"#]).await?;
        Ok(row.ok_or("no connection says how sessions are looked up")?.get(0))
    }

    /// How often a session was looked up by a digest, as far as the server has counted yet.
    pub(crate) async fn look_ups(&self) -> Measured<i64> {
        let counted = "SELECT coalesce(sum(idx_scan), 0)::bigint FROM pg_stat_user_indexes \
                       WHERE indexrelname IN ('sessions_digest', 'key_pairs_digest')";
        Ok(self.connect().await?.query_one(counted, &[]).await?.get(0))
    }

    /// Deletes the mails that nobody has delivered.
    pub(crate) async fn forget_owed_mails(&self) -> Measured<()> {
        self.connect().await?.batch_execute("DELETE FROM outbox WHERE settled_at IS NULL").await?;
        Ok(())
    }

    /// Waits until every mail is delivered that somebody at work can deliver.
    pub(crate) async fn wait_for_empty_outbox(&self) -> Measured<()> {
        let owed = "SELECT count(*) FROM outbox WHERE settled_at IS NULL AND due_at < now() + interval '1 hour'";
        let connection = self.connect().await?;
        while connection.query_one(owed, &[]).await?.get::<_, i64>(0) > 0 {
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Cuts the connections on which replicas hear what the others revoke. Returns how many there were.
    pub(crate) async fn cut_listeners(&self, connection: &Client) -> Measured<i64> {
        // What they say last is a heartbeat.
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE (query LIKE 'LISTEN %' OR query LIKE '%pg_notify%') AND pid <> pg_backend_pid()";
        Ok(connection.query_one(cut, &[]).await?.get(0))
    }
}

impl Dialect for Postgres {
    const TRUE: &'static str = "true";

    fn id(kind: char, number: &str) -> String {
        format!("('00000000-0000-7000-{kind}000-' || lpad(to_hex({number}), 12, '0'))::uuid")
    }

    fn octets(hexadecimal: &str) -> String {
        format!("'\\x{hexadecimal}'::bytea")
    }

    fn random_octets(number: &str) -> String {
        format!("sha256({number}::text::bytea)")
    }

    fn names(names: &[&str]) -> String {
        format!("'{{{}}}'::text[]", names.join(","))
    }

    fn moment(seconds: i64) -> String {
        format!("now() + interval '{seconds} s'")
    }

    fn numbers(from: u32, to: u32) -> String {
        format!("generate_series({from}, {to}) AS n")
    }
}

/// The server's version.
pub(crate) async fn version(url: &str) -> Measured<String> {
    let version: String = connect(url).await?.query_one("SHOW server_version", &[]).await?.get(0);
    Ok(format!("PostgreSQL {}", version.split(' ').next().unwrap_or_default()))
}

async fn connect(url: &str) -> Measured<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
