//! Addresses at which too much was guessed wrong: telling their owners, and unlocking them.

use async_trait::async_trait;
use auth_domain::{
    AddressKey, Applied, EmailAddress, Event, Lockout, Lockouts, StoreError, ToldLockout, Unlocked, UserId,
};
use diesel::{BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    PostgresStore, audit, emails,
    error::{Failure, corrupt},
    locks, outbox,
    rows::{failed_network, network_text, stored},
    schema::{emails as email, failures},
};

#[async_trait]
impl Lockouts for PostgresStore {
    async fn list_untold_lockouts(&self, failures_in_a_row: u32, limit: u32) -> Result<Vec<Lockout>, StoreError> {
        let input = (failures_in_a_row, limit);
        self.read(input, |conn, (in_a_row, limit)| Box::pin(list_untold_lockouts(conn, *in_a_row, *limit))).await
    }

    async fn tell_lockout(&self, told: &ToldLockout) -> Result<Applied, StoreError> {
        self.write(None, told.clone(), |conn, told| Box::pin(tell_lockout(conn, told))).await
    }

    async fn unlock_address(&self, address: &AddressKey, event: &Event) -> Result<Unlocked, StoreError> {
        let input = (address.clone(), event.clone());
        self.write(None, input, |conn, (address, event)| Box::pin(unlock_address(conn, address, event))).await
    }
}

async fn list_untold_lockouts(
    conn: &mut AsyncPgConnection,
    failures_in_a_row: u32,
    limit: u32,
) -> Result<Vec<Lockout>, Failure> {
    let is_owned = email::verified.or(email::vouched);
    let untold: Vec<(String, String, Option<String>)> = failures::table
        .left_join(email::table.on(email::address_key.eq(failures::address_key).and(is_owned)))
        .filter(failures::owner_told_at.is_null())
        .filter(failures::in_a_row.ge(stored_count(failures_in_a_row)))
        .limit(limit.into())
        .select((failures::address_key, failures::network, email::address.nullable()))
        .load(conn)
        .await?;
    let lockout = |(address, network, mail_to): (String, String, Option<String>)| {
        let damaged = |error| corrupt("emails", "unknown", error);
        let mail_to = mail_to.map(|to| EmailAddress::from_stored(&to)).transpose().map_err(damaged)?;
        Ok(Lockout { address: AddressKey::from_stored(address), network: failed_network(&network)?, mail_to })
    };
    Ok(untold.into_iter().map(lockout).collect::<Result<_, StoreError>>()?)
}

async fn tell_lockout(conn: &mut AsyncPgConnection, told: &ToldLockout) -> Result<Applied, Failure> {
    let Lockout { address, network, mail_to: _ } = &told.lockout;
    // Whoever was first has marked the row by the time that anybody else has it.
    let untold = failures::table
        .filter(failures::address_key.eq(address.as_str()))
        .filter(failures::network.eq(network.map_or_else(String::new, network_text)))
        .filter(failures::owner_told_at.is_null())
        .filter(failures::in_a_row.ge(stored_count(told.failures_in_a_row)));
    let marked = diesel::update(untold).set(failures::owner_told_at.eq(stored(told.told_at))).execute(conn).await?;
    if marked == 0 {
        return Ok(Applied::Stale);
    }
    if let Some(mail) = &told.mail {
        outbox::insert(conn, mail).await?;
    }
    Ok(Applied::Yes)
}

async fn unlock_address(
    conn: &mut AsyncPgConnection,
    address: &AddressKey,
    event: &Event,
) -> Result<Unlocked, Failure> {
    locks::address(conn, address).await?;
    let forgotten = diesel::delete(failures::table.filter(failures::address_key.eq(address.as_str())));
    if forgotten.execute(conn).await? == 0 {
        return Ok(Unlocked::Already);
    }
    let owner = emails::owner(conn, address).await?.map(UserId::from);
    audit::record(conn, &Event { subject: owner, ..event.clone() }).await?;
    Ok(Unlocked::Yes(owner))
}

/// A number of failures as it is stored. There are never more than fit.
fn stored_count(failures: u32) -> i32 {
    i32::try_from(failures).unwrap_or(i32::MAX)
}
