//! How PostgreSQL's failures are told: the one place that reads its error codes and constraint names.

use std::fmt;

use auth_domain::{Duplicate, StoreError};
use diesel::result::{DatabaseErrorKind, Error};

/// A failure on its way out of a transaction.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It came to nothing because of somebody else's transaction: begun again, it may succeed.
    Collided(Error),
    /// What the caller is told.
    Final(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Collided(error) => Self::unavailable(error),
            Failure::Final(error) => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            // Facts look before they write, so what exists already was written in between. Ids and secrets are random.
            Error::DatabaseError(DatabaseErrorKind::UniqueViolation, information) => {
                match information.constraint_name().and_then(duplicate) {
                    Some(which @ (Duplicate::Id | Duplicate::Credential)) => Self::Final(StoreError::Duplicate(which)),
                    _ => Self::Collided(error),
                }
            }
            // What a row builds on was deleted in between.
            Error::DatabaseError(
                DatabaseErrorKind::ForeignKeyViolation | DatabaseErrorKind::SerializationFailure,
                _,
            ) => Self::Collided(error),
            // Diesel keeps the message of this one and not its SQLSTATE (40P01), and the server's messages are in the language
            // of its `lc_messages`, which only a superuser may set: docs/operations.md asks for it.
            Error::DatabaseError(DatabaseErrorKind::Unknown, information)
                if information.message() == "deadlock detected" =>
            {
                Self::Collided(error)
            }
            // A column holds what its type here cannot. Which row it was is not known here.
            Error::DeserializationError(reason) => Self::Final(corrupt("unknown", "unknown", reason)),
            // Away, too slow, full, a violated CHECK: in none of these cases is anything known about what was asked.
            _ => Self::Final(StoreError::unavailable(error)),
        }
    }
}

/// What exists already, by the violated constraint's name.
fn duplicate(constraint: &str) -> Option<Duplicate> {
    match constraint {
        "users_alias_key" => Some(Duplicate::Alias),
        "emails_owned_address_key" => Some(Duplicate::Address),
        "sessions_digest" | "key_pairs_digest" | "key_pairs_api_key" => Some(Duplicate::Credential),
        name if name.ends_with("_pkey") => Some(Duplicate::Id),
        _ => None,
    }
}

/// A row that does not make sense.
pub(crate) fn corrupt(table: &'static str, id: impl fmt::Display, reason: impl fmt::Display) -> StoreError {
    StoreError::Corrupt { table, id: id.to_string(), reason: reason.to_string() }
}

/// An error and what caused it, in one line. The database's own words come last.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let told = next.to_string();
        if !line.ends_with(&told) {
            line = format!("{line}: {told}");
        }
        cause = next.source();
    }
    line.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violated_constraint_is_told_by_its_name() {
        for (constraint, expected) in [
            ("users_alias_key", Some(Duplicate::Alias)),
            ("emails_owned_address_key", Some(Duplicate::Address)),
            ("sessions_digest", Some(Duplicate::Credential)),
            ("key_pairs_api_key", Some(Duplicate::Credential)),
            ("outbox_pkey", Some(Duplicate::Id)),
            ("emails_preferred", None),
        ] {
            assert_eq!(duplicate(constraint), expected, "{constraint}");
        }
    }
}
