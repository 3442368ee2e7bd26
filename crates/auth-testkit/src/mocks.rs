use async_trait::async_trait;
use auth_domain::{
    AddressKey, Applied, ClaimedMail, CodeGuess, Codes, CredentialId, Email, EmailAddition, EmailChange, EmailRenewal,
    Emails, KeyPair, KeyPairId, KeyPairs, KnownAddress, LiveKeyPair, LiveSession, Mail, MailError, MailId, Mailer,
    Outbox, PendingKeyPair, PendingSignIn, Redeemed, Registered, Registration, Session, SessionId, Sessions,
    Settlement, StoreError, Timestamp, TokenDigest, Upkeep, User, UserId, Users,
};

mockall::mock! {
    /// A store whose every answer is scripted. One that wants more than two expectations wants to be the fake.
    #[derive(Debug)]
    pub Store {}

    #[async_trait]
    impl Users for Store {
        async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError>;
        async fn find_address(&self, address: &AddressKey, now: Timestamp) -> Result<Option<KnownAddress>, StoreError>;
        async fn register_user(&self, registration: &Registration) -> Result<Registered, StoreError>;
        async fn delete_user(&self, id: UserId) -> Result<Applied, StoreError>;
    }

    #[async_trait]
    impl Sessions for Store {
        async fn find_session(&self, digest: &TokenDigest) -> Result<Option<LiveSession>, StoreError>;
        async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;
        async fn open_session(&self, sign_in: &PendingSignIn) -> Result<Applied, StoreError>;
        async fn extend_session(&self, id: SessionId, expires_at: Timestamp, now: Timestamp) -> Result<Applied, StoreError>;
        async fn close_session(&self, user: UserId, id: SessionId, now: Timestamp) -> Result<Applied, StoreError>;
        async fn close_other_sessions(&self, user: UserId, keep: SessionId, now: Timestamp) -> Result<u64, StoreError>;
        async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError>;
    }

    #[async_trait]
    impl Emails for Store {
        async fn list_emails(&self, user: UserId) -> Result<Vec<Email>, StoreError>;
        async fn add_email(&self, addition: &EmailAddition) -> Result<Applied, StoreError>;
        async fn renew_email_code(&self, renewal: &EmailRenewal) -> Result<Applied, StoreError>;
        async fn prefer_email(&self, change: &EmailChange) -> Result<Applied, StoreError>;
        async fn remove_email(&self, change: &EmailChange) -> Result<Applied, StoreError>;
    }

    #[async_trait]
    impl KeyPairs for Store {
        async fn find_key_pair(&self, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, StoreError>;
        async fn list_key_pairs(&self, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, StoreError>;
        async fn create_key_pair(&self, pending: &PendingKeyPair) -> Result<Applied, StoreError>;
        async fn delete_key_pair(&self, user: UserId, id: KeyPairId, now: Timestamp) -> Result<Applied, StoreError>;
    }

    #[async_trait]
    impl Codes for Store {
        async fn redeem_code(&self, guess: &CodeGuess, by: Option<UserId>, now: Timestamp) -> Result<Redeemed, StoreError>;
    }

    #[async_trait]
    impl Outbox for Store {
        async fn claim_mails(&self, now: Timestamp, lease_until: Timestamp, limit: u32) -> Result<Vec<ClaimedMail>, StoreError>;
        async fn claim_codes(&self, now: Timestamp, lease_until: Timestamp, limit: u32) -> Result<Vec<ClaimedMail>, StoreError>;
        async fn settle_mail(&self, id: MailId, attempt: u32, settlement: Settlement, reply: &str, now: Timestamp) -> Result<Applied, StoreError>;
    }

    #[async_trait]
    impl Upkeep for Store {
        async fn check_ready(&self) -> Result<(), StoreError>;
        async fn purge(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
    }
}

mockall::mock! {
    /// A mailer whose every answer is scripted.
    #[derive(Debug)]
    pub Mailer {}

    #[async_trait]
    impl Mailer for Mailer {
        async fn deliver(&self, mail: &Mail) -> Result<String, MailError>;
    }
}
