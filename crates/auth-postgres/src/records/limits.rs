//! What limits remember.

use std::fmt::Display;

use auth_domain::{
    AddressKey, Failures, Network, StoreError, ThrottleKey, ThrottleKind,
    archive::{FailureRecord, KnownNetworkRecord, ThrottleRecord},
};
use diesel::{Insertable, Queryable, data_types::PgTimestamp};
use uuid::Uuid;

use super::{Row, any_nul};
use crate::{
    error::corrupt,
    rows::{failed_network, moment, stored},
    schema::{failures, known_networks, throttles},
};

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = known_networks, treat_none_as_default_value = false)]
pub(crate) struct KnownNetworkRow {
    email_id: Uuid,
    network: String,
    last_signed_in_at: PgTimestamp,
}

impl From<&KnownNetworkRecord> for KnownNetworkRow {
    fn from(known: &KnownNetworkRecord) -> Self {
        Self {
            email_id: known.email_id.uuid(),
            network: Network::to_stored(Some(known.network)),
            last_signed_in_at: stored(known.last_signed_in_at),
        }
    }
}

impl TryFrom<KnownNetworkRow> for KnownNetworkRecord {
    type Error = StoreError;

    fn try_from(row: KnownNetworkRow) -> Result<Self, StoreError> {
        let damaged = |what: &dyn Display| corrupt("known_networks", row.email_id, what);
        let network = Network::from_stored(&row.network).map_err(|error| damaged(&error))?;
        Ok(Self {
            email_id: row.email_id.into(),
            network: network.ok_or_else(|| damaged(&"no network"))?,
            last_signed_in_at: moment(row.last_signed_in_at),
        })
    }
}

impl Row for KnownNetworkRow {
    fn holds_nul(&self) -> bool {
        any_nul([&self.network])
    }
}

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = failures, treat_none_as_default_value = false)]
pub(crate) struct FailureRow {
    address_key: String,
    network: String,
    day_began_at: PgTimestamp,
    of_day: i32,
    in_a_row: i32,
    last_at: PgTimestamp,
    told_at: Option<PgTimestamp>,
    owner_told_at: Option<PgTimestamp>,
}

impl From<&FailureRecord> for FailureRow {
    fn from(FailureRecord { address_key, network, failures }: &FailureRecord) -> Self {
        Self {
            address_key: address_key.as_str().to_owned(),
            network: Network::to_stored(*network),
            day_began_at: stored(failures.day_began_at),
            of_day: i32::try_from(failures.of_day).unwrap_or(i32::MAX),
            in_a_row: i32::try_from(failures.in_a_row).unwrap_or(i32::MAX),
            last_at: stored(failures.last_at),
            told_at: failures.told_at.map(stored),
            owner_told_at: failures.owner_told_at.map(stored),
        }
    }
}

impl TryFrom<FailureRow> for FailureRecord {
    type Error = StoreError;

    // Its id would be an address: no error names it.
    fn try_from(row: FailureRow) -> Result<Self, StoreError> {
        let number = |stored: i32| u32::try_from(stored).map_err(|error| corrupt("failures", "unknown", error));
        Ok(Self {
            network: failed_network(&row.network, row.last_at)?,
            address_key: AddressKey::from_stored(row.address_key),
            failures: Failures {
                day_began_at: moment(row.day_began_at),
                of_day: number(row.of_day)?,
                in_a_row: number(row.in_a_row)?,
                last_at: moment(row.last_at),
                told_at: row.told_at.map(moment),
                owner_told_at: row.owner_told_at.map(moment),
            },
        })
    }
}

impl Row for FailureRow {
    fn holds_nul(&self) -> bool {
        any_nul([&self.address_key, &self.network])
    }
}

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = throttles, treat_none_as_default_value = false)]
pub(crate) struct ThrottleRow {
    kind: String,
    address_key: String,
    network: String,
    full_at: PgTimestamp,
    told_at: Option<PgTimestamp>,
}

impl From<&ThrottleRecord> for ThrottleRow {
    fn from(ThrottleRecord { key, full_at, told_at }: &ThrottleRecord) -> Self {
        Self {
            kind: key.kind.as_str().to_owned(),
            address_key: key.address.as_ref().map_or_else(String::new, |address| address.as_str().to_owned()),
            network: Network::to_stored(key.network),
            full_at: stored(*full_at),
            told_at: told_at.map(stored),
        }
    }
}

impl TryFrom<ThrottleRow> for ThrottleRecord {
    type Error = StoreError;

    // Nor does one name the address of a throttle.
    fn try_from(row: ThrottleRow) -> Result<Self, StoreError> {
        let damaged = |what: &dyn Display| corrupt("throttles", "unknown", what);
        let key = ThrottleKey {
            kind: ThrottleKind::from_stored(&row.kind).ok_or_else(|| damaged(&"unknown kind"))?,
            address: Some(row.address_key).filter(|key| !key.is_empty()).map(AddressKey::from_stored),
            network: Network::from_stored(&row.network).map_err(|error| damaged(&error))?,
        };
        Ok(Self { key, full_at: moment(row.full_at), told_at: row.told_at.map(moment) })
    }
}

impl Row for ThrottleRow {
    fn holds_nul(&self) -> bool {
        any_nul([&self.kind, &self.address_key, &self.network])
    }
}
