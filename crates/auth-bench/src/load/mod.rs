//! What is measured on: databases full of accounts, sessions and key pairs, and the credentials of some of them.
//!
//! The rows are made by the databases themselves, from numbers, and those of the credentials are written over them. So a
//! million sessions take seconds, and every one that is asked for has a real bearer.

mod credentials;
mod postgres;
mod sqlite;

use std::time::Duration;

pub(crate) use credentials::{Credentials, invented};
pub(crate) use postgres::{Postgres, version as postgres_version};
pub(crate) use sqlite::{load as load_sqlite, version as sqlite_version};

/// The path that the public API lives under.
pub(crate) const BASE: &str = "/api/auth/v2";

/// How much of everything there is, and how long it is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) users: u32,
    pub(crate) sessions: u32,
    pub(crate) key_pairs: u32,
    /// How many of the sessions have a bearer that is known: enough for each measurement that uses them up.
    pub(crate) bearers: u32,
    /// How many different credentials are asked for in turn.
    pub(crate) asked_for: u32,
    /// How often each contender has its turn, and how long that takes.
    pub(crate) rounds: usize,
    pub(crate) span: Duration,
    /// How many credentials are remembered to see what one takes.
    pub(crate) remembered: u32,
    /// How many sessions are revoked, and how many with the listener cut.
    pub(crate) revocations: u32,
    pub(crate) cut: u32,
    /// How many mails are delivered.
    pub(crate) mails: u32,
}

impl Scale {
    pub(crate) const fn full() -> Self {
        Self {
            users: 100_000,
            sessions: 1_000_000,
            key_pairs: 100_000,
            bearers: 250_000,
            asked_for: 20_000,
            rounds: 5,
            span: Duration::from_secs(2),
            remembered: 200_000,
            revocations: 1_000,
            cut: 50,
            mails: 20_000,
        }
    }

    pub(crate) const fn quick() -> Self {
        Self {
            users: 5_000,
            sessions: 50_000,
            key_pairs: 5_000,
            bearers: 45_000,
            asked_for: 2_000,
            rounds: 3,
            span: Duration::from_secs(1),
            remembered: 40_000,
            revocations: 100,
            cut: 5,
            mails: 2_000,
        }
    }
}

/// How two databases say the same.
trait Dialect {
    /// The id that a number stands for, made by the database from the SQL expression `number`.
    fn id(kind: char, number: &str) -> String;
    /// A literal of octets.
    fn octets(hexadecimal: &str) -> String;
    /// Octets as good as random, from the SQL expression `number`.
    fn random_octets(number: &str) -> String;
    /// A list of names.
    fn names(names: &[&str]) -> String;
    /// A moment, so many seconds from now.
    fn moment(seconds: i64) -> String;
    /// A condition's truth.
    const TRUE: &'static str;
    /// Rows of numbers from one to another, as a table with the column `n`.
    fn numbers(from: u32, to: u32) -> String;
}

const DAY: i64 = 86_400;

/// The statements that fill an empty database.
fn statements<D: Dialect>(scale: &Scale, credentials: &Credentials) -> Vec<String> {
    let Scale { users, sessions, key_pairs, .. } = *scale;
    let owner = D::id('8', &format!("(n % {users} + 1)"));
    let key_id = &credentials.key_id;
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
    let (now, later) = (D::moment(0), D::moment(30 * DAY));
    let session = |from: &str, digest: &str| {
        format!(
            "INSERT INTO sessions (id, user_id, digest, key_id, kind, verified_at, created_at, expires_at, ip, user_agent) \
             SELECT {id}, {owner}, {digest}, '{key_id}', 'standard', {now}, {now}, {later}, '203.0.113.7', '{agent}' FROM {from}",
            id = D::id('9', "n")
        )
    };
    let key_pair = |from: &str, key: &str, digest: &str| {
        format!(
            "INSERT INTO key_pairs (id, user_id, name, api_key, digest, key_id, verified_at, created_at, expires_at) \
             SELECT {id}, {owner}, 'backup', {key}, {digest}, '{key_id}', {now}, {now}, {later} FROM {from}",
            id = D::id('a', "n")
        )
    };
    let (everybody, yes) = (D::numbers(1, users), D::TRUE);
    let mut all = vec![
        format!(
            "INSERT INTO users (id, alias, alias_key, full_name, verified, enabled, roles, groups, created_at) \
             SELECT {id}, 'user' || n, 'user' || n, 'Ada Lovelace', {yes}, {yes}, {roles}, {groups}, {now} FROM {everybody}",
            id = D::id('8', "n"),
            roles = D::names(&["user"]),
            groups = D::names(&["public", "staff"]),
        ),
        format!(
            "INSERT INTO emails (id, user_id, address, address_key, verified, preferred, created_at) \
             SELECT {id}, {user}, 'user' || n || '@example.org', 'user' || n || '@example.org', {yes}, {yes}, {now} \
             FROM {everybody}",
            id = D::id('b', "n"),
            user = D::id('8', "n"),
        ),
    ];
    let known = u32::try_from(credentials.sessions.len()).unwrap_or(u32::MAX);
    all.push(session(&D::numbers(known + 1, sessions), &D::random_octets("n")));
    for (chunk, first) in credentials.sessions.chunks(500).zip((1_usize..).step_by(500)) {
        let rows: Vec<_> =
            chunk.iter().zip(first..).map(|(known, n)| format!("({n}, {})", D::octets(&known.digest))).collect();
        all.push(session(&values(&rows, "n, digest"), "digest"));
    }
    let known = u32::try_from(credentials.key_pairs.len()).unwrap_or(u32::MAX);
    all.push(key_pair(&D::numbers(known + 1, key_pairs), "'auk_' || n", &D::random_octets("n")));
    for (chunk, first) in credentials.key_pairs.chunks(500).zip((1_usize..).step_by(500)) {
        let row = |(known, n): (&credentials::KeyPair, usize)| {
            format!("({n}, '{}', {})", known.key, D::octets(&known.digest))
        };
        let rows: Vec<_> = chunk.iter().zip(first..).map(row).collect();
        all.push(key_pair(&values(&rows, "n, key, digest"), "key", "digest"));
    }
    all
}

fn values(rows: &[String], columns: &str) -> String {
    // SQLite takes no names of columns behind an alias.
    format!("(WITH given ({columns}) AS (VALUES {}) SELECT * FROM given) AS given", rows.join(", "))
}
