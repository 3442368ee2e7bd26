use std::collections::BTreeSet;

use super::{
    Decision,
    address::store_sign_in,
    carry_out_limited,
    limits::{judge_request, of_request},
    records::insert_registration,
};
use crate::{
    Change, Changes, Conflict, FactKey, Network, Outcome, Registration, Scope, SessionOwner, Standing, State, Store,
    StoreError, Timestamp,
    ports::AliasState,
    rules::{AliasHolder, AliasVerdict, Asking, judge_alias},
};

/// Somebody registers.
struct RegisterUser(Registration);

impl dyn Store + '_ {
    /// Stores a registration at `registration.sign_in.code.created_at`:
    ///
    /// 1. The limits are judged as for a sign-in.
    /// 2. The alias is judged by [`judge_alias`]; a taken one ends it here, charged for what
    ///    [is charged for it](crate::ThrottleKind::is_charged_for_a_taken_alias).
    /// 3. The address has an owner exactly if the registration is a decoy, else it is stale.
    /// 4. Registrations that it replaces (for the same address, or holding the alias past their end) go, with all
    ///    that is theirs.
    /// 5. It is charged for. User, address, session, code and mail are stored, the codes that it supersedes end.
    pub async fn register_user(&self, registration: &Registration) -> Result<Outcome, StoreError> {
        carry_out_limited(self, RegisterUser(registration.clone())).await
    }
}

impl Decision for RegisterUser {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        let sign_in = &self.0.sign_in;
        Scope {
            address: Some(self.0.address_key()),
            codes: true,
            alias: Some(self.0.alias.clone()),
            ..of_request(&sign_in.code, sign_in.restraint.as_ref())
        }
    }

    fn turn(&self) -> Option<FactKey> {
        Some(FactKey::Address(self.0.address_key()))
    }

    fn asker(&self) -> Option<Network> {
        Some(self.0.sign_in.code.network)
    }

    fn held_back(&self, seen: &State, changes: &mut Changes) -> Result<Option<Outcome>, StoreError> {
        let sign_in = &self.0.sign_in;
        let judged = judge_request(seen, sign_in.restraint.as_ref(), Asking::SignUp, &sign_in.code, changes)?;
        Ok(judged.err().map(Outcome::RateLimited))
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let (sign_in, address) = (&self.0.sign_in, state.address()?);
        let price = match judge_request(state, sign_in.restraint.as_ref(), Asking::SignUp, &sign_in.code, changes)? {
            Ok(price) => price,
            Err(refusal) => return Ok(Outcome::RateLimited(refusal)),
        };
        let holder = state.alias.as_ref();
        let verdict = judge_alias(holder.map(|holder| holder.judged(sign_in.code.created_at)).as_ref(), &address.key);
        if verdict == AliasVerdict::Taken {
            price.for_a_taken_alias().settle(state, changes);
            return Ok(Outcome::Conflict(Conflict::AliasTaken));
        }
        if address.owner().is_some() != self.0.decoy {
            return Ok(Outcome::Stale);
        }
        let mut gone: BTreeSet<_> = address.registrations().collect();
        gone.extend(holder.map(|holder| holder.user.user.id));
        changes.extend(gone.iter().map(|user| Change::DeleteRegistration(*user)));
        insert_registration(changes, &self.0);
        let owner = SessionOwner { user_id: self.0.user_id, email_id: self.0.email_id };
        store_sign_in(address, &gone, sign_in, Some(owner), changes);
        price.settle(state, changes);
        Ok(Outcome::Done(()))
    }
}

impl AliasState {
    /// The holder as [`judge_alias`] wants to know them.
    pub(super) fn judged(&self, now: Timestamp) -> AliasHolder {
        match (self.user.standing, &self.address) {
            (Standing::Pending | Standing::Decoy, Some(address)) => AliasHolder::Registration {
                address: address.clone(),
                has_living_code: self.codes.iter().any(|code| code.is_living_at(now)),
            },
            (Standing::Account, _) | (_, None) => AliasHolder::Account,
        }
    }
}
