//! What other processes do to the file: the service must not believe what it remembers once the command line has changed it.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use auth_domain::Revocations;
use diesel::{QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::BigInt};
use tracing::warn;

use crate::writer::Writer;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = BigInt)]
    data_version: i64,
}

/// Tells `revocations` to forget everything when somebody else has written to the file, and up to when that is known.
///
/// `PRAGMA data_version` changes for a connection when another one has committed. Asked on the only connection with which
/// this process writes, it tells of other processes and of nobody else.
pub(crate) fn watch(writer: &Writer, revocations: Arc<dyn Revocations>) -> io::Result<()> {
    let seen = Mutex::new(None);
    writer.watch(LOOK_EVERY, move |connection| look(connection, &seen, revocations.as_ref()))
}

fn look(connection: &mut SqliteConnection, seen: &Mutex<Option<i64>>, revocations: &dyn Revocations) {
    #[expect(clippy::disallowed_methods, reason = "how long nothing was heard is no matter of the wall clock's")]
    let asked_at = Instant::now();
    match sql_query("PRAGMA data_version").get_result::<Version>(connection) {
        Ok(Version { data_version }) => {
            let before = seen.lock().unwrap_or_else(PoisonError::into_inner).replace(data_version);
            if before.is_some_and(|before| before != data_version) {
                revocations.forget_everything();
            }
            revocations.heard_until(asked_at);
        }
        // Nothing was heard, and whoever remembers stops doing so.
        Err(error) => warn!(%error, "whether others have written to the database cannot be told"),
    }
}
