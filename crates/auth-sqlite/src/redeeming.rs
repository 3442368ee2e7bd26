//! Spending a verification code: judging the guess, and opening what it opens.

use async_trait::async_trait;
use auth_domain::{
    AddressKey, CodeGuess, CodePurpose, Codes, Opened, Redeemed, Standing, StoreError, Timestamp, UserId,
    rules::{Judgement, judge},
};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection, sqlite::Sqlite,
};

use crate::{
    SqliteStore, codes,
    error::{Failure, corrupt},
    rows::{CodeRow, EmailRow, KeyPairRow, SessionRow, UserRow, bytes_of, id, printed},
    schema::{codes as code, emails, key_pairs, sessions, users},
    users::has_verified_owner,
};

#[async_trait]
impl Codes for SqliteStore {
    async fn redeem_code(&self, guess: &CodeGuess, by: Option<UserId>, now: Timestamp) -> Result<Redeemed, StoreError> {
        let guess = CodeGuess { id: guess.id, purpose: guess.purpose, hashes: guess.hashes.clone() };
        self.write(move |conn| redeem_code(conn, &guess, by, now)).await
    }
}

/// What a code leads to.
struct Target {
    /// Whose it is; nobody's if it is a decoy.
    user: Option<Vec<u8>>,
    /// Whether it waits for its code still.
    waiting: bool,
}

fn redeem_code(
    conn: &mut SqliteConnection,
    guess: &CodeGuess,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<Redeemed, Failure> {
    let code_id = bytes_of(guess.id.uuid());
    let found = code::table.filter(code::id.eq(&code_id)).select(CodeRow::as_select()).get_result(conn).optional()?;
    let Some(code) = found else { return Ok(Redeemed::Refused) };
    let Some(target) = target_of(conn, &code, now)? else { return Ok(Redeemed::Refused) };
    let somebody_elses = by.is_some_and(|by| target.user != Some(bytes_of(by.uuid())));
    if !target.waiting || somebody_elses {
        return Ok(Redeemed::Refused);
    }
    match judge(&code.state()?, guess, now) {
        Judgement::Ended => Ok(Redeemed::Refused),
        Judgement::Wrong => {
            diesel::update(code::table.filter(code::id.eq(&code_id)))
                .set(code::wrong_guesses.eq(code::wrong_guesses + 1))
                .execute(conn)?;
            Ok(Redeemed::Refused)
        }
        Judgement::Right => {
            codes::end(conn, &code_id)?;
            match target.user {
                Some(user) => open(conn, &code, &user, now),
                // No guess is right for a decoy's hash; should one be, it still leads nowhere.
                None => Ok(Redeemed::Refused),
            }
        }
    }
}

fn target_of(conn: &mut SqliteConnection, code: &CodeRow, now: Timestamp) -> Result<Option<Target>, Failure> {
    Ok(match (code.purpose()?, &code.session_id, &code.key_pair_id, &code.email_id) {
        (CodePurpose::SignIn, Some(session), ..) => {
            let row = sessions::table.filter(sessions::id.eq(session)).select(SessionRow::as_select());
            let session = row.get_result(conn).optional()?;
            session.map(|row| Target { waiting: row.is_waiting_at(now), user: row.user_id })
        }
        (CodePurpose::KeyPair, _, Some(key_pair), _) => {
            let row = key_pairs::table.filter(key_pairs::id.eq(key_pair)).select(KeyPairRow::as_select());
            let key_pair = row.get_result(conn).optional()?;
            key_pair.map(|row| Target { waiting: row.is_waiting_at(now), user: Some(row.user_id) })
        }
        (CodePurpose::Email, _, _, Some(email)) => {
            let row = emails::table.filter(emails::id.eq(email)).select(EmailRow::as_select());
            let email = row.get_result(conn).optional()?;
            email.map(|row| Target { waiting: !row.verified, user: Some(row.user_id) })
        }
        _ => return Err(corrupt("codes", printed(&code.id), "opens nothing").into()),
    })
}

/// Opens what a right code opens for `user`, and verifies what it proves.
fn open(conn: &mut SqliteConnection, code: &CodeRow, user: &[u8], now: Timestamp) -> Result<Redeemed, Failure> {
    let Some(email_id) = &code.email_id else { return Ok(Redeemed::Refused) };
    let found: Option<(UserRow, EmailRow)> = users::table
        .inner_join(emails::table)
        .filter(users::id.eq(user))
        .filter(emails::id.eq(email_id))
        .select(<(UserRow, EmailRow) as SelectableHelper<Sqlite>>::as_select())
        .get_result(conn)
        .optional()?;
    let Some((row, email)) = found else { return Ok(Redeemed::Refused) };
    let opened = match code.purpose()? {
        CodePurpose::SignIn => {
            if row.standing()? == Standing::Decoy {
                return Ok(Redeemed::Refused);
            }
            if !row.enabled {
                return Ok(Redeemed::Disabled);
            }
            if !verify_email(conn, &email)? {
                return Ok(Redeemed::Refused);
            }
            verify_user(conn, &row, user)?;
            let session = code.session_id.as_deref().unwrap_or_default();
            diesel::update(sessions::table.filter(sessions::id.eq(session)))
                .set(sessions::verified_at.eq(now.unix_millis()))
                .execute(conn)?;
            Opened::Session(id("codes", &code.id, session)?)
        }
        // An address or a key is only ever added to what is an account already, and stays one.
        CodePurpose::Email | CodePurpose::KeyPair if !(row.enabled && row.verified) => return Ok(Redeemed::Refused),
        CodePurpose::Email => {
            if !verify_email(conn, &email)? {
                return Ok(Redeemed::Refused);
            }
            Opened::Email(id("codes", &code.id, email_id)?)
        }
        CodePurpose::KeyPair => {
            let key_pair = code.key_pair_id.as_deref().unwrap_or_default();
            diesel::update(key_pairs::table.filter(key_pairs::id.eq(key_pair)))
                .set(key_pairs::verified_at.eq(now.unix_millis()))
                .execute(conn)?;
            Opened::KeyPair(id("codes", &code.id, key_pair)?)
        }
    };
    Ok(Redeemed::Yes { opened, user_id: id("users", user, user)? })
}

/// Makes an address a verified one, unless somebody else has verified it first. Returns whether it is one.
fn verify_email(conn: &mut SqliteConnection, email: &EmailRow) -> Result<bool, Failure> {
    if email.verified {
        return Ok(true);
    }
    if has_verified_owner(conn, &AddressKey::from_stored(email.address_key.clone()))? {
        return Ok(false);
    }
    diesel::update(emails::table.filter(emails::id.eq(&email.id))).set(emails::verified.eq(true)).execute(conn)?;
    Ok(true)
}

/// Makes a registration an account, and an account a verified one.
fn verify_user(conn: &mut SqliteConnection, row: &UserRow, user: &[u8]) -> Result<(), Failure> {
    if !row.verified || row.standing()? != Standing::Account {
        diesel::update(users::table.filter(users::id.eq(user)))
            .set((users::verified.eq(true), users::registration.eq(Standing::Account.as_stored())))
            .execute(conn)?;
    }
    Ok(())
}
