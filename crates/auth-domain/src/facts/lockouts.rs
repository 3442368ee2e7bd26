use std::collections::BTreeSet;

use super::{Decision, carry_out};
use crate::{
    AddressKey, Applied, Change, Changes, Event, FactKey, Failures, Scope, State, Store, StoreError, ToldLockout,
    Unlocked, archive::FailureRecord,
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
    pub async fn tell_lockout(&self, told: &ToldLockout) -> Result<Applied, StoreError> {
        carry_out(self, TellLockout(told.clone())).await
    }

    /// Forgets all wrong guesses at the codes of an address, and records `event` with the owner of the address, if there is one,
    /// as the subject.
    pub async fn unlock_address(&self, address: &AddressKey, event: &Event) -> Result<Unlocked, StoreError> {
        carry_out(self, UnlockAddress { address: address.clone(), event: event.clone() }).await
    }
}

fn address(key: &AddressKey) -> Scope {
    Scope { address: Some(key.clone()), claims: true, limits: true, ..Scope::default() }
}

impl Decision for TellLockout {
    type Outcome = Applied;

    fn scope(&self) -> Scope {
        address(&self.0.lockout.address)
    }

    fn turn(&self) -> Option<FactKey> {
        None
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Applied, StoreError> {
        let ToldLockout { lockout, failures_in_a_row, mail, told_at } = &self.0;
        let row = state.address()?.failures.iter().find(|row| row.network == lockout.network);
        let untold =
            row.filter(|row| row.failures.in_a_row >= *failures_in_a_row && row.failures.owner_told_at.is_none());
        let Some(row) = untold else { return Ok(Applied::Stale) };
        let failures = Failures { owner_told_at: Some(*told_at), ..row.failures };
        changes.push(Change::PutFailures(FailureRecord { failures, ..row.clone() }));
        changes.queue(mail.clone());
        Ok(Applied::Yes)
    }
}

impl Decision for UnlockAddress {
    type Outcome = Unlocked;

    fn scope(&self) -> Scope {
        address(&self.address)
    }

    fn turn(&self) -> Option<FactKey> {
        None
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Unlocked, StoreError> {
        let address = state.address()?;
        if address.failures.is_empty() {
            return Ok(Unlocked::Already);
        }
        let networks: BTreeSet<_> = address.failures.iter().map(|row| row.network).collect();
        let forget = |network| Change::DeleteFailures { address: self.address.clone(), network };
        changes.extend(networks.into_iter().map(forget));
        let owner = address.owner();
        changes.record(Event { subject: owner, ..self.event.clone() });
        Ok(Unlocked::Yes(owner))
    }
}
