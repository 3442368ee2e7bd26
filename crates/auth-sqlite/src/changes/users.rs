use auth_domain::{
    EmailId, MailClass, Standing, UserId,
    archive::{EmailRecord, UserRecord},
};
use diesel::{
    AsChangeset, ExpressionMethods, Identifiable, Insertable, NullableExpressionMethods, QueryDsl, QueryResult,
    RunQueryDsl, SqliteConnection,
};

use crate::{
    rows::{as_json, bytes_of},
    schema::{codes, emails, outbox, users},
};

/// A user as they are stored.
#[derive(Insertable, AsChangeset, Identifiable)]
#[diesel(table_name = users, treat_none_as_default_value = false, treat_none_as_null = true)]
struct UserRow {
    id: Vec<u8>,
    alias: String,
    alias_key: String,
    full_name: String,
    verified: bool,
    enabled: bool,
    registration: Option<String>,
    roles: String,
    groups: String,
    created_at: i64,
}

impl From<&UserRecord> for UserRow {
    fn from(UserRecord { user, standing, alias_key }: &UserRecord) -> Self {
        Self {
            id: bytes_of(user.id.uuid()),
            alias: user.alias.as_str().to_owned(),
            alias_key: alias_key.clone(),
            full_name: user.full_name.as_str().to_owned(),
            verified: user.verified,
            enabled: user.enabled,
            registration: standing.as_stored().map(str::to_owned),
            roles: as_json(&user.roles),
            groups: as_json(&user.groups),
            created_at: user.created_at.unix_millis(),
        }
    }
}

pub(super) fn insert_user(conn: &mut SqliteConnection, record: &UserRecord) -> QueryResult<usize> {
    diesel::insert_into(users::table).values(UserRow::from(record)).execute(conn)
}

pub(super) fn complete_registration(conn: &mut SqliteConnection, id: UserId) -> QueryResult<usize> {
    let completed = (users::registration.eq(Standing::Account.as_stored()), users::verified.eq(true));
    diesel::update(users::table.find(bytes_of(id.uuid()))).set(completed).execute(conn)
}

pub(super) fn update_user(conn: &mut SqliteConnection, record: &UserRecord) -> QueryResult<usize> {
    let row = UserRow::from(record);
    diesel::update(&row).set(&row).execute(conn)
}

/// Deletes a user, or a registration, with the mails that carry a code to them and are owed still. Notices remain owed: they
/// tell somebody else. Returns how many users these were.
pub(crate) fn delete_user(conn: &mut SqliteConnection, id: &[u8]) -> QueryResult<usize> {
    let theirs = codes::table.inner_join(emails::table).filter(emails::user_id.eq(id)).select(codes::id.nullable());
    // By the code alone: given the other two conditions, SQLite would rather go through all that is owed to anybody.
    let mails: Vec<(Vec<u8>, String, Option<i64>)> = outbox::table
        .filter(outbox::code_id.eq_any(theirs))
        .select((outbox::id, outbox::class, outbox::settled_at))
        .load(conn)?;
    for (mail, class, settled_at) in mails {
        if class == MailClass::Code.as_str() && settled_at.is_none() {
            diesel::delete(outbox::table.find(mail)).execute(conn)?;
        }
    }
    diesel::delete(users::table.find(id)).execute(conn)
}

pub(super) fn insert_email(conn: &mut SqliteConnection, record: &EmailRecord) -> QueryResult<usize> {
    diesel::insert_into(emails::table)
        .values((
            emails::id.eq(bytes_of(record.id.uuid())),
            emails::user_id.eq(bytes_of(record.user_id.uuid())),
            emails::address.eq(record.address.as_str()),
            emails::address_key.eq(record.address_key.as_str()),
            emails::verified.eq(record.verified),
            emails::vouched.eq(record.vouched),
            emails::preferred.eq(record.preferred),
            emails::created_at.eq(record.created_at.unix_millis()),
        ))
        .execute(conn)
}

pub(super) fn update_email(
    conn: &mut SqliteConnection,
    id: EmailId,
    verified: bool,
    vouched: bool,
) -> QueryResult<usize> {
    diesel::update(emails::table.find(bytes_of(id.uuid())))
        .set((emails::verified.eq(verified), emails::vouched.eq(vouched)))
        .execute(conn)
}

pub(super) fn prefer_email(conn: &mut SqliteConnection, user: UserId, id: EmailId) -> QueryResult<usize> {
    let theirs = || emails::table.filter(emails::user_id.eq(bytes_of(user.uuid())));
    // One after the other: at no moment may two be preferred.
    diesel::update(theirs().filter(emails::preferred.eq(true))).set(emails::preferred.eq(false)).execute(conn)?;
    let this_one = theirs().filter(emails::id.eq(bytes_of(id.uuid())));
    diesel::update(this_one).set(emails::preferred.eq(true)).execute(conn)
}

pub(super) fn delete_email(conn: &mut SqliteConnection, id: EmailId) -> QueryResult<usize> {
    diesel::delete(emails::table.find(bytes_of(id.uuid()))).execute(conn)
}
