//! Writing what comes of a fact.
//!
//! | file | what it writes |
//! |---|---|
//! | `users` | users and their addresses |
//! | `credentials` | sessions and key pairs |
//! | `codes` | codes, and mails that are owed |
//! | `limits` | what limits remember |
//!
//! What refers to something that is deleted goes by foreign key. Nothing here asks whether a row is there: whoever decided it
//! has read it in the same transaction.

mod codes;
mod credentials;
mod limits;
mod users;

use auth_domain::Change;
use diesel::SqliteConnection;

pub(crate) use users::delete_user;

use crate::{audit, error::Failure, rows::bytes_of};

/// Writes one thing.
pub(crate) fn apply(conn: &mut SqliteConnection, change: &Change) -> Result<(), Failure> {
    let _rows = match change {
        Change::InsertUser(record) => users::insert_user(conn, record),
        Change::CompleteRegistration(id) => users::complete_registration(conn, *id),
        Change::UpdateUser(record) => users::update_user(conn, record),
        Change::DeleteRegistration(id) | Change::DeleteUser(id) => delete_user(conn, &bytes_of(id.uuid())),
        Change::InsertEmail(record) => users::insert_email(conn, record),
        Change::UpdateEmail { id, verified, vouched } => users::update_email(conn, *id, *verified, *vouched),
        Change::PreferEmail { user, id } => users::prefer_email(conn, *user, *id),
        Change::DeleteEmail(id) => users::delete_email(conn, *id),
        Change::InsertSession(record) => credentials::insert_session(conn, record),
        Change::VerifySession { id, at } => credentials::verify_session(conn, *id, *at),
        Change::ExtendSession { id, expires_at, .. } => credentials::extend_session(conn, *id, *expires_at),
        Change::DeleteSession { id, .. } => credentials::delete_session(conn, *id),
        Change::DeleteSessions { user, keep } => credentials::delete_sessions(conn, *user, *keep),
        Change::InsertKeyPair(record) => credentials::insert_key_pair(conn, record),
        Change::VerifyKeyPair { id, at } => credentials::verify_key_pair(conn, *id, *at),
        Change::DeleteKeyPair { id, .. } => credentials::delete_key_pair(conn, *id),
        Change::DeleteKeyPairs(user) => credentials::delete_key_pairs(conn, *user),
        Change::InsertCode(record) => codes::insert(conn, record),
        Change::EndCode(id) => codes::end(conn, *id),
        Change::EndCodesForEmail(email) => codes::end_those_for_email(conn, *email),
        Change::CountWrongGuesses { id, wrong_guesses } => codes::count_wrong_guesses(conn, *id, *wrong_guesses),
        Change::QueueMail(mail) => codes::queue_mail(conn, mail),
        Change::PutKnownNetwork(record) => limits::put_known_network(conn, record),
        Change::DeleteKnownNetwork { email, network } => limits::delete_known_network(conn, *email, *network),
        Change::PutFailures(record) => limits::put_failures(conn, record),
        Change::DeleteFailures { address, network } => limits::delete_failures(conn, address, *network),
        Change::PutThrottle(record) => limits::put_throttle(conn, record),
        Change::RecordEvent(event) => audit::record(conn, event),
    }?;
    Ok(())
}
