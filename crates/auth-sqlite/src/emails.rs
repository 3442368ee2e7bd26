//! The addresses of an account.

use async_trait::async_trait;
use auth_domain::{
    Applied, Email, EmailAddition, EmailChange, EmailId, EmailRenewal, Emails, QueuedMail, StoreError, UserId,
};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection};

use crate::{
    SqliteStore,
    codes::{self, Opens},
    error::Failure,
    outbox,
    rows::{EmailRow, bytes_of},
    schema::{emails, users},
    users::has_verified_owner,
};

#[async_trait]
impl Emails for SqliteStore {
    async fn list_emails(&self, user: UserId) -> Result<Vec<Email>, StoreError> {
        self.read(move |conn| list_emails(conn, user)).await
    }

    async fn add_email(&self, addition: &EmailAddition) -> Result<Applied, StoreError> {
        let addition = addition.clone();
        self.write(move |conn| add_email(conn, &addition)).await
    }

    async fn renew_email_code(&self, renewal: &EmailRenewal) -> Result<Applied, StoreError> {
        let renewal = renewal.clone();
        self.write(move |conn| renew_email_code(conn, &renewal)).await
    }

    async fn prefer_email(&self, change: &EmailChange) -> Result<Applied, StoreError> {
        let change = change.clone();
        self.write(move |conn| prefer_email(conn, &change)).await
    }

    async fn remove_email(&self, change: &EmailChange) -> Result<Applied, StoreError> {
        let change = change.clone();
        self.write(move |conn| remove_email(conn, &change)).await
    }
}

fn list_emails(conn: &mut SqliteConnection, user: UserId) -> Result<Vec<Email>, Failure> {
    let theirs = emails::table
        .filter(emails::user_id.eq(bytes_of(user.uuid())))
        .order((emails::created_at, emails::id))
        .select(EmailRow::as_select())
        .load(conn)?;
    Ok(theirs.into_iter().map(EmailRow::into_email).collect::<Result<_, _>>()?)
}

fn add_email(conn: &mut SqliteConnection, addition: &EmailAddition) -> Result<Applied, Failure> {
    let key = addition.address.key();
    let is_as_seen = is_account(conn, addition.user_id)?
        && list_emails(conn, addition.user_id)? == addition.seen
        && has_verified_owner(conn, &key)? == addition.foreign;
    if !is_as_seen {
        return Ok(Applied::Stale);
    }
    diesel::insert_into(emails::table)
        .values((
            emails::id.eq(bytes_of(addition.email_id.uuid())),
            emails::user_id.eq(bytes_of(addition.user_id.uuid())),
            emails::address.eq(addition.address.as_str()),
            emails::address_key.eq(key.as_str()),
            emails::verified.eq(false),
            emails::preferred.eq(false),
            emails::created_at.eq(addition.code.created_at.unix_millis()),
        ))
        .execute(conn)?;
    codes::insert(conn, &addition.code, Opens::Email, Some(addition.email_id))?;
    queue(conn, &addition.mails)?;
    Ok(Applied::Yes)
}

fn renew_email_code(conn: &mut SqliteConnection, renewal: &EmailRenewal) -> Result<Applied, Failure> {
    let pending: Option<EmailRow> = of_user(renewal.user_id, renewal.email_id)
        .filter(emails::verified.eq(false))
        .select(EmailRow::as_select())
        .get_result(conn)
        .optional()?;
    if pending.is_none() || has_verified_owner(conn, &renewal.code.address)? != renewal.foreign {
        return Ok(Applied::Stale);
    }
    codes::end_those_for_email(conn, renewal.email_id)?;
    codes::insert(conn, &renewal.code, Opens::Email, Some(renewal.email_id))?;
    outbox::insert(conn, &renewal.mail)?;
    Ok(Applied::Yes)
}

fn prefer_email(conn: &mut SqliteConnection, change: &EmailChange) -> Result<Applied, Failure> {
    if list_emails(conn, change.user_id)? != change.seen {
        return Ok(Applied::Stale);
    }
    // One after the other: at no moment may two be preferred.
    let preferred =
        emails::table.filter(emails::user_id.eq(bytes_of(change.user_id.uuid()))).filter(emails::preferred.eq(true));
    diesel::update(preferred).set(emails::preferred.eq(false)).execute(conn)?;
    diesel::update(of_user(change.user_id, change.email_id)).set(emails::preferred.eq(true)).execute(conn)?;
    queue(conn, &change.notices)?;
    Ok(Applied::Yes)
}

fn remove_email(conn: &mut SqliteConnection, change: &EmailChange) -> Result<Applied, Failure> {
    if list_emails(conn, change.user_id)? != change.seen {
        return Ok(Applied::Stale);
    }
    // Its codes go by foreign key.
    diesel::delete(of_user(change.user_id, change.email_id)).execute(conn)?;
    queue(conn, &change.notices)?;
    Ok(Applied::Yes)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn of_user(user: UserId, email: EmailId) -> _ {
    let (user, email): (Vec<u8>, Vec<u8>) = (bytes_of(user.uuid()), bytes_of(email.uuid()));
    emails::table.filter(emails::id.eq(email)).filter(emails::user_id.eq(user))
}

fn is_account(conn: &mut SqliteConnection, user: UserId) -> Result<bool, Failure> {
    let account = users::table.filter(users::id.eq(bytes_of(user.uuid()))).filter(users::registration.is_null());
    Ok(diesel::select(diesel::dsl::exists(account)).get_result(conn)?)
}

fn queue(conn: &mut SqliteConnection, mails: &[QueuedMail]) -> Result<(), Failure> {
    mails.iter().try_for_each(|mail| outbox::insert(conn, mail))
}
