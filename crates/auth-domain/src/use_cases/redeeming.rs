use tracing::instrument;

use super::{Auth, audit::tell};
use crate::{
    Actor, AuthError, CodeGuess, CodeId, CodePurpose, EventId, Redeemed,
    rules::{event_of_disabled_account, event_of_redeeming, event_of_wrong_guess},
};

impl Auth {
    /// Redeems a code for `purpose`. If it is known who `by` is, the code must lead to them.
    #[instrument(level = "debug", skip_all, fields(purpose = purpose.as_str()))]
    pub(super) async fn redeem(
        &self,
        id: CodeId,
        purpose: CodePurpose,
        code: &str,
        by: Actor,
    ) -> Result<(), AuthError> {
        let at = self.now();
        let hashes = CodeGuess::hashes(id, purpose, code, &self.keys);
        let guess = CodeGuess { id, purpose, hashes, by, at, event_id: EventId::mint(at, self.entropy())? };
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
            Redeemed::Refused => Err(AuthError::CodeRefused),
        }
    }
}
