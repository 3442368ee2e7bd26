use tracing::{info, instrument};

use super::{
    Auth, OpenedSession,
    limits::refused,
    minting::{Addressee, SignInRequest},
};
use crate::{AuthError, Client, CodeId, CodePurpose, EmailAddress, Language, Outcome};

impl Auth {
    /// Opens a session that waits for the code, which is mailed to `email` in `language`.
    ///
    /// An address that leads to no account is not told apart: the answer is a decoy. A disabled account is not told
    /// apart either; its owner learns it from [`redeem_sign_in_code`](Self::redeem_sign_in_code).
    ///
    /// # Errors
    /// [`AuthError::InvalidInput`] when `kind` is not on offer, [`AuthError::Throttled`] alike for every address, or what the
    /// store or the random source report.
    #[instrument(level = "debug", skip_all)]
    pub async fn sign_in(
        &self,
        email: &EmailAddress,
        kind: Option<&str>,
        client: &Client,
        language: &Language,
    ) -> Result<OpenedSession, AuthError> {
        let (kind, lifetimes) = self.policy.session_kinds.choose(kind)?;
        let now = self.now();
        // The code goes to the address on record, not to the one typed: the two only share a key.
        let (address, addressee) = (email, Addressee::WhoeverHasIt);
        let request = SignInRequest { address, addressee, kind, lifetimes, client, language, now };
        let (opened, sign_in, decoy_hash) = self.mint_sign_in(request)?;
        match self.ports.store.open_session(&sign_in, &decoy_hash).await? {
            Outcome::Done(()) => {
                self.ports.bell.ring();
                info!(session.id = %opened.session_id, "sign-in stored");
                Ok(opened)
            }
            Outcome::RateLimited(refusal) => Err(refused(sign_in.restraint.as_ref(), refusal, now)),
            other => Err(other.into()),
        }
    }

    /// Redeems a code: its session is live from here on, and its address and user are verified.
    ///
    /// # Errors
    /// [`AuthError::CodeRefused`] for a code that is wrong, unknown, used, expired or exhausted;
    /// [`AuthError::AccountDisabled`] for the right code of a disabled account; [`AuthError::Throttled`] when the client's network
    /// asks too much.
    pub async fn redeem_sign_in_code(&self, id: CodeId, code: &str, client: &Client) -> Result<(), AuthError> {
        self.redeem(id, CodePurpose::SignIn, code, None, client).await
    }
}
