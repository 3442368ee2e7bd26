use tracing::instrument;

use super::{Auth, audit::tell, limits::throttled};
use crate::{
    Actor, AuthError, Client, CodeGuess, CodeId, CodePurpose, EventId, LiveSession, Redeemed, Refusal,
    rules::{event_of_disabled_account, event_of_redeeming, event_of_refused_guess, event_of_wrong_guess},
};

impl Auth {
    /// Redeems a code for `purpose`. If a `caller` is known, it must lead to them.
    #[instrument(level = "debug", skip_all, fields(purpose = purpose.as_str()))]
    pub(super) async fn redeem(
        &self,
        id: CodeId,
        purpose: CodePurpose,
        code: &str,
        caller: Option<&LiveSession>,
        client: &Client,
    ) -> Result<(), AuthError> {
        let at = self.now();
        let hashes = CodeGuess::hashes(id, purpose, code, &self.keys);
        let guess = CodeGuess {
            id,
            purpose,
            hashes,
            network: client.network(),
            by: caller.map_or_else(|| Actor::stranger(client), |caller| Actor::session(caller, client)),
            at,
            event_id: EventId::mint(at, self.entropy())?,
            limits: self.policy.limits,
        };
        let tell_of = |refusal: &Refusal| {
            if refusal.told {
                tell(&event_of_refused_guess(&guess, refusal.limit, refusal.owner));
            }
        };
        match self.ports.store.redeem_code(&guess).await? {
            Redeemed::Yes { opened, user_id, registered } => {
                tell(&event_of_redeeming(&guess, opened, user_id, registered));
                Ok(())
            }
            Redeemed::Disabled { user_id } => {
                tell(&event_of_disabled_account(&guess, user_id));
                Err(AuthError::AccountDisabled)
            }
            Redeemed::Wrong { owner } => {
                tell(&event_of_wrong_guess(&guess, owner));
                Err(AuthError::CodeRefused)
            }
            Redeemed::Shut(refusal) => {
                tell_of(&refusal);
                Err(AuthError::CodeRefused)
            }
            Redeemed::Throttled(refusal) => {
                tell_of(&refusal);
                Err(throttled(refusal, at))
            }
            Redeemed::Refused => Err(AuthError::CodeRefused),
        }
    }
}
