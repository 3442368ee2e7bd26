use async_trait::async_trait;
use auth_domain::{
    ClaimedMail, CodeState, MailClass, MailId, Outbox, Outcome, SealedMail, Settlement, StoreError, Timestamp,
    archive::{AttemptOutcome, AttemptRecord, MailState},
    rules::PUT_OFF_AT_MOST,
};

use super::InMemoryStore;

#[async_trait]
impl Outbox for InMemoryStore {
    async fn claim_mails(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError> {
        self.claim(|_any| true, now, lease_until, limit)
    }

    async fn claim_codes(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError> {
        self.claim(|class| class == MailClass::Code, now, lease_until, limit)
    }

    async fn settle_mail(
        &self,
        id: MailId,
        attempt: u32,
        settlement: Settlement,
        reply: &str,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        let mut tables = self.transaction()?;
        let tables = &mut *tables;
        let owed = tables
            .mails
            .iter_mut()
            .find(|row| row.id == id && row.attempts == attempt && matches!(row.state, MailState::Owed(_)));
        let Some(row) = owed else { return Ok(Outcome::Stale) };
        let outcome = match settlement {
            Settlement::Deferred(until) => {
                row.due_at = until;
                AttemptOutcome::Deferred
            }
            Settlement::Abandoned => {
                row.state = MailState::Abandoned(now);
                AttemptOutcome::Abandoned
            }
            Settlement::Delivered => {
                row.state = MailState::Delivered(now);
                let end = now.plus(CodeState::LIFE_AFTER_HAND_OVER);
                for code in tables.codes.iter_mut().filter(|code| Some(code.id) == row.code_id) {
                    code.expires_at = code.expires_at.min(end);
                }
                AttemptOutcome::Delivered
            }
        };
        let ended = AttemptRecord { mail_id: id, attempt, ended_at: now, outcome, reply: reply.to_owned() };
        tables.attempts.push(ended);
        Ok(Outcome::Done(()))
    }
}

impl InMemoryStore {
    fn claim(
        &self,
        is_wanted: impl Fn(MailClass) -> bool,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError> {
        let mut tables = self.transaction()?;
        let mut due: Vec<_> = (0..tables.mails.len())
            .filter(|position| {
                let row = &tables.mails[*position];
                let has_come = |moment| moment <= now || moment > now.plus(PUT_OFF_AT_MOST);
                matches!(row.state, MailState::Owed(_)) && has_come(row.due_at) && is_wanted(row.class)
            })
            .collect();
        due.sort_by_key(|position| {
            let row = &tables.mails[*position];
            (row.class != MailClass::Code, row.due_at, row.id)
        });
        due.truncate(usize::try_from(limit).expect("a small number"));
        let claimed = due.into_iter().filter_map(|position| {
            let code = tables.mails[position].code_id;
            let code_is_living = tables.codes.iter().any(|row| Some(row.id) == code && row.is_living_at(now));
            let on_record = code.and_then(|id| tables.on_record(id)).map(|email| email.address.clone());
            let row = &mut tables.mails[position];
            row.attempts += 1;
            // Whoever holds it has this long.
            row.due_at = lease_until;
            let MailState::Owed(bytes) = &row.state else { return None };
            Some(ClaimedMail {
                id: row.id,
                class: row.class,
                sealed: SealedMail { key_id: row.key_id, bytes: bytes.clone() },
                created_at: row.created_at,
                attempt: row.attempts,
                code_is_living,
                on_record,
            })
        });
        Ok(claimed.collect())
    }
}
