//! Mails that are owed.

use async_trait::async_trait;
use auth_domain::{
    ClaimedMail, CodeState, EmailAddress, MailClass, MailId, Outbox, Outcome, SealedMail, Settlement, StoreError,
    Timestamp, archive::AttemptOutcome, rules::PUT_OFF_AT_MOST,
};
use diesel::{
    Queryable,
    data_types::PgTimestamp,
    sql_types::{Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tracing::{error, warn};
use uuid::Uuid;

use crate::{
    PostgresStore,
    error::{Failure, corrupt},
    rows::{count, key_id, moment, stored},
    statement::{Statement, Value},
};

/// Codes first: people wait for them.
const IN_ORDER: &[MailClass] = &[MailClass::Code, MailClass::Notice, MailClass::Decoy];
const CODES: &[MailClass] = &[MailClass::Code];

/// Claims mails of one class: those that are due, and those that were put off further than anything is. What others hold is
/// passed over. Mails and codes are found by arrays of ids, each by its index.
const CLAIM: &str = "WITH claimed AS (\
         UPDATE outbox SET attempts = attempts + (attempts < 2147483647)::integer, due_at = ? \
         WHERE id = ANY ((ARRAY(\
             SELECT due.id FROM outbox AS due WHERE due.settled_at IS NULL AND due.class = ? AND due.due_at <= ? \
             ORDER BY due.due_at LIMIT ? FOR NO KEY UPDATE SKIP LOCKED\
         ) || ARRAY(\
             SELECT late.id FROM outbox AS late WHERE late.settled_at IS NULL AND late.class = ? AND late.due_at > ? \
             ORDER BY late.due_at LIMIT ? FOR NO KEY UPDATE SKIP LOCKED\
         ))[1:?]) RETURNING id, class, code_id, key_id, sealed, created_at, attempts) \
     SELECT id, class, key_id, sealed, created_at, attempts, \
         (SELECT codes.ended FROM codes WHERE codes.id = claimed.code_id), \
         (SELECT codes.wrong_guesses FROM codes WHERE codes.id = claimed.code_id), \
         (SELECT codes.expires_at FROM codes WHERE codes.id = claimed.code_id), \
         (SELECT emails.address FROM emails WHERE emails.id = (\
             SELECT codes.email_id FROM codes WHERE codes.id = claimed.code_id)) \
     FROM claimed ORDER BY id";
type Claimed = (
    SqlUuid,
    Text,
    Text,
    Nullable<Binary>,
    Timestamptz,
    Integer,
    Nullable<Bool>,
    Nullable<Integer>,
    Nullable<Timestamptz>,
    Nullable<Text>,
);

/// Settles a mail, and brings the end of its code forward. The code is locked before the mail, as by whoever deletes both.
const SETTLE: &str = "WITH code AS MATERIALIZED (\
         SELECT id FROM codes WHERE id = (SELECT code_id FROM outbox WHERE id = ? AND attempts = ? AND outcome IS NULL) \
         FOR NO KEY UPDATE\
     ), settled AS (\
         UPDATE outbox SET settled_at = ?, outcome = ?, sealed = NULL \
         WHERE id = ? AND attempts = ? AND outcome IS NULL AND (SELECT count(*) FROM code) >= 0 RETURNING id\
     ), shortened AS (\
         UPDATE codes SET expires_at = least(expires_at, ?) \
         WHERE id = ANY (ARRAY(SELECT id FROM code)) AND EXISTS (SELECT FROM settled)\
     ), written AS (\
         INSERT INTO mail_attempts (mail_id, attempt, ended_at, outcome, reply) SELECT id, ?, ?, ?, ? FROM settled \
         ON CONFLICT (mail_id, attempt) DO UPDATE \
         SET ended_at = excluded.ended_at, outcome = excluded.outcome, reply = excluded.reply\
     ) SELECT EXISTS (SELECT FROM settled)";
/// Puts a mail off.
const DEFER: &str = "WITH put_off AS (\
         UPDATE outbox SET due_at = ? WHERE id = ? AND attempts = ? AND outcome IS NULL RETURNING id\
     ), written AS (\
         INSERT INTO mail_attempts (mail_id, attempt, ended_at, outcome, reply) SELECT id, ?, ?, ?, ? FROM put_off \
         ON CONFLICT (mail_id, attempt) DO UPDATE \
         SET ended_at = excluded.ended_at, outcome = excluded.outcome, reply = excluded.reply\
     ) SELECT EXISTS (SELECT FROM put_off)";

#[async_trait]
impl Outbox for PostgresStore {
    async fn claim_mails(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError> {
        self.claim(IN_ORDER, now, lease_until, limit).await
    }

    async fn claim_codes(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError> {
        self.claim(CODES, now, lease_until, limit).await
    }

    async fn settle_mail(
        &self,
        id: MailId,
        attempt: u32,
        settlement: Settlement,
        reply: &str,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        let settle = Settle {
            mail: id.uuid(),
            attempt: i32::try_from(attempt).unwrap_or(i32::MAX),
            settlement,
            // PostgreSQL knows no NUL in text.
            reply: reply.replace('\0', " "),
            now,
        };
        self.write_at_once(settle, |conn, settle| Box::pin(settle_mail(conn, settle))).await
    }
}

impl PostgresStore {
    async fn claim(
        &self,
        classes: &'static [MailClass],
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError> {
        let claim = Claim { classes, now, lease_until, limit: i32::try_from(limit).unwrap_or(i32::MAX) };
        self.write_at_once(claim, |conn, claim| Box::pin(claim_mails(conn, claim))).await
    }
}

struct Claim {
    classes: &'static [MailClass],
    now: Timestamp,
    lease_until: Timestamp,
    limit: i32,
}

/// Each class is claimed by itself: one after the other, as far as there is room.
async fn claim_mails(conn: &mut AsyncPgConnection, claim: &Claim) -> Result<Vec<ClaimedMail>, Failure> {
    let (mut mails, mut room) = (Vec::new(), claim.limit);
    for class in claim.classes {
        let name = || Value::Text(Some(class.as_str().to_owned()));
        let at = |moment| Value::Timestamp(Some(stored(moment)));
        let values = vec![
            at(claim.lease_until),
            name(),
            at(claim.now),
            Value::Integer(room),
            name(),
            at(claim.now.plus(PUT_OFF_AT_MOST)),
            Value::Integer(room),
            Value::Integer(room),
        ];
        let claimed: Vec<MailRow> = match Statement::<Claimed>::new(CLAIM, values).load(conn).await {
            Ok(claimed) => claimed,
            // What was claimed before is somebody's to deliver.
            Err(error) if !mails.is_empty() => {
                warn!(%error, class = class.as_str(), "mails of a class cannot be claimed");
                break;
            }
            Err(error) => return Err(error.into()),
        };
        room = room.saturating_sub(i32::try_from(claimed.len()).unwrap_or(i32::MAX));
        mails.extend(claimed.into_iter().filter_map(|mail| passing_over_damaged(mail, claim.now)));
        if room <= 0 {
            break;
        }
    }
    Ok(mails)
}

struct Settle {
    mail: Uuid,
    attempt: i32,
    settlement: Settlement,
    reply: String,
    now: Timestamp,
}

async fn settle_mail(conn: &mut AsyncPgConnection, settle: &Settle) -> Result<Outcome, Failure> {
    let Settle { mail, attempt, settlement, ref reply, now } = *settle;
    let (mail, attempt) = (|| Value::Uuid(Some(mail)), || Value::Integer(attempt));
    let at = |moment| Value::Timestamp(Some(stored(moment)));
    let text = |text: &str| Value::Text(Some(text.to_owned()));
    let settled = |outcome: AttemptOutcome, code_ends_at| {
        let outcome = || text(outcome.as_str());
        let values = vec![mail(), attempt(), at(now), outcome(), mail(), attempt(), code_ends_at];
        let values = values.into_iter().chain([attempt(), at(now), outcome(), text(reply)]).collect();
        Statement::<Bool>::new(SETTLE, values)
    };
    let statement = match settlement {
        Settlement::Deferred(until) => {
            let outcome = text(AttemptOutcome::Deferred.as_str());
            let values = vec![at(until), mail(), attempt(), attempt(), at(now), outcome, text(reply)];
            Statement::<Bool>::new(DEFER, values)
        }
        Settlement::Abandoned => settled(AttemptOutcome::Abandoned, Value::Timestamp(None)),
        Settlement::Delivered => settled(AttemptOutcome::Delivered, at(now.plus(CodeState::LIFE_AFTER_HAND_OVER))),
    };
    let is_settled: bool = statement.get_result(conn).await?;
    Ok(if is_settled { Outcome::Done(()) } else { Outcome::Stale })
}

/// A mail that was claimed, with what is known of its code.
#[derive(Queryable)]
struct MailRow {
    id: Uuid,
    class: String,
    key_id: String,
    sealed: Option<Vec<u8>>,
    created_at: PgTimestamp,
    attempt: i32,
    code_ended: Option<bool>,
    code_wrong_guesses: Option<i32>,
    code_ends_at: Option<PgTimestamp>,
    on_record: Option<String>,
}

/// One damaged row must not hold up everybody else's mail. It is claimed all the same, so that it comes up, and is told, once a
/// lease.
fn passing_over_damaged(mail: MailRow, now: Timestamp) -> Option<ClaimedMail> {
    match claimed_mail(mail, now) {
        Ok(mail) => Some(mail),
        Err(damaged) => {
            error!(table = "outbox", error = %damaged, "damaged row passed over");
            None
        }
    }
}

fn claimed_mail(mail: MailRow, now: Timestamp) -> Result<ClaimedMail, StoreError> {
    let code_is_living = match (mail.code_ended, mail.code_wrong_guesses, mail.code_ends_at) {
        (Some(ended), Some(wrong_guesses), Some(ends_at)) => {
            CodeState::is_living(ended, count("codes", mail.id, wrong_guesses)?, moment(ends_at), now)
        }
        _ => false,
    };
    Ok(ClaimedMail {
        id: mail.id.into(),
        class: MailClass::from_stored(&mail.class).ok_or_else(|| corrupt("outbox", mail.id, "unknown class"))?,
        sealed: SealedMail {
            key_id: key_id("outbox", mail.id, &mail.key_id)?,
            bytes: mail.sealed.ok_or_else(|| corrupt("outbox", mail.id, "owed, but its body is erased"))?,
        },
        created_at: moment(mail.created_at),
        attempt: count("outbox", mail.id, mail.attempt)?,
        code_is_living,
        on_record: mail.on_record.and_then(|address| {
            // Only a sign-in's mail misses it.
            let damaged =
                |error: &_| error!(mail.id = %mail.id, %error, "the address that a mail's code is for is damaged");
            EmailAddress::from_stored(&address).inspect_err(damaged).ok()
        }),
    })
}
