use crate::{CredentialId, LiveKeyPair, LiveSession, User};

/// Who signed a request, with a credential of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// With a session's bearer.
    Session(LiveSession),
    /// With a key pair.
    KeyPair(LiveKeyPair),
}

impl Caller {
    /// The user behind the credential.
    pub fn user(&self) -> &User {
        match self {
            Self::Session(live) => &live.user,
            Self::KeyPair(live) => &live.user,
        }
    }

    /// The credential.
    pub fn credential(&self) -> CredentialId {
        match self {
            Self::Session(live) => CredentialId::Session(live.session.id),
            Self::KeyPair(live) => CredentialId::KeyPair(live.key_pair.id),
        }
    }

    /// What the credential may do.
    pub fn roles(&self) -> Vec<String> {
        match self {
            Self::Session(live) => live.user.roles.clone(),
            Self::KeyPair(live) => live.roles(),
        }
    }
}
