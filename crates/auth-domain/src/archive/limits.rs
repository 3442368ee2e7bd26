//! What is remembered of guesses, mails and requests, a record per table, as in `records`. These rows have no id of their own.

use uuid::Uuid;

use super::{Position, Record, Table};
use crate::{AddressKey, EmailId, Failures, KeyId, Network, ThrottleKey, Timestamp};

/// A network that is known to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownNetworkRecord {
    /// The address.
    pub email_id: EmailId,
    /// The network.
    pub network: Network,
    /// When its owner last signed in from there.
    pub last_signed_in_at: Timestamp,
}

/// Wrong guesses at the codes of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureRecord {
    /// The address.
    pub address_key: AddressKey,
    /// The network that they came from, if it is known to the address; `None` for all others together.
    pub network: Option<Network>,
    /// How many, and when.
    pub failures: Failures,
}

/// A throttle that was drawn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleRecord {
    /// Which one.
    pub key: ThrottleKey,
    /// When it is full again.
    pub full_at: Timestamp,
    /// When the audit log was last told that it refused a request.
    pub told_at: Option<Timestamp>,
}

impl Record for KnownNetworkRecord {
    const TABLE: Table = Table::KnownNetworks;

    fn position(&self) -> Position {
        Position { id: self.email_id.uuid(), number: 0, names: vec![Network::to_stored(Some(self.network))] }
    }

    fn key_id(&self) -> Option<KeyId> {
        None
    }
}

impl Record for FailureRecord {
    const TABLE: Table = Table::Failures;

    fn position(&self) -> Position {
        let names = vec![self.address_key.as_str().to_owned(), Network::to_stored(self.network)];
        Position { id: Uuid::nil(), number: 0, names }
    }

    fn key_id(&self) -> Option<KeyId> {
        None
    }
}

impl Record for ThrottleRecord {
    const TABLE: Table = Table::Throttles;

    fn position(&self) -> Position {
        let ThrottleKey { kind, address, network } = &self.key;
        let address = address.as_ref().map_or_else(String::new, |address| address.as_str().to_owned());
        Position {
            id: Uuid::nil(),
            number: 0,
            names: vec![kind.as_str().to_owned(), address, Network::to_stored(*network)],
        }
    }

    fn key_id(&self) -> Option<KeyId> {
        None
    }
}
