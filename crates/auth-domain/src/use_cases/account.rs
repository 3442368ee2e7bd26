use tracing::info;

use super::Auth;
use crate::{Alias, Applied, AuthError, Caller, EmailAddress, UserId, rules::USERS_ADMIN};

impl Auth {
    /// What anyone may know of a user: the alias.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] for unknown and unverified users alike.
    pub async fn public_alias(&self, id: UserId) -> Result<Alias, AuthError> {
        let user = self.ports.store.find_user(id).await?;
        user.filter(|user| user.verified).map(|user| user.alias).ok_or(AuthError::NotFound)
    }

    /// The user who has verified `address`: the caller, or anybody if the caller holds [`USERS_ADMIN`].
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when there is none, or the caller may not know.
    pub async fn user_by_email(&self, caller: &Caller, address: &EmailAddress) -> Result<UserId, AuthError> {
        let known = self.ports.store.find_address(&address.key(), self.now()).await?;
        let owner = known.filter(|known| known.verified).map(|known| known.owner.user_id);
        let may_know = |owner: &UserId| *owner == caller.user().id || caller.has_role(USERS_ADMIN);
        owner.filter(may_know).ok_or(AuthError::NotFound)
    }

    /// Deletes the caller's account, with everything that belongs to it.
    ///
    /// # Errors
    /// [`AuthError::InvalidCredential`] when it was deleted meanwhile.
    pub async fn delete_account(&self, caller: &Caller) -> Result<(), AuthError> {
        let id = caller.user().id;
        match self.ports.store.delete_user(id).await? {
            Applied::Yes => {
                info!(user.id = %id, "account deleted");
                Ok(())
            }
            Applied::Stale => Err(AuthError::InvalidCredential),
        }
    }
}
