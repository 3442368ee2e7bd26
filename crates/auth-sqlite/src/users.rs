//! Users and their addresses.

use async_trait::async_trait;
use auth_domain::{
    AddressKey, Applied, KnownAddress, Registered, Registration, Standing, StoreError, Timestamp, User, UserId, Users,
    rules::{AliasVerdict, judge_alias},
};
use diesel::{
    BoolExpressionMethods, Connection, ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
};

use crate::{
    SqliteStore, codes,
    error::Failure,
    registrations,
    rows::{EmailRow, UserRow, as_json, bytes_of},
    schema::{emails, users},
    sessions,
};

#[async_trait]
impl Users for SqliteStore {
    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.read(move |conn| find_user(conn, id)).await
    }

    async fn find_address(&self, address: &AddressKey, now: Timestamp) -> Result<Option<KnownAddress>, StoreError> {
        let address = address.clone();
        // Both of its statements must see the same state, which takes a transaction.
        self.read(move |conn| conn.transaction(|conn| find_address(conn, &address, now))).await
    }

    async fn register_user(&self, registration: &Registration) -> Result<Registered, StoreError> {
        let registration = registration.clone();
        self.write(move |conn| register_user(conn, &registration)).await
    }

    async fn delete_user(&self, id: UserId) -> Result<Applied, StoreError> {
        self.write(move |conn| delete_user(conn, id)).await
    }
}

fn find_user(conn: &mut SqliteConnection, id: UserId) -> Result<Option<User>, Failure> {
    let found = users::table
        .filter(users::id.eq(bytes_of(id.uuid())))
        .filter(users::registration.is_null())
        .select(UserRow::as_select())
        .load(conn)?;
    Ok(found.into_iter().next().map(UserRow::into_user).transpose()?)
}

fn find_address(
    conn: &mut SqliteConnection,
    address: &AddressKey,
    now: Timestamp,
) -> Result<Option<KnownAddress>, Failure> {
    let pending = Standing::Pending.as_stored();
    // At most one is verified. Two registrations for one address replace each other, so the newest is the one.
    let candidates = emails::table
        .inner_join(users::table)
        .filter(emails::address_key.eq(address.as_str()))
        .filter(emails::verified.eq(true).or(users::registration.eq(pending)))
        .order((emails::verified.desc(), emails::created_at.desc(), emails::id.desc()))
        .select(EmailRow::as_select())
        .load(conn)?;
    match candidates.into_iter().next() {
        Some(found) if found.verified || codes::any_living(conn, address, now)? => Ok(Some(found.into_known()?)),
        _ => Ok(None),
    }
}

fn register_user(conn: &mut SqliteConnection, registration: &Registration) -> Result<Registered, Failure> {
    let now = registration.sign_in.code.created_at;
    let address = registration.address_key();

    let holder = registrations::alias_holder(conn, &registration.alias, now)?;
    let verdict = judge_alias(holder.as_ref().map(|(_, holder)| holder), &address);
    if verdict == AliasVerdict::Taken {
        return Ok(Registered::AliasTaken);
    }
    if has_verified_owner(conn, &address)? != registration.decoy {
        return Ok(Registered::Stale);
    }
    let mut replaced = registrations::for_address(conn, &address)?;
    replaced.extend(holder.map(|(id, _)| id));
    registrations::delete_users(conn, replaced)?;

    insert_user(conn, registration)?;
    sessions::store_sign_in(conn, &registration.sign_in)?;
    Ok(Registered::Yes)
}

fn insert_user(conn: &mut SqliteConnection, registration: &Registration) -> Result<(), Failure> {
    let created_at = registration.sign_in.code.created_at.unix_millis();
    let standing = if registration.decoy { Standing::Decoy } else { Standing::Pending };
    diesel::insert_into(users::table)
        .values((
            users::id.eq(bytes_of(registration.user_id.uuid())),
            users::alias.eq(registration.alias.as_str()),
            users::alias_key.eq(registration.alias.key()),
            users::full_name.eq(registration.full_name.as_str()),
            users::verified.eq(false),
            users::enabled.eq(true),
            users::registration.eq(standing.as_stored()),
            users::roles.eq(as_json(&registration.roles)),
            users::groups.eq(as_json(&registration.groups)),
            users::created_at.eq(created_at),
        ))
        .execute(conn)?;
    diesel::insert_into(emails::table)
        .values((
            emails::id.eq(bytes_of(registration.email_id.uuid())),
            emails::user_id.eq(bytes_of(registration.user_id.uuid())),
            emails::address.eq(registration.address.as_str()),
            emails::address_key.eq(registration.address_key().as_str()),
            emails::verified.eq(false),
            emails::preferred.eq(true),
            emails::created_at.eq(created_at),
        ))
        .execute(conn)?;
    Ok(())
}

fn delete_user(conn: &mut SqliteConnection, id: UserId) -> Result<Applied, Failure> {
    let id = bytes_of(id.uuid());
    let accounts: Vec<Vec<u8>> =
        users::table.filter(users::id.eq(&id)).filter(users::registration.is_null()).select(users::id).load(conn)?;
    if accounts.is_empty() {
        return Ok(Applied::Stale);
    }
    registrations::delete_users(conn, accounts)?;
    Ok(Applied::Yes)
}

pub(crate) fn has_verified_owner(conn: &mut SqliteConnection, address: &AddressKey) -> Result<bool, Failure> {
    let verified = emails::table.filter(emails::address_key.eq(address.as_str())).filter(emails::verified.eq(true));
    Ok(diesel::select(diesel::dsl::exists(verified)).get_result(conn)?)
}
