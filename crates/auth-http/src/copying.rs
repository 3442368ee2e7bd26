//! The command `copy`: an installation that has outgrown its file moves to a server.

use std::io::{self, Write};

use auth_domain::archive::{self, CopyError};

use crate::{
    compose::{self, ComposeError},
    settings::{Database, SecretText, Settings, UnknownPlace},
};

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyFailure {
    /// A URL that names no database.
    #[error("{argument}")]
    UnknownPlace {
        /// Which of the two.
        argument: &'static str,
        /// What is wrong with it.
        source: UnknownPlace,
    },
    /// The other way round, or from one kind to the same.
    #[error("a copy goes from sqlite:PATH to postgres://…, and no other way")]
    Direction,
    /// One of the databases cannot be used.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The copy was not completed: the target is as empty as it was.
    #[error("nothing was copied")]
    Copy(#[source] CopyError),
    /// The target did not confirm that it has everything.
    #[error("it is not known whether everything was copied")]
    Unconfirmed(#[source] CopyError),
    /// Everything is copied, but nobody could be told.
    #[error("everything was copied, but the report cannot be written")]
    Report(#[from] io::Error),
}

/// Copies everything from the database at `from` to the one at `to`, compares it, and reports to `out`.
pub async fn copy(
    settings: &Settings,
    from: &SecretText,
    to: &SecretText,
    out: &mut impl Write,
) -> Result<(), CopyFailure> {
    let place = |argument, url: &SecretText| {
        Database::parse(url.expose()).map_err(|source| CopyFailure::UnknownPlace { argument, source })
    };
    let (Database::Sqlite(file), Database::Postgres(server)) = (place("--from", from)?, place("--to", to)?) else {
        return Err(CopyFailure::Direction);
    };
    let mut source = compose::archive_of_file(&file)?;
    // Before anything is made on the server.
    let (keys, key_file) = compose::keys_to_be(settings, &file)?;
    let target = compose::archive_on_server(&server, settings.pool).await?;
    let copied = archive::copy(source.as_mut(), target, &keys).await.map_err(|why| match why {
        why @ CopyError::Unconfirmed(_) => CopyFailure::Unconfirmed(why),
        why => CopyFailure::Copy(why),
    })?;
    for (table, count) in copied.tables {
        writeln!(out, "{table}: {count}")?;
    }
    writeln!(out, "compared, nothing differs")?;
    if let Some(key_file) = key_file {
        writeln!(out, "set AUTH__SECRETS__KEY to the content of {}: everything hangs on it", key_file.display())?;
    }
    Ok(())
}
