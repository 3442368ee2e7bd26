//! Addresses at which too much was guessed wrong.

use async_trait::async_trait;
use auth_domain::{
    AddressKey, Applied, EmailAddress, Event, Lockout, Lockouts, StoreError, Timestamp, ToldLockout, Unlocked,
};
use diesel::{
    Connection, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
    dsl::auto_type, sqlite::Sqlite,
};

use crate::{
    SqliteStore, audit, damage,
    error::Failure,
    failures::{FailureRow, stored},
    outbox,
    rows::EmailRow,
    schema::failures,
    throttles::owner_of,
    users::owned,
};

#[async_trait]
impl Lockouts for SqliteStore {
    async fn list_untold_lockouts(&self, failures_in_a_row: u32, limit: u32) -> Result<Vec<Lockout>, StoreError> {
        self.read(move |conn| conn.transaction(|conn| list_untold_lockouts(conn, failures_in_a_row, limit))).await
    }

    async fn tell_lockout(&self, told: &ToldLockout) -> Result<Applied, StoreError> {
        let told = told.clone();
        self.write(None, move |conn| tell_lockout(conn, &told)).await
    }

    async fn unlock_address(&self, address: &AddressKey, event: &Event) -> Result<Unlocked, StoreError> {
        let (address, event) = (address.clone(), event.clone());
        self.write(None, move |conn| unlock_address(conn, &address, &event)).await
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
    let owned: Option<EmailRow> = owned(address.as_str()).select(EmailRow::as_select()).get_result(conn).optional()?;
    Ok(owned.map(|row| row.into_email().map(|email| email.address)).transpose()?)
}

fn tell_lockout(conn: &mut SqliteConnection, told: &ToldLockout) -> Result<Applied, Failure> {
    let untold = failures::table
        .filter(failures::address_key.eq(told.lockout.address.as_str()))
        .filter(failures::network.eq(stored(told.lockout.network)))
        .filter(failures::in_a_row.ge(i64::from(told.failures_in_a_row)))
        .filter(failures::owner_told_at.is_null());
    let told_at: Timestamp = told.told_at;
    if diesel::update(untold).set(failures::owner_told_at.eq(told_at.unix_millis())).execute(conn)? == 0 {
        return Ok(Applied::Stale);
    }
    if let Some(mail) = &told.mail {
        outbox::insert(conn, mail)?;
    }
    Ok(Applied::Yes)
}

fn unlock_address(conn: &mut SqliteConnection, address: &AddressKey, event: &Event) -> Result<Unlocked, Failure> {
    let theirs = failures::table.filter(failures::address_key.eq(address.as_str()));
    if diesel::delete(theirs).execute(conn)? == 0 {
        return Ok(Unlocked::Already);
    }
    let owner = owner_of(conn, address)?;
    audit::record(conn, &Event { subject: owner, ..event.clone() })?;
    Ok(Unlocked::Yes(owner))
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
