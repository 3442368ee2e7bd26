//! How sessions come to be: waiting for their code, or live at once.

use auth_domain::{
    Applied, CodeHash, Event, NewSession, PendingSignIn, SessionId, SessionOwner, SignInStored, Standing, Timestamp,
    UserId, Verified, rules::Asking,
};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection};

use crate::{
    audit,
    claims::claims,
    codes::{self, Opens},
    error::Failure,
    outbox, registrations,
    rows::bytes_of,
    schema::sessions,
    sessions::owner_of,
    throttles,
    users::is_active,
};

pub(crate) fn open_session(
    conn: &mut SqliteConnection,
    sign_in: PendingSignIn,
    decoy_hash: CodeHash,
) -> Result<SignInStored, Failure> {
    let charges = match throttles::judge(conn, sign_in.restraint.as_ref(), Asking::SignIn, &sign_in.code)? {
        Ok(charges) => charges,
        Err(refusal) => return Ok(SignInStored::Throttled(refusal)),
    };
    // The same statements, whoever has the address: what they cost tells nothing. They come to different things alone.
    let (address, now) = (&sign_in.code.address, sign_in.code.created_at);
    let mut claims = claims(conn, address)?;
    let living = codes::living(conn, address, now)?;
    let registrations_live = !living.is_empty();
    let owner = match claims.iter().find(|claim| claim.is_led_to(registrations_live)) {
        Some(claim) => Some(claim.email.owner()?),
        None => None,
    };
    if !registrations_live {
        // A registration lives as long as a code for its address. The new code must not revive one that has ended.
        let ended = claims.extract_if(.., |claim| claim.standing != Standing::Account);
        registrations::delete_users(conn, ended.map(|claim| claim.email.user_id).collect())?;
    }
    charges.settle(conn)?;
    codes::end_superseded(conn, &sign_in.code, &living)?;
    let sign_in = if owner.is_some() { sign_in } else { sign_in.into_decoy(decoy_hash) };
    insert_sign_in(conn, &sign_in, owner)?;
    Ok(SignInStored::Yes)
}

/// Stores session, code and mail of somebody who registers, and ends the codes that the new one supersedes.
pub(crate) fn store_sign_in(
    conn: &mut SqliteConnection,
    sign_in: &PendingSignIn,
    newcomer: SessionOwner,
) -> Result<(), Failure> {
    let living = codes::living(conn, &sign_in.code.address, sign_in.code.created_at)?;
    codes::end_superseded(conn, &sign_in.code, &living)?;
    insert_sign_in(conn, sign_in, Some(newcomer))
}

fn insert_sign_in(
    conn: &mut SqliteConnection,
    sign_in: &PendingSignIn,
    owner: Option<SessionOwner>,
) -> Result<(), Failure> {
    let PendingSignIn { session, code, mail, restraint: _ } = sign_in;
    insert(conn, session, owner.map(|owner| owner.user_id), None)?;
    codes::insert(conn, code, Opens::Session(session.id), owner.map(|owner| owner.email_id))?;
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
