//! Connections: how one is made, and the pool of them.

use std::time::Duration;

use auth_domain::{StoreError, Timeouts};
use deadpool::{
    Runtime,
    managed::{Hook, HookError, Object as Pooled, Timeouts as PoolTimeouts},
};
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{
    AsyncPgConnection, SimpleAsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool::Pool},
};
use futures_util::FutureExt;
use tokio::time::timeout;
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    error::chain,
    losses::Losses,
    options::PostgresUrl,
    tls::{InvalidAuthorities, connector},
};

/// A statement is planned once for each connection, since planning most of them takes longer than running them does, and every row
/// is looked for by its key, whatever the key is. How a row is found is the planner's to say.
const PLANNED_ONCE: &str = "-c plan_cache_mode=force_generic_plan";
/// How often a connection is used, once it is not new any more, before it forgets its plans.
const PLANS_KEPT_FOR: usize = 1024;
/// When a new one does.
const NEW_PLANS_AT: [usize; 2] = [32, 256];

/// A connection out of the pool.
pub(crate) type Connection = Pooled<AsyncDieselConnectionManager<AsyncPgConnection>>;

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Connector {
    url: PostgresUrl,
    tls: Option<MakeRustlsConnect>,
    losses: Losses,
    timeouts: Timeouts,
}

impl Connector {
    pub(crate) fn new(url: PostgresUrl, timeouts: Timeouts) -> Result<Self, InvalidAuthorities> {
        let tls = connector(url.tls())?;
        Ok(Self { url, tls, losses: Losses::default(), timeouts })
    }

    /// How long whoever uses its connections waits.
    pub(crate) fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// When connections that it makes were found to lead nowhere.
    pub(crate) fn losses(&self) -> &Losses {
        &self.losses
    }

    /// A connection that is driven by the runtime this is called on.
    pub(crate) async fn connect(&self, statements_within: Option<Duration>) -> ConnectionResult<AsyncPgConnection> {
        self.connect_planning_by("", statements_within).await
    }

    /// The same, for statements that are planned with these settings, as options of the server's.
    pub(crate) async fn connect_planning_by(
        &self,
        settings: &str,
        statements_within: Option<Duration>,
    ) -> ConnectionResult<AsyncPgConnection> {
        let config = self.url.config(self.timeouts, statements_within, settings);
        let refused = |error: tokio_postgres::Error| ConnectionError::BadConnection(chain(&error));
        let connected = async {
            if let Some(tls) = self.tls.clone() {
                let (client, connection) = config.connect(tls).await.map_err(refused)?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            } else {
                let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
        };
        let slow = |_elapsed| ConnectionError::BadConnection("the server does not answer in time".to_owned());
        timeout(self.timeouts.connecting(), connected).await.map_err(slow)?
    }
}

/// A pool of at most `size` connections, none of which is made before it is needed.
pub(crate) fn pool(connector: Connector, size: usize, wait: Duration) -> Result<Pool<AsyncPgConnection>, StoreError> {
    let (losses, timeouts) = (connector.losses().clone(), connector.timeouts());
    let connecting = Some(timeouts.connecting());
    let mut manager = ManagerConfig::default();
    // The others ask the server at every turn, which doubles the price of a look-up.
    manager.recycling_method = RecyclingMethod::Fast;
    manager.custom_setup = Box::new(move |_url| {
        let connector = connector.clone();
        async move { connector.connect_planning_by(PLANNED_ONCE, Some(timeouts.statement())).await }.boxed()
    });
    Pool::builder(AsyncDieselConnectionManager::new_with_config("", manager))
        .max_size(size)
        .pre_recycle(Hook::sync_fn(move |_connection, metrics| {
            let lost = || HookError::message("it was made before the way to the database was lost");
            losses.spared(metrics.created).then_some(()).ok_or_else(lost)
        }))
        .post_recycle(Hook::async_fn(|connection: &mut AsyncPgConnection, metrics| {
            Box::pin(async move {
                if plans_are_old(metrics.recycle_count) {
                    connection
                        .batch_execute("DISCARD PLANS")
                        .await
                        .map_err(|error| HookError::message(error.to_string()))?;
                }
                Ok(())
            })
        }))
        .runtime(Runtime::Tokio1)
        .timeouts(PoolTimeouts { wait: Some(wait), create: connecting, recycle: connecting })
        .build()
        .map_err(StoreError::unavailable)
}

/// Whether a connection that was used so often makes its plans anew.
///
/// PostgreSQL plans a statement once for each connection, those included that look after foreign keys. One that was planned while
/// its table was empty reads the table through, whatever it holds by then, until somebody gathers statistics: a minute, at best.
fn plans_are_old(uses: usize) -> bool {
    NEW_PLANS_AT.contains(&uses) || (uses > 0 && uses.is_multiple_of(PLANS_KEPT_FOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_made_anew_early_and_then_now_and_then() {
        let made: Vec<_> = (0..3000).filter(|uses| plans_are_old(*uses)).collect();
        assert_eq!(made, [32, 256, 1024, 2048]);
    }
}
