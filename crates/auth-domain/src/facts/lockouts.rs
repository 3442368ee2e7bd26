use std::collections::BTreeSet;

use super::{Decision, carry_out};
use crate::{
    AddressKey, Change, Changes, Event, FactKey, Failures, Outcome, Scope, State, Store, StoreError, ToldLockout,
    UserId, archive::FailureRecord,
};

/// The owner of a locked address is told.
struct TellLockout(ToldLockout);
/// The wrong guesses at the codes of an address are forgotten.
struct UnlockAddress {
    address: AddressKey,
    event: Event,
}

impl dyn Store + '_ {
    /// Marks a lockout as told, and queues the mail that tells its owner, if there is one. Stale when somebody else has marked it,
    /// or it is over.
    pub async fn tell_lockout(&self, told: &ToldLockout) -> Result<Outcome, StoreError> {
        carry_out(self, TellLockout(told.clone())).await
    }

    /// Forgets all wrong guesses at the codes of an address, and records `event` with the owner of the address, if there is one,
    /// as the subject.
    pub async fn unlock_address(
        &self,
        address: &AddressKey,
        event: &Event,
    ) -> Result<Outcome<Option<UserId>>, StoreError> {
        carry_out(self, UnlockAddress { address: address.clone(), event: event.clone() }).await
    }
}

fn address(key: &AddressKey) -> Scope {
    Scope { address: Some(key.clone()), claims: true, limits: true, ..Scope::default() }
}

impl Decision for TellLockout {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        address(&self.0.lockout.address)
    }

    fn turn(&self) -> Option<FactKey> {
        None
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let ToldLockout { lockout, failures_in_a_row, mail, told_at } = &self.0;
        let row = state.address()?.failures.iter().find(|row| row.network == lockout.network);
        let untold =
            row.filter(|row| row.failures.in_a_row >= *failures_in_a_row && row.failures.owner_told_at.is_none());
        let Some(row) = untold else { return Ok(Outcome::Stale) };
        let failures = Failures { owner_told_at: Some(*told_at), ..row.failures };
        changes.push(Change::PutFailures(FailureRecord { failures, ..row.clone() }));
        changes.queue(mail.clone());
        Ok(Outcome::Done(()))
    }
}

impl Decision for UnlockAddress {
    type Answer = Outcome<Option<UserId>>;

    fn scope(&self) -> Scope {
        address(&self.address)
    }

    fn turn(&self) -> Option<FactKey> {
        None
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome<Option<UserId>>, StoreError> {
        let address = state.address()?;
        if address.failures.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        let networks: BTreeSet<_> = address.failures.iter().map(|row| row.network).collect();
        let forget = |network| Change::DeleteFailures { address: self.address.clone(), network };
        changes.extend(networks.into_iter().map(forget));
        let owner = address.owner();
        changes.record(Event { subject: owner, ..self.event.clone() });
        Ok(Outcome::Done(owner))
    }
}
