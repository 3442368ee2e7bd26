//! Rows of what limits remember. They have no id of their own, and their keys may be addresses, which are not for logs.

use std::fmt;

use auth_domain::{
    AddressKey, Failures, Network, StoreError, ThrottleKey, ThrottleKind, Timestamp,
    archive::{FailureRecord, KnownNetworkRecord, ThrottleRecord},
};
use diesel::{Queryable, Selectable, sqlite::Sqlite};

use super::{id, printed};
use crate::{error::corrupt, schema::failures};

#[derive(Queryable, Selectable)]
#[diesel(table_name = failures, check_for_backend(Sqlite))]
pub(crate) struct FailureRow {
    pub(crate) address_key: String,
    pub(crate) network: String,
    day_began_at: i64,
    of_day: i64,
    in_a_row: i64,
    last_at: i64,
    told_at: Option<i64>,
    owner_told_at: Option<i64>,
}

impl FailureRow {
    /// What the row is told apart by in the log. Its key is an address, which is not for logs.
    fn printed(&self) -> String {
        format!("with last_at {}", self.last_at)
    }

    pub(crate) fn failures(&self) -> Result<Failures, StoreError> {
        let count = |stored: i64| u32::try_from(stored).map_err(|error| corrupt("failures", self.printed(), error));
        Ok(Failures {
            day_began_at: Timestamp::from_unix_millis(self.day_began_at),
            of_day: count(self.of_day)?,
            in_a_row: count(self.in_a_row)?,
            last_at: Timestamp::from_unix_millis(self.last_at),
            told_at: self.told_at.map(Timestamp::from_unix_millis),
            owner_told_at: self.owner_told_at.map(Timestamp::from_unix_millis),
        })
    }

    pub(crate) fn network(&self) -> Result<Option<Network>, StoreError> {
        parsed("failures", self.printed(), &self.network)
    }
}

/// The network in a column of `table`, whose row is `row`.
pub(crate) fn parsed(table: &'static str, row: impl fmt::Display, stored: &str) -> Result<Option<Network>, StoreError> {
    Network::from_stored(stored).map_err(|error| corrupt(table, row, error))
}

/// address's id, network, last sign-in.
type KnownNetworkRow = (Vec<u8>, String, i64);

pub(crate) fn known_network((email, network, last): KnownNetworkRow) -> Result<KnownNetworkRecord, StoreError> {
    let row = email.as_slice();
    let unknown = || corrupt("known_networks", printed(row), "no network");
    Ok(KnownNetworkRecord {
        email_id: id("known_networks", row, row)?,
        network: parsed("known_networks", "of a network", &network)?.ok_or_else(unknown)?,
        last_signed_in_at: Timestamp::from_unix_millis(last),
    })
}

pub(crate) fn failure(row: FailureRow) -> Result<FailureRecord, StoreError> {
    let (network, failures) = (row.network()?, row.failures()?);
    Ok(FailureRecord { address_key: AddressKey::from_stored(row.address_key), network, failures })
}

/// kind, address's key, network, when it is full again, when that it refused was told last.
type ThrottleRow = (String, String, String, i64, Option<i64>);

pub(crate) fn throttle((kind, address, network, full_at, told_at): ThrottleRow) -> Result<ThrottleRecord, StoreError> {
    let unknown = || corrupt("throttles", "of a limit", "unknown kind");
    let key = ThrottleKey {
        kind: ThrottleKind::from_stored(&kind).ok_or_else(unknown)?,
        address: (!address.is_empty()).then(|| AddressKey::from_stored(address)),
        network: parsed("throttles", "of a network", &network)?,
    };
    let told_at = told_at.map(Timestamp::from_unix_millis);
    Ok(ThrottleRecord { key, full_at: Timestamp::from_unix_millis(full_at), told_at })
}
