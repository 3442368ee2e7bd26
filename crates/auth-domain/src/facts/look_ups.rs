use super::{Decision, carry_out_limited, limits::charge_look_up};
use crate::{Changes, FactKey, Network, Outcome, Restraint, Scope, State, Store, StoreError};

/// Somebody without a credential looks up a user.
struct ChargeLookUp {
    network: Network,
    restraint: Restraint,
}

impl dyn Store + '_ {
    /// Charges a look-up of a user to the network that it comes from. It is [done](Outcome::Done) or [held
    /// back](Outcome::RateLimited).
    pub async fn charge_look_up(&self, network: Network, restraint: &Restraint) -> Result<Outcome, StoreError> {
        carry_out_limited(self, ChargeLookUp { network, restraint: restraint.clone() }).await
    }
}

impl Decision for ChargeLookUp {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        Scope { network: Some(self.network), ..Scope::default() }
    }

    fn turn(&self) -> Option<FactKey> {
        Some(FactKey::Network(self.network))
    }

    fn asker(&self) -> Option<Network> {
        Some(self.network)
    }

    fn held_back(&self, seen: &State, changes: &mut Changes) -> Result<Option<Outcome>, StoreError> {
        Ok(charge_look_up(seen, self.network, &self.restraint, changes).err().map(Outcome::RateLimited))
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let charged = charge_look_up(state, self.network, &self.restraint, changes);
        Ok(charged.map_or_else(Outcome::RateLimited, Outcome::Done))
    }
}
