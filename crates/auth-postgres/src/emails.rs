//! The addresses of an account.

use async_trait::async_trait;
use auth_domain::{
    Applied, Email, EmailAddition, EmailChange, EmailId, EmailRenewal, Emails, QueuedMail, Standing, StoreError, UserId,
};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper, dsl::auto_type};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    PostgresStore,
    codes::{self, Opens},
    error::Failure,
    locks, outbox,
    redeeming::lock_user,
    rows::{EmailRow, stored},
    schema::emails,
    users::has_verified_owner,
};

#[async_trait]
impl Emails for PostgresStore {
    async fn list_emails(&self, user: UserId) -> Result<Vec<Email>, StoreError> {
        self.read(user, |conn, user| Box::pin(list_emails(conn, *user))).await
    }

    async fn add_email(&self, addition: &EmailAddition) -> Result<Applied, StoreError> {
        self.write(addition.clone(), |conn, addition| Box::pin(add_email(conn, addition))).await
    }

    async fn renew_email_code(&self, renewal: &EmailRenewal) -> Result<Applied, StoreError> {
        self.write(renewal.clone(), |conn, renewal| Box::pin(renew_email_code(conn, renewal))).await
    }

    async fn prefer_email(&self, change: &EmailChange) -> Result<Applied, StoreError> {
        self.write(change.clone(), |conn, change| Box::pin(prefer_email(conn, change))).await
    }

    async fn remove_email(&self, change: &EmailChange) -> Result<Applied, StoreError> {
        self.write(change.clone(), |conn, change| Box::pin(remove_email(conn, change))).await
    }
}

async fn list_emails(conn: &mut AsyncPgConnection, user: UserId) -> Result<Vec<Email>, Failure> {
    let theirs = emails::table
        .filter(emails::user_id.eq(user.uuid()))
        .order((emails::created_at, emails::id))
        .select(EmailRow::as_select())
        .load(conn)
        .await?;
    Ok(theirs.into_iter().map(EmailRow::into_email).collect::<Result<_, _>>()?)
}

/// Locks the account, and tells whether it has exactly these addresses.
async fn has_exactly(conn: &mut AsyncPgConnection, user: UserId, seen: &[Email]) -> Result<bool, Failure> {
    match lock_user(conn, user.uuid()).await? {
        Some(row) if row.standing()? == Standing::Account => Ok(list_emails(conn, user).await? == seen),
        _ => Ok(false),
    }
}

async fn add_email(conn: &mut AsyncPgConnection, addition: &EmailAddition) -> Result<Applied, Failure> {
    let key = addition.address.key();
    locks::address(conn, &key).await?;
    let is_as_seen = has_exactly(conn, addition.user_id, &addition.seen).await?
        && has_verified_owner(conn, &key).await? == addition.foreign;
    if !is_as_seen {
        return Ok(Applied::Stale);
    }
    diesel::insert_into(emails::table)
        .values((
            emails::id.eq(addition.email_id.uuid()),
            emails::user_id.eq(addition.user_id.uuid()),
            emails::address.eq(addition.address.as_str()),
            emails::address_key.eq(key.as_str()),
            emails::verified.eq(false),
            emails::preferred.eq(false),
            emails::created_at.eq(stored(addition.code.created_at)),
        ))
        .execute(conn)
        .await?;
    codes::insert(conn, &addition.code, Opens::Email, Some(addition.email_id)).await?;
    queue(conn, &addition.mails).await?;
    Ok(Applied::Yes)
}

async fn renew_email_code(conn: &mut AsyncPgConnection, renewal: &EmailRenewal) -> Result<Applied, Failure> {
    locks::address(conn, &renewal.code.address).await?;
    lock_user(conn, renewal.user_id.uuid()).await?;
    let pending: Option<Uuid> = of_user(renewal.user_id, renewal.email_id)
        .filter(diesel::dsl::not(emails::verified))
        .select(emails::id)
        .get_result(conn)
        .await
        .optional()?;
    if pending.is_none() || has_verified_owner(conn, &renewal.code.address).await? != renewal.foreign {
        return Ok(Applied::Stale);
    }
    codes::end_those_for_email(conn, renewal.email_id).await?;
    codes::insert(conn, &renewal.code, Opens::Email, Some(renewal.email_id)).await?;
    outbox::insert(conn, &renewal.mail).await?;
    Ok(Applied::Yes)
}

async fn prefer_email(conn: &mut AsyncPgConnection, change: &EmailChange) -> Result<Applied, Failure> {
    if !has_exactly(conn, change.user_id, &change.seen).await? {
        return Ok(Applied::Stale);
    }
    // One after the other: at no moment may two be preferred.
    let preferred = emails::table.filter(emails::user_id.eq(change.user_id.uuid())).filter(emails::preferred);
    diesel::update(preferred).set(emails::preferred.eq(false)).execute(conn).await?;
    diesel::update(of_user(change.user_id, change.email_id)).set(emails::preferred.eq(true)).execute(conn).await?;
    queue(conn, &change.notices).await?;
    Ok(Applied::Yes)
}

async fn remove_email(conn: &mut AsyncPgConnection, change: &EmailChange) -> Result<Applied, Failure> {
    if !has_exactly(conn, change.user_id, &change.seen).await? {
        return Ok(Applied::Stale);
    }
    // Its codes go by foreign key.
    diesel::delete(of_user(change.user_id, change.email_id)).execute(conn).await?;
    queue(conn, &change.notices).await?;
    Ok(Applied::Yes)
}

#[auto_type(no_type_alias)]
fn of_user(user: UserId, email: EmailId) -> _ {
    let (user, email): (Uuid, Uuid) = (user.uuid(), email.uuid());
    emails::table.filter(emails::id.eq(email)).filter(emails::user_id.eq(user))
}

async fn queue(conn: &mut AsyncPgConnection, mails: &[QueuedMail]) -> Result<(), Failure> {
    for mail in mails {
        outbox::insert(conn, mail).await?;
    }
    Ok(())
}
