//! Hearing what any process has revoked or changed, and proving all the time that it is heard.

use std::{sync::Arc, time::Duration};

use auth_domain::{Revocations, UserId};
use diesel::{ConnectionError, pg::PgNotification};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::StreamExt;
use tokio::{
    pin,
    runtime::Handle,
    select,
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout_at},
};
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    connections::Connector,
    error::chain,
    lag::{Lag, RevocationLag},
    revocations::{CHANNEL, notify},
};

/// How often a heartbeat is sent.
const BEAT_EVERY: Duration = Duration::from_millis(250);
/// A connection on which no heartbeat came back for so long is given up, however alive it looks.
const SILENT_FOR: Duration = Duration::from_secs(1);
/// How long to wait before the next try to connect.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

diesel::define_sql_function! {
    fn pg_backend_pid() -> Integer;
}

/// Listens for as long as it is kept.
pub(crate) struct Listener {
    lag: Arc<Lag>,
    task: AbortHandle,
}

impl Listener {
    /// Tells `memory` all that is heard, from `runtime`.
    pub(crate) fn start(runtime: &Handle, connector: Connector, memory: Arc<dyn Revocations>) -> Self {
        let lag = Arc::new(Lag::since(Instant::now()));
        let ear = Ear { connector, memory, lag: Arc::clone(&lag), began: Instant::now() };
        Self { lag, task: runtime.spawn(ear.listen()).abort_handle() }
    }

    pub(crate) fn lag(&self) -> RevocationLag {
        self.lag.at(Instant::now())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why nothing is heard any more.
#[derive(Debug, thiserror::Error)]
enum Deaf {
    #[error("no connection")]
    Connection(#[from] ConnectionError),
    #[error("the connection broke")]
    Query(#[from] diesel::result::Error),
    #[error("the connection was closed")]
    Closed,
    #[error("no heartbeat came back")]
    Silence,
}

struct Ear {
    connector: Connector,
    memory: Arc<dyn Revocations>,
    lag: Arc<Lag>,
    /// What heartbeats count their moments from.
    began: Instant,
}

/// What there is to do next.
enum Next {
    Hear(PgNotification),
    Beat,
}

impl Ear {
    async fn listen(self) {
        let mut is_news = true;
        loop {
            let begun = Instant::now();
            let (heard, deaf) = self.hear().await;
            // Whatever swallowed this connection has swallowed those that nobody is using just now.
            self.connector.losses().found();
            self.lag.awaited(Instant::now());
            is_news |= heard;
            if is_news {
                let reason = chain(&deaf);
                warn!(
                    reason,
                    "revocations of other processes are not heard: every check asks the database until they are"
                );
                is_news = false;
            }
            // One that held for a while is replaced at once.
            sleep(AGAIN_AFTER.saturating_sub(begun.elapsed())).await;
        }
    }

    /// Hears on a connection of its own until that is of no more use. Returns whether anything was heard on it, and why it
    /// is of no more use.
    async fn hear(&self) -> (bool, Deaf) {
        let (mut conn, own) = match self.subscribe().await {
            Ok(subscribed) => subscribed,
            Err(deaf) => return (false, deaf),
        };
        // What was announced while nobody listened is lost; what comes from here on is heard.
        self.memory.forget_everything();
        let mut heard_at = None;
        let since = Instant::now();
        let mut beats = interval(BEAT_EVERY);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let patience = heard_at.unwrap_or(since) + SILENT_FOR;
            let next = select! {
                notification = next_notification(&mut conn) => notification.map(Next::Hear),
                _ = beats.tick() => Ok(Next::Beat),
                () = sleep_until(patience) => Err(Deaf::Silence),
            };
            let done = match next {
                Ok(Next::Hear(notification)) if notification.channel == own => {
                    if heard_at.is_none() {
                        info!("revocations of other processes are heard");
                    }
                    heard_at = Some(Instant::now());
                    self.hear_heartbeat(&notification.payload);
                    Ok(())
                }
                Ok(Next::Hear(notification)) => {
                    self.hear_revocation(&notification.payload);
                    Ok(())
                }
                Ok(Next::Beat) => self.beat(&mut conn, &own, patience).await,
                Err(deaf) => Err(deaf),
            };
            if let Err(deaf) = done {
                return (heard_at.is_some(), deaf);
            }
        }
    }

    /// A connection that listens, and the channel on it that nobody else sends to.
    async fn subscribe(&self) -> Result<(AsyncPgConnection, String), Deaf> {
        let mut conn = self.connector.connect(Some(self.connector.timeouts().statement())).await?;
        let subscribed = async {
            // Of all the server's processes that are alive, none has the number of this one.
            let process: i32 = diesel::select(pg_backend_pid()).get_result(&mut conn).await?;
            let own = format!("auth_heartbeat_{process}");
            conn.batch_execute(&format!("LISTEN {CHANNEL}; LISTEN {own}")).await?;
            Ok(own)
        };
        let own: Result<_, Deaf> =
            timeout_at(Instant::now() + SILENT_FOR, subscribed).await.map_err(|_elapsed| Deaf::Silence)?;
        Ok((conn, own?))
    }

    /// Sends a heartbeat. It takes its turn behind every revocation that was committed before it was sent, so that whoever
    /// hears it has heard those.
    async fn beat(&self, conn: &mut AsyncPgConnection, own: &str, patience: Instant) -> Result<(), Deaf> {
        let now = Instant::now();
        self.lag.awaited(now);
        let moment = now.saturating_duration_since(self.began).as_micros().to_string();
        timeout_at(patience, notify(conn, own, &moment)).await.map_err(|_elapsed| Deaf::Silence)??;
        Ok(())
    }

    fn hear_heartbeat(&self, moment: &str) {
        let now = Instant::now();
        let sent = moment.parse().ok().and_then(|micros| self.began.checked_add(Duration::from_micros(micros)));
        // Nobody else sends to this channel. If somebody does, it proves nothing.
        let Some(sent) = sent.filter(|sent| *sent <= now) else { return };
        self.lag.heard(sent, now);
        self.memory.heard_until(sent.into_std());
    }

    fn hear_revocation(&self, user: &str) {
        match Uuid::parse_str(user) {
            Ok(user) => self.memory.forget_user(UserId::from(user)),
            // From a build that has more to say than this one understands.
            Err(_unknown) => self.memory.forget_everything(),
        }
    }
}

/// Nothing is lost when this is given up half-way.
async fn next_notification(conn: &mut AsyncPgConnection) -> Result<PgNotification, Deaf> {
    let notifications = conn.notifications_stream();
    pin!(notifications);
    Ok(notifications.next().await.ok_or(Deaf::Closed)??)
}
