use super::{
    Decision, carry_out, carry_out_limited,
    limits::{judge_request, of_request},
    records::Opens,
};
use crate::{
    Change, Changes, Event, FactKey, KeyPairId, NewKeyPair, Outcome, PendingKeyPair, Scope, State, Store, StoreError,
    UserId,
    archive::KeyPairRecord,
    rules::{Asking, key_pair_stands},
};

/// Somebody asks for a key pair.
struct CreateKeyPair(PendingKeyPair);
/// An administrator makes a key pair for somebody.
struct CreateLiveKeyPair {
    key_pair: NewKeyPair,
    event: Event,
}
/// An administrator lets a key pair work.
struct VerifyKeyPair {
    id: KeyPairId,
    user: UserId,
    event: Event,
}
/// A key pair is deleted.
struct DeleteKeyPair {
    id: KeyPairId,
    user: UserId,
    of: Option<UserId>,
    event: Event,
}

impl dyn Store + '_ {
    /// Stores a key pair with its code, queues the mail, and records the event. Stale when the address that the code goes to
    /// is not a verified one of the user any more. Limits are judged and charged for as for a sign-in.
    pub async fn create_key_pair(&self, pending: &PendingKeyPair) -> Result<Outcome, StoreError> {
        carry_out_limited(self, CreateKeyPair(pending.clone())).await
    }

    /// Stores a key pair that works at once, and records `event`. Stale when its user is not there, not verified or disabled.
    pub async fn create_live_key_pair(&self, key_pair: &NewKeyPair, event: &Event) -> Result<Outcome, StoreError> {
        carry_out(self, CreateLiveKeyPair { key_pair: key_pair.clone(), event: event.clone() }).await
    }

    /// Makes a key pair that ends after `event.at` work, and records `event` with its owner as the subject.
    pub async fn verify_key_pair(&self, id: KeyPairId, event: &Event) -> Result<Outcome<UserId>, StoreError> {
        let Some(user) = self.owner_of_key_pair(id).await? else { return Ok(Outcome::NotFound) };
        carry_out(self, VerifyKeyPair { id, user, event: event.clone() }).await
    }

    /// Deletes a key pair that [`list_key_pairs`](crate::KeyPairs::list_key_pairs) would return at `event.at`, if it is `of` the
    /// user given or nobody in particular is, and records `event` with its owner as the subject. Returns whose it was; `None`
    /// when there is none.
    pub async fn delete_key_pair(
        &self,
        id: KeyPairId,
        of: Option<UserId>,
        event: &Event,
    ) -> Result<Option<UserId>, StoreError> {
        let owner = self.owner_of_key_pair(id).await?;
        let Some(user) = owner.filter(|owner| of.is_none_or(|of| of == *owner)) else { return Ok(None) };
        carry_out(self, DeleteKeyPair { id, user, of, event: event.clone() }).await
    }
}

impl dyn Store + '_ {
    /// Whose a key pair is, which never changes.
    async fn owner_of_key_pair(&self, id: KeyPairId) -> Result<Option<UserId>, StoreError> {
        let seen = self.view(&Scope { key_pair: Some(id), ..Scope::default() }).await?;
        Ok(seen.key_pair.map(|key_pair| key_pair.user_id))
    }
}

fn key_pair(id: KeyPairId, user: UserId) -> Scope {
    Scope { user: Some(user), key_pair: Some(id), ..Scope::default() }
}

impl Decision for CreateKeyPair {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        let PendingKeyPair { key_pair, code, restraint, .. } = &self.0;
        Scope { user: Some(key_pair.user_id), ..of_request(code, restraint.as_ref()) }
    }

    fn turn(&self) -> Option<FactKey> {
        Some(FactKey::User(self.0.key_pair.user_id))
    }

    fn held_back(&self, seen: &State, changes: &mut Changes) -> Result<Option<Outcome>, StoreError> {
        let judged = judge_request(seen, self.0.restraint.as_ref(), Asking::SignedIn, &self.0.code, changes)?;
        Ok(judged.err().map(Outcome::RateLimited))
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let PendingKeyPair { key_pair, email_id, code, mail, event, restraint } = &self.0;
        let price = match judge_request(state, restraint.as_ref(), Asking::SignedIn, code, changes)? {
            Ok(price) => price,
            Err(refusal) => return Ok(Outcome::RateLimited(refusal)),
        };
        if !state.emails.iter().any(|email| email.id == *email_id && email.verified) {
            return Ok(Outcome::Stale);
        }
        changes.insert_key_pair(key_pair, None);
        changes.insert_code(code, Opens::KeyPair(key_pair.id), Some(*email_id));
        changes.queue([mail.clone()]);
        changes.record(event.clone());
        price.settle(state, changes);
        Ok(Outcome::Done(()))
    }
}

impl Decision for CreateLiveKeyPair {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        Scope { user: Some(self.key_pair.user_id), ..Scope::default() }
    }

    fn turn(&self) -> Option<FactKey> {
        None
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        if !state.is_active() {
            return Ok(Outcome::Stale);
        }
        changes.insert_key_pair(&self.key_pair, Some(self.key_pair.created_at));
        changes.record(self.event.clone());
        Ok(Outcome::Done(()))
    }
}

impl Decision for VerifyKeyPair {
    type Answer = Outcome<UserId>;

    fn scope(&self) -> Scope {
        key_pair(self.id, self.user)
    }

    fn turn(&self) -> Option<FactKey> {
        None
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome<UserId>, StoreError> {
        let found = state.key_pair.as_ref().filter(|key_pair| self.event.at < key_pair.expires_at);
        let Some(found) = found else { return Ok(Outcome::NotFound) };
        if found.verified_at.is_some() {
            return Ok(Outcome::Unchanged);
        }
        changes.push(Change::VerifyKeyPair { id: self.id, at: self.event.at });
        changes.record(self.event.clone().about(found.user_id));
        Ok(Outcome::Done(found.user_id))
    }
}

impl Decision for DeleteKeyPair {
    type Answer = Option<UserId>;

    fn scope(&self) -> Scope {
        key_pair(self.id, self.user)
    }

    fn turn(&self) -> Option<FactKey> {
        FactKey::from_owner(self.of)
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Option<UserId>, StoreError> {
        let stands = |key_pair: &&KeyPairRecord| key_pair_stands(key_pair, &state.key_pair_codes, self.event.at);
        let Some(owner) = state.key_pair.as_ref().filter(stands).map(|key_pair| key_pair.user_id) else {
            return Ok(None);
        };
        changes.push(Change::DeleteKeyPair { id: self.id, user: owner });
        changes.record(self.event.clone().about(owner));
        Ok(Some(owner))
    }
}
