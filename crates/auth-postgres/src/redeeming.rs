//! Spending a verification code: judging the guess, and opening what it opens.

use async_trait::async_trait;
use auth_domain::{
    AddressKey, CodeGuess, CodePurpose, Codes, Opened, Redeemed, Standing, StoreError, Timestamp, UserId,
    rules::{Judgement, event_of_disabled_account, event_of_redeeming, event_of_wrong_guess, judge},
};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    PostgresStore, audit, codes, emails,
    error::{Failure, corrupt},
    locks,
    rows::{CodeRow, EmailRow, KeyPairRow, SessionRow, UserRow, stored},
    schema::{codes as code, emails as email, key_pairs, sessions, users},
    users::lock_user,
};

#[async_trait]
impl Codes for PostgresStore {
    async fn redeem_code(&self, guess: &CodeGuess) -> Result<Redeemed, StoreError> {
        self.write(guess.clone(), |conn, guess| Box::pin(redeem_code(conn, guess))).await
    }
}

/// What a code leads to.
struct Target {
    /// Whose it is; nobody's if it is a decoy.
    user: Option<Uuid>,
    /// Whether it waits for its code still.
    waiting: bool,
}

async fn redeem_code(conn: &mut AsyncPgConnection, guess: &CodeGuess) -> Result<Redeemed, Failure> {
    let redeemed = spend(conn, guess).await?;
    let event = match redeemed {
        Redeemed::Yes { opened, user_id, registered } => event_of_redeeming(guess, opened, user_id, registered),
        Redeemed::Disabled { user_id } => event_of_disabled_account(guess, user_id),
        Redeemed::Wrong { owner } => event_of_wrong_guess(guess, owner),
        Redeemed::Refused => return Ok(redeemed),
    };
    audit::record(conn, &event).await?;
    Ok(redeemed)
}

/// Judges a guess and does what it comes to, but for telling the audit log.
async fn spend(conn: &mut AsyncPgConnection, guess: &CodeGuess) -> Result<Redeemed, Failure> {
    // What the code leads to never changes: read first, so that locks can be taken in their order.
    let Some(seen) = find(conn, guess).await? else { return Ok(Redeemed::Refused) };
    locks::address(conn, &AddressKey::from_stored(seen.address_key.clone())).await?;
    let Some(target) = lock_target(conn, &seen, guess.at).await? else { return Ok(Redeemed::Refused) };
    let somebody_elses = guess.by.user.is_some_and(|by| target.user != Some(by.uuid()));
    if !target.waiting || somebody_elses {
        return Ok(Redeemed::Refused);
    }
    let locked = code::table.filter(code::id.eq(seen.id)).select(CodeRow::as_select()).for_no_key_update();
    let Some(code) = locked.get_result(conn).await.optional()? else { return Ok(Redeemed::Refused) };
    match judge(&code.state()?, guess, guess.at) {
        Judgement::Ended => Ok(Redeemed::Refused),
        Judgement::Wrong => {
            diesel::update(code::table.filter(code::id.eq(code.id)))
                .set(code::wrong_guesses.eq(code::wrong_guesses + 1))
                .execute(conn)
                .await?;
            Ok(Redeemed::Wrong { owner: target.user.map(UserId::from) })
        }
        Judgement::Right => {
            codes::end(conn, code.id).await?;
            match target.user {
                Some(user) => open(conn, &code, user, guess.at).await,
                // No guess is right for a decoy's hash; should one be, it still leads nowhere.
                None => Ok(Redeemed::Refused),
            }
        }
    }
}

async fn find(conn: &mut AsyncPgConnection, guess: &CodeGuess) -> Result<Option<CodeRow>, Failure> {
    let found = code::table.filter(code::id.eq(guess.id.uuid())).select(CodeRow::as_select());
    Ok(found.get_result(conn).await.optional()?)
}

/// Locks what a code leads to, its owner first.
async fn lock_target(conn: &mut AsyncPgConnection, code: &CodeRow, now: Timestamp) -> Result<Option<Target>, Failure> {
    match (code.purpose()?, code.session_id, code.key_pair_id, code.email_id) {
        (CodePurpose::SignIn, Some(session), ..) => {
            let owner: Option<Option<Uuid>> = sessions::table
                .filter(sessions::id.eq(session))
                .select(sessions::user_id)
                .get_result(conn)
                .await
                .optional()?;
            let mut user = None;
            if let Some(owner) = owner.flatten()
                && let Some(row) = lock_user(conn, owner).await?
                && row.standing()? != Standing::Decoy
            {
                user = Some(owner);
            }
            let row = sessions::table.filter(sessions::id.eq(session)).select(SessionRow::as_select());
            let session = row.for_no_key_update().get_result(conn).await.optional()?;
            Ok(session.map(|row| Target { waiting: row.is_waiting_at(now), user }))
        }
        (CodePurpose::KeyPair, _, Some(key_pair), _) => {
            let row = key_pairs::table.filter(key_pairs::id.eq(key_pair));
            let owner: Option<Uuid> = row.select(key_pairs::user_id).get_result(conn).await.optional()?;
            let Some(owner) = owner else { return Ok(None) };
            lock_user(conn, owner).await?;
            let key_pair = row.select(KeyPairRow::as_select()).for_no_key_update().get_result(conn).await.optional()?;
            Ok(key_pair.map(|row| Target { waiting: row.is_waiting_at(now), user: Some(row.user_id) }))
        }
        (CodePurpose::Email, _, _, Some(email)) => {
            let row = email::table.filter(email::id.eq(email));
            let owner: Option<Uuid> = row.select(email::user_id).get_result(conn).await.optional()?;
            let Some(owner) = owner else { return Ok(None) };
            lock_user(conn, owner).await?;
            let email = row.select(EmailRow::as_select()).for_no_key_update().get_result(conn).await.optional()?;
            Ok(email.map(|row| Target { waiting: !row.verified, user: Some(row.user_id) }))
        }
        _ => Err(corrupt("codes", code.id, "opens nothing").into()),
    }
}

/// Opens what a right code opens for `user`, and verifies what it proves.
async fn open(conn: &mut AsyncPgConnection, code: &CodeRow, user: Uuid, now: Timestamp) -> Result<Redeemed, Failure> {
    let Some(email_id) = code.email_id else { return Ok(Redeemed::Refused) };
    let found: Option<(UserRow, EmailRow)> = users::table
        .inner_join(email::table)
        .filter(users::id.eq(user))
        .filter(email::id.eq(email_id))
        .select(<(UserRow, EmailRow)>::as_select())
        .get_result(conn)
        .await
        .optional()?;
    let Some((row, email)) = found else { return Ok(Redeemed::Refused) };
    let registered = row.standing()? == Standing::Pending;
    let opened = match (code.purpose()?, code.session_id, code.key_pair_id) {
        (CodePurpose::SignIn, Some(session), _) => {
            if !row.enabled {
                return Ok(Redeemed::Disabled { user_id: user.into() });
            }
            if !emails::prove(conn, &email).await? {
                return Ok(Redeemed::Refused);
            }
            verify_user(conn, &row, user).await?;
            diesel::update(sessions::table.filter(sessions::id.eq(session)))
                .set(sessions::verified_at.eq(stored(now)))
                .execute(conn)
                .await?;
            Opened::Session(session.into())
        }
        // An address or a key is only ever added to what is an account already, and stays one.
        (CodePurpose::Email | CodePurpose::KeyPair, ..) if !(row.enabled && row.verified) => {
            return Ok(Redeemed::Refused);
        }
        (CodePurpose::Email, ..) => {
            if !emails::prove(conn, &email).await? {
                return Ok(Redeemed::Refused);
            }
            Opened::Email(email_id.into())
        }
        (CodePurpose::KeyPair, _, Some(key_pair)) => {
            diesel::update(key_pairs::table.filter(key_pairs::id.eq(key_pair)))
                .set(key_pairs::verified_at.eq(stored(now)))
                .execute(conn)
                .await?;
            Opened::KeyPair(key_pair.into())
        }
        _ => return Err(corrupt("codes", code.id, "opens nothing").into()),
    };
    Ok(Redeemed::Yes { opened, user_id: user.into(), registered })
}

/// Makes a registration an account, and an account a verified one.
async fn verify_user(conn: &mut AsyncPgConnection, row: &UserRow, user: Uuid) -> Result<(), Failure> {
    if !row.verified || row.standing()? != Standing::Account {
        diesel::update(users::table.filter(users::id.eq(user)))
            .set((users::verified.eq(true), users::registration.eq(Standing::Account.as_stored())))
            .execute(conn)
            .await?;
    }
    Ok(())
}
