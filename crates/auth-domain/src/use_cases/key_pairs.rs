use tracing::instrument;

use super::{ATTEMPTS, Auth, audit::tell, contended, limits::refused, minting::CodeRequest};
use crate::{
    Actor, ApiKey, ApiSecret, AuthError, Caller, Client, CodeId, CodeMail, CodePurpose, EventKind, KeyLife, KeyName,
    KeyPair, KeyPairId, Language, LiveSession, MailClass, MailContent, NewKeyPair, Outcome, PendingKeyPair, Timestamp,
    UserId,
    rules::{judge_freshness, judge_roles},
};

/// A key pair as its owner wants it.
#[derive(Debug, Clone)]
pub struct KeyPairWish {
    /// What to call it.
    pub name: KeyName,
    /// How long it lives.
    pub life: KeyLife,
    /// The roles to narrow it to; `None` for all of the owner's.
    pub roles: Option<Vec<String>>,
}

/// A new key pair: what the client is told of it, once.
#[derive(Debug)]
pub struct CreatedKeyPair {
    /// The key pair's id.
    pub id: KeyPairId,
    /// Its public half.
    pub api_key: ApiKey,
    /// Its secret half; refused until the code, if there is one, is redeemed.
    pub api_secret: ApiSecret,
    /// What its owner calls it.
    pub name: KeyName,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The id of the code that it waits for; `None` if it works at once.
    pub code_id: Option<CodeId>,
}

impl Auth {
    /// Makes a key pair that waits for a code, which is mailed to the caller's preferred address in `language`.
    ///
    /// # Errors
    /// [`AuthError::StepUpRequired`]; [`AuthError::RoleLacking`] for a role that the caller lacks;
    /// [`AuthError::AddressUnverified`] when the preferred address is not verified; [`AuthError::Throttled`].
    #[instrument(level = "debug", skip_all)]
    pub async fn create_key_pair(
        &self,
        caller: &LiveSession,
        wish: KeyPairWish,
        client: &Client,
        language: &Language,
    ) -> Result<CreatedKeyPair, AuthError> {
        judge_freshness(&Caller::Session(caller.clone()), self.policy.fresh_for, self.now())?;
        let roles = wish.roles.map(|asked| judge_roles(&caller.user.roles, asked)).transpose()?;
        let wish = KeyPairWish { roles, ..wish };
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let emails = self.ports.store.list_emails(caller.user.id).await?;
            let preferred =
                emails.iter().find(|email| email.preferred && email.verified).ok_or(AuthError::AddressUnverified)?;
            let (created, key_pair) = self.mint_key_pair(caller.user.id, &wish, now)?;
            let (digits, code) = self.mint_code(CodeRequest {
                purpose: CodePurpose::KeyPair,
                address: &preferred.address,
                client,
                now,
                ends_with: key_pair.expires_at,
            })?;
            let content = MailContent::Code(CodeMail::KeyPair, digits);
            let to = Some(&preferred.address);
            let mail = self.mint_mail(to, language, &content, MailClass::Code, Some(code.id), now)?;
            let event = self.event(EventKind::KeyPairCreated, &Actor::session(caller, client), now)?;
            let event = event.about(caller.user.id).detailed(created.id.to_string());
            let created = CreatedKeyPair { code_id: Some(code.id), ..created };
            let restraint = self.restraint(&Actor::session(caller, client), now)?;
            let pending = PendingKeyPair { key_pair, email_id: preferred.id, code, mail, event, restraint };
            match self.ports.store.create_key_pair(&pending).await? {
                Outcome::Done(()) => {
                    self.ports.bell.ring();
                    tell(&pending.event);
                    return Ok(created);
                }
                Outcome::Stale => {}
                Outcome::RateLimited(refusal) => return Err(refused(pending.restraint.as_ref(), refusal, now)),
                other => return Err(other.into()),
            }
        }
        Err(contended().into())
    }

    /// Makes a key pair of `owner`: what they are told of it, and what is stored.
    pub(super) fn mint_key_pair(
        &self,
        owner: UserId,
        wish: &KeyPairWish,
        now: Timestamp,
    ) -> Result<(CreatedKeyPair, NewKeyPair), AuthError> {
        // Both halves hang on one key.
        let keys = self.keys.as_they_are();
        let created = CreatedKeyPair {
            id: KeyPairId::mint(now, self.entropy())?,
            api_key: ApiKey::mint(&keys, self.entropy())?,
            api_secret: ApiSecret::mint(&keys, self.entropy())?,
            name: wish.name.clone(),
            expires_at: now.plus(wish.life.span()),
            code_id: None,
        };
        let new = NewKeyPair {
            id: created.id,
            user_id: owner,
            name: wish.name.clone(),
            api_key: created.api_key.clone(),
            digest: created.api_secret.digest(),
            key_id: created.api_secret.key_id(),
            roles: wish.roles.clone(),
            created_at: now,
            expires_at: created.expires_at,
        };
        Ok((created, new))
    }

    /// Redeems the code for one of the caller's key pairs: it works from here on.
    ///
    /// # Errors
    /// [`AuthError::CodeRefused`] for a code that is wrong, unknown, used, expired, exhausted or somebody else's.
    pub async fn redeem_key_pair_code(
        &self,
        caller: &LiveSession,
        id: CodeId,
        code: &str,
        client: &Client,
    ) -> Result<(), AuthError> {
        self.redeem(id, CodePurpose::KeyPair, code, Some(caller), client).await
    }

    /// The caller's key pairs, newest first.
    pub async fn list_key_pairs(&self, caller: &LiveSession) -> Result<Vec<KeyPair>, AuthError> {
        Ok(self.ports.store.list_key_pairs(caller.user.id, self.now()).await?)
    }

    /// Deletes one of the caller's key pairs: it stops working at once.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when there is none, or it is somebody else's: the two cannot be told apart.
    pub async fn delete_key_pair(&self, caller: &LiveSession, id: KeyPairId, client: &Client) -> Result<(), AuthError> {
        let owner = caller.user.id;
        let event = self.event(EventKind::KeyPairDeleted, &Actor::session(caller, client), self.now())?;
        let event = event.about(owner).detailed(id.to_string());
        self.ports.store.delete_key_pair(id, Some(owner), &event).await?.ok_or(AuthError::NotFound)?;
        tell(&event);
        Ok(())
    }
}
