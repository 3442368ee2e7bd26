//! Codes, the mails that are owed, and what became of them.

use auth_domain::{
    AddressKey, CodeHash, CodeId, CodePurpose, EmailId, KeyPairId, MailClass, Network, SessionId, StoreError,
    UnknownNetwork,
    archive::{AttemptOutcome, AttemptRecord, CodeRecord, MailRecord, MailState},
};
use diesel::{Insertable, Queryable, data_types::PgTimestamp};
use ipnet::IpNet;
use uuid::Uuid;

use super::{Row, any_nul, octets};
use crate::{
    error::corrupt,
    rows::{as_cidr, count, key_id, moment, stored},
    schema::{codes, mail_attempts, outbox},
};

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = codes, treat_none_as_default_value = false)]
pub(crate) struct CodeRow {
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
            return Err(corrupt("codes", row.id, UnknownNetwork));
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
pub(crate) struct MailRow {
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
pub(crate) struct AttemptRow {
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
