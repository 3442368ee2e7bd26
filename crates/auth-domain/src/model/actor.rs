use std::net::IpAddr;

use crate::{Caller, Client, CredentialId, LiveKeyPair, LiveSession, UserId};

/// Who does something, as far as that is known: what the audit log remembers of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The user.
    pub user: Option<UserId>,
    /// What the request was signed with.
    pub credential: Option<CredentialId>,
    /// Where it came from.
    pub ip: Option<IpAddr>,
}

/// Somebody who may administer users: holding one is the proof.
///
/// A caller becomes one by [`Auth::administrator`](crate::Auth::administrator).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Administrator(Actor);

impl Actor {
    /// Somebody who has not said who they are.
    pub fn stranger(client: &Client) -> Self {
        Self { user: None, credential: None, ip: Some(client.ip) }
    }

    /// Whoever holds this session.
    pub fn session(live: &LiveSession, client: &Client) -> Self {
        let (user, credential) = (Some(live.user.id), Some(CredentialId::Session(live.session.id)));
        Self { user, credential, ip: Some(client.ip) }
    }

    /// Whoever holds this key pair.
    pub fn key_pair(live: &LiveKeyPair, client: &Client) -> Self {
        let (user, credential) = (Some(live.user.id), Some(CredentialId::KeyPair(live.key_pair.id)));
        Self { user, credential, ip: Some(client.ip) }
    }

    /// Whoever signed a request.
    pub fn caller(caller: &Caller, client: &Client) -> Self {
        match caller {
            Caller::Session(live) => Self::session(live, client),
            Caller::KeyPair(live) => Self::key_pair(live, client),
        }
    }
}

impl Administrator {
    /// Whoever can run programs where the store is: the operating system has let them.
    pub const fn on_the_command_line() -> Self {
        Self(Actor { user: None, credential: None, ip: None })
    }

    pub(crate) const fn proven(actor: Actor) -> Self {
        Self(actor)
    }

    /// Who it is.
    pub const fn actor(&self) -> &Actor {
        &self.0
    }
}
