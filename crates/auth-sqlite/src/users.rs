//! Users and their addresses.

use async_trait::async_trait;
use auth_domain::{
    AddressKey, Alias, EmailAddress, EmailId, FactKey, FullName, KnownAddress, Registered, Registration, SessionOwner,
    Standing, StoreError, Timestamp, User, UserId, Users,
    rules::{AliasVerdict, Asking, judge_alias},
};
use diesel::{
    BoolExpressionMethods, Connection, ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
    dsl::{auto_type, exists},
};

use crate::{
    SqliteStore,
    claims::claims,
    codes,
    emails::{NewEmail, insert_email},
    error::Failure,
    registrations,
    rows::{UserRow, as_json, bytes_of},
    schema::{emails, users},
    signing_in, throttles,
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
        let key = FactKey::Address(registration.address_key());
        self.write(Some(key), move |conn| register_user(conn, &registration)).await
    }
}

pub(crate) fn find_user(conn: &mut SqliteConnection, id: UserId) -> Result<Option<User>, Failure> {
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
    let claims = claims(conn, address)?;
    // Asked of every address, although it only matters for a registration: what it costs tells nothing.
    let registrations_live = codes::any_living(conn, address, now)?;
    let known = claims.into_iter().find(|claim| claim.is_led_to(registrations_live));
    Ok(known.map(|claim| claim.email.into_known()).transpose()?)
}

fn register_user(conn: &mut SqliteConnection, registration: &Registration) -> Result<Registered, Failure> {
    let now = registration.sign_in.code.created_at;
    let address = registration.address_key();

    let sign_in = &registration.sign_in;
    let charges = match throttles::judge(conn, sign_in.restraint.as_ref(), Asking::SignUp, &sign_in.code)? {
        Ok(charges) => charges,
        Err(refusal) => return Ok(Registered::Throttled(refusal)),
    };
    let holder = registrations::alias_holder(conn, &registration.alias, now)?;
    let verdict = judge_alias(holder.as_ref().map(|(_, holder)| holder), &address);
    if verdict == AliasVerdict::Taken {
        charges.for_a_taken_alias().settle(conn)?;
        return Ok(Registered::AliasTaken);
    }
    if has_owner(conn, &address)? != registration.decoy {
        return Ok(Registered::Stale);
    }
    let mut replaced = registrations::for_address(conn, &address)?;
    replaced.extend(holder.map(|(id, _)| id));
    registrations::delete_users(conn, replaced)?;

    let user = NewUser {
        id: registration.user_id,
        alias: &registration.alias,
        full_name: &registration.full_name,
        standing: if registration.decoy { Standing::Decoy } else { Standing::Pending },
        verified: false,
        roles: &registration.roles,
        groups: &registration.groups,
        email_id: registration.email_id,
        address: &registration.address,
        created_at: now,
    };
    insert_user(conn, &user)?;
    charges.settle(conn)?;
    let newcomer = SessionOwner { user_id: registration.user_id, email_id: registration.email_id };
    signing_in::store_sign_in(conn, sign_in, newcomer)?;
    Ok(Registered::Yes)
}

/// A user about to be stored, with one address, which is the preferred one.
pub(crate) struct NewUser<'a> {
    pub(crate) id: UserId,
    pub(crate) alias: &'a Alias,
    pub(crate) full_name: &'a FullName,
    /// An administrator vouches for the address of an account; that of a registration waits for its code.
    pub(crate) standing: Standing,
    pub(crate) verified: bool,
    pub(crate) roles: &'a [String],
    pub(crate) groups: &'a [String],
    pub(crate) email_id: EmailId,
    pub(crate) address: &'a EmailAddress,
    pub(crate) created_at: Timestamp,
}

pub(crate) fn insert_user(conn: &mut SqliteConnection, user: &NewUser<'_>) -> Result<(), Failure> {
    diesel::insert_into(users::table)
        .values((
            users::id.eq(bytes_of(user.id.uuid())),
            users::alias.eq(user.alias.as_str()),
            users::alias_key.eq(user.alias.key()),
            users::full_name.eq(user.full_name.as_str()),
            users::verified.eq(user.verified),
            users::enabled.eq(true),
            users::registration.eq(user.standing.as_stored()),
            users::roles.eq(as_json(user.roles)),
            users::groups.eq(as_json(user.groups)),
            users::created_at.eq(user.created_at.unix_millis()),
        ))
        .execute(conn)?;
    let email = NewEmail {
        id: user.email_id,
        user_id: user.id,
        address: user.address,
        vouched: user.standing == Standing::Account,
        preferred: true,
        created_at: user.created_at,
    };
    insert_email(conn, &email)
}

/// Whether a credential of the user's would be accepted.
pub(crate) fn is_active(conn: &mut SqliteConnection, user: UserId) -> Result<bool, Failure> {
    let found = find_user(conn, user)?;
    Ok(found.is_some_and(|user| user.enabled && user.verified))
}

/// The rows of whoever owns `address`: one at most.
#[auto_type(no_type_alias)]
pub(crate) fn owned<'a>(address: &'a str) -> _ {
    emails::table.filter(emails::address_key.eq(address)).filter(emails::verified.eq(true).or(emails::vouched.eq(true)))
}

/// Whether anybody owns `address`.
pub(crate) fn has_owner(conn: &mut SqliteConnection, address: &AddressKey) -> Result<bool, Failure> {
    Ok(diesel::select(exists(owned(address.as_str()))).get_result(conn)?)
}

/// Whether anybody but `user` owns `address`.
pub(crate) fn has_other_owner(conn: &mut SqliteConnection, address: &AddressKey, user: &[u8]) -> Result<bool, Failure> {
    let elsewhere = owned(address.as_str()).filter(emails::user_id.ne(user));
    Ok(diesel::select(exists(elsewhere)).get_result(conn)?)
}
