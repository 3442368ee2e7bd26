use crate::{AddressKey, Alias, CodeId, EmailId, FactKey, KeyPairId, Network, SessionId, StoreError, UserId};

use super::{Changes, State};

/// Something that happens as a whole or not at all, and is decided by what is stored.
///
/// A store carries it out in one transaction: it locks and reads the [`Scope`], hands what it has read to
/// [`decide`](Self::decide), and writes the [`Changes`] that come of it. Nothing that the scope covers is changed by anybody
/// else in between.
pub trait Fact: Send + Sync {
    /// What it is decided by.
    fn scope(&self) -> &Scope;

    /// What facts that lock the same share in a process: one of them at a time has a connection.
    fn turn(&self) -> Option<&FactKey>;

    /// Whose it is among those who wait for their turn: they are served one network after the other.
    fn asker(&self) -> Option<Network> {
        None
    }

    /// Decides what is to be changed. Called again, with what is stored by then, when the transaction has to be begun anew.
    ///
    /// # Errors
    /// When what is stored makes no sense: then nothing is changed.
    fn decide(&self, state: &State) -> Result<Changes, StoreError>;
}

/// What a fact is decided by: all of this is read in one go, and stays as it was read until the fact has happened.
///
/// A store that has to lock does so in this order, so that facts never wait for each other in a circle: the address, the alias, the
/// administrators, by their ids all users who own the address, register with it, register under the alias, have the address that is
/// named by its id, or are named, then the session, the key pair, and the network. What else is read belongs to one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a part that is wanted or not")]
pub struct Scope {
    /// This address, as far as the next three want; for a look without locks, that of the code if none is named.
    pub address: Option<AddressKey>,
    /// Everybody who has the address.
    pub claims: bool,
    /// The sign-in codes that were asked for the address.
    pub codes: bool,
    /// What was guessed and asked for about the address, and from which networks its owner has signed in.
    pub limits: bool,
    /// Whoever holds this alias.
    pub alias: Option<Alias>,
    /// Everybody who may be an administrator.
    pub administrators: bool,
    /// This user, with their addresses.
    pub user: Option<UserId>,
    /// All sessions of the user.
    pub sessions: bool,
    /// This code, with what it opens and the address that it was mailed to.
    pub code: Option<CodeId>,
    /// This session.
    pub session: Option<SessionId>,
    /// This key pair, with its codes.
    pub key_pair: Option<KeyPairId>,
    /// This address of a user.
    pub email: Option<EmailId>,
    /// What this network has asked for.
    pub network: Option<Network>,
}
