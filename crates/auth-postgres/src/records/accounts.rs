//! Users and their addresses.

use auth_domain::{
    AddressKey, Alias, EmailAddress, FullName, StoreError, User,
    archive::{EmailRecord, UserRecord},
};
use diesel::{Insertable, Queryable, data_types::PgTimestamp};
use uuid::Uuid;

use super::{Row, any_nul, damage};
use crate::{
    rows::{moment, standing, stored},
    schema::{emails, users},
};

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub(crate) struct UserRow {
    id: Uuid,
    alias: String,
    alias_key: String,
    full_name: String,
    verified: bool,
    enabled: bool,
    registration: Option<String>,
    roles: Vec<String>,
    groups: Vec<String>,
    created_at: PgTimestamp,
}

impl From<&UserRecord> for UserRow {
    fn from(UserRecord { user, alias_key, standing }: &UserRecord) -> Self {
        Self {
            id: user.id.uuid(),
            alias: user.alias.as_str().to_owned(),
            alias_key: alias_key.clone(),
            full_name: user.full_name.as_str().to_owned(),
            verified: user.verified,
            enabled: user.enabled,
            registration: standing.as_stored().map(str::to_owned),
            roles: user.roles.clone(),
            groups: user.groups.clone(),
            created_at: stored(user.created_at),
        }
    }
}

impl TryFrom<UserRow> for UserRecord {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let standing = standing(row.registration.as_deref(), row.id)?;
        let user = User {
            id: row.id.into(),
            alias: Alias::parse(&row.alias).map_err(damage("users", row.id))?,
            full_name: FullName::from_stored(&row.full_name).map_err(damage("users", row.id))?,
            verified: row.verified,
            enabled: row.enabled,
            roles: row.roles,
            groups: row.groups,
            created_at: moment(row.created_at),
        };
        Ok(Self { user, alias_key: row.alias_key, standing })
    }
}

impl Row for UserRow {
    fn holds_nul(&self) -> bool {
        let single = [&self.alias, &self.alias_key, &self.full_name];
        any_nul(single.into_iter().chain(&self.roles).chain(&self.groups))
    }
}

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = emails, treat_none_as_default_value = false)]
pub(crate) struct EmailRow {
    id: Uuid,
    user_id: Uuid,
    address: String,
    address_key: String,
    verified: bool,
    vouched: bool,
    preferred: bool,
    created_at: PgTimestamp,
}

impl From<&EmailRecord> for EmailRow {
    fn from(email: &EmailRecord) -> Self {
        Self {
            id: email.id.uuid(),
            user_id: email.user_id.uuid(),
            address: email.address.as_str().to_owned(),
            address_key: email.address_key.as_str().to_owned(),
            verified: email.verified,
            vouched: email.vouched,
            preferred: email.preferred,
            created_at: stored(email.created_at),
        }
    }
}

impl TryFrom<EmailRow> for EmailRecord {
    type Error = StoreError;

    fn try_from(row: EmailRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            user_id: row.user_id.into(),
            address: EmailAddress::from_stored(&row.address).map_err(damage("emails", row.id))?,
            address_key: AddressKey::from_stored(row.address_key),
            verified: row.verified,
            vouched: row.vouched,
            preferred: row.preferred,
            created_at: moment(row.created_at),
        })
    }
}

impl Row for EmailRow {
    fn holds_nul(&self) -> bool {
        any_nul([&self.address, &self.address_key])
    }
}
