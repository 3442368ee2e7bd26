//! How SQLite's failures are told: the one place that reads its error messages.

use std::{fmt, io, path::PathBuf};

use auth_domain::{Duplicate, StoreError};
use diesel::result::{DatabaseErrorKind, Error};

/// Why a database could not be opened. Each message is one line that stands alone.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file, its folder or its lock cannot be made, read or written.
    #[error("database {}: cannot be opened for reading and writing: {reason}", path.display())]
    Inaccessible {
        /// The database's file.
        path: PathBuf,
        /// What the system or SQLite said.
        reason: String,
    },
    /// A migration failed. It was rolled back; those before it stay.
    #[error("database {}: migration {migration} failed: {reason}", path.display())]
    MigrationFailed {
        /// The database's file.
        path: PathBuf,
        /// The migration's name.
        migration: String,
        /// What SQLite said.
        reason: String,
    },
    /// A newer build has migrated the database: this one does not know its layout.
    #[error("database {}: was migrated by a newer build (migration {migration} is unknown to this one)", path.display())]
    Newer {
        /// The database's file.
        path: PathBuf,
        /// The version of the first migration that is unknown.
        migration: String,
    },
}

impl OpenError {
    pub(crate) fn inaccessible(path: &std::path::Path, reason: &impl fmt::Display) -> Self {
        Self::Inaccessible { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::inaccessible(path, &error)
    }
}

/// A [`StoreError`] on its way out of a transaction, which diesel insists on making from its own errors.
#[derive(Debug, Clone)]
pub(crate) struct Failure(StoreError);

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(match &error {
            Error::DatabaseError(DatabaseErrorKind::UniqueViolation, information) => {
                match duplicate(information.message()) {
                    Some(which) => StoreError::Duplicate(which),
                    None => StoreError::unavailable(error),
                }
            }
            // A column holds a value of another type than it declares. Which row it was is not known here.
            Error::DeserializationError(reason) => corrupt("unknown", "unknown", reason),
            // Busy, full, read-only, I/O errors, a damaged file, a violated CHECK: in none of these cases is
            // anything known about what was asked.
            _ => StoreError::unavailable(error),
        })
    }
}

/// What exists already, by SQLite's message: violated constraints have no name, only columns.
fn duplicate(message: &str) -> Option<Duplicate> {
    match message.strip_prefix("UNIQUE constraint failed: ")? {
        "users.alias_key" => Some(Duplicate::Alias),
        "emails.address_key" => Some(Duplicate::Address),
        "sessions.digest" | "key_pairs.digest" | "key_pairs.api_key" => Some(Duplicate::Credential),
        "users.id" | "emails.id" | "sessions.id" | "key_pairs.id" | "codes.id" | "outbox.id" | "events.id" => {
            Some(Duplicate::Id)
        }
        _ => None,
    }
}

/// A row that does not make sense.
pub(crate) fn corrupt(table: &'static str, id: impl fmt::Display, reason: impl fmt::Display) -> StoreError {
    StoreError::Corrupt { table, id: id.to_string(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violated_constraint_is_told_by_its_column() {
        for (message, expected) in [
            ("UNIQUE constraint failed: users.alias_key", Some(Duplicate::Alias)),
            ("UNIQUE constraint failed: emails.address_key", Some(Duplicate::Address)),
            ("UNIQUE constraint failed: sessions.digest", Some(Duplicate::Credential)),
            ("UNIQUE constraint failed: outbox.id", Some(Duplicate::Id)),
            ("UNIQUE constraint failed: events.id", Some(Duplicate::Id)),
            ("UNIQUE constraint failed: emails.user_id", None),
            ("FOREIGN KEY constraint failed", None),
        ] {
            assert_eq!(duplicate(message), expected, "{message}");
        }
    }
}
