//! Spending a verification code: judging the guess, and opening what it opens.

use async_trait::async_trait;
use auth_domain::{
    AddressKey, CodeGuess, CodePurpose, Codes, FactKey, Opened, Redeemed, Standing, StoreError, Timestamp, UserId,
    rules::{Judgement, event_of_disabled_account, event_of_redeeming, event_of_wrong_guess, judge},
};
use diesel::{
    ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SelectableHelper,
    SqliteConnection, sqlite::Sqlite,
};

use crate::{
    SqliteStore, audit, codes,
    error::{Failure, corrupt},
    failures,
    rows::{CodeRow, EmailRow, KeyPairRow, SessionRow, UserRow, bytes_of, id, printed, standing},
    schema::{codes as code, emails, key_pairs, sessions, users},
    throttles,
    users::has_other_owner,
};

#[async_trait]
impl Codes for SqliteStore {
    async fn redeem_code(&self, guess: &CodeGuess) -> Result<Redeemed, StoreError> {
        let guess = guess.clone();
        self.write(Some(FactKey::from_guess(&guess)), move |conn| redeem_code(conn, &guess)).await
    }
}

/// What a code leads to.
struct Target {
    /// Whose it is; nobody's if it is a decoy.
    user: Option<UserId>,
    /// Whether it waits for its code still.
    waiting: bool,
}

fn redeem_code(conn: &mut SqliteConnection, guess: &CodeGuess) -> Result<Redeemed, Failure> {
    let now = guess.at;
    if let Some(refusal) = throttles::charge_guess(conn, guess)? {
        return Ok(Redeemed::Throttled(refusal));
    }
    let code_id = bytes_of(guess.id.uuid());
    let found = code::table.filter(code::id.eq(&code_id)).select(CodeRow::as_select()).get_result(conn).optional()?;
    let Some(code) = found else { return Ok(Redeemed::Refused) };
    let Some(target) = target_of(conn, &code, now)? else { return Ok(Redeemed::Refused) };
    let somebody_elses = guess.by.user.is_some_and(|by| target.user != Some(by));
    if !target.waiting || somebody_elses {
        return Ok(Redeemed::Refused);
    }
    let judgement = judge(&code.state()?, guess, now);
    if judgement == Judgement::Ended {
        return Ok(Redeemed::Refused);
    }
    let judgeable = match failures::judge(conn, guess, &code.address())? {
        Ok(judgeable) => judgeable,
        Err(refusal) => return Ok(Redeemed::Shut(refusal)),
    };
    match judgement {
        Judgement::Ended => Ok(Redeemed::Refused),
        Judgement::Wrong => {
            diesel::update(code::table.filter(code::id.eq(&code_id)))
                .set(code::wrong_guesses.eq(code::wrong_guesses + 1))
                .execute(conn)?;
            judgeable.count_failure(conn, guess)?;
            audit::record(conn, &event_of_wrong_guess(guess, target.user))?;
            Ok(Redeemed::Wrong { owner: target.user })
        }
        Judgement::Right => {
            codes::end(conn, &code_id)?;
            // No guess is right for a decoy's hash; should one be, it still leads nowhere.
            let Some(user) = target.user else { return Ok(Redeemed::Refused) };
            let redeemed = open(conn, &code, user, now)?;
            match redeemed {
                Redeemed::Yes { opened, user_id, registered } => {
                    judgeable.forgive(conn, guess)?;
                    if let (Opened::Session(_), Some(email)) = (opened, &code.email_id) {
                        failures::get_to_know(conn, id("codes", &code.id, email)?, guess.network, now)?;
                    }
                    audit::record(conn, &event_of_redeeming(guess, opened, user_id, registered))?;
                }
                Redeemed::Disabled { user_id } => audit::record(conn, &event_of_disabled_account(guess, user_id))?,
                Redeemed::Wrong { .. } | Redeemed::Refused | Redeemed::Shut(_) | Redeemed::Throttled(_) => {}
            }
            Ok(redeemed)
        }
    }
}

fn target_of(conn: &mut SqliteConnection, code: &CodeRow, now: Timestamp) -> Result<Option<Target>, Failure> {
    Ok(match (code.purpose()?, &code.session_id, &code.key_pair_id, &code.email_id) {
        (CodePurpose::SignIn, Some(session), ..) => {
            let found: Option<(SessionRow, Option<String>)> = sessions::table
                .left_join(users::table)
                .filter(sessions::id.eq(session))
                .select((SessionRow::as_select(), users::registration.nullable()))
                .get_result(conn)
                .optional()?;
            let Some((row, registration)) = found else { return Ok(None) };
            let waiting = row.is_waiting_at(now);
            let user = match row.user_id {
                Some(user) if standing(registration.as_deref(), &user)? != Standing::Decoy => {
                    Some(id("sessions", &row.id, &user)?)
                }
                _ => None,
            };
            Some(Target { user, waiting })
        }
        (CodePurpose::KeyPair, _, Some(key_pair), _) => {
            let row = key_pairs::table.filter(key_pairs::id.eq(key_pair)).select(KeyPairRow::as_select());
            let key_pair: Option<KeyPairRow> = row.get_result(conn).optional()?;
            let Some(row) = key_pair else { return Ok(None) };
            Some(Target { waiting: row.is_waiting_at(now), user: Some(id("key_pairs", &row.id, &row.user_id)?) })
        }
        (CodePurpose::Email, _, _, Some(email)) => {
            let row = emails::table.filter(emails::id.eq(email)).select(EmailRow::as_select());
            let email: Option<EmailRow> = row.get_result(conn).optional()?;
            let Some(row) = email else { return Ok(None) };
            Some(Target { waiting: !row.verified, user: Some(id("emails", &row.id, &row.user_id)?) })
        }
        _ => return Err(corrupt("codes", printed(&code.id), "opens nothing").into()),
    })
}

/// Opens what a right code opens for `user`, and verifies what it proves.
fn open(conn: &mut SqliteConnection, code: &CodeRow, user_id: UserId, now: Timestamp) -> Result<Redeemed, Failure> {
    let Some(email_id) = &code.email_id else { return Ok(Redeemed::Refused) };
    let user = bytes_of(user_id.uuid());
    let found: Option<(UserRow, EmailRow)> = users::table
        .inner_join(emails::table)
        .filter(users::id.eq(&user))
        .filter(emails::id.eq(email_id))
        .select(<(UserRow, EmailRow) as SelectableHelper<Sqlite>>::as_select())
        .get_result(conn)
        .optional()?;
    let Some((row, email)) = found else { return Ok(Redeemed::Refused) };
    let mut registered = false;
    let opened = match code.purpose()? {
        CodePurpose::SignIn => {
            registered = row.standing()? == Standing::Pending;
            if !row.enabled {
                return Ok(Redeemed::Disabled { user_id });
            }
            if !verify_email(conn, &email)? {
                return Ok(Redeemed::Refused);
            }
            verify_user(conn, &row, &user)?;
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
    Ok(Redeemed::Yes { opened, user_id, registered })
}

/// Makes an address a verified one, unless somebody else owns it by now. Returns whether it is one.
fn verify_email(conn: &mut SqliteConnection, email: &EmailRow) -> Result<bool, Failure> {
    if email.verified {
        return Ok(true);
    }
    if has_other_owner(conn, &AddressKey::from_stored(email.address_key.clone()), &email.user_id)? {
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
