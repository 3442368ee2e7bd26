use tracing::info;

use super::Auth;
use crate::{AuthError, CodeGuess, CodeId, CodePurpose, Opened, Redeemed, UserId};

impl Auth {
    /// Redeems a code for `purpose`. If it is known `by` whom, the code must lead to them.
    pub(super) async fn redeem(
        &self,
        id: CodeId,
        purpose: CodePurpose,
        code: &str,
        by: Option<UserId>,
    ) -> Result<(), AuthError> {
        let guess = CodeGuess::new(id, purpose, code, &self.keys);
        match self.ports.store.redeem_code(&guess, by, self.now()).await? {
            Redeemed::Yes { opened, user_id } => {
                match opened {
                    Opened::Session(id) => info!(session.id = %id, user.id = %user_id, "signed in"),
                    Opened::Email(id) => info!(email.id = %id, user.id = %user_id, "address verified"),
                    Opened::KeyPair(id) => info!(key_pair.id = %id, user.id = %user_id, "key pair verified"),
                }
                Ok(())
            }
            Redeemed::Disabled => Err(AuthError::AccountDisabled),
            Redeemed::Refused => Err(AuthError::CodeRefused),
        }
    }
}
