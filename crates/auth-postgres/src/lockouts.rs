//! Addresses at which too much was guessed wrong: telling their owners, and unlocking them.

use async_trait::async_trait;
use auth_domain::{
    AddressKey, Applied, EmailAddress, Event, Lockout, Lockouts, StoreError, ToldLockout, Unlocked, UserId,
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl, Queryable,
    data_types::PgTimestamp,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tracing::error;
use uuid::Uuid;

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
        self.view(input, |conn, (in_a_row, limit)| Box::pin(list_untold_lockouts(conn, *in_a_row, *limit))).await
    }

    async fn tell_lockout(&self, told: &ToldLockout) -> Result<Applied, StoreError> {
        self.write(None, told.clone(), |conn, told| Box::pin(tell_lockout(conn, told))).await
    }

    async fn unlock_address(&self, address: &AddressKey, event: &Event) -> Result<Unlocked, StoreError> {
        let input = (address.clone(), event.clone());
        self.write(None, input, |conn, (address, event)| Box::pin(unlock_address(conn, address, event))).await
    }
}

/// Wrong guesses at an address, and who owns it.
#[derive(Queryable)]
struct UntoldRow {
    address: String,
    network: String,
    last_at: PgTimestamp,
    owned: Option<(Uuid, String)>,
}

async fn list_untold_lockouts(
    conn: &mut AsyncPgConnection,
    failures_in_a_row: u32,
    limit: u32,
) -> Result<Vec<Lockout>, Failure> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut lockouts, mut read) = (Vec::new(), 0);
    loop {
        let untold = untold(conn, failures_in_a_row, limit, read).await?;
        let found = untold.len();
        lockouts.extend(untold.into_iter().filter_map(passing_over_damaged));
        // Damaged ones take nobody's place: else enough of them would keep everybody else from ever being told.
        if found < wanted || lockouts.len() >= wanted {
            lockouts.truncate(wanted);
            return Ok(lockouts);
        }
        read += found;
    }
}

/// Up to `limit` of them in their order, without the first `offset`.
async fn untold(
    conn: &mut AsyncPgConnection,
    failures_in_a_row: u32,
    limit: u32,
    offset: usize,
) -> Result<Vec<UntoldRow>, Failure> {
    let is_owned = email::verified.or(email::vouched);
    let untold = failures::table
        .left_join(email::table.on(email::address_key.eq(failures::address_key).and(is_owned)))
        .filter(failures::owner_told_at.is_null())
        .filter(failures::in_a_row.ge(stored_count(failures_in_a_row)))
        .order((failures::in_a_row, failures::address_key, failures::network))
        .limit(limit.into())
        .offset(i64::try_from(offset).unwrap_or(i64::MAX))
        .select((failures::address_key, failures::network, failures::last_at, (email::id, email::address).nullable()));
    Ok(untold.load(conn).await?)
}

/// One damaged row must not keep everybody else from being told.
fn passing_over_damaged(untold: UntoldRow) -> Option<Lockout> {
    match lockout(untold) {
        Ok(lockout) => Some(lockout),
        Err(damaged) => {
            error!(table = "failures", error = %damaged, "damaged row passed over");
            None
        }
    }
}

fn lockout(untold: UntoldRow) -> Result<Lockout, StoreError> {
    let UntoldRow { address, network, last_at, owned } = untold;
    let mail_to = owned
        .map(|(email, address)| EmailAddress::from_stored(&address).map_err(|error| corrupt("emails", email, error)));
    Ok(Lockout {
        address: AddressKey::from_stored(address),
        network: failed_network(&network, last_at)?,
        mail_to: mail_to.transpose()?,
    })
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
