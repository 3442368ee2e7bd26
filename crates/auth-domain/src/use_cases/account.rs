use tracing::info;

use super::Auth;
use crate::{Alias, Applied, AuthError, LiveSession, UserId};

impl Auth {
    /// What anyone may know of a user: the alias.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] for unknown and unverified users alike.
    pub async fn public_alias(&self, id: UserId) -> Result<Alias, AuthError> {
        let user = self.ports.store.find_user(id).await?;
        user.filter(|user| user.verified).map(|user| user.alias).ok_or(AuthError::NotFound)
    }

    /// Deletes the caller's account, with everything that belongs to it.
    ///
    /// # Errors
    /// [`AuthError::InvalidCredential`] when it was deleted meanwhile.
    pub async fn delete_account(&self, caller: &LiveSession) -> Result<(), AuthError> {
        match self.ports.store.delete_user(caller.user.id).await? {
            Applied::Yes => {
                info!(user.id = %caller.user.id, "account deleted");
                Ok(())
            }
            Applied::Stale => Err(AuthError::InvalidCredential),
        }
    }
}
