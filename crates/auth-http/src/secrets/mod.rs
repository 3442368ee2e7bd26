//! The command `secrets`: the server keys, what hangs on each, and how one takes the place of another.
//!
//! | module | what it holds |
//! |---|---|
//! | `arguments` | what can be typed |
//! | `report` | what came of it |

mod arguments;
mod report;

use std::{
    io::{self, Write},
    time::Duration,
};

use auth_domain::{
    AuthError, EntropyError, KeyId, KeyInUse, KeyRole,
    rules::{KeyStays, judge_key_removal},
    system::SystemEntropy,
};
use tokio::time::sleep;

pub use arguments::Arguments;
use arguments::Command;

use crate::{
    compose::{self, ComposeError},
    key_file::{self, KeyFileError},
    settings::Settings,
};

/// How long a new key verifies before it signs: by then every service that runs has read the file again, so that none
/// meets a credential whose key it does not know.
const KNOWN_EVERYWHERE_AFTER: Duration = Duration::from_secs(3);

/// Why nothing was done about the keys.
#[derive(Debug, thiserror::Error)]
pub enum SecretsFailure {
    /// What was typed is not the id of a key.
    #[error("{0:?} is no id of a key: auth-http secrets list shows them")]
    NoKeyId(String),
    /// The installation is not there, or cannot be reached.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The key file stays as it was.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The key stays.
    #[error("key {id}: {why}")]
    Stays {
        /// The key.
        id: KeyId,
        /// Why.
        why: KeyStays,
    },
    /// The keys are where only an operator can change them.
    #[error("nothing was changed: the server keys are configured (setting secrets.key)")]
    Configured,
    /// What would end must be wanted.
    #[error("nothing was removed: add --yes to remove the key and to end what hangs on it")]
    Unconfirmed,
    /// The system has no random octets.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The store could not answer.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Nobody could be told what came of it.
    #[error("the report cannot be written")]
    Report(#[from] io::Error),
}

/// Does what `arguments` say and reports to `out`.
pub async fn tend(settings: Settings, arguments: Arguments, out: &mut impl Write) -> Result<(), SecretsFailure> {
    match arguments.command {
        Command::List { json: true } => report::for_programs(&in_use(settings).await?, out)?,
        Command::List { json: false } => report::for_people(&in_use(settings).await?, out)?,
        Command::Generate => writeln!(out, "{}", key_file::generate(&SystemEntropy)?.as_str())?,
        Command::Rotate => rotate(&settings, out).await?,
        Command::Remove { id, yes } => remove(settings, &id, yes, out).await?,
    }
    Ok(out.flush()?)
}

async fn in_use(settings: Settings) -> Result<Vec<KeyInUse>, SecretsFailure> {
    Ok(compose::auth_about_its_keys(settings).await?.list_server_keys().await?)
}

/// In two steps, as with replicas: several services may run on the file.
async fn rotate(settings: &Settings, out: &mut impl Write) -> Result<(), SecretsFailure> {
    let Some(file) = compose::key_file_of(settings)? else {
        report::how_to_rotate(out)?;
        return Err(SecretsFailure::Configured);
    };
    let id = file.append(&SystemEntropy)?;
    writeln!(out, "key {id} added: services that run read it within a second")?;
    out.flush()?;
    sleep(KNOWN_EVERYWHERE_AFTER).await;
    file.bring_forward(id, &SystemEntropy)?;
    writeln!(out, "key {id} signs from now on; what hangs on older keys stays as it is")?;
    Ok(())
}

async fn remove(settings: Settings, id: &str, yes: bool, out: &mut impl Write) -> Result<(), SecretsFailure> {
    let id: KeyId = id.parse().map_err(|_not_hexadecimal| SecretsFailure::NoKeyId(id.to_owned()))?;
    let file = compose::key_file_of(&settings)?;
    let in_use = in_use(settings).await?;
    let there = in_use.iter().filter(|key| key.role != KeyRole::Gone).map(|key| key.id);
    judge_key_removal(there, id).map_err(|why| SecretsFailure::Stays { id, why })?;
    let goes: Vec<_> = in_use.into_iter().filter(|key| key.id == id).collect();
    report::for_people(&goes, out)?;
    let Some(file) = file else {
        report::how_to_remove(id, out)?;
        return Err(SecretsFailure::Configured);
    };
    if !yes {
        return Err(SecretsFailure::Unconfirmed);
    }
    file.remove(id, &SystemEntropy)?;
    writeln!(out, "key {id} removed: services that run refuse what hung on it within a second")?;
    Ok(())
}
