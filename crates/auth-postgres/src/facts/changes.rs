//! The statements that write a change.

use auth_domain::{
    Change, Changes, CodePurpose, MailClass, Network, SessionId, UserId,
    archive::{FailureRecord, KnownNetworkRecord, MailRecord, UserRecord},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::pipeline::Sent;
use crate::{
    audit::EventRow,
    records::{CodeRow, EmailRow, KeyPairRow, MailRow, SessionRow, UserRow},
    revocations::{CHANNEL, notify},
    rows::stored,
    schema::{codes, emails, events, key_pairs, outbox, sessions, users},
    statement::{Statement, Value},
};

const COMPLETE_REGISTRATION: &str = "UPDATE users SET registration = NULL, verified = true WHERE id = ?";
const UPDATE_USER: &str = "UPDATE users SET alias = ?, alias_key = ?, full_name = ?, verified = ?, enabled = ?, \
         registration = ?, roles = ?, groups = ?, created_at = ? \
     WHERE id = ?";
const UPDATE_EMAIL: &str = "UPDATE emails SET verified = ?, vouched = ? WHERE id = ?";
const PREFER_NONE: &str = "UPDATE emails SET preferred = false WHERE user_id = ? AND preferred";
const PREFER_EMAIL: &str = "UPDATE emails SET preferred = true WHERE id = ?";
const VERIFY_SESSION: &str = "UPDATE sessions SET verified_at = ? WHERE id = ?";
const EXTEND_SESSION: &str = "UPDATE sessions SET expires_at = ? WHERE id = ?";
const VERIFY_KEY_PAIR: &str = "UPDATE key_pairs SET verified_at = ? WHERE id = ?";
const END_CODE: &str = "UPDATE codes SET ended = true WHERE id = ?";
const END_CODES_FOR_EMAIL: &str = "UPDATE codes SET ended = true WHERE email_id = ? AND purpose = ?";
const COUNT_WRONG_GUESSES: &str = "UPDATE codes SET wrong_guesses = ? WHERE id = ?";

const DELETE_USER: &str = "DELETE FROM users WHERE id = ?";
const DELETE_EMAIL: &str = "DELETE FROM emails WHERE id = ?";
const DELETE_SESSION: &str = "DELETE FROM sessions WHERE id = ?";
const DELETE_SESSIONS: &str = "DELETE FROM sessions WHERE user_id = ? AND id <> ?";
const DELETE_KEY_PAIR: &str = "DELETE FROM key_pairs WHERE id = ?";
const DELETE_KEY_PAIRS: &str = "DELETE FROM key_pairs WHERE user_id = ?";
const DELETE_OWED_CODES: &str = "DELETE FROM outbox WHERE class = ? AND settled_at IS NULL AND code_id = ANY (ARRAY(\
     SELECT codes.id FROM codes WHERE codes.email_id = ANY (ARRAY(\
         SELECT emails.id FROM emails WHERE emails.user_id = ?))))";
const DELETE_KNOWN_NETWORK: &str = "DELETE FROM known_networks WHERE email_id = ? AND network = ?";
const DELETE_FAILURES: &str = "DELETE FROM failures WHERE address_key = ? AND network = ?";

// Rows that jobs lock too, one after the other, are locked in the order of their ids before several of them go.
const LOCK_SESSIONS: &str = "SELECT FROM sessions WHERE id = ANY (ARRAY(\
     SELECT theirs.id FROM sessions AS theirs WHERE theirs.user_id = ?)) ORDER BY id FOR UPDATE";
const LOCK_KEY_PAIRS: &str = "SELECT FROM key_pairs WHERE id = ANY (ARRAY(\
     SELECT theirs.id FROM key_pairs AS theirs WHERE theirs.user_id = ?)) ORDER BY id FOR UPDATE";
const LOCK_CODES: &str = "SELECT FROM codes WHERE id = ANY (ARRAY(\
     SELECT theirs.id FROM codes AS theirs WHERE theirs.email_id = ANY (ARRAY(\
         SELECT emails.id FROM emails WHERE emails.user_id = ?)))) ORDER BY id FOR UPDATE";

const PUT_KNOWN_NETWORK: &str = "INSERT INTO known_networks (email_id, network, last_signed_in_at) VALUES (?, ?, ?) \
     ON CONFLICT (email_id, network) DO UPDATE SET last_signed_in_at = excluded.last_signed_in_at";
const PUT_FAILURES: &str = "INSERT INTO failures \
         (address_key, network, day_began_at, of_day, in_a_row, last_at, told_at, owner_told_at) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (address_key, network) DO UPDATE \
     SET day_began_at = excluded.day_began_at, of_day = excluded.of_day, in_a_row = excluded.in_a_row, \
         last_at = excluded.last_at, told_at = excluded.told_at, owner_told_at = excluded.owner_told_at";
/// As many as there are: a request is charged to several.
const PUT_THROTTLES: &str = "INSERT INTO throttles (kind, address_key, network, full_at, told_at) \
     SELECT * FROM unnest(?, ?, ?, ?, ?) \
     ON CONFLICT (kind, address_key, network) DO UPDATE SET full_at = excluded.full_at, told_at = excluded.told_at";

/// Sends the insertion of a row.
macro_rules! insert {
    ($conn:ident, $table:ident, $row:expr) => {{
        let mut conn = $conn;
        diesel::insert_into($table::table).values($row).execute(&mut conn)
    }};
}

/// The statements that write a change, on their way.
pub(super) fn write<'a>(conn: &'a AsyncPgConnection, change: &Change) -> Vec<Sent<'a>> {
    let send = |sql, values| send(conn, sql, values);
    vec![match change {
        Change::InsertUser(record) => insert!(conn, users, UserRow::from(record)),
        Change::CompleteRegistration(id) => send(COMPLETE_REGISTRATION, vec![id.uuid().into()]),
        Change::UpdateUser(record) => send(UPDATE_USER, updated_user(record)),
        Change::DeleteRegistration(id) | Change::DeleteUser(id) => return delete_user(conn, *id),
        Change::InsertEmail(record) => insert!(conn, emails, EmailRow::from(record)),
        Change::UpdateEmail { id, verified, vouched } => {
            send(UPDATE_EMAIL, vec![Value::Bool(*verified), Value::Bool(*vouched), id.uuid().into()])
        }
        // One after the other: at no moment may two be preferred.
        Change::PreferEmail { user, id } => {
            return vec![send(PREFER_NONE, vec![user.uuid().into()]), send(PREFER_EMAIL, vec![id.uuid().into()])];
        }
        Change::DeleteEmail(id) => send(DELETE_EMAIL, vec![id.uuid().into()]),
        Change::InsertSession(record) => insert!(conn, sessions, SessionRow::from(record)),
        Change::VerifySession { id, at } => send(VERIFY_SESSION, vec![(*at).into(), id.uuid().into()]),
        Change::ExtendSession { id, expires_at, user: _ } => {
            send(EXTEND_SESSION, vec![(*expires_at).into(), id.uuid().into()])
        }
        Change::DeleteSession { id, user: _ } => send(DELETE_SESSION, vec![id.uuid().into()]),
        Change::DeleteSessions { user, keep } => {
            // Nobody's session has the nil id.
            let keep = keep.map_or_else(Uuid::nil, SessionId::uuid);
            return vec![
                send(LOCK_SESSIONS, vec![user.uuid().into()]),
                send(DELETE_SESSIONS, vec![user.uuid().into(), keep.into()]),
            ];
        }
        Change::InsertKeyPair(record) => insert!(conn, key_pairs, KeyPairRow::from(record)),
        Change::VerifyKeyPair { id, at } => send(VERIFY_KEY_PAIR, vec![(*at).into(), id.uuid().into()]),
        Change::DeleteKeyPair { id, user: _ } => send(DELETE_KEY_PAIR, vec![id.uuid().into()]),
        Change::DeleteKeyPairs(user) => {
            return vec![
                send(LOCK_KEY_PAIRS, vec![user.uuid().into()]),
                send(DELETE_KEY_PAIRS, vec![user.uuid().into()]),
            ];
        }
        Change::InsertCode(record) => insert!(conn, codes, CodeRow::from(record)),
        Change::EndCode(id) => send(END_CODE, vec![id.uuid().into()]),
        Change::EndCodesForEmail(email) => {
            send(END_CODES_FOR_EMAIL, vec![email.uuid().into(), CodePurpose::Email.as_str().into()])
        }
        Change::CountWrongGuesses { id, wrong_guesses } => {
            send(COUNT_WRONG_GUESSES, vec![(*wrong_guesses).into(), id.uuid().into()])
        }
        Change::QueueMail(mail) => insert!(conn, outbox, MailRow::from(&MailRecord::from(mail))),
        Change::PutKnownNetwork(KnownNetworkRecord { email_id, network, last_signed_in_at }) => send(
            PUT_KNOWN_NETWORK,
            vec![
                email_id.uuid().into(),
                Network::to_stored(Some(*network)).as_str().into(),
                (*last_signed_in_at).into(),
            ],
        ),
        Change::DeleteKnownNetwork { email, network } => {
            send(DELETE_KNOWN_NETWORK, vec![email.uuid().into(), Network::to_stored(Some(*network)).as_str().into()])
        }
        Change::PutFailures(record) => send(PUT_FAILURES, put_failures(record)),
        Change::DeleteFailures { address, network } => {
            let network = Network::to_stored(*network);
            send(DELETE_FAILURES, vec![address.as_str().into(), network.as_str().into()])
        }
        // These are written together, by [`put_throttles`].
        Change::PutThrottle(_) => return Vec::new(),
        Change::RecordEvent(event) => insert!(conn, events, EventRow::from(event)),
    }]
}

/// Has every process told, once the transaction is committed and only then, that something of `user`'s has ended or changed.
///
/// Only for facts that do this: those who notify commit one after the other, whatever else they do.
pub(super) fn announce(conn: &AsyncPgConnection, user: UserId) -> Sent<'_> {
    notify(conn, CHANNEL, &user.to_string())
}

fn send<'a>(mut conn: &'a AsyncPgConnection, sql: &'static str, values: Vec<Value>) -> Sent<'a> {
    Statement::<()>::new(sql, values).execute(&mut conn)
}

/// All that is a user's goes by foreign keys, but for mails with codes that are owed.
fn delete_user(conn: &AsyncPgConnection, id: UserId) -> Vec<Sent<'_>> {
    vec![
        send(conn, LOCK_SESSIONS, vec![id.uuid().into()]),
        send(conn, LOCK_KEY_PAIRS, vec![id.uuid().into()]),
        send(conn, LOCK_CODES, vec![id.uuid().into()]),
        send(conn, DELETE_OWED_CODES, vec![MailClass::Code.as_str().into(), id.uuid().into()]),
        send(conn, DELETE_USER, vec![id.uuid().into()]),
    ]
}

fn updated_user(UserRecord { user, standing, alias_key }: &UserRecord) -> Vec<Value> {
    vec![
        user.alias.as_str().into(),
        alias_key.as_str().into(),
        user.full_name.as_str().into(),
        Value::Bool(user.verified),
        Value::Bool(user.enabled),
        Value::Text(standing.as_stored().map(str::to_owned)),
        Value::Texts(user.roles.clone()),
        Value::Texts(user.groups.clone()),
        user.created_at.into(),
        user.id.uuid().into(),
    ]
}

fn put_failures(FailureRecord { address_key, network, failures }: &FailureRecord) -> Vec<Value> {
    vec![
        address_key.as_str().into(),
        Network::to_stored(*network).as_str().into(),
        failures.day_began_at.into(),
        failures.of_day.into(),
        failures.in_a_row.into(),
        failures.last_at.into(),
        failures.told_at.into(),
        failures.owner_told_at.into(),
    ]
}

/// All throttles among the changes, in one statement.
pub(super) fn put_throttles<'a>(conn: &'a AsyncPgConnection, changes: &Changes) -> Option<Sent<'a>> {
    let (mut kinds, mut addresses, mut networks) = (Vec::new(), Vec::new(), Vec::new());
    let (mut full_at, mut told_at) = (Vec::new(), Vec::new());
    for change in changes {
        if let Change::PutThrottle(row) = change {
            kinds.push(row.key.kind.as_str().to_owned());
            addresses.push(row.key.address.as_ref().map_or_else(String::new, |address| address.as_str().to_owned()));
            networks.push(Network::to_stored(row.key.network));
            full_at.push(Some(stored(row.full_at)));
            told_at.push(row.told_at.map(stored));
        }
    }
    let texts = [kinds, addresses, networks].map(Value::Texts).into_iter();
    let values: Vec<_> = texts.chain([full_at, told_at].map(Value::Timestamps)).collect();
    let is_any = changes.iter().any(|change| matches!(change, Change::PutThrottle(_)));
    is_any.then(|| send(conn, PUT_THROTTLES, values))
}
