//! Addresses at which too much was guessed wrong.

use async_trait::async_trait;
use auth_domain::{AddressKey, EmailAddress, Lockout, Lockouts, StoreError};
use diesel::{
    BoolExpressionMethods, Connection, ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
    dsl::auto_type, sqlite::Sqlite,
};

use crate::{
    SqliteStore, damage,
    error::Failure,
    rows::{self, FailureRow, one},
    schema::{emails, failures},
};

#[async_trait]
impl Lockouts for SqliteStore {
    async fn list_untold_lockouts(&self, failures_in_a_row: u32, limit: u32) -> Result<Vec<Lockout>, StoreError> {
        self.read(move |conn| conn.transaction(|conn| list_untold_lockouts(conn, failures_in_a_row, limit))).await
    }
}

#[auto_type(no_type_alias)]
fn untold(failures_in_a_row: u32, limit: i64, offset: i64) -> _ {
    let in_a_row: i64 = i64::from(failures_in_a_row);
    let columns: diesel::dsl::AsSelect<FailureRow, Sqlite> = FailureRow::as_select();
    failures::table
        .filter(failures::owner_told_at.is_null())
        .filter(failures::in_a_row.ge(in_a_row))
        .order((failures::in_a_row, failures::address_key, failures::network))
        .limit(limit)
        .offset(offset)
        .select(columns)
}

fn list_untold_lockouts(
    conn: &mut SqliteConnection,
    failures_in_a_row: u32,
    limit: u32,
) -> Result<Vec<Lockout>, Failure> {
    let limit = i64::from(limit);
    let load = |conn: &mut SqliteConnection, offset| untold(failures_in_a_row, limit, offset).load(conn);
    damage::sound_rows(conn, "failures", limit, load, |conn, row: FailureRow| {
        let network = row.network()?;
        let address = AddressKey::from_stored(row.address_key);
        let mail_to = as_written(conn, &address)?;
        Ok(Lockout { address, network, mail_to })
    })
}

/// An address as its owner wrote it; `None` when nobody owns it.
fn as_written(conn: &mut SqliteConnection, address: &AddressKey) -> Result<Option<EmailAddress>, Failure> {
    let owned = emails::table
        .filter(emails::address_key.eq(address.as_str()))
        .filter(emails::verified.eq(true).or(emails::vouched.eq(true)));
    Ok(one(owned.get_result(conn), rows::email)?.map(|email| email.address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;

    #[test]
    fn lockouts_that_nobody_was_told_of_are_found_among_those() {
        assert_eq!(plan(&untold(100, 10, 0)), ["SEARCH failures USING INDEX failures_untold (in_a_row>?)"]);
    }
}
