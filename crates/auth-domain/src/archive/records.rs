//! What is stored, a record per table. Names and meanings are those of the tables in `migrations/`.

use uuid::Uuid;

use super::{Position, Record, Table};
use crate::{
    AddressKey, ApiKey, Client, CodeHash, CodeId, CodePurpose, CodeState, Email, EmailAddress, EmailId, Event, KeyId,
    KeyName, KeyPairId, MailClass, MailId, Network, QueuedMail, SessionId, SessionKind, Standing, Timestamp,
    TokenDigest, User, UserId,
};

/// A user, or a registration that holds an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// What the user is, roles and groups in the order in which they are stored.
    pub user: User,
    /// What the alias is compared by.
    pub alias_key: String,
    /// Whether it is an account.
    pub standing: Standing,
}

/// An address of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailRecord {
    /// The address's id.
    pub id: EmailId,
    /// Whose it is.
    pub user_id: UserId,
    /// The address as written.
    pub address: EmailAddress,
    /// What it is compared by: as it was stored, whatever this build would make of the address.
    pub address_key: AddressKey,
    /// Whether its owner proved that they read its mail.
    pub verified: bool,
    /// Whether an administrator vouches for it.
    pub vouched: bool,
    /// Whether codes for key pairs and notices go to it.
    pub preferred: bool,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// The session's id.
    pub id: SessionId,
    /// Whose it is; `None` for a decoy.
    pub user_id: Option<UserId>,
    /// What its bearer is known by.
    pub digest: TokenDigest,
    /// The server key that its bearer hangs on.
    pub key_id: KeyId,
    /// Its kind.
    pub kind: SessionKind,
    /// When its code was redeemed, if it was.
    pub verified_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// Who asked for it.
    pub client: Client,
}

/// A key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPairRecord {
    /// The key pair's id.
    pub id: KeyPairId,
    /// Whose it is.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: KeyName,
    /// Its public half.
    pub api_key: ApiKey,
    /// What its secret half is known by.
    pub digest: TokenDigest,
    /// The server key that both halves hang on.
    pub key_id: KeyId,
    /// The roles that it is narrowed to; `None` for all that its owner has.
    pub roles: Option<Vec<String>>,
    /// When its code was redeemed, if it was.
    pub verified_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// A verification code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRecord {
    /// The code's id.
    pub id: CodeId,
    /// What it opens.
    pub purpose: CodePurpose,
    /// The session that it opens.
    pub session_id: Option<SessionId>,
    /// The key pair that it verifies.
    pub key_pair_id: Option<KeyPairId>,
    /// The address that a right guess proves; `None` for a decoy.
    pub email_id: Option<EmailId>,
    /// The address that was asked about.
    pub address_key: AddressKey,
    /// The network that asked.
    pub network: Network,
    /// What a right guess hashes to.
    pub hash: CodeHash,
    /// The server key that the hash hangs on.
    pub key_id: KeyId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Wrong guesses so far.
    pub wrong_guesses: u32,
    /// Whether it was used or replaced.
    pub ended: bool,
}

/// A mail of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailRecord {
    /// The mail's id.
    pub id: MailId,
    /// How it is handled.
    pub class: MailClass,
    /// The code that it carries; `None` when it carries none, or the code is gone.
    pub code_id: Option<CodeId>,
    /// The server key that it is, or was, sealed under.
    pub key_id: KeyId,
    /// Whether it is still owed.
    pub state: MailState,
    /// When it was owed first.
    pub created_at: Timestamp,
    /// When it may be claimed next.
    pub due_at: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
}

/// What became of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailState {
    /// It is owed: these are its sealed octets.
    Owed(Vec<u8>),
    /// The mail server took it at this moment.
    Delivered(Timestamp),
    /// It was given up at this moment.
    Abandoned(Timestamp),
}

/// One attempt at a mail, and what the mail server said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// The mail.
    pub mail_id: MailId,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// What the mail server said.
    pub reply: String,
}

/// How an attempt at a mail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The mail server took it.
    Delivered,
    /// To be tried again.
    Deferred,
    /// Given up.
    Abandoned,
}

impl AttemptOutcome {
    /// The outcome as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Deferred => "deferred",
            Self::Abandoned => "abandoned",
        }
    }

    /// The outcome that was stored as `text`.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Delivered, Self::Deferred, Self::Abandoned].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

impl MailState {
    /// The state that these columns stand for; `None` for a combination that no store writes.
    pub fn from_stored(sealed: Option<Vec<u8>>, settled_at: Option<Timestamp>, outcome: Option<&str>) -> Option<Self> {
        match (sealed, settled_at, outcome.map(AttemptOutcome::from_stored)) {
            (Some(sealed), None, None) => Some(Self::Owed(sealed)),
            (None, Some(at), Some(Some(AttemptOutcome::Delivered))) => Some(Self::Delivered(at)),
            (None, Some(at), Some(Some(AttemptOutcome::Abandoned))) => Some(Self::Abandoned(at)),
            (_, _, _) => None,
        }
    }
}

impl CodeRecord {
    /// What is known of it when a guess is judged.
    pub fn state(&self) -> CodeState {
        CodeState {
            purpose: self.purpose,
            hash: self.hash.clone(),
            wrong_guesses: self.wrong_guesses,
            expires_at: self.expires_at,
            ended: self.ended,
        }
    }

    /// Whether a right guess would still be accepted at `now`.
    pub fn is_living_at(&self, now: Timestamp) -> bool {
        self.state().is_living_at(now)
    }
}

impl From<&QueuedMail> for MailRecord {
    /// A mail that is owed from now on.
    fn from(mail: &QueuedMail) -> Self {
        Self {
            id: mail.id,
            class: mail.class,
            code_id: mail.code_id,
            key_id: mail.sealed.key_id,
            state: MailState::Owed(mail.sealed.bytes.clone()),
            created_at: mail.created_at,
            due_at: mail.created_at,
            attempts: 0,
        }
    }
}

impl From<&EmailRecord> for Email {
    fn from(record: &EmailRecord) -> Self {
        Self {
            id: record.id,
            address: record.address.clone(),
            verified: record.verified,
            vouched: record.vouched,
            preferred: record.preferred,
        }
    }
}

/// Position and server key of the records that are found by their id alone.
macro_rules! records {
    ($($record:ident in $table:ident: $id:expr, $key:expr;)+) => {$(
        impl Record for $record {
            const TABLE: Table = Table::$table;

            fn position(&self) -> Position {
                let id: fn(&Self) -> Uuid = $id;
                Position { id: id(self), number: 0, names: Vec::new() }
            }

            fn key_id(&self) -> Option<KeyId> {
                let key: fn(&Self) -> Option<KeyId> = $key;
                key(self)
            }
        }
    )+};
}

records! {
    UserRecord in Users: |record| record.user.id.uuid(), |_| None;
    EmailRecord in Emails: |record| record.id.uuid(), |_| None;
    SessionRecord in Sessions: |record| record.id.uuid(), |record| Some(record.key_id);
    KeyPairRecord in KeyPairs: |record| record.id.uuid(), |record| Some(record.key_id);
    CodeRecord in Codes: |record| record.id.uuid(), |record| Some(record.key_id);
    // A settled mail's body is gone, and nothing asks for its key any more.
    MailRecord in Outbox: |record| record.id.uuid(),
        |record| matches!(record.state, MailState::Owed(_)).then_some(record.key_id);
    Event in Events: |record| record.id.uuid(), |_| None;
}

impl Record for AttemptRecord {
    const TABLE: Table = Table::MailAttempts;

    fn position(&self) -> Position {
        Position { id: self.mail_id.uuid(), number: self.attempt, names: Vec::new() }
    }

    fn key_id(&self) -> Option<KeyId> {
        None
    }
}
