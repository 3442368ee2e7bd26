use tracing::info;

use super::{ATTEMPTS, Auth, contended, minting::CodeRequest};
use crate::{
    ApiKey, ApiSecret, Applied, AuthError, Client, CodeId, CodeMail, CodePurpose, CredentialId, KeyLife, KeyName,
    KeyPair, KeyPairId, Language, LiveKeyPair, LiveSession, MailClass, MailContent, NewKeyPair, PendingKeyPair,
    Timestamp,
    rules::{judge_roles, key_pair_is_accepted},
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

/// A key pair that waits for its code: what the client is told of it, once.
#[derive(Debug)]
pub struct CreatedKeyPair {
    /// The key pair's id.
    pub id: KeyPairId,
    /// Its public half.
    pub api_key: ApiKey,
    /// Its secret half; refused until the code is redeemed.
    pub api_secret: ApiSecret,
    /// What its owner calls it.
    pub name: KeyName,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The code's id.
    pub code_id: CodeId,
}

impl Auth {
    /// Who holds this key pair, and what they may do. It has three answers, as
    /// [`check_session`](Self::check_session) has: valid, invalid, unknown.
    pub async fn check_key_pair(&self, api_key: &str, api_secret: &str) -> Result<LiveKeyPair, AuthError> {
        let api_key = ApiKey::parse(api_key, &self.keys).ok_or(AuthError::InvalidCredential)?;
        let secret = ApiSecret::parse(api_secret, &self.keys).ok_or(AuthError::InvalidCredential)?;
        let found = self.ports.store.find_key_pair(&secret.digest()).await?;
        let now = self.now();
        let accepted = |found: &LiveKeyPair| found.key_pair.api_key == api_key && key_pair_is_accepted(found, now);
        let live = found.filter(accepted).ok_or(AuthError::InvalidCredential)?;
        self.usage.note(CredentialId::KeyPair(live.key_pair.id), now);
        Ok(live)
    }

    /// Makes a key pair that waits for a code, which is mailed to the caller's preferred address in `language`.
    ///
    /// # Errors
    /// [`AuthError::RoleLacking`] for a role that the caller lacks; [`AuthError::AddressUnverified`] when the preferred
    /// address is not verified.
    pub async fn create_key_pair(
        &self,
        caller: &LiveSession,
        wish: KeyPairWish,
        client: &Client,
        language: &Language,
    ) -> Result<CreatedKeyPair, AuthError> {
        let KeyPairWish { name, life, roles } = wish;
        let roles = roles.map(|asked| judge_roles(&caller.user.roles, asked)).transpose()?;
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let emails = self.ports.store.list_emails(caller.user.id).await?;
            let preferred =
                emails.iter().find(|email| email.preferred && email.verified).ok_or(AuthError::AddressUnverified)?;
            let expires_at = now.plus(life.span());
            let (digits, code) = self.mint_code(CodeRequest {
                purpose: CodePurpose::KeyPair,
                real: true,
                address: &preferred.address,
                client,
                now,
                ends_with: expires_at,
            })?;
            let content = MailContent::Code(CodeMail::KeyPair, digits);
            let mail =
                self.mint_mail(&preferred.address, language.clone(), content, MailClass::Code, Some(code.id), now)?;
            let created = CreatedKeyPair {
                id: KeyPairId::mint(now, self.entropy())?,
                api_key: ApiKey::mint(&self.keys, self.entropy())?,
                api_secret: ApiSecret::mint(&self.keys, self.entropy())?,
                name: name.clone(),
                expires_at,
                code_id: code.id,
            };
            let key_pair = NewKeyPair {
                id: created.id,
                user_id: caller.user.id,
                name: name.clone(),
                api_key: created.api_key.clone(),
                digest: created.api_secret.digest(),
                key_id: created.api_secret.key_id(),
                roles: roles.clone(),
                created_at: now,
                expires_at,
            };
            let pending = PendingKeyPair { key_pair, email_id: preferred.id, code, mail };
            if self.ports.store.create_key_pair(&pending).await? == Applied::Yes {
                self.ports.bell.ring();
                info!(key_pair.id = %created.id, user.id = %caller.user.id, "key pair made");
                return Ok(created);
            }
        }
        Err(contended().into())
    }

    /// Redeems the code for one of the caller's key pairs: it works from here on.
    ///
    /// # Errors
    /// [`AuthError::CodeRefused`] for a code that is wrong, unknown, used, expired, exhausted or somebody else's.
    pub async fn redeem_key_pair_code(&self, caller: &LiveSession, id: CodeId, code: &str) -> Result<(), AuthError> {
        self.redeem(id, CodePurpose::KeyPair, code, Some(caller.user.id)).await
    }

    /// The caller's key pairs, newest first.
    pub async fn list_key_pairs(&self, caller: &LiveSession) -> Result<Vec<KeyPair>, AuthError> {
        Ok(self.ports.store.list_key_pairs(caller.user.id, self.now()).await?)
    }

    /// Deletes one of the caller's key pairs: it stops working at once.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when there is none, or it is somebody else's: the two cannot be told apart.
    pub async fn delete_key_pair(&self, caller: &LiveSession, id: KeyPairId) -> Result<(), AuthError> {
        match self.ports.store.delete_key_pair(caller.user.id, id, self.now()).await? {
            Applied::Yes => {
                info!(key_pair.id = %id, user.id = %caller.user.id, "key pair deleted");
                Ok(())
            }
            Applied::Stale => Err(AuthError::NotFound),
        }
    }
}
