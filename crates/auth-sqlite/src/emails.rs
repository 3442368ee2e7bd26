//! The addresses of an account.

use std::collections::HashMap;

use async_trait::async_trait;
use auth_domain::{
    AddressKey, Applied, Email, EmailAddition, EmailAddress, EmailChange, EmailId, EmailRenewal, Emails, Event,
    FactKey, QueuedMail, Requested, StoreError, Timestamp, UserId, Vouched, VouchedEmail, rules::Asking,
};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
    dsl::{auto_type, exists},
};

use crate::{
    SqliteStore, audit,
    codes::{self, Opens},
    error::Failure,
    outbox, registrations,
    rows::{EmailRow, bytes_of, id},
    schema::{emails, users},
    throttles,
    users::has_other_owner,
};

#[async_trait]
impl Emails for SqliteStore {
    async fn list_emails(&self, user: UserId) -> Result<Vec<Email>, StoreError> {
        self.read(move |conn| list_emails(conn, user)).await
    }

    async fn add_email(&self, addition: &EmailAddition) -> Result<Requested, StoreError> {
        let addition = addition.clone();
        self.write(Some(FactKey::User(addition.user_id)), move |conn| add_email(conn, &addition)).await
    }

    async fn renew_email_code(&self, renewal: &EmailRenewal) -> Result<Requested, StoreError> {
        let renewal = renewal.clone();
        self.write(Some(FactKey::User(renewal.user_id)), move |conn| renew_email_code(conn, &renewal)).await
    }

    async fn prefer_email(&self, change: &EmailChange) -> Result<Applied, StoreError> {
        let change = change.clone();
        self.write(Some(FactKey::User(change.user_id)), move |conn| prefer_email(conn, &change)).await
    }

    async fn remove_email(&self, change: &EmailChange) -> Result<Applied, StoreError> {
        let change = change.clone();
        self.write(Some(FactKey::User(change.user_id)), move |conn| remove_email(conn, &change)).await
    }

    async fn vouch_for_email(&self, vouched: &VouchedEmail) -> Result<Vouched, StoreError> {
        let vouched = vouched.clone();
        self.write(None, move |conn| vouch_for_email(conn, &vouched)).await
    }

    async fn verify_email(&self, id: EmailId, event: &Event) -> Result<Vouched, StoreError> {
        let event = event.clone();
        self.write(None, move |conn| verify_email(conn, id, &event)).await
    }

    async fn find_email_owner(&self, id: EmailId) -> Result<Option<UserId>, StoreError> {
        self.read(move |conn| find_email_owner(conn, id)).await
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

/// The addresses of each of these users, oldest first.
pub(crate) fn emails_of(conn: &mut SqliteConnection, users: &[UserId]) -> Result<HashMap<UserId, Vec<Email>>, Failure> {
    let theirs: Vec<EmailRow> = emails::table
        .filter(emails::user_id.eq_any(users.iter().map(|user| bytes_of(user.uuid()))))
        .order((emails::created_at, emails::id))
        .select(EmailRow::as_select())
        .load(conn)?;
    let mut emails = HashMap::<UserId, Vec<Email>>::new();
    for row in theirs {
        let owner = id("emails", &row.id, &row.user_id)?;
        emails.entry(owner).or_default().push(row.into_email()?);
    }
    Ok(emails)
}

fn add_email(conn: &mut SqliteConnection, addition: &EmailAddition) -> Result<Requested, Failure> {
    let charges = match throttles::judge(conn, addition.restraint.as_ref(), Asking::SignedIn, &addition.code)? {
        Ok(charges) => charges,
        Err(refusal) => return Ok(Requested::Throttled(refusal)),
    };
    let key = addition.address.key();
    let is_as_seen = is_account(conn, addition.user_id)?
        && list_emails(conn, addition.user_id)? == addition.seen
        && has_other_owner(conn, &key, &bytes_of(addition.user_id.uuid()))? == addition.foreign;
    if !is_as_seen {
        return Ok(Requested::Stale);
    }
    charges.settle(conn)?;
    let email = NewEmail {
        id: addition.email_id,
        user_id: addition.user_id,
        address: &addition.address,
        vouched: false,
        preferred: false,
        created_at: addition.code.created_at,
    };
    insert_email(conn, &email)?;
    codes::insert(conn, &addition.code, Opens::Email, Some(addition.email_id))?;
    queue(conn, &addition.mails)?;
    audit::record(conn, &addition.event)?;
    Ok(Requested::Yes)
}

fn renew_email_code(conn: &mut SqliteConnection, renewal: &EmailRenewal) -> Result<Requested, Failure> {
    let charges = match throttles::judge(conn, renewal.restraint.as_ref(), Asking::SignedIn, &renewal.code)? {
        Ok(charges) => charges,
        Err(refusal) => return Ok(Requested::Throttled(refusal)),
    };
    let pending: Option<EmailRow> = of_user(renewal.user_id, renewal.email_id)
        .filter(emails::verified.eq(false))
        .select(EmailRow::as_select())
        .get_result(conn)
        .optional()?;
    let user = bytes_of(renewal.user_id.uuid());
    if pending.is_none() || has_other_owner(conn, &renewal.code.address, &user)? != renewal.foreign {
        return Ok(Requested::Stale);
    }
    charges.settle(conn)?;
    codes::end_those_for_email(conn, renewal.email_id)?;
    codes::insert(conn, &renewal.code, Opens::Email, Some(renewal.email_id))?;
    outbox::insert(conn, &renewal.mail)?;
    Ok(Requested::Yes)
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
    audit::record(conn, &change.event)?;
    Ok(Applied::Yes)
}

fn remove_email(conn: &mut SqliteConnection, change: &EmailChange) -> Result<Applied, Failure> {
    if list_emails(conn, change.user_id)? != change.seen {
        return Ok(Applied::Stale);
    }
    // Its codes go by foreign key.
    diesel::delete(of_user(change.user_id, change.email_id)).execute(conn)?;
    queue(conn, &change.notices)?;
    audit::record(conn, &change.event)?;
    Ok(Applied::Yes)
}

#[auto_type(no_type_alias)]
fn of_user(user: UserId, email: EmailId) -> _ {
    let (user, email): (Vec<u8>, Vec<u8>) = (bytes_of(user.uuid()), bytes_of(email.uuid()));
    emails::table.filter(emails::id.eq(email)).filter(emails::user_id.eq(user))
}

fn vouch_for_email(conn: &mut SqliteConnection, vouched: &VouchedEmail) -> Result<Vouched, Failure> {
    let VouchedEmail { user_id, seen, email_id, address, notices, event } = vouched;
    if !is_account(conn, *user_id)? || list_emails(conn, *user_id)? != *seen {
        return Ok(Vouched::Stale);
    }
    let own = seen.iter().find(|email| email.id == *email_id);
    if own.is_some_and(|email| email.vouched) {
        return Ok(Vouched::Already);
    }
    if has_other_owner(conn, &address.key(), &bytes_of(user_id.uuid()))? {
        return Ok(Vouched::Taken);
    }
    let registrations = registrations::for_address(conn, &address.key())?;
    registrations::delete_users(conn, registrations)?;
    if own.is_some() {
        diesel::update(of_user(*user_id, *email_id)).set(emails::vouched.eq(true)).execute(conn)?;
    } else {
        let (user_id, id, created_at) = (*user_id, *email_id, event.at);
        insert_email(conn, &NewEmail { id, user_id, address, vouched: true, preferred: false, created_at })?;
    }
    queue(conn, notices)?;
    audit::record(conn, event)?;
    Ok(Vouched::Yes)
}

fn verify_email(conn: &mut SqliteConnection, email: EmailId, event: &Event) -> Result<Vouched, Failure> {
    let row: Option<EmailRow> = of_account(email).select(EmailRow::as_select()).get_result(conn).optional()?;
    let Some(row) = row else { return Ok(Vouched::Stale) };
    if row.verified {
        return Ok(Vouched::Already);
    }
    let address = AddressKey::from_stored(row.address_key);
    if has_other_owner(conn, &address, &row.user_id)? {
        return Ok(Vouched::Taken);
    }
    let registrations = registrations::for_address(conn, &address)?;
    registrations::delete_users(conn, registrations)?;
    diesel::update(emails::table.filter(emails::id.eq(&row.id))).set(emails::verified.eq(true)).execute(conn)?;
    audit::record_about(conn, event, id("emails", &row.id, &row.user_id)?)?;
    Ok(Vouched::Yes)
}

fn find_email_owner(conn: &mut SqliteConnection, email: EmailId) -> Result<Option<UserId>, Failure> {
    let owner: Option<Vec<u8>> = of_account(email).select(emails::user_id).get_result(conn).optional()?;
    Ok(owner.map(|owner| id("users", &owner, &owner)).transpose()?)
}

/// An address about to be stored, which nobody has proved yet.
pub(crate) struct NewEmail<'a> {
    pub(crate) id: EmailId,
    pub(crate) user_id: UserId,
    pub(crate) address: &'a EmailAddress,
    pub(crate) vouched: bool,
    pub(crate) preferred: bool,
    pub(crate) created_at: Timestamp,
}

pub(crate) fn insert_email(conn: &mut SqliteConnection, email: &NewEmail<'_>) -> Result<(), Failure> {
    diesel::insert_into(emails::table)
        .values((
            emails::id.eq(bytes_of(email.id.uuid())),
            emails::user_id.eq(bytes_of(email.user_id.uuid())),
            emails::address.eq(email.address.as_str()),
            emails::address_key.eq(email.address.key().as_str()),
            emails::verified.eq(false),
            emails::vouched.eq(email.vouched),
            emails::preferred.eq(email.preferred),
            emails::created_at.eq(email.created_at.unix_millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// The address `email`, if it is an account's.
#[auto_type(no_type_alias)]
fn of_account(email: EmailId) -> _ {
    let email: Vec<u8> = bytes_of(email.uuid());
    emails::table.inner_join(users::table).filter(emails::id.eq(email)).filter(users::registration.is_null())
}

fn is_account(conn: &mut SqliteConnection, user: UserId) -> Result<bool, Failure> {
    let account = users::table.filter(users::id.eq(bytes_of(user.uuid()))).filter(users::registration.is_null());
    Ok(diesel::select(exists(account)).get_result(conn)?)
}

fn queue(conn: &mut SqliteConnection, mails: &[QueuedMail]) -> Result<(), Failure> {
    mails.iter().try_for_each(|mail| outbox::insert(conn, mail))
}
