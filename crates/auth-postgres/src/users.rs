//! Users and their addresses.

use async_trait::async_trait;
use auth_domain::{
    AddressKey, Applied, KnownAddress, Registered, Registration, Standing, StoreError, Timestamp, User, UserId, Users,
    rules::{AliasVerdict, judge_alias},
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, PgExpressionMethods, QueryDsl, SelectableHelper,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    PostgresStore, codes,
    error::Failure,
    locks, registrations,
    rows::{EmailRow, UserRow, sorted, stored},
    schema::{emails, users},
    sessions,
};

#[async_trait]
impl Users for PostgresStore {
    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.read(id, |conn, id| Box::pin(find_user(conn, *id))).await
    }

    async fn find_address(&self, address: &AddressKey, now: Timestamp) -> Result<Option<KnownAddress>, StoreError> {
        let input = (address.clone(), now);
        self.read(input, |conn, (address, now)| Box::pin(find_address(conn, address, *now))).await
    }

    async fn register_user(&self, registration: &Registration) -> Result<Registered, StoreError> {
        self.write(registration.clone(), |conn, registration| Box::pin(register_user(conn, registration))).await
    }

    async fn delete_user(&self, id: UserId) -> Result<Applied, StoreError> {
        self.write(id, |conn, id| Box::pin(delete_user(conn, *id))).await
    }
}

async fn find_user(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<User>, Failure> {
    let found = users::table
        .filter(users::id.eq(id.uuid()))
        .filter(users::registration.is_null())
        .select(UserRow::as_select())
        .get_result(conn)
        .await
        .optional()?;
    Ok(found.map(UserRow::into_user).transpose()?)
}

/// Two statements, each on a state of its own: what changes in between was a registration, or ended one.
async fn find_address(
    conn: &mut AsyncPgConnection,
    address: &AddressKey,
    now: Timestamp,
) -> Result<Option<KnownAddress>, Failure> {
    // At most one is verified. Two registrations for one address replace each other, so the newest is the one.
    let candidates = emails::table
        .inner_join(users::table)
        .filter(emails::address_key.eq(address.as_str()))
        .filter(emails::verified.or(users::registration.is_not_distinct_from(Standing::Pending.as_stored())))
        .order((emails::verified.desc(), emails::created_at.desc(), emails::id.desc()))
        .select(EmailRow::as_select())
        .load(conn)
        .await?;
    match candidates.into_iter().next() {
        Some(found) if found.verified || codes::any_living(conn, address, now).await? => Ok(Some(found.into_known()?)),
        _ => Ok(None),
    }
}

async fn register_user(conn: &mut AsyncPgConnection, registration: &Registration) -> Result<Registered, Failure> {
    let now = registration.sign_in.code.created_at;
    let address = registration.address_key();
    locks::address(conn, &address).await?;
    locks::alias(conn, &registration.alias).await?;

    let holder = registrations::alias_holder(conn, &registration.alias, now).await?;
    let verdict = judge_alias(holder.as_ref().map(|(_, holder)| holder), &address);
    if verdict == AliasVerdict::Taken {
        return Ok(Registered::AliasTaken);
    }
    if has_verified_owner(conn, &address).await? != registration.decoy {
        return Ok(Registered::Stale);
    }
    let mut replaced = registrations::for_address(conn, &address).await?;
    replaced.extend(holder.map(|(id, _)| id));
    registrations::delete_users(conn, &replaced).await?;

    insert_user(conn, registration).await?;
    sessions::store_sign_in(conn, &registration.sign_in).await?;
    Ok(Registered::Yes)
}

async fn insert_user(conn: &mut AsyncPgConnection, registration: &Registration) -> Result<(), Failure> {
    let created_at = stored(registration.sign_in.code.created_at);
    let standing = if registration.decoy { Standing::Decoy } else { Standing::Pending };
    diesel::insert_into(users::table)
        .values((
            users::id.eq(registration.user_id.uuid()),
            users::alias.eq(registration.alias.as_str()),
            users::alias_key.eq(registration.alias.key()),
            users::full_name.eq(registration.full_name.as_str()),
            users::verified.eq(false),
            users::enabled.eq(true),
            users::registration.eq(standing.as_stored()),
            users::roles.eq(sorted(&registration.roles)),
            users::groups.eq(sorted(&registration.groups)),
            users::created_at.eq(created_at),
        ))
        .execute(conn)
        .await?;
    diesel::insert_into(emails::table)
        .values((
            emails::id.eq(registration.email_id.uuid()),
            emails::user_id.eq(registration.user_id.uuid()),
            emails::address.eq(registration.address.as_str()),
            emails::address_key.eq(registration.address_key().as_str()),
            emails::verified.eq(false),
            emails::preferred.eq(true),
            emails::created_at.eq(created_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

async fn delete_user(conn: &mut AsyncPgConnection, id: UserId) -> Result<Applied, Failure> {
    let account: Option<Uuid> = users::table
        .filter(users::id.eq(id.uuid()))
        .filter(users::registration.is_null())
        .select(users::id)
        .for_update()
        .get_result(conn)
        .await
        .optional()?;
    let Some(account) = account else { return Ok(Applied::Stale) };
    registrations::delete_users(conn, &[account]).await?;
    Ok(Applied::Yes)
}

pub(crate) async fn has_verified_owner(conn: &mut AsyncPgConnection, address: &AddressKey) -> Result<bool, Failure> {
    let verified = emails::table.filter(emails::address_key.eq(address.as_str())).filter(emails::verified);
    Ok(diesel::select(diesel::dsl::exists(verified)).get_result(conn).await?)
}
