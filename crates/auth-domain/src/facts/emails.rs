use super::{
    Decision, carry_out, carry_out_limited,
    limits::{judge_request, of_request},
    records::Opens,
};
use crate::{
    Change, Changes, Email, EmailAddition, EmailChange, EmailRenewal, FactKey, Outcome, Scope, State, Store,
    StoreError, UserId, archive::EmailRecord, rules::Asking,
};

/// An account adds an address.
struct AddEmail(EmailAddition);
/// An address that waits gets a new code.
struct RenewEmailCode(EmailRenewal);
/// Another address of an account is preferred.
struct PreferEmail(EmailChange);
/// An address is removed from its account.
struct RemoveEmail(EmailChange);

impl dyn Store + '_ {
    /// Adds an address with its code, and queues the mails. Stale when the account's addresses are no longer those that
    /// were seen, or when the address has found or lost an owner elsewhere. Records the event, as all of these do. Limits are
    /// judged and charged for as for a sign-in.
    pub async fn add_email(&self, addition: &EmailAddition) -> Result<Outcome, StoreError> {
        carry_out_limited(self, AddEmail(addition.clone())).await
    }

    /// Stores a new code for an unverified address, ends the older ones, and queues the mail. Stale when the address
    /// is not the account's any more, is verified, or has found or lost an owner elsewhere. Limits as above.
    pub async fn renew_email_code(&self, renewal: &EmailRenewal) -> Result<Outcome, StoreError> {
        carry_out_limited(self, RenewEmailCode(renewal.clone())).await
    }

    /// Makes an address the preferred one, and queues the notices. Stale when the account's addresses are no longer
    /// those that were seen.
    pub async fn prefer_email(&self, change: &EmailChange) -> Result<Outcome, StoreError> {
        carry_out(self, PreferEmail(change.clone())).await
    }

    /// Removes an address with its codes, and queues the notices. Sessions that its codes opened live on; what waits for
    /// one of its codes can no longer be completed. Stale when the account's addresses are no longer those that were seen.
    pub async fn remove_email(&self, change: &EmailChange) -> Result<Outcome, StoreError> {
        carry_out(self, RemoveEmail(change.clone())).await
    }
}

impl State {
    /// Whether the account in the scope has exactly the addresses that were `seen`.
    pub(super) fn has_exactly(&self, seen: &[Email]) -> bool {
        self.account().is_some() && self.emails.iter().map(Email::from).eq(seen.iter().cloned())
    }
}

impl Decision for AddEmail {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        let EmailAddition { address, user_id, code, restraint, .. } = &self.0;
        Scope { address: Some(address.key()), user: Some(*user_id), ..of_request(code, restraint.as_ref()) }
    }

    fn turn(&self) -> Option<FactKey> {
        Some(FactKey::User(self.0.user_id))
    }

    fn held_back(&self, seen: &State, changes: &mut Changes) -> Result<Option<Outcome>, StoreError> {
        let judged = judge_request(seen, self.0.restraint.as_ref(), Asking::SignedIn, &self.0.code, changes)?;
        Ok(judged.err().map(Outcome::RateLimited))
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let EmailAddition { user_id, seen, email_id, address, foreign, code, mails, event, restraint } = &self.0;
        let price = match judge_request(state, restraint.as_ref(), Asking::SignedIn, code, changes)? {
            Ok(price) => price,
            Err(refusal) => return Ok(Outcome::RateLimited(refusal)),
        };
        if !state.has_exactly(seen) || state.address()?.is_foreign_to(*user_id) != *foreign {
            return Ok(Outcome::Stale);
        }
        changes.push(Change::InsertEmail(EmailRecord {
            id: *email_id,
            user_id: *user_id,
            address: address.clone(),
            address_key: address.key(),
            verified: false,
            vouched: false,
            preferred: false,
            created_at: code.created_at,
        }));
        changes.insert_code(code, Opens::Email, Some(*email_id));
        changes.queue(mails.iter().cloned());
        changes.record(event.clone());
        price.settle(state, changes);
        Ok(Outcome::Done(()))
    }
}

impl Decision for RenewEmailCode {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        let EmailRenewal { user_id, code, restraint, .. } = &self.0;
        Scope { user: Some(*user_id), ..of_request(code, restraint.as_ref()) }
    }

    fn turn(&self) -> Option<FactKey> {
        Some(FactKey::User(self.0.user_id))
    }

    fn held_back(&self, seen: &State, changes: &mut Changes) -> Result<Option<Outcome>, StoreError> {
        let judged = judge_request(seen, self.0.restraint.as_ref(), Asking::SignedIn, &self.0.code, changes)?;
        Ok(judged.err().map(Outcome::RateLimited))
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let EmailRenewal { user_id, email_id, foreign, code, mail, restraint } = &self.0;
        let price = match judge_request(state, restraint.as_ref(), Asking::SignedIn, code, changes)? {
            Ok(price) => price,
            Err(refusal) => return Ok(Outcome::RateLimited(refusal)),
        };
        let waits = state.emails.iter().any(|email| email.id == *email_id && !email.verified);
        if !waits || state.address()?.is_foreign_to(*user_id) != *foreign {
            return Ok(Outcome::Stale);
        }
        changes.push(Change::EndCodesForEmail(*email_id));
        changes.insert_code(code, Opens::Email, Some(*email_id));
        changes.queue([mail.clone()]);
        price.settle(state, changes);
        Ok(Outcome::Done(()))
    }
}

/// What a change to the addresses of a user is decided by.
fn addresses_of(user: UserId) -> Scope {
    Scope { user: Some(user), ..Scope::default() }
}

/// Makes the change if the account's addresses are those that were seen.
fn apply(change: &EmailChange, made: Change, state: &State, changes: &mut Changes) -> Outcome {
    if !state.has_exactly(&change.seen) || !change.seen.iter().any(|email| email.id == change.email_id) {
        return Outcome::Stale;
    }
    changes.push(made);
    changes.queue(change.notices.iter().cloned());
    changes.record(change.event.clone());
    Outcome::Done(())
}

impl Decision for PreferEmail {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        addresses_of(self.0.user_id)
    }

    fn turn(&self) -> Option<FactKey> {
        Some(FactKey::User(self.0.user_id))
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let EmailChange { user_id, email_id, .. } = self.0;
        Ok(apply(&self.0, Change::PreferEmail { user: user_id, id: email_id }, state, changes))
    }
}

impl Decision for RemoveEmail {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        addresses_of(self.0.user_id)
    }

    fn turn(&self) -> Option<FactKey> {
        Some(FactKey::User(self.0.user_id))
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        Ok(apply(&self.0, Change::DeleteEmail(self.0.email_id), state, changes))
    }
}
