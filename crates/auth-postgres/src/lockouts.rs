//! Addresses at which too much was guessed wrong: telling their owners, and unlocking them.

use async_trait::async_trait;
use auth_domain::{AddressKey, EmailAddress, Lockout, Lockouts, StoreError};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl, Queryable,
    data_types::PgTimestamp,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tracing::error;
use uuid::Uuid;

use crate::{
    PostgresStore,
    error::{Failure, corrupt},
    rows::failed_network,
    schema::{emails as email, failures},
};

#[async_trait]
impl Lockouts for PostgresStore {
    async fn list_untold_lockouts(&self, failures_in_a_row: u32, limit: u32) -> Result<Vec<Lockout>, StoreError> {
        let input = (failures_in_a_row, limit);
        self.view(input, |conn, (in_a_row, limit)| Box::pin(list_untold_lockouts(conn, *in_a_row, *limit))).await
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

/// A number of failures as it is stored. There are never more than fit.
fn stored_count(failures: u32) -> i32 {
    i32::try_from(failures).unwrap_or(i32::MAX)
}
