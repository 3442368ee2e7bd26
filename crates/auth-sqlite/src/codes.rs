//! Verification codes.

use async_trait::async_trait;
use auth_domain::{
    AddressKey, CodeGuess, CodePurpose, Codes, LivingCode, NewCode, NewSession, Redeemed, SessionId, StoreError,
    Timestamp, UserId,
    rules::{Judgement, judge, superseded},
};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection};

use crate::{
    SqliteStore,
    error::Failure,
    rows::{CodeRow, EmailRow, SessionRow, Standing, UserRow, bytes_of, id},
    schema::{codes, emails, sessions, users},
    users::has_verified_owner,
};

#[async_trait]
impl Codes for SqliteStore {
    async fn redeem_code(&self, guess: &CodeGuess, now: Timestamp) -> Result<Redeemed, StoreError> {
        let guess = CodeGuess { id: guess.id, purpose: guess.purpose, hashes: guess.hashes.clone() };
        self.write(move |conn| redeem_code(conn, &guess, now)).await
    }
}

/// The codes for `address` that could be redeemed at `now`.
fn living(conn: &mut SqliteConnection, address: &AddressKey, now: Timestamp) -> Result<Vec<CodeRow>, Failure> {
    // The conditions only spare reading old rows: the rule itself stands in the domain.
    let candidates = codes::table
        .filter(codes::address_key.eq(address.as_str()))
        .filter(codes::ended.eq(false))
        .filter(codes::expires_at.gt(now.unix_millis()))
        .select(CodeRow::as_select())
        .load(conn)?;
    let mut living = Vec::with_capacity(candidates.len());
    for code in candidates {
        if code.state()?.is_living_at(now) {
            living.push(code);
        }
    }
    Ok(living)
}

/// Whether a code for `address` could be redeemed at `now`: what keeps a registration from ending.
pub(crate) fn any_living(conn: &mut SqliteConnection, address: &AddressKey, now: Timestamp) -> Result<bool, Failure> {
    Ok(!living(conn, address, now)?.is_empty())
}

/// Ends the codes that `new` supersedes.
pub(crate) fn end_superseded(conn: &mut SqliteConnection, new: &NewCode) -> Result<(), Failure> {
    let mut rivals = Vec::new();
    for code in living(conn, &new.address, new.created_at)? {
        if code.state()?.purpose == new.purpose {
            rivals.push(LivingCode {
                id: id("codes", &code.id, &code.id)?,
                network: code.network()?,
                created_at: Timestamp::from_unix_millis(code.created_at),
            });
        }
    }
    for code in superseded(&rivals, new.network) {
        end(conn, &bytes_of(code.uuid()))?;
    }
    Ok(())
}

/// Stores the code that opens `session`.
pub(crate) fn insert(conn: &mut SqliteConnection, code: &NewCode, session: &NewSession) -> Result<(), Failure> {
    diesel::insert_into(codes::table)
        .values((
            codes::id.eq(bytes_of(code.id.uuid())),
            codes::purpose.eq(code.purpose.as_str()),
            codes::session_id.eq(bytes_of(session.id.uuid())),
            codes::email_id.eq(session.owner.map(|owner| bytes_of(owner.email_id.uuid()))),
            codes::address_key.eq(code.address.as_str()),
            codes::network.eq(code.network.first_address().to_string()),
            codes::hash.eq(code.hash.as_bytes().as_slice()),
            codes::key_id.eq(code.key_id.to_string()),
            codes::created_at.eq(code.created_at.unix_millis()),
            codes::expires_at.eq(code.expires_at.unix_millis()),
        ))
        .execute(conn)?;
    Ok(())
}

fn redeem_code(conn: &mut SqliteConnection, guess: &CodeGuess, now: Timestamp) -> Result<Redeemed, Failure> {
    let code_id = bytes_of(guess.id.uuid());
    let found: Vec<(CodeRow, SessionRow)> = codes::table
        .inner_join(sessions::table)
        .filter(codes::id.eq(&code_id))
        .select(<(CodeRow, SessionRow)>::as_select())
        .load(conn)?;
    let Some((code, session)) = found.into_iter().next() else {
        return Ok(Redeemed::Refused);
    };
    if !session.is_waiting_at(now) {
        return Ok(Redeemed::Refused);
    }
    match judge(&code.state()?, guess, now) {
        Judgement::Ended => Ok(Redeemed::Refused),
        Judgement::Wrong => {
            diesel::update(codes::table.filter(codes::id.eq(&code_id)))
                .set(codes::wrong_guesses.eq(codes::wrong_guesses + 1))
                .execute(conn)?;
            Ok(Redeemed::Refused)
        }
        Judgement::Right => {
            end(conn, &code_id)?;
            match guess.purpose {
                CodePurpose::SignIn => admit(conn, &code, &session, now),
            }
        }
    }
}

/// Makes the session live and verifies the address and the user, if the code led to any.
fn admit(
    conn: &mut SqliteConnection,
    code: &CodeRow,
    session: &SessionRow,
    now: Timestamp,
) -> Result<Redeemed, Failure> {
    // No guess is right for a decoy's hash; should one be, it still leads nowhere.
    let (Some(user_id), Some(email_id)) = (&session.user_id, &code.email_id) else {
        return Ok(Redeemed::Refused);
    };
    let found: Vec<(UserRow, EmailRow)> = users::table
        .inner_join(emails::table)
        .filter(users::id.eq(user_id))
        .filter(emails::id.eq(email_id))
        .select(<(UserRow, EmailRow)>::as_select())
        .load(conn)?;
    let Some((user, email)) = found.into_iter().next() else {
        return Ok(Redeemed::Refused);
    };
    let standing = user.standing()?;
    if standing == Standing::Decoy {
        return Ok(Redeemed::Refused);
    }
    if !user.enabled {
        return Ok(Redeemed::Disabled);
    }
    if !email.verified {
        if has_verified_owner(conn, &AddressKey::from_stored(email.address_key))? {
            return Ok(Redeemed::Refused);
        }
        diesel::update(emails::table.filter(emails::id.eq(email_id))).set(emails::verified.eq(true)).execute(conn)?;
    }
    if !user.verified || standing != Standing::Account {
        diesel::update(users::table.filter(users::id.eq(user_id)))
            .set((users::verified.eq(true), users::registration.eq(Standing::Account.as_stored())))
            .execute(conn)?;
    }
    diesel::update(sessions::table.filter(sessions::id.eq(&session.id)))
        .set(sessions::verified_at.eq(now.unix_millis()))
        .execute(conn)?;
    let session_id: SessionId = id("sessions", &session.id, &session.id)?;
    let user_id: UserId = id("sessions", &session.id, user_id)?;
    Ok(Redeemed::Yes { session_id, user_id })
}

fn end(conn: &mut SqliteConnection, code: &[u8]) -> Result<(), Failure> {
    diesel::update(codes::table.filter(codes::id.eq(code))).set(codes::ended.eq(true)).execute(conn)?;
    Ok(())
}
