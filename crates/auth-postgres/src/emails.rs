//! The addresses of an account.

use async_trait::async_trait;
use auth_domain::{
    AddressKey, Applied, Email, EmailAddition, EmailAddress, EmailChange, EmailId, EmailRenewal, Emails, Event,
    FactKey, QueuedMail, Requested, StoreError, Timestamp, UserId, Vouched, VouchedEmail, rules::Asking,
};
use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper, dsl::auto_type};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    PostgresStore, audit,
    codes::{self, Opens},
    error::Failure,
    limits::{self, Measure},
    locks, outbox, registrations,
    rows::{EmailRow, stored},
    schema::{emails, users},
    users::{lock_account, lock_user},
};

#[async_trait]
impl Emails for PostgresStore {
    async fn list_emails(&self, user: UserId) -> Result<Vec<Email>, StoreError> {
        self.read(user, |conn, user| Box::pin(list_emails(conn, *user))).await
    }

    async fn add_email(&self, addition: &EmailAddition) -> Result<Requested, StoreError> {
        self.write(Some(FactKey::User(addition.user_id)), addition.clone(), |conn, addition| {
            Box::pin(add_email(conn, addition))
        })
        .await
    }

    async fn renew_email_code(&self, renewal: &EmailRenewal) -> Result<Requested, StoreError> {
        self.write(Some(FactKey::User(renewal.user_id)), renewal.clone(), |conn, renewal| {
            Box::pin(renew_email_code(conn, renewal))
        })
        .await
    }

    async fn prefer_email(&self, change: &EmailChange) -> Result<Applied, StoreError> {
        self.write(Some(FactKey::User(change.user_id)), change.clone(), |conn, change| {
            Box::pin(prefer_email(conn, change))
        })
        .await
    }

    async fn remove_email(&self, change: &EmailChange) -> Result<Applied, StoreError> {
        self.write(Some(FactKey::User(change.user_id)), change.clone(), |conn, change| {
            Box::pin(remove_email(conn, change))
        })
        .await
    }

    async fn vouch_for_email(&self, vouched: &VouchedEmail) -> Result<Vouched, StoreError> {
        self.write(None, vouched.clone(), |conn, vouched| Box::pin(vouch_for_email(conn, vouched))).await
    }

    async fn verify_email(&self, id: EmailId, event: &Event) -> Result<Vouched, StoreError> {
        self.write(None, (id, event.clone()), |conn, (id, event)| Box::pin(verify_email(conn, *id, event))).await
    }

    async fn find_email_owner(&self, id: EmailId) -> Result<Option<UserId>, StoreError> {
        self.read(id, |conn, id| Box::pin(find_email_owner(conn, *id))).await
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
    Ok(lock_account(conn, user.uuid()).await?.is_some() && list_emails(conn, user).await? == seen)
}

/// The user who owns `address`, if anybody does.
pub(crate) async fn owner(conn: &mut AsyncPgConnection, address: &AddressKey) -> Result<Option<Uuid>, Failure> {
    let owned = emails::table
        .filter(emails::address_key.eq(address.as_str()))
        .filter(emails::verified.or(emails::vouched))
        .select(emails::user_id);
    Ok(owned.get_result(conn).await.optional()?)
}

/// Whether somebody else than `user` owns `address`.
async fn is_foreign(conn: &mut AsyncPgConnection, user: Uuid, address: &AddressKey) -> Result<bool, Failure> {
    Ok(owner(conn, address).await?.is_some_and(|owner| owner != user))
}

/// An address about to be stored, which nobody has proved yet.
pub(crate) struct NewEmail<'a> {
    pub(crate) id: EmailId,
    pub(crate) user: UserId,
    pub(crate) address: &'a EmailAddress,
    pub(crate) vouched: bool,
    pub(crate) preferred: bool,
    pub(crate) created_at: Timestamp,
}

pub(crate) async fn insert(conn: &mut AsyncPgConnection, email: NewEmail<'_>) -> Result<(), Failure> {
    diesel::insert_into(emails::table)
        .values((
            emails::id.eq(email.id.uuid()),
            emails::user_id.eq(email.user.uuid()),
            emails::address.eq(email.address.as_str()),
            emails::address_key.eq(email.address.key().as_str()),
            emails::verified.eq(false),
            emails::vouched.eq(email.vouched),
            emails::preferred.eq(email.preferred),
            emails::created_at.eq(stored(email.created_at)),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Makes an address a verified one, unless somebody else owns it. Returns whether it is one. The address is locked by now.
pub(crate) async fn prove(conn: &mut AsyncPgConnection, email: &EmailRow) -> Result<bool, Failure> {
    if email.verified {
        return Ok(true);
    }
    if is_foreign(conn, email.user_id, &AddressKey::from_stored(email.address_key.clone())).await? {
        return Ok(false);
    }
    diesel::update(emails::table.filter(emails::id.eq(email.id))).set(emails::verified.eq(true)).execute(conn).await?;
    Ok(true)
}

async fn add_email(conn: &mut AsyncPgConnection, addition: &EmailAddition) -> Result<Requested, Failure> {
    let key = addition.address.key();
    let restraint = addition.restraint.as_ref();
    let measure = restraint.map(|asked| Measure::of_request(asked, Asking::SignedIn, &addition.code));
    if let Some(refusal) = limits::begin(conn, measure.as_ref(), &key).await? {
        return Ok(Requested::Throttled(refusal));
    }
    let is_as_seen = has_exactly(conn, addition.user_id, &addition.seen).await?
        && is_foreign(conn, addition.user_id.uuid(), &key).await? == addition.foreign;
    if !is_as_seen {
        return Ok(Requested::Stale);
    }
    let email = NewEmail {
        id: addition.email_id,
        user: addition.user_id,
        address: &addition.address,
        vouched: false,
        preferred: false,
        created_at: addition.code.created_at,
    };
    insert(conn, email).await?;
    codes::insert(conn, &addition.code, Opens::Email, addition.email_id).await?;
    queue(conn, &addition.mails).await?;
    audit::record(conn, &addition.event).await?;
    limits::charge(conn, measure.as_ref()).await?;
    Ok(Requested::Yes)
}

async fn renew_email_code(conn: &mut AsyncPgConnection, renewal: &EmailRenewal) -> Result<Requested, Failure> {
    let restraint = renewal.restraint.as_ref();
    let measure = restraint.map(|asked| Measure::of_request(asked, Asking::SignedIn, &renewal.code));
    if let Some(refusal) = limits::begin(conn, measure.as_ref(), &renewal.code.address).await? {
        return Ok(Requested::Throttled(refusal));
    }
    let user = renewal.user_id.uuid();
    lock_user(conn, user).await?;
    let pending: Option<Uuid> = of_user(renewal.user_id, renewal.email_id)
        .filter(diesel::dsl::not(emails::verified))
        .select(emails::id)
        .get_result(conn)
        .await
        .optional()?;
    if pending.is_none() || is_foreign(conn, user, &renewal.code.address).await? != renewal.foreign {
        return Ok(Requested::Stale);
    }
    codes::end_those_for_email(conn, renewal.email_id).await?;
    codes::insert(conn, &renewal.code, Opens::Email, renewal.email_id).await?;
    outbox::insert(conn, &renewal.mail).await?;
    limits::charge(conn, measure.as_ref()).await?;
    Ok(Requested::Yes)
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
    audit::record(conn, &change.event).await?;
    Ok(Applied::Yes)
}

async fn remove_email(conn: &mut AsyncPgConnection, change: &EmailChange) -> Result<Applied, Failure> {
    if !has_exactly(conn, change.user_id, &change.seen).await? {
        return Ok(Applied::Stale);
    }
    // Its codes go by foreign key.
    diesel::delete(of_user(change.user_id, change.email_id)).execute(conn).await?;
    queue(conn, &change.notices).await?;
    audit::record(conn, &change.event).await?;
    Ok(Applied::Yes)
}

async fn vouch_for_email(conn: &mut AsyncPgConnection, vouched: &VouchedEmail) -> Result<Vouched, Failure> {
    let (user, key) = (vouched.user_id, vouched.address.key());
    locks::address(conn, &key).await?;
    if !has_exactly(conn, user, &vouched.seen).await? {
        return Ok(Vouched::Stale);
    }
    let own = vouched.seen.iter().find(|email| email.id == vouched.email_id);
    if own.is_some_and(|email| email.vouched) {
        return Ok(Vouched::Already);
    }
    if is_foreign(conn, user.uuid(), &key).await? {
        return Ok(Vouched::Taken);
    }
    registrations::delete_for_address(conn, &key).await?;
    if own.is_some() {
        diesel::update(of_user(user, vouched.email_id)).set(emails::vouched.eq(true)).execute(conn).await?;
    } else {
        let email = NewEmail {
            id: vouched.email_id,
            user,
            address: &vouched.address,
            vouched: true,
            preferred: false,
            created_at: vouched.event.at,
        };
        insert(conn, email).await?;
    }
    queue(conn, &vouched.notices).await?;
    audit::record(conn, &vouched.event).await?;
    Ok(Vouched::Yes)
}

async fn verify_email(conn: &mut AsyncPgConnection, id: EmailId, event: &Event) -> Result<Vouched, Failure> {
    // Neither whose it is nor which it is ever changes: read first, so that locks can be taken in their order.
    let email = emails::table.filter(emails::id.eq(id.uuid()));
    let found: Option<(Uuid, String)> =
        email.select((emails::user_id, emails::address_key)).get_result(conn).await.optional()?;
    let Some((owner, key)) = found else { return Ok(Vouched::Stale) };
    let key = AddressKey::from_stored(key);
    locks::address(conn, &key).await?;
    if lock_account(conn, owner).await?.is_none() {
        return Ok(Vouched::Stale);
    }
    let row = email.select(EmailRow::as_select()).for_no_key_update().get_result(conn).await.optional()?;
    let Some(row) = row else { return Ok(Vouched::Stale) };
    if row.verified {
        return Ok(Vouched::Already);
    }
    if !prove(conn, &row).await? {
        return Ok(Vouched::Taken);
    }
    registrations::delete_for_address(conn, &key).await?;
    audit::record_about(conn, owner, event).await?;
    Ok(Vouched::Yes)
}

async fn find_email_owner(conn: &mut AsyncPgConnection, id: EmailId) -> Result<Option<UserId>, Failure> {
    let owner: Option<Uuid> = emails::table
        .inner_join(users::table)
        .filter(emails::id.eq(id.uuid()))
        .filter(users::registration.is_null())
        .select(emails::user_id)
        .get_result(conn)
        .await
        .optional()?;
    Ok(owner.map(UserId::from))
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
