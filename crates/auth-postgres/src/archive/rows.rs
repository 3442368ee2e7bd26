//! Whole rows, to records and back. A row has every column of its table, in the table's order: one that is added to the
//! schema does not compile until it is here.

use auth_domain::{
    AddressKey, Alias, ApiKey, Client, CodeHash, CodeId, CodePurpose, EmailAddress, EmailId, Failures, FullName,
    KeyName, KeyPairId, MailClass, Network, SessionId, SessionKind, StoreError, ThrottleKey, ThrottleKind, TokenDigest,
    User, UserId,
    archive::{
        AttemptOutcome, AttemptRecord, CodeRecord, EmailRecord, FailureRecord, KeyPairRecord, KnownNetworkRecord,
        MailRecord, MailState, SessionRecord, ThrottleRecord, UserRecord,
    },
};
use diesel::{Insertable, Queryable, data_types::PgTimestamp};
use ipnet::IpNet;
use uuid::Uuid;

use super::Row;
use crate::{
    audit::EventRow,
    error::corrupt,
    rows::{as_cidr, count, failed_network, key_id, moment, network_from_text, network_text, standing, stored},
    schema::{codes, emails, failures, key_pairs, known_networks, mail_attempts, outbox, sessions, throttles, users},
};

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub(super) struct UserRow {
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
            full_name: FullName::parse(&row.full_name).map_err(damage("users", row.id))?,
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
pub(super) struct EmailRow {
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

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub(super) struct SessionRow {
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
pub(super) struct KeyPairRow {
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
            name: KeyName::parse(&row.name).map_err(damage("key_pairs", row.id))?,
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

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = codes, treat_none_as_default_value = false)]
pub(super) struct CodeRow {
    id: Uuid,
    purpose: String,
    session_id: Option<Uuid>,
    key_pair_id: Option<Uuid>,
    email_id: Option<Uuid>,
    address_key: String,
    network: IpNet,
    hash: Vec<u8>,
    key_id: String,
    created_at: PgTimestamp,
    expires_at: PgTimestamp,
    wrong_guesses: i32,
    ended: bool,
}

impl From<&CodeRecord> for CodeRow {
    fn from(code: &CodeRecord) -> Self {
        Self {
            id: code.id.uuid(),
            purpose: code.purpose.as_str().to_owned(),
            session_id: code.session_id.map(SessionId::uuid),
            key_pair_id: code.key_pair_id.map(KeyPairId::uuid),
            email_id: code.email_id.map(EmailId::uuid),
            address_key: code.address_key.as_str().to_owned(),
            network: as_cidr(code.network),
            hash: code.hash.as_bytes().to_vec(),
            key_id: code.key_id.to_string(),
            created_at: stored(code.created_at),
            expires_at: stored(code.expires_at),
            wrong_guesses: i32::try_from(code.wrong_guesses).unwrap_or(i32::MAX),
            ended: code.ended,
        }
    }
}

impl TryFrom<CodeRow> for CodeRecord {
    type Error = StoreError;

    fn try_from(row: CodeRow) -> Result<Self, StoreError> {
        let unknown = || corrupt("codes", row.id, "unknown purpose");
        let network = Network::of(row.network.addr());
        if as_cidr(network) != row.network {
            return Err(corrupt("codes", row.id, "not the network of a household"));
        }
        Ok(Self {
            id: row.id.into(),
            purpose: CodePurpose::from_stored(&row.purpose).ok_or_else(unknown)?,
            session_id: row.session_id.map(SessionId::from),
            key_pair_id: row.key_pair_id.map(KeyPairId::from),
            email_id: row.email_id.map(EmailId::from),
            address_key: AddressKey::from_stored(row.address_key),
            network,
            hash: CodeHash::new(octets("codes", row.id, &row.hash)?),
            key_id: key_id("codes", row.id, &row.key_id)?,
            created_at: moment(row.created_at),
            expires_at: moment(row.expires_at),
            wrong_guesses: count("codes", row.id, row.wrong_guesses)?,
            ended: row.ended,
        })
    }
}

impl Row for CodeRow {
    fn holds_nul(&self) -> bool {
        any_nul([&self.address_key])
    }
}

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = outbox, treat_none_as_default_value = false)]
pub(super) struct MailRow {
    id: Uuid,
    class: String,
    code_id: Option<Uuid>,
    key_id: String,
    sealed: Option<Vec<u8>>,
    created_at: PgTimestamp,
    due_at: PgTimestamp,
    attempts: i32,
    settled_at: Option<PgTimestamp>,
    outcome: Option<String>,
}

impl From<&MailRecord> for MailRow {
    fn from(mail: &MailRecord) -> Self {
        let (sealed, settled) = match &mail.state {
            MailState::Owed(sealed) => (Some(sealed.clone()), None),
            MailState::Delivered(at) => (None, Some((*at, AttemptOutcome::Delivered))),
            MailState::Abandoned(at) => (None, Some((*at, AttemptOutcome::Abandoned))),
        };
        Self {
            id: mail.id.uuid(),
            class: mail.class.as_str().to_owned(),
            code_id: mail.code_id.map(CodeId::uuid),
            key_id: mail.key_id.to_string(),
            sealed,
            created_at: stored(mail.created_at),
            due_at: stored(mail.due_at),
            attempts: i32::try_from(mail.attempts).unwrap_or(i32::MAX),
            settled_at: settled.map(|(at, _)| stored(at)),
            outcome: settled.map(|(_, outcome)| outcome.as_str().to_owned()),
        }
    }
}

impl TryFrom<MailRow> for MailRecord {
    type Error = StoreError;

    fn try_from(row: MailRow) -> Result<Self, StoreError> {
        let unknown = |what: &'static str| move || corrupt("outbox", row.id, what);
        Ok(Self {
            id: row.id.into(),
            class: MailClass::from_stored(&row.class).ok_or_else(unknown("unknown class"))?,
            code_id: row.code_id.map(CodeId::from),
            key_id: key_id("outbox", row.id, &row.key_id)?,
            state: MailState::from_stored(row.sealed, row.settled_at.map(moment), row.outcome.as_deref())
                .ok_or_else(unknown("neither owed nor settled"))?,
            created_at: moment(row.created_at),
            due_at: moment(row.due_at),
            attempts: count("outbox", row.id, row.attempts)?,
        })
    }
}

impl Row for MailRow {
    fn holds_nul(&self) -> bool {
        any_nul([&self.class])
    }
}

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = mail_attempts, treat_none_as_default_value = false)]
pub(super) struct AttemptRow {
    mail_id: Uuid,
    attempt: i32,
    ended_at: PgTimestamp,
    outcome: String,
    reply: String,
}

impl From<&AttemptRecord> for AttemptRow {
    fn from(attempt: &AttemptRecord) -> Self {
        Self {
            mail_id: attempt.mail_id.uuid(),
            attempt: i32::try_from(attempt.attempt).unwrap_or(i32::MAX),
            ended_at: stored(attempt.ended_at),
            outcome: attempt.outcome.as_str().to_owned(),
            reply: attempt.reply.clone(),
        }
    }
}

impl TryFrom<AttemptRow> for AttemptRecord {
    type Error = StoreError;

    fn try_from(row: AttemptRow) -> Result<Self, StoreError> {
        let unknown = || corrupt("mail_attempts", row.mail_id, "unknown outcome");
        Ok(Self {
            mail_id: row.mail_id.into(),
            attempt: count("mail_attempts", row.mail_id, row.attempt)?,
            ended_at: moment(row.ended_at),
            outcome: AttemptOutcome::from_stored(&row.outcome).ok_or_else(unknown)?,
            reply: row.reply,
        })
    }
}

impl Row for AttemptRow {
    fn holds_nul(&self) -> bool {
        any_nul([&self.reply])
    }
}

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = known_networks, treat_none_as_default_value = false)]
pub(super) struct KnownNetworkRow {
    email_id: Uuid,
    network: String,
    last_signed_in_at: PgTimestamp,
}

impl From<&KnownNetworkRecord> for KnownNetworkRow {
    fn from(known: &KnownNetworkRecord) -> Self {
        Self {
            email_id: known.email_id.uuid(),
            network: network_text(known.network),
            last_signed_in_at: stored(known.last_signed_in_at),
        }
    }
}

impl TryFrom<KnownNetworkRow> for KnownNetworkRecord {
    type Error = StoreError;

    fn try_from(row: KnownNetworkRow) -> Result<Self, StoreError> {
        let damaged = || corrupt("known_networks", row.email_id, "not the network of a household");
        Ok(Self {
            email_id: row.email_id.into(),
            network: network_from_text(&row.network).ok_or_else(damaged)?,
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
pub(super) struct FailureRow {
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
            network: network.map_or_else(String::new, network_text),
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
            network: failed_network(&row.network)?,
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
pub(super) struct ThrottleRow {
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
            network: key.network.map_or_else(String::new, network_text),
            full_at: stored(*full_at),
            told_at: told_at.map(stored),
        }
    }
}

impl TryFrom<ThrottleRow> for ThrottleRecord {
    type Error = StoreError;

    // Nor does one name the address of a throttle.
    fn try_from(row: ThrottleRow) -> Result<Self, StoreError> {
        let damaged = |what: &'static str| corrupt("throttles", "unknown", what);
        let network = match row.network.as_str() {
            "" => None,
            text => Some(network_from_text(text).ok_or_else(|| damaged("not the network of a household"))?),
        };
        let key = ThrottleKey {
            kind: ThrottleKind::from_stored(&row.kind).ok_or_else(|| damaged("unknown kind"))?,
            address: Some(row.address_key).filter(|key| !key.is_empty()).map(AddressKey::from_stored),
            network,
        };
        Ok(Self { key, full_at: moment(row.full_at), told_at: row.told_at.map(moment) })
    }
}

impl Row for ThrottleRow {
    fn holds_nul(&self) -> bool {
        any_nul([&self.kind, &self.address_key, &self.network])
    }
}

impl Row for EventRow {
    fn holds_nul(&self) -> bool {
        any_nul([&self.detail])
    }
}

fn any_nul<'a>(texts: impl IntoIterator<Item = &'a String>) -> bool {
    texts.into_iter().any(|text| text.contains('\0'))
}

fn octets(table: &'static str, row: Uuid, column: &[u8]) -> Result<[u8; 32], StoreError> {
    column.try_into().map_err(damage(table, row))
}

/// What does not parse, in a column of `table`, whose row is `row`.
fn damage<E: std::fmt::Display>(table: &'static str, row: Uuid) -> impl FnOnce(E) -> StoreError {
    move |reason| corrupt(table, row, reason)
}
