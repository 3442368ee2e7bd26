//! Damaged rows in jobs that go through many: each is logged and passed over, so that it does not hold up the others.
//!
//! Whoever asks for something of their own is told instead, by [`StoreError::Corrupt`].

use auth_domain::StoreError;
use diesel::{QueryResult, SqliteConnection};
use tracing::error;

use crate::error::Failure;

/// What was made of a row of `table`; `None`, and a line in the log, if it is damaged. Anything else that failed has nothing
/// to do with the row, and stays a failure.
pub(crate) fn unless_damaged<T>(table: &str, made: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match made.map_err(StoreError::from) {
        Ok(sound) => Ok(Some(sound)),
        Err(damaged @ StoreError::Corrupt { .. }) => {
            error!(table, error = %damaged, "damaged row passed over");
            Ok(None)
        }
        Err(failed) => Err(failed.into()),
    }
}

/// What `make` makes of up to `limit` rows of `table` that are not damaged. `load` returns as many rows, in an order, without
/// the first few.
///
/// Damaged rows take nobody's place: else enough of them would keep a job from ever reaching the others.
pub(crate) fn sound_rows<Row, T>(
    conn: &mut SqliteConnection,
    table: &str,
    limit: i64,
    load: impl Fn(&mut SqliteConnection, i64) -> QueryResult<Vec<Row>>,
    make: impl Fn(&mut SqliteConnection, Row) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut sound, mut read) = (Vec::new(), 0);
    loop {
        let rows = load(conn, i64::try_from(read).unwrap_or(i64::MAX))?;
        let found = rows.len();
        for row in rows {
            if sound.len() < wanted {
                sound.extend(unless_damaged(table, make(conn, row))?);
            }
        }
        if found < wanted || sound.len() >= wanted {
            return Ok(sound);
        }
        read += found;
    }
}
