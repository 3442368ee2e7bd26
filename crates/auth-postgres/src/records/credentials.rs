//! Sessions and key pairs.

use auth_domain::{
    ApiKey, Client, KeyName, SessionKind, StoreError, TokenDigest, UserId,
    archive::{KeyPairRecord, SessionRecord},
};
use diesel::{Insertable, Queryable, data_types::PgTimestamp};
use ipnet::IpNet;
use uuid::Uuid;

use super::{Row, any_nul, damage, octets};
use crate::{
    rows::{key_id, moment, stored},
    schema::{key_pairs, sessions},
};

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub(crate) struct SessionRow {
    id: Uuid,
    user_id: Option<Uuid>,
    digest: Vec<u8>,
    key_id: String,
    kind: String,
    verified_at: Option<PgTimestamp>,
    created_at: PgTimestamp,
    expires_at: PgTimestamp,
    last_used_at: Option<PgTimestamp>,
    ip: IpNet,
    user_agent: String,
}

impl From<&SessionRecord> for SessionRow {
    fn from(session: &SessionRecord) -> Self {
        Self {
            id: session.id.uuid(),
            user_id: session.user_id.map(UserId::uuid),
            digest: session.digest.as_bytes().to_vec(),
            key_id: session.key_id.to_string(),
            kind: session.kind.as_str().to_owned(),
            verified_at: session.verified_at.map(stored),
            created_at: stored(session.created_at),
            expires_at: stored(session.expires_at),
            last_used_at: session.last_used_at.map(stored),
            ip: session.client.ip.into(),
            user_agent: session.client.user_agent.clone(),
        }
    }
}

impl TryFrom<SessionRow> for SessionRecord {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            user_id: row.user_id.map(UserId::from),
            digest: TokenDigest::from_stored(octets("sessions", row.id, &row.digest)?),
            key_id: key_id("sessions", row.id, &row.key_id)?,
            kind: SessionKind::parse(&row.kind).map_err(damage("sessions", row.id))?,
            verified_at: row.verified_at.map(moment),
            created_at: moment(row.created_at),
            expires_at: moment(row.expires_at),
            last_used_at: row.last_used_at.map(moment),
            client: Client { ip: row.ip.addr(), user_agent: row.user_agent },
        })
    }
}

impl Row for SessionRow {
    fn holds_nul(&self) -> bool {
        any_nul([&self.kind, &self.user_agent])
    }
}

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = key_pairs, treat_none_as_default_value = false)]
pub(crate) struct KeyPairRow {
    id: Uuid,
    user_id: Uuid,
    name: String,
    api_key: String,
    digest: Vec<u8>,
    key_id: String,
    roles: Option<Vec<String>>,
    verified_at: Option<PgTimestamp>,
    created_at: PgTimestamp,
    expires_at: PgTimestamp,
    last_used_at: Option<PgTimestamp>,
}

impl From<&KeyPairRecord> for KeyPairRow {
    fn from(key_pair: &KeyPairRecord) -> Self {
        Self {
            id: key_pair.id.uuid(),
            user_id: key_pair.user_id.uuid(),
            name: key_pair.name.as_str().to_owned(),
            api_key: key_pair.api_key.as_str().to_owned(),
            digest: key_pair.digest.as_bytes().to_vec(),
            key_id: key_pair.key_id.to_string(),
            roles: key_pair.roles.clone(),
            verified_at: key_pair.verified_at.map(stored),
            created_at: stored(key_pair.created_at),
            expires_at: stored(key_pair.expires_at),
            last_used_at: key_pair.last_used_at.map(stored),
        }
    }
}

impl TryFrom<KeyPairRow> for KeyPairRecord {
    type Error = StoreError;

    fn try_from(row: KeyPairRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            user_id: row.user_id.into(),
            name: KeyName::from_stored(&row.name).map_err(damage("key_pairs", row.id))?,
            api_key: ApiKey::from_stored(row.api_key),
            digest: TokenDigest::from_stored(octets("key_pairs", row.id, &row.digest)?),
            key_id: key_id("key_pairs", row.id, &row.key_id)?,
            roles: row.roles,
            verified_at: row.verified_at.map(moment),
            created_at: moment(row.created_at),
            expires_at: moment(row.expires_at),
            last_used_at: row.last_used_at.map(moment),
        })
    }
}

impl Row for KeyPairRow {
    fn holds_nul(&self) -> bool {
        any_nul([&self.name, &self.api_key].into_iter().chain(self.roles.iter().flatten()))
    }
}
