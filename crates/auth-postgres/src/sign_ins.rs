//! Sign-ins: sessions that wait for their code.

use auth_domain::{Applied, PendingSignIn, SessionOwner, Standing};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    codes::{self, Opens},
    error::Failure,
    locks, outbox, registrations,
    rows::standing,
    schema::{emails, users},
    sessions,
};

pub(crate) async fn open_session(conn: &mut AsyncPgConnection, sign_in: &PendingSignIn) -> Result<Applied, Failure> {
    let address = &sign_in.code.address;
    locks::address(conn, address).await?;
    registrations::delete_ended(conn, address, sign_in.code.created_at).await?;
    if let Some(owner) = sign_in.session.owner
        && !still_leads_to(conn, owner, address.as_str()).await?
    {
        return Ok(Applied::Stale);
    }
    store(conn, sign_in).await?;
    Ok(Applied::Yes)
}

/// Whether `owner` has the address still: as one that is owned, or as that of a registration.
async fn still_leads_to(conn: &mut AsyncPgConnection, owner: SessionOwner, address: &str) -> Result<bool, Failure> {
    let found: Option<(bool, bool, Option<String>, Uuid)> = emails::table
        .inner_join(users::table)
        .filter(emails::id.eq(owner.email_id.uuid()))
        .filter(emails::user_id.eq(owner.user_id.uuid()))
        .filter(emails::address_key.eq(address))
        .select((emails::verified, emails::vouched, users::registration, users::id))
        .get_result(conn)
        .await
        .optional()?;
    match found {
        Some((verified, vouched, registration, user)) => {
            Ok(verified || vouched || standing(registration.as_deref(), user)? == Standing::Pending)
        }
        None => Ok(false),
    }
}

/// Stores session, code and mail, and ends the codes that the new one supersedes. The address is locked by now.
pub(crate) async fn store(conn: &mut AsyncPgConnection, sign_in: &PendingSignIn) -> Result<(), Failure> {
    let PendingSignIn { session, code, mail } = sign_in;
    codes::end_superseded(conn, code).await?;
    sessions::insert(conn, session, session.owner.map(|owner| owner.user_id), None).await?;
    let email = session.owner.map(|owner| owner.email_id);
    codes::insert(conn, code, Opens::Session(session.id), email).await?;
    outbox::insert(conn, mail).await
}
