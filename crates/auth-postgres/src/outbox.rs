//! Mails that are owed.

use async_trait::async_trait;
use auth_domain::{
    Applied, ClaimedMail, CodeState, MailClass, MailId, Outbox, QueuedMail, SealedMail, Settlement, StoreError,
    Timestamp, rules::PUT_OFF_AT_MOST,
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper,
    data_types::PgTimestamp, dsl::exists, pg::Pg, upsert::excluded,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tracing::error;
use uuid::Uuid;

use crate::{
    PostgresStore,
    error::{Failure, corrupt},
    rows::{CodeRow, count, key_id, moment, stored},
    schema::{codes, mail_attempts, outbox},
};

/// Codes first: people wait for them.
const IN_ORDER: &[MailClass] = &[MailClass::Code, MailClass::Notice, MailClass::Decoy];
const CODES: &[MailClass] = &[MailClass::Code];

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
    ) -> Result<Applied, StoreError> {
        let input = (id, attempt, settlement, reply.to_owned(), now);
        self.write(input, |conn, (id, attempt, settlement, reply, now)| {
            Box::pin(settle_mail(conn, *id, *attempt, *settlement, reply, *now))
        })
        .await
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
        // Workers ask all the time, and mostly nothing is due: that takes one statement and no transaction.
        let due = self.read((classes, now), |conn, (classes, now)| Box::pin(any_due(conn, classes, *now)));
        if !due.await? {
            return Ok(Vec::new());
        }
        let input = (classes, now, lease_until, limit);
        self.write(input, |conn, (classes, now, until, limit)| {
            Box::pin(claim_mails(conn, classes, *now, *until, *limit))
        })
        .await
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox, check_for_backend(Pg))]
struct MailRow {
    id: Uuid,
    class: String,
    code_id: Option<Uuid>,
    key_id: String,
    sealed: Option<Vec<u8>>,
    created_at: PgTimestamp,
    attempts: i32,
}

/// Stores a mail that is owed from now on.
pub(crate) async fn insert(conn: &mut AsyncPgConnection, mail: &QueuedMail) -> Result<(), Failure> {
    diesel::insert_into(outbox::table)
        .values((
            outbox::id.eq(mail.id.uuid()),
            outbox::class.eq(mail.class.as_str()),
            outbox::code_id.eq(mail.code_id.map(auth_domain::CodeId::uuid)),
            outbox::key_id.eq(mail.sealed.key_id.to_string()),
            outbox::sealed.eq(&mail.sealed.bytes),
            outbox::created_at.eq(stored(mail.created_at)),
            outbox::due_at.eq(stored(mail.created_at)),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

async fn any_due(conn: &mut AsyncPgConnection, classes: &[MailClass], now: Timestamp) -> Result<bool, Failure> {
    let owed = || {
        let classes = classes.iter().map(|class| class.as_str());
        outbox::table.filter(outbox::settled_at.is_null()).filter(outbox::class.eq_any(classes))
    };
    // Each is a look at one end of the index.
    let due = owed().filter(outbox::due_at.le(stored(now)));
    let put_off_too_long = owed().filter(outbox::due_at.gt(stored(now.plus(PUT_OFF_AT_MOST))));
    Ok(diesel::select(exists(due).or(exists(put_off_too_long))).get_result(conn).await?)
}

async fn claim_mails(
    conn: &mut AsyncPgConnection,
    classes: &[MailClass],
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<ClaimedMail>, Failure> {
    let mut claimed = Vec::new();
    for class in classes {
        let room = i64::from(limit).saturating_sub(i64::try_from(claimed.len()).unwrap_or(i64::MAX));
        if room == 0 {
            break;
        }
        // Another worker's are passed over, not waited for.
        let due: Vec<Uuid> = outbox::table
            .filter(outbox::settled_at.is_null())
            .filter(outbox::class.eq(class.as_str()))
            .filter(outbox::due_at.le(stored(now)).or(outbox::due_at.gt(stored(now.plus(PUT_OFF_AT_MOST)))))
            .order(outbox::due_at)
            .limit(room)
            .select(outbox::id)
            .for_no_key_update()
            .skip_locked()
            .load(conn)
            .await?;
        if due.is_empty() {
            continue;
        }
        let mails: Vec<MailRow> = diesel::update(outbox::table.filter(outbox::id.eq_any(&due)))
            .set((outbox::attempts.eq(outbox::attempts + 1), outbox::due_at.eq(stored(lease_until))))
            .returning(MailRow::as_returning())
            .get_results(conn)
            .await?;
        let ids: Vec<Uuid> = mails.iter().filter_map(|mail| mail.code_id).collect();
        let codes: Vec<CodeRow> =
            codes::table.filter(codes::id.eq_any(ids)).select(CodeRow::as_select()).load(conn).await?;
        for mail in mails {
            let code = codes.iter().find(|code| Some(code.id) == mail.code_id);
            match claimed_mail(mail, code, now) {
                Ok(mail) => claimed.push(mail),
                // One damaged row must not hold up everybody else's mail. It is claimed all the same, so that it comes
                // up, and is told, once a lease.
                Err(damaged) => error!(error = %damaged, "mail passed over"),
            }
        }
    }
    Ok(claimed)
}

fn claimed_mail(mail: MailRow, code: Option<&CodeRow>, now: Timestamp) -> Result<ClaimedMail, StoreError> {
    Ok(ClaimedMail {
        id: mail.id.into(),
        class: MailClass::from_stored(&mail.class).ok_or_else(|| corrupt("outbox", mail.id, "unknown class"))?,
        sealed: SealedMail {
            key_id: key_id("outbox", mail.id, &mail.key_id)?,
            bytes: mail.sealed.ok_or_else(|| corrupt("outbox", mail.id, "owed, but its body is erased"))?,
        },
        created_at: moment(mail.created_at),
        attempt: count("outbox", mail.id, mail.attempts)?,
        code_is_living: match code {
            Some(code) => code.state()?.is_living_at(now),
            None => false,
        },
    })
}

async fn settle_mail(
    conn: &mut AsyncPgConnection,
    id: MailId,
    attempt: u32,
    settlement: Settlement,
    reply: &str,
    now: Timestamp,
) -> Result<Applied, Failure> {
    let attempt = i32::try_from(attempt).unwrap_or(i32::MAX);
    let held = outbox::table
        .filter(outbox::id.eq(id.uuid()))
        .filter(outbox::attempts.eq(attempt))
        .filter(outbox::settled_at.is_null());
    // Which code it is of changes only when that goes: read first, so that locks can be taken in their order.
    let code: Option<Option<Uuid>> = held.select(outbox::code_id).get_result(conn).await.optional()?;
    let Some(code) = code else { return Ok(Applied::Stale) };
    if let Some(code) = code {
        codes::table.filter(codes::id.eq(code)).select(codes::id).for_no_key_update().execute(conn).await?;
    }
    if held.select(outbox::id).for_no_key_update().execute(conn).await? == 0 {
        return Ok(Applied::Stale);
    }
    let mail = outbox::table.filter(outbox::id.eq(id.uuid()));
    let outcome = match settlement {
        Settlement::Delivered => "delivered",
        Settlement::Deferred(_) => "deferred",
        Settlement::Abandoned => "abandoned",
    };
    match settlement {
        Settlement::Deferred(until) => {
            diesel::update(mail).set(outbox::due_at.eq(stored(until))).execute(conn).await?;
        }
        Settlement::Delivered | Settlement::Abandoned => {
            let settled =
                (outbox::settled_at.eq(stored(now)), outbox::outcome.eq(outcome), outbox::sealed.eq(None::<Vec<u8>>));
            diesel::update(mail).set(settled).execute(conn).await?;
        }
    }
    if let (Settlement::Delivered, Some(code)) = (settlement, code) {
        let ends_at = stored(now.plus(CodeState::LIFE_AFTER_HAND_OVER));
        diesel::update(codes::table.filter(codes::id.eq(code)).filter(codes::expires_at.gt(ends_at)))
            .set(codes::expires_at.eq(ends_at))
            .execute(conn)
            .await?;
    }
    // Replaced, not inserted: a worker whose first settling was stored, but not acknowledged, repeats it.
    diesel::insert_into(mail_attempts::table)
        .values((
            mail_attempts::mail_id.eq(id.uuid()),
            mail_attempts::attempt.eq(attempt),
            mail_attempts::ended_at.eq(stored(now)),
            mail_attempts::outcome.eq(outcome),
            // PostgreSQL knows no NUL in text.
            mail_attempts::reply.eq(reply.replace('\0', " ")),
        ))
        .on_conflict((mail_attempts::mail_id, mail_attempts::attempt))
        .do_update()
        .set((
            mail_attempts::ended_at.eq(excluded(mail_attempts::ended_at)),
            mail_attempts::outcome.eq(excluded(mail_attempts::outcome)),
            mail_attempts::reply.eq(excluded(mail_attempts::reply)),
        ))
        .execute(conn)
        .await?;
    Ok(Applied::Yes)
}
