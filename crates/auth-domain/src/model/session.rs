use std::fmt;

use crate::{
    Client, CodeHash, EmailId, InvalidInput, KeyId, MailClass, NewCode, QueuedMail, Restraint, SessionId, Timestamp,
    TokenDigest, User, UserId,
};

/// The sort of session asked for, such as `standard`: it decides how long the session lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKind(String);

impl SessionKind {
    /// The kind of those who do not ask for one.
    pub fn standard() -> Self {
        Self("standard".to_owned())
    }

    /// The kind in `text`: 1 to 32 lower-case ASCII letters, digits, `-` or `_`. Whether it is offered is the
    /// [`Policy`](crate::Policy)'s to say.
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if (1..=32).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidInput::SessionKind)
        }
    }

    /// The kind's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A session of a user, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session's id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// Its kind.
    pub kind: SessionKind,
    /// When its code was redeemed; `None` while it waits for that.
    pub verified_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used, as of the last batch written; of one that is used all the time, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Who asked for it.
    pub client: Client,
}

impl Session {
    /// Whether its code was redeemed.
    pub fn is_verified(&self) -> bool {
        self.verified_at.is_some()
    }
}

/// A session that a check may accept, with the user it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
}

/// Whose account a sign-in leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionOwner {
    /// The user.
    pub user_id: UserId,
    /// The address that the code goes to and that the right code proves.
    pub email_id: EmailId,
}

/// A session about to be stored, waiting for its code.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The session's id.
    pub id: SessionId,
    /// What the store will know its bearer by.
    pub digest: TokenDigest,
    /// The server key that its bearer hangs on.
    pub key_id: KeyId,
    /// Its kind.
    pub kind: SessionKind,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Who asked for it.
    pub client: Client,
}

/// Everything a sign-in stores, in one transaction: the session, the code that opens it, and the mail with the code.
///
/// A decoy has all three too, so that storing it is the same work: a session that leads nowhere, a hash that no code has,
/// and a mail that is never sent.
#[derive(Debug, Clone)]
pub struct PendingSignIn {
    /// The session.
    pub session: NewSession,
    /// The code that opens it.
    pub code: NewCode,
    /// The mail that is owed.
    pub mail: QueuedMail,
    /// What the request is measured by; `None` if there are no limits.
    pub restraint: Option<Restraint>,
}

impl PendingSignIn {
    /// The sign-in as it is stored when its address leads to nobody: its code hashes to `hash`, and its mail is never sent.
    #[must_use]
    pub fn into_decoy(mut self, hash: CodeHash) -> Self {
        self.code.hash = hash;
        self.mail.class = MailClass::Decoy;
        self
    }
}
