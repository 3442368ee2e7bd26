use std::path::PathBuf;

use auth_postgres::{InvalidUrl, PostgresUrl};
use auth_smtp::{InvalidSmtpUrl, SmtpUrl};

/// Where everything is kept. The scheme of `database.url` chooses the adapter.
#[derive(Debug, Clone)]
pub enum Database {
    /// `sqlite:PATH`: an embedded file.
    Sqlite(PathBuf),
    /// `postgres://…`: a server.
    Postgres(Box<PostgresUrl>),
}

/// Where mails go. The scheme of `mail.url` chooses the transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailPlace {
    /// `file:FOLDER`: one `.eml` file each.
    Folder(PathBuf),
    /// `smtp://…` or `smtps://…`: a mail server.
    Server(Box<SmtpUrl>),
}

/// A URL that chooses no adapter. It is not quoted, since it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPlace {
    /// Its scheme is none of ours.
    #[error("unknown scheme {scheme:?}, expected {expected}")]
    Scheme {
        /// What stands before the colon.
        scheme: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// PostgreSQL cannot be reached by it.
    #[error(transparent)]
    Postgres(#[from] InvalidUrl),
    /// A mail server cannot be reached by it.
    #[error(transparent)]
    Smtp(#[from] InvalidSmtpUrl),
    /// There is nothing behind the scheme.
    #[error("no path behind the scheme, expected {expected}")]
    Empty {
        /// What could stand there.
        expected: &'static str,
    },
}

impl Database {
    /// The database that `url` names.
    pub fn parse(url: &str) -> Result<Self, UnknownPlace> {
        if ["postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) {
            return Ok(Self::Postgres(Box::new(url.parse()?)));
        }
        path(url, "sqlite", "sqlite:PATH or postgres://…").map(Self::Sqlite)
    }
}

impl MailPlace {
    /// The transport that `url` names.
    pub fn parse(url: &str) -> Result<Self, UnknownPlace> {
        if ["smtp:", "smtps:"].iter().any(|scheme| url.starts_with(scheme)) {
            return Ok(Self::Server(Box::new(url.parse()?)));
        }
        path(url, "file", "file:FOLDER, smtp://… or smtps://…").map(Self::Folder)
    }
}

/// The path of `scheme:PATH`, or of `scheme://PATH` as tools like to write it.
fn path(url: &str, scheme: &str, expected: &'static str) -> Result<PathBuf, UnknownPlace> {
    let Some((found, rest)) = url.split_once(':').filter(|(found, _)| *found == scheme) else {
        let found = url.split_once(':').map(|(found, _)| found).unwrap_or_default();
        return Err(UnknownPlace::Scheme { scheme: found.chars().take(16).collect(), expected });
    };
    debug_assert_eq!(found, scheme);
    match rest.strip_prefix("//").unwrap_or(rest) {
        "" => Err(UnknownPlace::Empty { expected }),
        path => Ok(PathBuf::from(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_adapter_by_its_scheme() {
        for (url, path) in [("sqlite:data/auth.db", "data/auth.db"), ("sqlite:///var/auth.db", "/var/auth.db")] {
            assert!(matches!(Database::parse(url), Ok(Database::Sqlite(found)) if found == *path));
        }
        let postgres = Database::parse("postgres://auth:hunter2@db/auth?sslmode=require");
        assert!(matches!(postgres, Ok(Database::Postgres(url)) if url.to_string() == "db:5432/auth"));
        assert_eq!(MailPlace::parse("file:data/outbox"), Ok(MailPlace::Folder("data/outbox".into())));
        for url in ["smtp://auth:hunter2@mail.example.org:465", "smtps://auth:hunter2@mail.example.org"] {
            let server = MailPlace::parse(url);
            assert!(matches!(server, Ok(MailPlace::Server(url)) if url.to_string() == "mail.example.org:465"));
        }
    }

    #[test]
    fn an_unknown_scheme_is_named_and_nothing_else_of_the_url_is() {
        let told = Database::parse("mysql://root:hunter2@db/auth").unwrap_err().to_string();
        assert_eq!(told, "unknown scheme \"mysql\", expected sqlite:PATH or postgres://…");
        assert!(Database::parse("auth.db").is_err());
        assert!(Database::parse("sqlite:").is_err());
        let told = Database::parse("postgres://auth:hunter2@db/auth?sslmode=maybe").unwrap_err().to_string();
        assert_eq!(told, "unknown sslmode, expected disable, prefer, require or verify-full");
        let told = MailPlace::parse("imap://auth:hunter2@mail").unwrap_err().to_string();
        assert_eq!(told, "unknown scheme \"imap\", expected file:FOLDER, smtp://… or smtps://…");
        let told = MailPlace::parse("smtp://auth:hunter2@mail?tls=maybe").unwrap_err().to_string();
        assert_eq!(told, "unknown tls, expected required, opportunistic or none");
    }
}
