//! What administrators do, a file per subject. Each use case takes an [`Administrator`](crate::Administrator): the proof that
//! somebody is one.

mod addresses;
mod emails;
mod key_pairs;
mod sessions;
mod users;

pub use sessions::GivenSession;
pub use users::{AccountWish, CreatedAccount, Welcome};

use super::Auth;
use crate::{Actor, Administrator, AuthError, Caller, Client, RoleName, rules::judge_access};

impl Auth {
    /// The caller as an administrator.
    ///
    /// # Errors
    /// [`AuthError::RoleLacking`] when they are none, or their key pair does not carry the role.
    pub fn administrator(&self, caller: &Caller, client: &Client) -> Result<Administrator, AuthError> {
        judge_access(caller.roles(), &[RoleName::users_admin()])?;
        Ok(Administrator::proven(Actor::caller(caller, client)))
    }
}
