//! Mails that are owed.

use async_trait::async_trait;
use auth_domain::{
    ClaimedMail, CodeState, EmailAddress, MailClass, MailId, Outbox, Outcome, SealedMail, Settlement, StoreError,
    Timestamp, rules::PUT_OFF_AT_MOST,
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl, Queryable, RunQueryDsl,
    Selectable, SelectableHelper, SqliteConnection, Table,
    dsl::{AsSelect, Nullable, auto_type, exists},
    sqlite::Sqlite,
};
use tracing::error;

use crate::{
    SqliteStore, damage,
    error::{Failure, corrupt},
    rows::{self, CodeRow, bytes_of, count, id, key_id, printed},
    schema::{codes, emails, mail_attempts, outbox},
};

/// Codes first: people wait for them.
const IN_ORDER: &[MailClass] = &[MailClass::Code, MailClass::Notice, MailClass::Decoy];
const CODES: &[MailClass] = &[MailClass::Code];

#[async_trait]
impl Outbox for SqliteStore {
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
        let reply = reply.to_owned();
        self.write(move |conn| settle_mail(conn, id, attempt, settlement, &reply, now)).await
    }
}

impl SqliteStore {
    async fn claim(
        &self,
        classes: &'static [MailClass],
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError> {
        // Workers ask all the time, and mostly nothing is due: a reader finds that out without queueing for the
        // writer. It sees everything that was acknowledged by now, so it misses nothing.
        if !self.read(move |conn| any_due(conn, classes, now)).await? {
            return Ok(Vec::new());
        }
        self.write(move |conn| claim_mails(conn, classes, now, lease_until, limit)).await
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox, check_for_backend(Sqlite))]
struct MailRow {
    id: Vec<u8>,
    class: String,
    key_id: String,
    sealed: Option<Vec<u8>>,
    created_at: i64,
    attempts: i64,
}

fn any_due(conn: &mut SqliteConnection, classes: &[MailClass], now: Timestamp) -> Result<bool, Failure> {
    for class in classes {
        let owed = outbox::table.filter(outbox::settled_at.is_null()).filter(outbox::class.eq(class.as_str()));
        // Each is a look at one end of the index.
        let due = owed.filter(outbox::due_at.le(now.unix_millis()));
        let put_off_too_long = owed.filter(outbox::due_at.gt(now.plus(PUT_OFF_AT_MOST).unix_millis()));
        if diesel::select(exists(due).or(exists(put_off_too_long))).get_result(conn)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The mails of a class that are due, those first that have been for longest, with their codes and whom these are for.
#[auto_type(no_type_alias)]
fn due<'a>(class: &'a str, now: i64, put_off_at_most: i64, room: i64) -> _ {
    let mail: AsSelect<MailRow, Sqlite> = MailRow::as_select();
    let code: Nullable<<codes::table as Table>::AllColumns> = codes::all_columns.nullable();
    // Joined to what is joined already: two tables that are joined to one another first are read through first.
    outbox::table
        .left_join(codes::table)
        .left_join(emails::table.on(codes::email_id.eq(emails::id.nullable())))
        .filter(outbox::settled_at.is_null())
        .filter(outbox::class.eq(class))
        .filter(outbox::due_at.le(now).or(outbox::due_at.gt(put_off_at_most)))
        .order(outbox::due_at)
        .limit(room)
        .select((mail, code, emails::address.nullable()))
}

fn claim_mails(
    conn: &mut SqliteConnection,
    classes: &[MailClass],
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<ClaimedMail>, Failure> {
    let mut claimed = Vec::new();
    // Class by class, so that the index yields them in order, however long the queue is.
    for class in classes {
        let room = i64::from(limit).saturating_sub(i64::try_from(claimed.len()).unwrap_or(i64::MAX));
        let due = due(class.as_str(), now.unix_millis(), now.plus(PUT_OFF_AT_MOST).unix_millis(), room);
        for (mail, code, on_record) in due.load::<(MailRow, Option<CodeRow>, Option<String>)>(conn)? {
            // A damaged one is claimed all the same, so that it comes up, and is told, once a lease.
            let mail = claim(conn, mail, code, on_record.as_deref(), now, lease_until);
            claimed.extend(damage::unless_damaged("outbox", mail)?);
        }
    }
    Ok(claimed)
}

fn claim(
    conn: &mut SqliteConnection,
    mail: MailRow,
    code: Option<CodeRow>,
    on_record: Option<&str>,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<ClaimedMail, Failure> {
    let row = mail.id.as_slice();
    let this_one = outbox::table.filter(outbox::id.eq(row));
    diesel::update(this_one).set(outbox::due_at.eq(lease_until.unix_millis())).execute(conn)?;
    // Counted only if it can be: a number that the layout forbids would end the claims of all the others too.
    let attempt = count("outbox", row, mail.attempts.saturating_add(1))?;
    diesel::update(this_one).set(outbox::attempts.eq(i64::from(attempt))).execute(conn)?;
    let class = MailClass::from_stored(&mail.class).ok_or_else(|| corrupt("outbox", printed(row), "unknown class"))?;
    let bytes = mail.sealed.ok_or_else(|| corrupt("outbox", printed(row), "owed, but its body is erased"))?;
    Ok(ClaimedMail {
        id: id("outbox", row, row)?,
        class,
        sealed: SealedMail { key_id: key_id("outbox", row, &mail.key_id)?, bytes },
        created_at: Timestamp::from_unix_millis(mail.created_at),
        attempt,
        code_is_living: match code {
            Some(code) => rows::code(code)?.is_living_at(now),
            None => false,
        },
        on_record: on_record.and_then(|address| {
            // Only a sign-in's mail misses it.
            let damaged =
                |error: &_| error!(mail.id = printed(row), %error, "the address that a mail's code is for is damaged");
            EmailAddress::from_stored(address).inspect_err(damaged).ok()
        }),
    })
}

fn settle_mail(
    conn: &mut SqliteConnection,
    id: MailId,
    attempt: u32,
    settlement: Settlement,
    reply: &str,
    now: Timestamp,
) -> Result<Outcome, Failure> {
    let mail_id = bytes_of(id.uuid());
    let held = outbox::table
        .filter(outbox::id.eq(&mail_id))
        .filter(outbox::attempts.eq(i64::from(attempt)))
        .filter(outbox::settled_at.is_null());
    let codes_of_held: Vec<Option<Vec<u8>>> = held.select(outbox::code_id).load(conn)?;
    let Some(code_id) = codes_of_held.into_iter().next() else {
        return Ok(Outcome::Stale);
    };
    let outcome = match settlement {
        Settlement::Delivered => "delivered",
        Settlement::Deferred(_) => "deferred",
        Settlement::Abandoned => "abandoned",
    };
    match settlement {
        Settlement::Deferred(until) => {
            diesel::update(held).set(outbox::due_at.eq(until.unix_millis())).execute(conn)?;
        }
        Settlement::Delivered | Settlement::Abandoned => {
            diesel::update(held)
                .set((
                    outbox::settled_at.eq(now.unix_millis()),
                    outbox::outcome.eq(outcome),
                    outbox::sealed.eq(None::<Vec<u8>>),
                ))
                .execute(conn)?;
        }
    }
    if let (Settlement::Delivered, Some(code_id)) = (settlement, code_id) {
        let ends_at = now.plus(CodeState::LIFE_AFTER_HAND_OVER).unix_millis();
        diesel::update(codes::table.filter(codes::id.eq(code_id)).filter(codes::expires_at.gt(ends_at)))
            .set(codes::expires_at.eq(ends_at))
            .execute(conn)?;
    }
    // Replaced, not inserted: a worker whose first settling was stored, but not acknowledged, repeats it.
    diesel::replace_into(mail_attempts::table)
        .values((
            mail_attempts::mail_id.eq(&mail_id),
            mail_attempts::attempt.eq(i64::from(attempt)),
            mail_attempts::ended_at.eq(now.unix_millis()),
            mail_attempts::outcome.eq(outcome),
            mail_attempts::reply.eq(reply),
        ))
        .execute(conn)?;
    Ok(Outcome::Done(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;

    #[test]
    fn claiming_finds_mails_by_when_they_are_due_and_the_rest_by_id() {
        let plan = plan(&due(MailClass::Code.as_str(), 0, 0, 1));
        assert!(plan.iter().all(|step| step.starts_with("SEARCH") && step.contains("INDEX")), "{plan:?}");
    }
}
