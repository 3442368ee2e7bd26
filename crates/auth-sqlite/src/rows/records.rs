//! Whole rows, and the strict way from them to records. A row has every column of its table, in the table's order: one
//! that is added to the schema does not compile until it is here.

use auth_domain::{
    AddressKey, Alias, ApiKey, Client, CodeHash, CodePurpose, EmailAddress, FullName, KeyName, MailClass, SessionKind,
    Standing, StoreError, Timestamp, TokenDigest, User,
    archive::{
        AttemptOutcome, AttemptRecord, CodeRecord, EmailRecord, KeyPairRecord, MailRecord, MailState, SessionRecord,
        UserRecord,
    },
};

use super::{count, damage, id, key_id, limits::parsed, names, printed};
use crate::error::corrupt;

type Id = Vec<u8>;

/// id, alias, its key, full name, verified, enabled, registration, roles, groups, creation.
pub(crate) type UserRow = (Id, String, String, String, bool, bool, Option<String>, String, String, i64);

pub(crate) fn user(row: UserRow) -> Result<UserRecord, StoreError> {
    let (row, alias, alias_key, full_name, verified, enabled, registration, roles, groups, created_at) = row;
    let row = row.as_slice();
    let unknown = || corrupt("users", printed(row), "unknown registration");
    let user = User {
        id: id("users", row, row)?,
        alias: Alias::parse(&alias).map_err(damage("users", row))?,
        full_name: FullName::from_stored(&full_name).map_err(damage("users", row))?,
        verified,
        enabled,
        roles: names("users", row, &roles)?,
        groups: names("users", row, &groups)?,
        created_at: Timestamp::from_unix_millis(created_at),
    };
    let standing = Standing::from_stored(registration.as_deref()).ok_or_else(unknown)?;
    Ok(UserRecord { user, alias_key, standing })
}

/// id, user, address, its key, verified, vouched for, preferred, creation.
pub(crate) type EmailRow = (Id, Id, String, String, bool, bool, bool, i64);

pub(crate) fn email(
    (row, user, address, key, verified, vouched, preferred, created_at): EmailRow,
) -> Result<EmailRecord, StoreError> {
    let row = row.as_slice();
    Ok(EmailRecord {
        id: id("emails", row, row)?,
        user_id: id("emails", row, &user)?,
        address: EmailAddress::from_stored(&address).map_err(damage("emails", row))?,
        address_key: AddressKey::from_stored(key),
        verified,
        vouched,
        preferred,
        created_at: Timestamp::from_unix_millis(created_at),
    })
}

/// id, user, digest, server key, kind, verification, creation, end, last use, client's address, user agent.
pub(crate) type SessionRow =
    (Id, Option<Id>, Vec<u8>, String, String, Option<i64>, i64, i64, Option<i64>, String, String);

pub(crate) fn session(row: SessionRow) -> Result<SessionRecord, StoreError> {
    let (row, user, digest, key, kind, verified_at, created_at, expires_at, last_used_at, ip, user_agent) = row;
    let row = row.as_slice();
    Ok(SessionRecord {
        id: id("sessions", row, row)?,
        user_id: user.map(|user| id("sessions", row, &user)).transpose()?,
        digest: TokenDigest::from_stored(octets("sessions", row, &digest)?),
        key_id: key_id("sessions", row, &key)?,
        kind: SessionKind::parse(&kind).map_err(damage("sessions", row))?,
        verified_at: verified_at.map(Timestamp::from_unix_millis),
        created_at: Timestamp::from_unix_millis(created_at),
        expires_at: Timestamp::from_unix_millis(expires_at),
        last_used_at: last_used_at.map(Timestamp::from_unix_millis),
        client: Client { ip: ip.parse().map_err(damage("sessions", row))?, user_agent },
    })
}

/// id, user, name, public half, digest of the secret one, server key, roles, verification, creation, end, last use.
pub(crate) type KeyPairRow =
    (Id, Id, String, String, Vec<u8>, String, Option<String>, Option<i64>, i64, i64, Option<i64>);

pub(crate) fn key_pair(row: KeyPairRow) -> Result<KeyPairRecord, StoreError> {
    let (row, user, name, api_key, digest, key, roles, verified_at, created_at, expires_at, last_used_at) = row;
    let row = row.as_slice();
    Ok(KeyPairRecord {
        id: id("key_pairs", row, row)?,
        user_id: id("key_pairs", row, &user)?,
        name: KeyName::from_stored(&name).map_err(damage("key_pairs", row))?,
        api_key: ApiKey::from_stored(api_key),
        digest: TokenDigest::from_stored(octets("key_pairs", row, &digest)?),
        key_id: key_id("key_pairs", row, &key)?,
        roles: roles.map(|roles| names("key_pairs", row, &roles)).transpose()?,
        verified_at: verified_at.map(Timestamp::from_unix_millis),
        created_at: Timestamp::from_unix_millis(created_at),
        expires_at: Timestamp::from_unix_millis(expires_at),
        last_used_at: last_used_at.map(Timestamp::from_unix_millis),
    })
}

/// id, purpose, session, key pair, address's id, its key, network, hash, server key, creation, end, wrong guesses, ended.
pub(crate) type CodeRow =
    (Id, String, Option<Id>, Option<Id>, Option<Id>, String, String, Vec<u8>, String, i64, i64, i64, bool);

pub(crate) fn code(row: CodeRow) -> Result<CodeRecord, StoreError> {
    let (row, purpose, session, key_pair, email, address_key, network, hash, key, created_at, expires_at, wrong, ended) =
        row;
    let row = row.as_slice();
    let unknown = |what: &'static str| move || corrupt("codes", printed(row), what);
    let network = parsed("codes", printed(row), &network)?.ok_or_else(unknown("no network"))?;
    Ok(CodeRecord {
        id: id("codes", row, row)?,
        purpose: CodePurpose::from_stored(&purpose).ok_or_else(unknown("unknown purpose"))?,
        session_id: session.map(|session| id("codes", row, &session)).transpose()?,
        key_pair_id: key_pair.map(|key_pair| id("codes", row, &key_pair)).transpose()?,
        email_id: email.map(|email| id("codes", row, &email)).transpose()?,
        address_key: AddressKey::from_stored(address_key),
        network,
        hash: CodeHash::new(octets("codes", row, &hash)?),
        key_id: key_id("codes", row, &key)?,
        created_at: Timestamp::from_unix_millis(created_at),
        expires_at: Timestamp::from_unix_millis(expires_at),
        wrong_guesses: count("codes", row, wrong)?,
        ended,
    })
}

/// id, class, code, server key, sealed octets, creation, when due, attempts, when settled, outcome.
type MailRow = (Id, String, Option<Id>, String, Option<Vec<u8>>, i64, i64, i64, Option<i64>, Option<String>);

pub(crate) fn mail(row: MailRow) -> Result<MailRecord, StoreError> {
    let (row, class, code, key, sealed, created_at, due_at, attempts, settled_at, outcome) = row;
    let row = row.as_slice();
    let settled_at = settled_at.map(Timestamp::from_unix_millis);
    let unknown = |what: &'static str| move || corrupt("outbox", printed(row), what);
    Ok(MailRecord {
        id: id("outbox", row, row)?,
        class: MailClass::from_stored(&class).ok_or_else(unknown("unknown class"))?,
        code_id: code.map(|code| id("outbox", row, &code)).transpose()?,
        key_id: key_id("outbox", row, &key)?,
        state: MailState::from_stored(sealed, settled_at, outcome.as_deref())
            .ok_or_else(unknown("neither owed nor settled"))?,
        created_at: Timestamp::from_unix_millis(created_at),
        due_at: Timestamp::from_unix_millis(due_at),
        attempts: count("outbox", row, attempts)?,
    })
}

/// mail, attempt, end, outcome, reply.
type AttemptRow = (Id, i64, i64, String, String);

pub(crate) fn attempt((mail, attempt, ended_at, outcome, reply): AttemptRow) -> Result<AttemptRecord, StoreError> {
    let row = mail.as_slice();
    let unknown = || corrupt("mail_attempts", printed(row), "unknown outcome");
    Ok(AttemptRecord {
        mail_id: id("mail_attempts", row, row)?,
        attempt: count("mail_attempts", row, attempt)?,
        ended_at: Timestamp::from_unix_millis(ended_at),
        outcome: AttemptOutcome::from_stored(&outcome).ok_or_else(unknown)?,
        reply,
    })
}

fn octets(table: &'static str, row: &[u8], column: &[u8]) -> Result<[u8; 32], StoreError> {
    column.try_into().map_err(damage(table, row))
}
