use std::path::Path;

use auth_sqlite::SqliteStore;
use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_types::Text,
};

use super::{Credentials, Dialect, Scale, statements};
use crate::Measured;

struct Sqlite;

/// Fills a new database in `file`. Blocks meanwhile.
pub(crate) fn load(file: &Path, scale: &Scale, credentials: &Credentials) -> Measured<()> {
    SqliteStore::migrate(file)?;
    let mut connection = SqliteConnection::establish(&file.to_string_lossy())?;
    // Made again from nothing at the next run, and the rows are right by themselves.
    connection.batch_execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -524288; PRAGMA foreign_keys = OFF")?;
    connection.transaction(|connection| {
        statements::<Sqlite>(scale, credentials).iter().try_for_each(|statement| connection.batch_execute(statement))
    })?;
    Ok(connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?)
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

/// The library's version.
pub(crate) fn version() -> Measured<String> {
    let mut connection = SqliteConnection::establish(":memory:")?;
    let found: Version = diesel::sql_query("SELECT sqlite_version() AS version").get_result(&mut connection)?;
    Ok(found.version)
}

impl Dialect for Sqlite {
    const TRUE: &'static str = "1";

    fn id(kind: char, number: &str) -> String {
        format!("unhex(printf('0000000000007000{kind}000%012x', {number}))")
    }

    fn octets(hexadecimal: &str) -> String {
        format!("x'{hexadecimal}'")
    }

    fn random_octets(_number: &str) -> String {
        "randomblob(32)".to_owned()
    }

    fn names(names: &[&str]) -> String {
        format!("json_array('{}')", names.join("', '"))
    }

    fn moment(seconds: i64) -> String {
        format!("(unixepoch() + {seconds}) * 1000")
    }

    fn numbers(from: u32, to: u32) -> String {
        format!(
            "(WITH RECURSIVE counted (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM counted WHERE n < {to}) \
             SELECT n FROM counted)"
        )
    }
}
