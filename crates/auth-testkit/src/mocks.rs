use std::sync::Arc;

use async_trait::async_trait;
use auth_domain::{
    Account, AccountFilter, Accounts, Audit, Backlog, ClaimedMail, CredentialId, Event, EventId, Fact, Facts, Hanging,
    KeyId, KeyPair, KeyPairs, LiveKeyPair, LiveSession, Lockout, Lockouts, Mail, MailError, MailId, Mailer, Outbox,
    Outcome, Page, Paged, Purge, Scope, Session, Sessions, Settlement, State, StoreError, Timestamp, TokenDigest,
    Upkeep, UserId,
};

mockall::mock! {
    /// A store whose every answer is scripted. One that wants more than two expectations wants to be the fake.
    #[derive(Debug)]
    pub Store {}

    #[async_trait]
    impl Facts for Store {
        async fn transact(&self, fact: Arc<dyn Fact>) -> Result<(), StoreError>;
        async fn view(&self, scope: &Scope) -> Result<State, StoreError>;
    }

    #[async_trait]
    impl Accounts for Store {
        async fn page_accounts(&self, filter: &AccountFilter, page: Page) -> Result<Paged<Account>, StoreError>;
    }

    #[async_trait]
    impl Sessions for Store {
        async fn find_session(&self, digest: &TokenDigest) -> Result<Option<LiveSession>, StoreError>;
        async fn list_sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;
        async fn page_sessions(&self, user: Option<UserId>, now: Timestamp, page: Page) -> Result<Paged<Session>, StoreError>;
        async fn record_usage(&self, usage: &[(CredentialId, Timestamp)]) -> Result<(), StoreError>;
    }

    #[async_trait]
    impl KeyPairs for Store {
        async fn find_key_pair(&self, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, StoreError>;
        async fn list_key_pairs(&self, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, StoreError>;
        async fn page_key_pairs(&self, user: Option<UserId>, now: Timestamp, page: Page) -> Result<Paged<KeyPair>, StoreError>;
    }

    #[async_trait]
    impl Lockouts for Store {
        async fn list_untold_lockouts(&self, failures_in_a_row: u32, limit: u32) -> Result<Vec<Lockout>, StoreError>;
    }

    #[async_trait]
    impl Audit for Store {
        async fn list_events(&self, user: Option<UserId>, before: Option<EventId>, limit: u32) -> Result<Vec<Event>, StoreError>;
    }

    #[async_trait]
    impl Outbox for Store {
        async fn claim_mails(&self, now: Timestamp, lease_until: Timestamp, limit: u32) -> Result<Vec<ClaimedMail>, StoreError>;
        async fn claim_codes(&self, now: Timestamp, lease_until: Timestamp, limit: u32) -> Result<Vec<ClaimedMail>, StoreError>;
        async fn settle_mail(&self, id: MailId, attempt: u32, settlement: Settlement, reply: &str, now: Timestamp) -> Result<Outcome, StoreError>;
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
