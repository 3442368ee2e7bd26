use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::connection::Connection;

/// How long a connection is kept for the next mail: less than servers wait, which is minutes.
const KEPT_IDLE_FOR: Duration = Duration::from_secs(30);

/// Connections that carry no mail just now.
#[derive(Default)]
pub(super) struct Pool(Mutex<Idle>);

#[derive(Default)]
struct Idle {
    /// The latest used last.
    connections: Vec<(Connection, Instant)>,
    /// Whether somebody is there to close them.
    is_swept: bool,
}

impl Pool {
    /// The connection that was used last, so that those that are not needed grow old.
    pub(super) fn take(&self) -> Option<Connection> {
        let (connection, idle_since) = self.idle().connections.pop()?;
        (idle_since.elapsed() < KEPT_IDLE_FOR).then_some(connection)
    }

    /// Keeps a connection that works for the next mail. To be called on tokio.
    pub(super) fn keep(self: &Arc<Self>, connection: Connection) {
        let mut idle = self.idle();
        idle.connections.push((connection, Instant::now()));
        if !idle.is_swept {
            idle.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Those that lay idle for too long, and whether others are left.
    fn take_old(&self) -> (Vec<Connection>, bool) {
        let mut idle = self.idle();
        let old = idle.connections.iter().take_while(|(_, since)| since.elapsed() >= KEPT_IDLE_FOR).count();
        let old = idle.connections.drain(..old).map(|(connection, _)| connection).collect();
        idle.is_swept = !idle.connections.is_empty();
        (old, idle.is_swept)
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes idle connections as they grow old, until there are none.
async fn sweep(pool: Weak<Pool>) {
    loop {
        sleep(KEPT_IDLE_FOR / 6).await;
        let Some((old, others_are_left)) = pool.upgrade().map(|pool| pool.take_old()) else { return };
        for connection in old {
            connection.close().await;
        }
        if !others_are_left {
            return;
        }
    }
}
