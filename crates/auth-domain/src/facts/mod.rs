//! What happens, a file per subject: each fact says what it is decided by, decides with [`rules`](crate::rules), and says
//! what is to be written. How a database locks, reads and writes is its store's affair, and nothing else is.
//!
//! | file | facts |
//! |---|---|
//! | `sign_in` | a session is asked for |
//! | `sign_up` | somebody registers |
//! | `redeem` | a code is tried |
//! | `look_ups` | somebody without a credential looks up a user |
//! | `emails`, `email_owners` | addresses of an account, as its owner and as administrators change them |
//! | `sessions`, `key_pairs` | credentials are made, extended and ended |
//! | `accounts` | accounts are made, changed and deleted |
//! | `lockouts` | owners of locked addresses are told, and addresses unlocked |
//! | `reads` | what people see of all that |
//! | `outcomes` | what facts come to |
//! | `address`, `limits`, `records` | what several of those share |

mod accounts;
mod address;
mod email_owners;
mod emails;
mod key_pairs;
mod limits;
mod lockouts;
mod look_ups;
mod outcomes;
mod reads;
mod records;
mod redeem;
mod sessions;
mod sign_in;
mod sign_up;

use std::sync::{Arc, Mutex, PoisonError};

pub use outcomes::{Conflict, Opened, Outcome, Redeemed};

use crate::{Changes, Fact, FactKey, Network, Scope, State, Store, StoreError};

/// A fact that comes to something, which whoever asked for it is told.
trait Decision: Send + Sync + 'static {
    /// What it comes to.
    type Answer: Send;

    /// What it is decided by.
    fn scope(&self) -> Scope;

    /// What it waits for its turn by.
    fn turn(&self) -> Option<FactKey>;

    /// Whose it is among those who wait for their turn, where anybody may ask.
    fn asker(&self) -> Option<Network> {
        None
    }

    /// Whether limits hold it back, judged by what is seen of them before anything is locked: then nobody waits to be told so. It is
    /// judged once more if they do not, or if there is something to be written about it.
    fn held_back(&self, _seen: &State, _changes: &mut Changes) -> Result<Option<Self::Answer>, StoreError> {
        Ok(None)
    }

    /// Decides it: what it comes to, and what is written.
    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Self::Answer, StoreError>;
}

/// A decision on its way through a store.
struct Attempt<D: Decision> {
    decision: D,
    scope: Scope,
    turn: Option<FactKey>,
    /// What the latest attempt came to.
    outcome: Mutex<Option<D::Answer>>,
}

impl<D: Decision> Fact for Attempt<D> {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn turn(&self) -> Option<&FactKey> {
        self.turn.as_ref()
    }

    fn asker(&self) -> Option<Network> {
        self.decision.asker()
    }

    fn decide(&self, state: &State) -> Result<Changes, StoreError> {
        let mut changes = Changes::default();
        let outcome = self.decision.decide(state, &mut changes)?;
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        Ok(changes)
    }
}

/// Carries out a fact that limits may hold back, and returns what it has come to.
async fn carry_out_limited<D: Decision>(store: &(dyn Store + '_), decision: D) -> Result<D::Answer, StoreError> {
    let scope = decision.scope();
    if scope.network.is_some() {
        let mut changes = Changes::default();
        // Whose the address is makes no difference to that.
        let limits = Scope { claims: false, codes: false, alias: None, user: None, ..scope };
        if let Some(held_back) = decision.held_back(&store.view(&limits).await?, &mut changes)?
            && changes.is_empty()
        {
            return Ok(held_back);
        }
    }
    carry_out(store, decision).await
}

/// Carries out a fact, and returns what it has come to.
async fn carry_out<D: Decision>(store: &(dyn Store + '_), decision: D) -> Result<D::Answer, StoreError> {
    let (scope, turn) = (decision.scope(), decision.turn());
    let attempt = Arc::new(Attempt { decision, scope, turn, outcome: Mutex::default() });
    store.transact(Arc::clone(&attempt) as Arc<dyn Fact>).await?;
    let outcome = attempt.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
    outcome.ok_or_else(|| StoreError::unavailable("the store did not carry out the fact"))
}
