use std::collections::BTreeSet;

use super::{
    Decision,
    address::store_sign_in,
    carry_out_limited,
    limits::{judge_request, of_request},
};
use crate::{
    Change, Changes, CodeHash, FactKey, Network, Outcome, PendingSignIn, Scope, SessionOwner, State, Store, StoreError,
    rules::Asking,
};

/// Somebody asks for a session.
struct OpenSession {
    sign_in: PendingSignIn,
    decoy_hash: CodeHash,
}

impl dyn Store + '_ {
    /// Finds out whom an address leads to, and stores a sign-in that waits for its code:
    ///
    /// 1. If it has a restraint, it is judged by [`judge_asking`](crate::rules::judge_asking). When it is refused, the audit log
    ///    gets [`event_of_refusal`](crate::rules::event_of_refusal), but of each row that refuses only [once in a
    ///    while](crate::rules::is_to_be_told): once a day of wrong guesses, once in its span of a throttle.
    /// 2. Registrations for the address that have ended go, so that the new code does not revive them.
    /// 3. Whom it leads to, [`is_led_to`](crate::rules::is_led_to) says: the owner if there is one, else the newest registration.
    /// 4. Of the sign-in codes alive for the address, those that [`superseded`](crate::rules::superseded) names end.
    /// 5. It is charged for. Session, code and mail are stored. If it leads to nobody, they are a decoy: a session of nobody's, a
    ///    code that hashes to `decoy_hash`, and a mail of the class [`Decoy`](crate::MailClass::Decoy).
    pub async fn open_session(&self, sign_in: &PendingSignIn, decoy_hash: &CodeHash) -> Result<Outcome, StoreError> {
        carry_out_limited(self, OpenSession { sign_in: sign_in.clone(), decoy_hash: decoy_hash.clone() }).await
    }
}

impl Decision for OpenSession {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        Scope { codes: true, ..of_request(&self.sign_in.code, self.sign_in.restraint.as_ref()) }
    }

    fn turn(&self) -> Option<FactKey> {
        Some(FactKey::Address(self.sign_in.code.address.clone()))
    }

    fn asker(&self) -> Option<Network> {
        Some(self.sign_in.code.network)
    }

    fn held_back(&self, seen: &State, changes: &mut Changes) -> Result<Option<Outcome>, StoreError> {
        let sign_in = &self.sign_in;
        let judged = judge_request(seen, sign_in.restraint.as_ref(), Asking::SignIn, &sign_in.code, changes)?;
        Ok(judged.err().map(Outcome::RateLimited))
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let (code, address) = (&self.sign_in.code, state.address()?);
        let restraint = self.sign_in.restraint.as_ref();
        let price = match judge_request(state, restraint, Asking::SignIn, code, changes)? {
            Ok(price) => price,
            Err(refusal) => return Ok(Outcome::RateLimited(refusal)),
        };
        let gone: BTreeSet<_> = address.ended_registrations(code.created_at);
        changes.extend(gone.iter().map(|user| Change::DeleteRegistration(*user)));
        let led_to = address.led_to(code.created_at, &gone).map(|claim| &claim.email);
        let owner = led_to.map(|email| SessionOwner { user_id: email.user_id, email_id: email.id });
        if owner.is_some() {
            store_sign_in(address, &gone, &self.sign_in, owner, changes);
        } else {
            let decoy = self.sign_in.clone().into_decoy(self.decoy_hash.clone());
            store_sign_in(address, &gone, &decoy, None, changes);
        }
        price.settle(state, changes);
        Ok(Outcome::Done(()))
    }
}
