//! What hangs on each server key.

use std::{collections::HashMap, time::Duration};

use auth_domain::{Hanging, KeyId, MailClass, StoreError, Timestamp};
use diesel::{ExpressionMethods, QueryDsl, dsl::count_star};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::time::timeout;

use crate::{
    connections::Connector,
    error::{Failure, corrupt},
    rows::stored,
    schema::{codes, key_pairs, outbox, sessions},
    upkeep::is_living_at,
};

/// How long the tables may take to be read through: much longer than anything that a request waits for. An operator asks,
/// about once a year.
const COUNTED_WITHIN: Duration = Duration::from_mins(2);

/// A key as it is stored, and how many rows of a table name it.
type Counted = Vec<(String, i64)>;

/// Counts on a connection of its own, which nobody's request waits for meanwhile.
pub(crate) async fn what_hangs_on_each(
    connector: &Connector,
    now: Timestamp,
) -> Result<Vec<(KeyId, Hanging)>, StoreError> {
    let counting = async {
        let mut conn = connector.connect(Some(COUNTED_WITHIN)).await.map_err(StoreError::unavailable)?;
        Ok(count(&mut conn, now).await?)
    };
    let counted = timeout(COUNTED_WITHIN, counting).await;
    counted.unwrap_or_else(|_elapsed| Err(StoreError::unavailable("the database did not answer in time")))
}

/// Reads each table through, but for the outbox, where what is owed has an index.
async fn count(conn: &mut AsyncPgConnection, now: Timestamp) -> Result<Vec<(KeyId, Hanging)>, Failure> {
    let live_sessions: Counted = sessions::table
        .filter(sessions::verified_at.is_not_null())
        .filter(sessions::expires_at.gt(stored(now)))
        .group_by(sessions::key_id)
        .select((sessions::key_id, count_star()))
        .load(conn)
        .await?;
    let working_key_pairs: Counted = key_pairs::table
        .filter(key_pairs::verified_at.is_not_null())
        .filter(key_pairs::expires_at.gt(stored(now)))
        .group_by(key_pairs::key_id)
        .select((key_pairs::key_id, count_star()))
        .load(conn)
        .await?;
    let living_codes: Counted = codes::table
        .filter(is_living_at(stored(now)))
        .group_by(codes::key_id)
        .select((codes::key_id, count_star()))
        .load(conn)
        .await?;
    let owed_mails: Counted = outbox::table
        .filter(outbox::settled_at.is_null())
        .filter(outbox::class.eq_any([MailClass::Code.as_str(), MailClass::Notice.as_str()]))
        .group_by(outbox::key_id)
        .select((outbox::key_id, count_star()))
        .load(conn)
        .await?;

    let mut hanging = HashMap::new();
    add(&mut hanging, "sessions", live_sessions, |hanging, rows| hanging.sessions = rows)?;
    add(&mut hanging, "key_pairs", working_key_pairs, |hanging, rows| hanging.key_pairs = rows)?;
    add(&mut hanging, "codes", living_codes, |hanging, rows| hanging.codes = rows)?;
    add(&mut hanging, "outbox", owed_mails, |hanging, rows| hanging.mails = rows)?;
    Ok(hanging.into_iter().collect())
}

fn add(
    hanging: &mut HashMap<KeyId, Hanging>,
    table: &'static str,
    counted: Counted,
    set: impl Fn(&mut Hanging, u64),
) -> Result<(), StoreError> {
    for (key, rows) in counted {
        let key = key.parse().map_err(|error| corrupt(table, format_args!("of key_id {key:?}"), error))?;
        let rows = u64::try_from(rows).map_err(|error| corrupt(table, "count", error))?;
        set(hanging.entry(key).or_default(), rows);
    }
    Ok(())
}
