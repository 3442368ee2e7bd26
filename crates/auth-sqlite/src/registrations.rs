//! Registrations that nobody completed: what they hold, and how they go.

use auth_domain::{AddressKey, Alias, MailClass, Standing, Timestamp, rules::AliasHolder};
use diesel::{ExpressionMethods, NullableExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection};

use crate::{
    codes::any_living,
    error::{Failure, corrupt},
    rows::{printed, standing},
    schema::{codes, emails, outbox, users},
};

/// Who holds `alias`, and the id of their row.
pub(crate) fn alias_holder(
    conn: &mut SqliteConnection,
    alias: &Alias,
    now: Timestamp,
) -> Result<Option<(Vec<u8>, AliasHolder)>, Failure> {
    let found: Vec<(Vec<u8>, Option<String>)> =
        users::table.filter(users::alias_key.eq(alias.key())).select((users::id, users::registration)).load(conn)?;
    let Some((id, registration)) = found.into_iter().next() else {
        return Ok(None);
    };
    let holder = match standing(registration.as_deref(), &id)? {
        Standing::Account => AliasHolder::Account,
        Standing::Pending | Standing::Decoy => {
            let address = address_of(conn, &id)?;
            let has_living_code = any_living(conn, &address, now)?;
            AliasHolder::Registration { address, has_living_code }
        }
    };
    Ok(Some((id, holder)))
}

/// The registrations made for `address`.
pub(crate) fn for_address(conn: &mut SqliteConnection, address: &AddressKey) -> Result<Vec<Vec<u8>>, Failure> {
    let registrations = emails::table
        .inner_join(users::table)
        .filter(emails::address_key.eq(address.as_str()))
        .filter(users::registration.is_not_null())
        .select(users::id);
    Ok(registrations.load(conn)?)
}

/// Deletes users, or registrations, with all that hangs on them. Notices remain owed: they tell somebody else.
pub(crate) fn delete_users(conn: &mut SqliteConnection, ids: Vec<Vec<u8>>) -> Result<(), Failure> {
    for id in ids {
        for mail in queued_codes_of(conn, &id)? {
            diesel::delete(outbox::table.filter(outbox::id.eq(mail))).execute(conn)?;
        }
        // Addresses, sessions and codes go by foreign key.
        diesel::delete(users::table.filter(users::id.eq(id))).execute(conn)?;
    }
    Ok(())
}

/// The mails that carry a code to a user and are owed still.
fn queued_codes_of(conn: &mut SqliteConnection, user: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
    let theirs = codes::table.inner_join(emails::table).filter(emails::user_id.eq(user)).select(codes::id.nullable());
    // By the code alone: given the other two conditions, SQLite would rather go through all that is owed to anybody.
    let mails: Vec<(Vec<u8>, String, Option<i64>)> = outbox::table
        .filter(outbox::code_id.eq_any(theirs))
        .select((outbox::id, outbox::class, outbox::settled_at))
        .load(conn)?;
    let is_queued_code =
        |class: &str, settled_at: Option<i64>| class == MailClass::Code.as_str() && settled_at.is_none();
    Ok(mails
        .into_iter()
        .filter(|(_, class, settled_at)| is_queued_code(class, *settled_at))
        .map(|(id, ..)| id)
        .collect())
}

fn address_of(conn: &mut SqliteConnection, registration: &[u8]) -> Result<AddressKey, Failure> {
    let addresses: Vec<String> =
        emails::table.filter(emails::user_id.eq(registration)).select(emails::address_key).load(conn)?;
    match addresses.into_iter().next() {
        Some(key) => Ok(AddressKey::from_stored(key)),
        None => Err(corrupt("users", printed(registration), "a registration without an address").into()),
    }
}
