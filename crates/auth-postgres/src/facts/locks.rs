//! What a scope locks until its transaction ends, in this order: an address, an alias, the administrators, users by their ids,
//! sessions and key pairs that are named, a network.
//!
//! The first three and the last need not have a row, so they are locked by name. Whoever deletes or changes what belongs to a user
//! holds the user's row, and whoever is concerned with an address holds the rows of its owner and of registrations with it: so
//! facts never wait for each other in a circle. Sessions and key pairs are locked because of the purge, which knows no users. What
//! collides all the same is begun anew.

use auth_domain::{Alias, EmailId, Network, Scope, UserId};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::pipeline::Sent;
use crate::statement::{Statement, Value};

/// Two names share a lock if they have one hash: then they wait for each other without need.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended(?, ?))";

/// Who has an address without owning it or registering with it is not locked: nothing is decided by them. Nor is an account that
/// holds an alias which somebody registers for: it stays one.
const LOCK_USERS: &str = "SELECT FROM users WHERE id = ANY (ARRAY(\
         SELECT emails.user_id FROM emails WHERE emails.address_key = ? AND (emails.verified OR emails.vouched) \
         UNION ALL SELECT registered.id FROM users AS registered WHERE registered.registration IS NOT NULL \
             AND registered.id = ANY (ARRAY(SELECT emails.user_id FROM emails WHERE emails.address_key = ?)) \
         UNION ALL SELECT holder.id FROM users AS holder WHERE holder.alias_key = ? AND holder.registration IS NOT NULL \
         UNION ALL SELECT emails.user_id FROM emails WHERE emails.id = ? \
         UNION ALL SELECT ?)) \
     ORDER BY id FOR NO KEY UPDATE";
const LOCK_SESSION: &str = "SELECT FROM sessions WHERE id = ? FOR NO KEY UPDATE";
const LOCK_KEY_PAIR: &str = "SELECT FROM key_pairs WHERE id = ? FOR NO KEY UPDATE";

/// What is locked by a name.
#[derive(Clone, Copy)]
#[repr(i32)]
enum Kind {
    Address = 1,
    Alias = 2,
    Administrators = 3,
    Network = 4,
}

/// Locks all that is in a scope.
pub(super) fn lock<'a>(conn: &'a AsyncPgConnection, scope: &Scope) -> Vec<Sent<'a>> {
    let address = || scope.address.as_ref().map(|key| key.as_str().to_owned());
    let alias = || scope.alias.as_ref().map(Alias::key);
    let mut locks = Vec::new();
    locks.extend(address().map(|key| by_name(conn, Kind::Address, key)));
    locks.extend(alias().map(|key| by_name(conn, Kind::Alias, key)));
    locks.extend(scope.administrators.then(|| by_name(conn, Kind::Administrators, String::new())));
    if (scope.address.is_some() && scope.claims) || scope.alias.is_some() || scope.user.is_some() {
        let (email, user) = (Value::Uuid(scope.email.map(EmailId::uuid)), Value::Uuid(scope.user.map(UserId::uuid)));
        let values = vec![Value::Text(address()), Value::Text(address()), Value::Text(alias()), email, user];
        locks.push(rows(conn, LOCK_USERS, values));
    }
    locks.extend(scope.session.map(|id| rows(conn, LOCK_SESSION, vec![id.uuid().into()])));
    locks.extend(scope.key_pair.map(|id| rows(conn, LOCK_KEY_PAIR, vec![id.uuid().into()])));
    // Everybody in a network shares it, so it is held for as short as can be.
    locks.extend(scope.network.map(|network| by_name(conn, Kind::Network, Network::to_stored(Some(network)))));
    locks
}

fn by_name(conn: &AsyncPgConnection, kind: Kind, name: String) -> Sent<'_> {
    rows(conn, LOCK, vec![Value::Text(Some(name)), Value::Integer(kind as i32)])
}

fn rows<'a>(mut conn: &'a AsyncPgConnection, sql: &'static str, values: Vec<Value>) -> Sent<'a> {
    Statement::<()>::new(sql, values).execute(&mut conn)
}
