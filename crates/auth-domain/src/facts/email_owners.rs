//! What administrators say of whose an address is.

use super::{Decision, carry_out};
use crate::{
    Change, Changes, Conflict, EmailId, Event, FactKey, Outcome, Scope, State, Store, StoreError, VouchedEmail,
    archive::EmailRecord,
};

/// An administrator gives an account an address, or vouches for one that it has.
struct VouchForEmail(VouchedEmail);
/// An administrator makes an address a verified one.
struct VerifyEmail {
    seen: EmailRecord,
    event: Event,
}

impl dyn Store + '_ {
    /// Gives an account an address that an administrator vouches for, or vouches for one that the account has; registrations
    /// for the address go. One that is vouched for already stays so. Stale when the account's addresses are no longer those that
    /// were seen.
    pub async fn vouch_for_email(&self, vouched: &VouchedEmail) -> Result<Outcome, StoreError> {
        carry_out(self, VouchForEmail(vouched.clone())).await
    }

    /// Makes an address of an account a verified one, and records `event` with its owner as the subject; registrations for the
    /// address go. One that is verified already stays so.
    pub async fn verify_email(&self, id: EmailId, event: &Event) -> Result<Outcome, StoreError> {
        // Neither whose it is nor which it is ever changes.
        let seen = self.view(&Scope { email: Some(id), ..Scope::default() }).await?;
        let Some(seen) = seen.email else { return Ok(Outcome::NotFound) };
        carry_out(self, VerifyEmail { seen, event: event.clone() }).await
    }
}

impl Decision for VouchForEmail {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        Scope { address: Some(self.0.address.key()), claims: true, user: Some(self.0.user_id), ..Scope::default() }
    }

    fn turn(&self) -> Option<FactKey> {
        None
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let VouchedEmail { user_id, seen, email_id, address, notices, event } = &self.0;
        if !state.has_exactly(seen) {
            return Ok(Outcome::Stale);
        }
        let own = seen.iter().find(|email| email.id == *email_id);
        if own.is_some_and(|email| email.vouched) {
            return Ok(Outcome::Unchanged);
        }
        if state.address()?.is_foreign_to(*user_id) {
            return Ok(Outcome::Conflict(Conflict::AddressTaken));
        }
        changes.extend(state.address()?.registrations().map(Change::DeleteRegistration));
        changes.push(match own {
            Some(email) => Change::UpdateEmail { id: email.id, verified: email.verified, vouched: true },
            None => Change::InsertEmail(EmailRecord {
                id: *email_id,
                user_id: *user_id,
                address: address.clone(),
                address_key: address.key(),
                verified: false,
                vouched: true,
                preferred: false,
                created_at: event.at,
            }),
        });
        changes.queue(notices.iter().cloned());
        changes.record(event.clone());
        Ok(Outcome::Done(()))
    }
}

impl Decision for VerifyEmail {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        Scope {
            address: Some(self.seen.address_key.clone()),
            claims: true,
            user: Some(self.seen.user_id),
            email: Some(self.seen.id),
            ..Scope::default()
        }
    }

    fn turn(&self) -> Option<FactKey> {
        None
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let (Some(email), Some(owner)) = (&state.email, state.account()) else { return Ok(Outcome::NotFound) };
        if email.verified {
            return Ok(Outcome::Unchanged);
        }
        let owner = owner.user.id;
        if state.address()?.is_foreign_to(owner) {
            return Ok(Outcome::Conflict(Conflict::AddressTaken));
        }
        changes.extend(state.address()?.registrations().map(Change::DeleteRegistration));
        changes.push(Change::UpdateEmail { id: email.id, verified: true, vouched: email.vouched });
        changes.record(self.event.clone().about(owner));
        Ok(Outcome::Done(()))
    }
}
