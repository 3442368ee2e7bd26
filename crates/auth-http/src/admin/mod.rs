//! The command `admin`: what an operator does to accounts without signing in, whether the service runs or never did.
//!
//! | module | what it holds |
//! |---|---|
//! | `arguments` | what can be typed |
//! | `errand` | what that means, and carrying it out |
//! | `people` | what came of it, as tables and sentences |
//! | `programs` | the same as JSON |

mod arguments;
mod errand;
pub(crate) mod people;
mod programs;

use std::io::{self, Write};

use auth_domain::{AuthError, InvalidInput};

pub use arguments::Arguments;
use errand::Errand;

use crate::{
    compose::{self, ComposeError},
    settings::Settings,
};

/// Why an errand came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdminFailure {
    /// An argument that does not parse.
    #[error(transparent)]
    Argument(#[from] InvalidInput),
    /// There is nothing to administer, or it cannot be reached.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The account that was named is not there.
    #[error("no account has this address")]
    UnknownAddress,
    /// A role to be taken is not held.
    #[error("the account does not have this role")]
    RoleNotHeld,
    /// It was refused, or the store could not answer.
    #[error(transparent)]
    Auth(AuthError),
    /// What was asked for is done, but nobody could be told.
    #[error("it is done, but what came of it cannot be written")]
    Report(#[from] io::Error),
}

impl From<AuthError> for AdminFailure {
    fn from(error: AuthError) -> Self {
        match error {
            // Accounts are named by an address and nothing else is looked up.
            AuthError::NotFound => Self::UnknownAddress,
            other => Self::Auth(other),
        }
    }
}

/// Does what `arguments` say and reports to `out`.
pub async fn administer(settings: Settings, arguments: Arguments, out: &mut impl Write) -> Result<(), AdminFailure> {
    let errand = Errand::parse(arguments.command)?;
    let auth = compose::auth_for_a_command(settings, errand.installation()).await?;
    let outcome = errand.carry_out(&auth).await?;
    let told = if arguments.json { programs::write(&outcome, out) } else { people::write(&outcome, out) };
    Ok(told.and_then(|()| out.flush())?)
}
