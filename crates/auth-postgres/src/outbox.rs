//! Mails that are owed. Functions of the database's claim and settle them, in one round trip each.

use async_trait::async_trait;
use auth_domain::{
    Applied, ClaimedMail, CodeState, EmailAddress, MailClass, MailId, Outbox, QueuedMail, SealedMail, Settlement,
    StoreError, Timestamp, rules::PUT_OFF_AT_MOST,
};
use diesel::{
    ExpressionMethods, QueryResult, Queryable,
    data_types::PgTimestamp,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tracing::error;
use uuid::Uuid;

use crate::{
    PostgresStore,
    calls::bind_all,
    error::{Failure, corrupt},
    key_pairs::TRIES,
    rows::{count, key_id, moment, stored},
    schema::outbox,
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
        let settle = Settle::of(id, attempt, settlement, reply, now);
        self.write_at_once(None, settle, |conn, settle| {
            Box::pin(async {
                let is_settled: bool = settle.get_result(conn).await?;
                Ok(if is_settled { Applied::Yes } else { Applied::Stale })
            })
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
        let claim = Claim {
            classes: classes.iter().map(|class| class.as_str()).collect(),
            at: stored(now),
            put_off_at_most: stored(now.plus(PUT_OFF_AT_MOST)),
            lease_until: stored(lease_until),
            room: i32::try_from(limit).unwrap_or(i32::MAX),
        };
        let mails = self
            .write_at_once(None, claim, |conn, claim| Box::pin(async { Ok(claim.get_results(conn).await?) }))
            .await?;
        Ok(mails.into_iter().filter_map(passing_over_damaged).collect())
    }
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

/// A mail as `claim_due_mails` returns it.
#[derive(Queryable)]
struct MailRow {
    id: Uuid,
    class: String,
    key_id: String,
    sealed: Option<Vec<u8>>,
    created_at: PgTimestamp,
    attempt: i32,
    code_is_living: bool,
    on_record: Option<String>,
}

/// One damaged row must not hold up everybody else's mail. It is claimed all the same, so that it comes up, and is told, once a
/// lease.
fn passing_over_damaged(mail: MailRow) -> Option<ClaimedMail> {
    match claimed_mail(mail) {
        Ok(mail) => Some(mail),
        Err(damaged) => {
            error!(table = "outbox", error = %damaged, "damaged row passed over");
            None
        }
    }
}

fn claimed_mail(mail: MailRow) -> Result<ClaimedMail, StoreError> {
    Ok(ClaimedMail {
        id: mail.id.into(),
        class: MailClass::from_stored(&mail.class).ok_or_else(|| corrupt("outbox", mail.id, "unknown class"))?,
        sealed: SealedMail {
            key_id: key_id("outbox", mail.id, &mail.key_id)?,
            bytes: mail.sealed.ok_or_else(|| corrupt("outbox", mail.id, "owed, but its body is erased"))?,
        },
        created_at: moment(mail.created_at),
        attempt: count("outbox", mail.id, mail.attempt)?,
        code_is_living: mail.code_is_living,
        on_record: mail.on_record.and_then(|address| {
            // Only a sign-in's mail misses it.
            let damaged =
                |error: &_| error!(mail.id = %mail.id, %error, "the address that a mail's code is for is damaged");
            EmailAddress::from_stored(&address).inspect_err(damaged).ok()
        }),
    })
}

/// A call of `claim_due_mails`.
struct Claim {
    classes: Vec<&'static str>,
    at: PgTimestamp,
    put_off_at_most: PgTimestamp,
    lease_until: PgTimestamp,
    room: i32,
}

/// One statement: its text need not be looked at.
impl QueryId for Claim {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Claim {
    type SqlType = (SqlUuid, Text, Text, Nullable<Binary>, Timestamptz, Integer, Bool, Nullable<Text>);
}

impl QueryFragment<Pg> for Claim {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT * FROM claim_due_mails(");
        bind_all!(
            out,
            Array<Text>: &self.classes,
            Timestamptz: &self.at,
            Timestamptz: &self.put_off_at_most,
            Timestamptz: &self.lease_until,
            Integer: &self.room,
            Integer: &TRIES,
        );
        out.push_sql(")");
        Ok(())
    }
}

/// A call of `settle_mail`.
struct Settle {
    mail: Uuid,
    attempt: i32,
    outcome: &'static str,
    due_again: Option<PgTimestamp>,
    code_ends_at: Option<PgTimestamp>,
    reply: String,
    at: PgTimestamp,
}

impl Settle {
    fn of(id: MailId, attempt: u32, settlement: Settlement, reply: &str, now: Timestamp) -> Self {
        let (outcome, due_again, code_ends_at) = match settlement {
            Settlement::Delivered => ("delivered", None, Some(now.plus(CodeState::LIFE_AFTER_HAND_OVER))),
            Settlement::Deferred(until) => ("deferred", Some(until), None),
            Settlement::Abandoned => ("abandoned", None, None),
        };
        Self {
            mail: id.uuid(),
            attempt: i32::try_from(attempt).unwrap_or(i32::MAX),
            outcome,
            due_again: due_again.map(stored),
            code_ends_at: code_ends_at.map(stored),
            // PostgreSQL knows no NUL in text.
            reply: reply.replace('\0', " "),
            at: stored(now),
        }
    }
}

/// One statement: its text need not be looked at.
impl QueryId for Settle {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Settle {
    type SqlType = Bool;
}

impl QueryFragment<Pg> for Settle {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT settle_mail(");
        bind_all!(
            out,
            SqlUuid: &self.mail,
            Integer: &self.attempt,
            Text: self.outcome,
            Nullable<Timestamptz>: &self.due_again,
            Nullable<Timestamptz>: &self.code_ends_at,
            Text: &self.reply,
            Timestamptz: &self.at,
        );
        out.push_sql(")");
        Ok(())
    }
}
