use super::{Decision, carry_out_limited, limits::charge_request};
use crate::{Changes, FactKey, Network, Outcome, Restraint, Scope, State, Store, StoreError};

/// A request without a credential that only reads.
struct ChargeRequest {
    network: Network,
    restraint: Restraint,
}

impl dyn Store + '_ {
    /// Charges a request to the network that it comes from: one that changes nothing and shows no credential. It is
    /// [done](Outcome::Done) or [held back](Outcome::RateLimited).
    pub async fn charge_request(&self, network: Network, restraint: &Restraint) -> Result<Outcome, StoreError> {
        carry_out_limited(self, ChargeRequest { network, restraint: restraint.clone() }).await
    }
}

impl Decision for ChargeRequest {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        Scope { network: Some(self.network), ..Scope::default() }
    }

    fn turn(&self) -> Option<FactKey> {
        Some(FactKey::Network(self.network))
    }

    fn held_back(&self, seen: &State, changes: &mut Changes) -> Result<Option<Outcome>, StoreError> {
        Ok(charge_request(seen, self.network, &self.restraint, changes).err().map(Outcome::RateLimited))
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let charged = charge_request(state, self.network, &self.restraint, changes);
        Ok(charged.map_or_else(Outcome::RateLimited, Outcome::Done))
    }
}
