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
    // The same statements, whoever has the address: what they cost tells nothing. They come to different things alone.
    let (address, now) = (&sign_in.code.address, sign_in.code.created_at);
    let mut claims = claims(conn, address.as_str())?;
    let living = codes::living(conn, address, now)?;
    if living.is_empty() {
        // A registration lives as long as a code for its address. The new code must not revive one that has ended.
        let ended = claims.extract_if(.., |claim| claim.standing != Standing::Account);
        registrations::delete_users(conn, ended.map(|claim| claim.user).collect())?;
    }
    if let Some(owner) = sign_in.session.owner
        && !claims.iter().any(|claim| claim.leads_to(owner))
    {
        return Ok(Requested::Stale);
    }
    charges.settle(conn)?;
    codes::end_superseded(conn, &sign_in.code, &living)?;
    insert_sign_in(conn, sign_in)?;
    Ok(Requested::Yes)
}

/// An address, and whose it is or may become.
struct Claim {
    email: Vec<u8>,
    user: Vec<u8>,
    is_owned: bool,
    standing: Standing,
}

impl Claim {
    /// Whether it is this owner's: verified, vouched for, or as that of a registration.
    fn leads_to(&self, owner: SessionOwner) -> bool {
        self.email == owner.email_id.uuid().as_bytes()
            && self.user == owner.user_id.uuid().as_bytes()
            && (self.is_owned || self.standing == Standing::Pending)
    }
}

/// Address, whether it is verified or vouched for, what its user stands for, and the user.
type ClaimRow = (Vec<u8>, bool, bool, Option<String>, Vec<u8>);

/// All that an address is to anybody.
fn claims(conn: &mut SqliteConnection, address: &str) -> Result<Vec<Claim>, Failure> {
    let found: Vec<ClaimRow> = emails::table
        .inner_join(users::table)
        .filter(emails::address_key.eq(address))
        .select((emails::id, emails::verified, emails::vouched, users::registration, users::id))
        .load(conn)?;
    let mut claims = Vec::with_capacity(found.len());
    for (email, verified, vouched, registration, user) in found {
        let standing = standing(registration.as_deref(), &user)?;
        claims.push(Claim { email, user, is_owned: verified || vouched, standing });
    }
    Ok(claims)
}

/// Stores session, code and mail, and ends the codes that the new one supersedes.
pub(crate) fn store_sign_in(conn: &mut SqliteConnection, sign_in: &PendingSignIn) -> Result<(), Failure> {
    let living = codes::living(conn, &sign_in.code.address, sign_in.code.created_at)?;
    codes::end_superseded(conn, &sign_in.code, &living)?;
    insert_sign_in(conn, sign_in)
}

fn insert_sign_in(conn: &mut SqliteConnection, sign_in: &PendingSignIn) -> Result<(), Failure> {
    let PendingSignIn { session, code, mail, restraint: _ } = sign_in;
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
