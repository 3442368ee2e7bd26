use tracing::{info, instrument};

use super::{
    ATTEMPTS, Auth, OpenedSession, contended,
    limits::refused,
    minting::{SignInRequest, Target},
};
use crate::{AuthError, Client, CodeId, CodeMail, CodePurpose, EmailAddress, Language, Requested};

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
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let known = self.ports.store.find_address(&email.key(), now).await?;
            let target = match &known {
                // To the address on record, not to the one typed: the two only share a key.
                Some(known) => {
                    Target::Account { owner: known.owner, mail_to: &known.address, content: CodeMail::SignIn }
                }
                None => Target::Decoy { asked_for: email },
            };
            let (opened, sign_in) =
                self.mint_sign_in(SignInRequest { target, kind: kind.clone(), lifetimes, client, language, now })?;
            match self.ports.store.open_session(&sign_in).await? {
                Requested::Yes => {
                    self.ports.bell.ring();
                    info!(session.id = %opened.session_id, "sign-in stored");
                    return Ok(opened);
                }
                Requested::Stale => {}
                Requested::Throttled(refusal) => return Err(refused(sign_in.restraint.as_ref(), refusal, now)),
            }
        }
        Err(contended().into())
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
