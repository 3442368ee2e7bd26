use async_trait::async_trait;
use auth_domain::{
    Applied, CodePurpose, Email, EmailAddition, EmailChange, EmailId, EmailRenewal, Emails, Event, Requested, Standing,
    StoreError, UserId, Vouched, VouchedEmail, rules::Asking,
};

use super::{
    InMemoryStore,
    state::{EmailRow, Opens, State},
};

#[async_trait]
impl Emails for InMemoryStore {
    async fn list_emails(&self, user: UserId) -> Result<Vec<Email>, StoreError> {
        Ok(self.transaction()?.emails_of(user))
    }

    async fn add_email(&self, addition: &EmailAddition) -> Result<Requested, StoreError> {
        let mut state = self.transaction()?;
        let charges = match state.judge_asking(addition.restraint.as_ref(), Asking::SignedIn, &addition.code) {
            Ok(charges) => charges,
            Err(refusal) => return Ok(Requested::Throttled(refusal)),
        };
        let is_as_seen = state.standing(addition.user_id) == Some(Standing::Account)
            && state.emails_of(addition.user_id) == addition.seen
            && state.has_owner(&addition.address.key(), Some(addition.user_id)) == addition.foreign;
        if !is_as_seen {
            return Ok(Requested::Stale);
        }
        state.charge(charges);
        state.emails.push(EmailRow {
            id: addition.email_id,
            user_id: addition.user_id,
            address: addition.address.clone(),
            verified: false,
            vouched: false,
            preferred: false,
            created_at: addition.code.created_at,
        });
        state.store_code(&addition.code, Opens::Email, Some(addition.email_id));
        for mail in &addition.mails {
            state.store_mail(mail);
        }
        state.events.push(addition.event.clone());
        Ok(Requested::Yes)
    }

    async fn renew_email_code(&self, renewal: &EmailRenewal) -> Result<Requested, StoreError> {
        let mut state = self.transaction()?;
        let charges = match state.judge_asking(renewal.restraint.as_ref(), Asking::SignedIn, &renewal.code) {
            Ok(charges) => charges,
            Err(refusal) => return Ok(Requested::Throttled(refusal)),
        };
        let pending = state
            .emails
            .iter()
            .find(|row| row.id == renewal.email_id && row.user_id == renewal.user_id && !row.verified);
        let Some(address) = pending.map(|row| row.address.key()) else { return Ok(Requested::Stale) };
        if state.has_owner(&address, Some(renewal.user_id)) != renewal.foreign {
            return Ok(Requested::Stale);
        }
        state.charge(charges);
        state.end_email_codes(renewal.email_id);
        state.store_code(&renewal.code, Opens::Email, Some(renewal.email_id));
        state.store_mail(&renewal.mail);
        Ok(Requested::Yes)
    }

    async fn prefer_email(&self, change: &EmailChange) -> Result<Applied, StoreError> {
        let mut state = self.transaction()?;
        if state.emails_of(change.user_id) != change.seen {
            return Ok(Applied::Stale);
        }
        for row in state.emails.iter_mut().filter(|row| row.user_id == change.user_id) {
            row.preferred = row.id == change.email_id;
        }
        for mail in &change.notices {
            state.store_mail(mail);
        }
        state.events.push(change.event.clone());
        Ok(Applied::Yes)
    }

    async fn remove_email(&self, change: &EmailChange) -> Result<Applied, StoreError> {
        let mut state = self.transaction()?;
        if state.emails_of(change.user_id) != change.seen {
            return Ok(Applied::Stale);
        }
        state.emails.retain(|row| row.id != change.email_id);
        state.remove_orphans();
        for mail in &change.notices {
            state.store_mail(mail);
        }
        state.events.push(change.event.clone());
        Ok(Applied::Yes)
    }

    async fn vouch_for_email(&self, vouched: &VouchedEmail) -> Result<Vouched, StoreError> {
        let mut state = self.transaction()?;
        let (user, address) = (vouched.user_id, vouched.address.key());
        if state.standing(user) != Some(Standing::Account) || state.emails_of(user) != vouched.seen {
            return Ok(Vouched::Stale);
        }
        if vouched.seen.iter().any(|email| email.id == vouched.email_id && email.vouched) {
            return Ok(Vouched::Already);
        }
        if state.has_owner(&address, Some(user)) {
            return Ok(Vouched::Taken);
        }
        for registration in state.registrations_for(&address) {
            state.remove_user(registration);
        }
        match state.emails.iter_mut().find(|row| row.id == vouched.email_id) {
            Some(row) => row.vouched = true,
            None => state.emails.push(EmailRow {
                id: vouched.email_id,
                user_id: user,
                address: vouched.address.clone(),
                verified: false,
                vouched: true,
                preferred: false,
                created_at: vouched.event.at,
            }),
        }
        for mail in &vouched.notices {
            state.store_mail(mail);
        }
        state.events.push(vouched.event.clone());
        Ok(Vouched::Yes)
    }

    async fn verify_email(&self, id: EmailId, event: &Event) -> Result<Vouched, StoreError> {
        let mut state = self.transaction()?;
        let Some(position) = state.emails.iter().position(|row| row.id == id) else { return Ok(Vouched::Stale) };
        let (owner, address) = (state.emails[position].user_id, state.emails[position].address.key());
        if state.standing(owner) != Some(Standing::Account) {
            return Ok(Vouched::Stale);
        }
        if state.emails[position].verified {
            return Ok(Vouched::Already);
        }
        if state.has_owner(&address, Some(owner)) {
            return Ok(Vouched::Taken);
        }
        state.emails[position].verified = true;
        for registration in state.registrations_for(&address) {
            state.remove_user(registration);
        }
        state.events.push(event.clone().about(owner));
        Ok(Vouched::Yes)
    }

    async fn find_email_owner(&self, id: EmailId) -> Result<Option<UserId>, StoreError> {
        let state = self.transaction()?;
        let owner = state.emails.iter().find(|row| row.id == id).map(|row| row.user_id);
        Ok(owner.filter(|owner| state.standing(*owner) == Some(Standing::Account)))
    }
}

impl State {
    fn end_email_codes(&mut self, email: EmailId) {
        for code in &mut self.codes {
            code.ended |= code.new.purpose == CodePurpose::Email && code.email_id == Some(email);
        }
    }
}
