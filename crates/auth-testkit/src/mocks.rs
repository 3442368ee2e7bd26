use async_trait::async_trait;
use auth_domain::{
    Account, AccountFilter, Accounts, AddressKey, Applied, Audit, Backlog, Changed, ClaimedMail, CodeGuess, CodeHash,
    Codes, Created, CredentialId, Email, EmailAddition, EmailChange, EmailId, EmailRenewal, Emails, Event, EventId,
    Hanging, KeyId, KeyPair, KeyPairId, KeyPairs, KnownAddress, LiveKeyPair, LiveSession, Lockout, Lockouts, Mail,
    MailError, MailId, Mailer, NewAccount, NewKeyPair, NewSession, Outbox, Page, Paged, PendingKeyPair, PendingSignIn,
    Purge, Redeemed, Registered, Registration, Requested, Session, SessionId, Sessions, Settlement, SignInStored,
    StoreError, Timestamp, TokenDigest, ToldLockout, Unlocked, Upkeep, User, UserChange, UserId, Users, Verified,
    Vouched, VouchedEmail,
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
    }

    #[async_trait]
    impl Accounts for Store {
        async fn page_accounts(&self, filter: &AccountFilter, page: Page) -> Result<Paged<Account>, StoreError>;
        async fn find_account(&self, id: UserId) -> Result<Option<Account>, StoreError>;
        async fn create_account(&self, account: &NewAccount) -> Result<Created, StoreError>;
        async fn change_user(&self, id: UserId, change: &UserChange, event: &Event) -> Result<Changed, StoreError>;
        async fn delete_user(&self, id: UserId, event: &Event) -> Result<Changed, StoreError>;
    }

    #[async_trait]
    impl Sessions for Store {
        async fn find_session(&self, digest: &TokenDigest) -> Result<Option<LiveSession>, StoreError>;
        async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;
        async fn open_session(&self, sign_in: &PendingSignIn, decoy_hash: &CodeHash) -> Result<SignInStored, StoreError>;
        async fn extend_session(&self, id: SessionId, expires_at: Timestamp, now: Timestamp) -> Result<Applied, StoreError>;
        async fn page_sessions(&self, user: Option<UserId>, now: Timestamp, page: Page) -> Result<Paged<Session>, StoreError>;
        async fn open_live_session(&self, user: UserId, session: &NewSession, event: &Event) -> Result<Applied, StoreError>;
        async fn verify_session(&self, id: SessionId, event: &Event) -> Result<Verified, StoreError>;
        async fn close_session(&self, id: SessionId, of: Option<UserId>, event: &Event) -> Result<Option<UserId>, StoreError>;
        async fn close_sessions(&self, user: UserId, keep: Option<SessionId>, event: &Event) -> Result<u64, StoreError>;
        async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError>;
    }

    #[async_trait]
    impl Emails for Store {
        async fn list_emails(&self, user: UserId) -> Result<Vec<Email>, StoreError>;
        async fn add_email(&self, addition: &EmailAddition) -> Result<Requested, StoreError>;
        async fn renew_email_code(&self, renewal: &EmailRenewal) -> Result<Requested, StoreError>;
        async fn prefer_email(&self, change: &EmailChange) -> Result<Applied, StoreError>;
        async fn remove_email(&self, change: &EmailChange) -> Result<Applied, StoreError>;
        async fn vouch_for_email(&self, vouched: &VouchedEmail) -> Result<Vouched, StoreError>;
        async fn verify_email(&self, id: EmailId, event: &Event) -> Result<Vouched, StoreError>;
        async fn find_email_owner(&self, id: EmailId) -> Result<Option<UserId>, StoreError>;
    }

    #[async_trait]
    impl KeyPairs for Store {
        async fn find_key_pair(&self, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, StoreError>;
        async fn list_key_pairs(&self, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, StoreError>;
        async fn create_key_pair(&self, pending: &PendingKeyPair) -> Result<Requested, StoreError>;
        async fn page_key_pairs(&self, user: Option<UserId>, now: Timestamp, page: Page) -> Result<Paged<KeyPair>, StoreError>;
        async fn create_live_key_pair(&self, key_pair: &NewKeyPair, event: &Event) -> Result<Applied, StoreError>;
        async fn verify_key_pair(&self, id: KeyPairId, event: &Event) -> Result<Verified, StoreError>;
        async fn delete_key_pair(&self, id: KeyPairId, of: Option<UserId>, event: &Event) -> Result<Option<UserId>, StoreError>;
    }

    #[async_trait]
    impl Codes for Store {
        async fn redeem_code(&self, guess: &CodeGuess) -> Result<Redeemed, StoreError>;
    }

    #[async_trait]
    impl Lockouts for Store {
        async fn list_untold_lockouts(&self, failures_in_a_row: u32, limit: u32) -> Result<Vec<Lockout>, StoreError>;
        async fn tell_lockout(&self, told: &ToldLockout) -> Result<Applied, StoreError>;
        async fn unlock_address(&self, address: &AddressKey, event: &Event) -> Result<Unlocked, StoreError>;
    }

    #[async_trait]
    impl Audit for Store {
        async fn list_events(&self, user: Option<UserId>, before: Option<EventId>, limit: u32) -> Result<Vec<Event>, StoreError>;
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
        async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError>;
        async fn what_hangs_on_keys(&self, now: Timestamp) -> Result<Vec<(KeyId, Hanging)>, StoreError>;
        async fn purge(&self, purge: &Purge) -> Result<u64, StoreError>;
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
