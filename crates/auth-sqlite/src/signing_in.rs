//! How sessions come to be: waiting for their code, or live at once.

use auth_domain::{
    Applied, Event, NewSession, PendingSignIn, Requested, SessionId, SessionOwner, Standing, Timestamp, UserId,
    Verified, rules::Asking,
};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection};

use crate::{
    audit,
    codes::{self, Opens},
    error::Failure,
    outbox, registrations,
    rows::{bytes_of, standing},
    schema::{emails, sessions, users},
    sessions::owner_of,
    throttles,
    users::is_active,
};

pub(crate) fn open_session(conn: &mut SqliteConnection, sign_in: &PendingSignIn) -> Result<Requested, Failure> {
    let charges = match throttles::judge(conn, sign_in.restraint.as_ref(), Asking::SignIn, &sign_in.code)? {
        Ok(charges) => charges,
        Err(refusal) => return Ok(Requested::Throttled(refusal)),
    };
    registrations::delete_ended(conn, &sign_in.code.address, sign_in.code.created_at)?;
    if let Some(owner) = sign_in.session.owner
        && !still_leads_to(conn, owner, sign_in.code.address.as_str())?
    {
        return Ok(Requested::Stale);
    }
    charges.settle(conn)?;
    store_sign_in(conn, sign_in)?;
    Ok(Requested::Yes)
}

/// Whether `owner` has the address still: verified, vouched for, or as that of a registration.
fn still_leads_to(conn: &mut SqliteConnection, owner: SessionOwner, address: &str) -> Result<bool, Failure> {
    let found: Vec<(bool, bool, Option<String>, Vec<u8>)> = emails::table
        .inner_join(users::table)
        .filter(emails::id.eq(bytes_of(owner.email_id.uuid())))
        .filter(emails::user_id.eq(bytes_of(owner.user_id.uuid())))
        .filter(emails::address_key.eq(address))
        .select((emails::verified, emails::vouched, users::registration, users::id))
        .load(conn)?;
    for (verified, vouched, registration, user) in found {
        if verified || vouched || standing(registration.as_deref(), &user)? == Standing::Pending {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Stores session, code and mail, and ends the codes that the new one supersedes.
pub(crate) fn store_sign_in(conn: &mut SqliteConnection, sign_in: &PendingSignIn) -> Result<(), Failure> {
    let PendingSignIn { session, code, mail, restraint: _ } = sign_in;
    codes::end_superseded(conn, code)?;
    insert(conn, session, session.owner.map(|owner| owner.user_id), None)?;
    let email = session.owner.map(|owner| owner.email_id);
    codes::insert(conn, code, Opens::Session(session.id), email)?;
    outbox::insert(conn, mail)
}

pub(crate) fn open_live_session(
    conn: &mut SqliteConnection,
    user: UserId,
    session: &NewSession,
    event: &Event,
) -> Result<Applied, Failure> {
    if !is_active(conn, user)? {
        return Ok(Applied::Stale);
    }
    insert(conn, session, Some(user), Some(session.created_at))?;
    audit::record(conn, event)?;
    Ok(Applied::Yes)
}

pub(crate) fn verify_session(conn: &mut SqliteConnection, id: SessionId, event: &Event) -> Result<Verified, Failure> {
    let Some(owner) = owner_of(conn, id, event.at)? else { return Ok(Verified::Missing) };
    // One that is live already has been so since its own sign-in, which is what its freshness counts from.
    let waiting = sessions::table.filter(sessions::id.eq(bytes_of(id.uuid()))).filter(sessions::verified_at.is_null());
    if diesel::update(waiting).set(sessions::verified_at.eq(event.at.unix_millis())).execute(conn)? == 0 {
        return Ok(Verified::Already);
    }
    audit::record_about(conn, event, owner)?;
    Ok(Verified::Yes(owner))
}

/// Stores a session of `user`, or of nobody; live if it was `verified_at` some time.
fn insert(
    conn: &mut SqliteConnection,
    session: &NewSession,
    user: Option<UserId>,
    verified_at: Option<Timestamp>,
) -> Result<(), Failure> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(bytes_of(session.id.uuid())),
            sessions::user_id.eq(user.map(|user| bytes_of(user.uuid()))),
            sessions::digest.eq(session.digest.as_bytes().as_slice()),
            sessions::key_id.eq(session.key_id.to_string()),
            sessions::kind.eq(session.kind.as_str()),
            sessions::verified_at.eq(verified_at.map(Timestamp::unix_millis)),
            sessions::created_at.eq(session.created_at.unix_millis()),
            sessions::expires_at.eq(session.expires_at.unix_millis()),
            sessions::ip.eq(session.client.ip.to_string()),
            sessions::user_agent.eq(&session.client.user_agent),
        ))
        .execute(conn)?;
    Ok(())
}
