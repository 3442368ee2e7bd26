//! Users: who registers, whom an address leads to, and locking one.

use async_trait::async_trait;
use auth_domain::{
    AddressKey, Alias, FactKey, FullName, KnownAddress, Registered, Registration, SessionOwner, Standing, StoreError,
    Timestamp, User, UserId, Users,
    rules::{AliasVerdict, Asking, judge_alias},
};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    PostgresStore, claims,
    emails::{self, NewEmail},
    error::Failure,
    limits::{self, Measure},
    locks, registrations,
    rows::{UserRow, sorted, stored},
    schema::users,
    sign_ins,
};

#[async_trait]
impl Users for PostgresStore {
    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.read(id, |conn, id| Box::pin(find_user(conn, *id))).await
    }

    async fn find_address(&self, address: &AddressKey, now: Timestamp) -> Result<Option<KnownAddress>, StoreError> {
        let input = (address.clone(), now);
        self.read(input, |conn, (address, now)| Box::pin(claims::find_address(conn, address, *now))).await
    }

    async fn register_user(&self, registration: &Registration) -> Result<Registered, StoreError> {
        let key = FactKey::Address(registration.address_key());
        self.write(Some(key), registration.clone(), |conn, registration| Box::pin(register_user(conn, registration)))
            .await
    }
}

pub(crate) async fn find_user(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<User>, Failure> {
    let found = users::table
        .filter(users::id.eq(id.uuid()))
        .filter(users::registration.is_null())
        .select(UserRow::as_select())
        .get_result(conn)
        .await
        .optional()?;
    Ok(found.map(UserRow::into_user).transpose()?)
}

async fn register_user(conn: &mut AsyncPgConnection, registration: &Registration) -> Result<Registered, Failure> {
    let now = registration.sign_in.code.created_at;
    let (address, sign_in) = (registration.address_key(), &registration.sign_in);
    let restraint = sign_in.restraint.as_ref();
    let measure = restraint.map(|asked| Measure::of_request(asked, Asking::SignUp, &sign_in.code));
    if let Some(refusal) = limits::begin(conn, measure.as_ref(), &address).await? {
        return Ok(Registered::Throttled(refusal));
    }
    locks::alias(conn, &registration.alias).await?;

    let holder = registrations::alias_holder(conn, &registration.alias, now).await?;
    let verdict = judge_alias(holder.as_ref().map(|(_, holder)| holder), &address);
    if verdict == AliasVerdict::Taken {
        let measure = restraint.map(|asked| Measure::of_taken_alias(asked, &sign_in.code));
        limits::charge(conn, measure.as_ref()).await?;
        return Ok(Registered::AliasTaken);
    }
    if emails::owner(conn, &address).await?.is_some() != registration.decoy {
        return Ok(Registered::Stale);
    }
    locks::owner(conn, &address).await?;
    let mut replaced = registrations::for_address(conn, &address).await?;
    replaced.extend(holder.map(|(id, _)| id));
    registrations::replace(conn, replaced).await?;

    let standing = if registration.decoy { Standing::Decoy } else { Standing::Pending };
    let user = NewUser {
        id: registration.user_id,
        alias: &registration.alias,
        full_name: &registration.full_name,
        roles: &registration.roles,
        groups: &registration.groups,
        verified: false,
        standing,
        created_at: now,
    };
    insert(conn, user).await?;
    let email = NewEmail {
        id: registration.email_id,
        user: registration.user_id,
        address: &registration.address,
        vouched: false,
        preferred: true,
        created_at: now,
    };
    emails::insert(conn, email).await?;
    let newcomer = SessionOwner { user_id: registration.user_id, email_id: registration.email_id };
    sign_ins::store(conn, sign_in, newcomer, measure.as_ref()).await?;
    Ok(Registered::Yes)
}

/// A user about to be stored.
pub(crate) struct NewUser<'a> {
    pub(crate) id: UserId,
    pub(crate) alias: &'a Alias,
    pub(crate) full_name: &'a FullName,
    pub(crate) roles: &'a [String],
    pub(crate) groups: &'a [String],
    pub(crate) verified: bool,
    pub(crate) standing: Standing,
    pub(crate) created_at: Timestamp,
}

pub(crate) async fn insert(conn: &mut AsyncPgConnection, user: NewUser<'_>) -> Result<(), Failure> {
    diesel::insert_into(users::table)
        .values((
            users::id.eq(user.id.uuid()),
            users::alias.eq(user.alias.as_str()),
            users::alias_key.eq(user.alias.key()),
            users::full_name.eq(user.full_name.as_str()),
            users::verified.eq(user.verified),
            users::enabled.eq(true),
            users::registration.eq(user.standing.as_stored()),
            users::roles.eq(sorted(user.roles)),
            users::groups.eq(sorted(user.groups)),
            users::created_at.eq(stored(user.created_at)),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Locks a user's row against every other fact that changes what the user has.
pub(crate) async fn lock_user(conn: &mut AsyncPgConnection, user: Uuid) -> Result<Option<UserRow>, Failure> {
    let row = users::table.filter(users::id.eq(user)).select(UserRow::as_select()).for_no_key_update();
    Ok(row.get_result(conn).await.optional()?)
}

/// The same if the user has an account, and nothing otherwise.
pub(crate) async fn lock_account(conn: &mut AsyncPgConnection, user: Uuid) -> Result<Option<UserRow>, Failure> {
    match lock_user(conn, user).await? {
        Some(row) if row.standing()? == Standing::Account => Ok(Some(row)),
        _ => Ok(None),
    }
}

/// The same if a credential of the user's would be accepted, and nothing otherwise.
pub(crate) async fn lock_active(conn: &mut AsyncPgConnection, user: Uuid) -> Result<Option<UserRow>, Failure> {
    Ok(lock_account(conn, user).await?.filter(|row| row.enabled && row.verified))
}
