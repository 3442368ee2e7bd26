use async_trait::async_trait;
use auth_domain::{
    Applied, ClaimedMail, CodeState, MailClass, MailId, Outbox, Settlement, StoreError, Timestamp,
    archive::{AttemptOutcome, AttemptRecord},
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
    ) -> Result<Applied, StoreError> {
        let mut state = self.transaction()?;
        let state = &mut *state;
        let Some(row) =
            state.mails.iter_mut().find(|row| row.id == id && row.attempts == attempt && row.sealed.is_some())
        else {
            return Ok(Applied::Stale);
        };
        let outcome = match settlement {
            Settlement::Deferred(_) => AttemptOutcome::Deferred,
            Settlement::Abandoned => AttemptOutcome::Abandoned,
            Settlement::Delivered => AttemptOutcome::Delivered,
        };
        let ended = AttemptRecord { mail_id: id, attempt, ended_at: now, outcome, reply: reply.to_owned() };
        state.attempts.push(ended);
        match settlement {
            Settlement::Deferred(until) => {
                row.due_at = until;
            }
            Settlement::Abandoned => {
                row.sealed = None;
                row.settled = Some((now, outcome));
            }
            Settlement::Delivered => {
                row.sealed = None;
                row.settled = Some((now, outcome));
                let end = now.plus(CodeState::LIFE_AFTER_HAND_OVER);
                for code in state.codes.iter_mut().filter(|code| Some(code.new.id) == row.code_id) {
                    code.expires_at = code.expires_at.min(end);
                }
            }
        }
        Ok(Applied::Yes)
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
        let mut state = self.transaction()?;
        let mut due: Vec<_> = (0..state.mails.len())
            .filter(|position| {
                let row = &state.mails[*position];
                let has_come = |moment| moment <= now || moment > now.plus(PUT_OFF_AT_MOST);
                row.sealed.is_some() && has_come(row.due_at) && is_wanted(row.class)
            })
            .collect();
        due.sort_by_key(|position| {
            let row = &state.mails[*position];
            (row.class != MailClass::Code, row.due_at, row.id)
        });
        due.truncate(usize::try_from(limit).expect("a small number"));
        let claimed = due.into_iter().filter_map(|position| {
            let code = state.mails[position].code_id;
            let code_is_living = code.is_some_and(|id| state.code_is_living(id, now));
            let on_record = code.and_then(|id| state.on_record(id)).cloned();
            let row = &mut state.mails[position];
            row.attempts += 1;
            // Whoever holds it has this long.
            row.due_at = lease_until;
            Some(ClaimedMail {
                id: row.id,
                class: row.class,
                sealed: row.sealed.clone()?,
                created_at: row.created_at,
                attempt: row.attempts,
                code_is_living,
                on_record,
            })
        });
        Ok(claimed.collect())
    }
}
