use super::{Auth, audit::tell};
use crate::{
    Actor, Alias, AuthError, Caller, Changed, Client, EmailAddress, EventKind, RoleName, UserId,
    rules::{judge_access, judge_freshness},
};

impl Auth {
    /// What anyone may know of a user: the alias.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] for unknown and unverified users alike.
    pub async fn public_alias(&self, id: UserId) -> Result<Alias, AuthError> {
        let user = self.ports.store.find_user(id).await?;
        user.filter(|user| user.verified).map(|user| user.alias).ok_or(AuthError::NotFound)
    }

    /// The user who has verified `address`: the caller, or anybody if the caller administers users.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when there is none, or the caller may not know.
    pub async fn user_by_email(&self, caller: &Caller, address: &EmailAddress) -> Result<UserId, AuthError> {
        let known = self.ports.store.find_address(&address.key(), self.now()).await?;
        let owner = known.filter(|known| known.verified).map(|known| known.owner.user_id);
        let administers = judge_access(&caller.roles(), &[RoleName::users_admin()]).is_ok();
        let may_know = |owner: &UserId| *owner == caller.user().id || administers;
        owner.filter(may_know).ok_or(AuthError::NotFound)
    }

    /// Deletes the caller's account, with everything that belongs to it.
    ///
    /// # Errors
    /// [`AuthError::StepUpRequired`]; [`AuthError::LastAdministrator`]; [`AuthError::InvalidCredential`] when it was deleted
    /// meanwhile.
    pub async fn delete_account(&self, caller: &Caller, client: &Client) -> Result<(), AuthError> {
        let (id, now) = (caller.user().id, self.now());
        judge_freshness(caller, self.policy.fresh_for, now)?;
        let event = self.event(EventKind::UserDeleted, &Actor::caller(caller, client), now)?.about(id);
        match self.ports.store.delete_user(id, &event).await? {
            Changed::Yes => {
                tell(&event);
                Ok(())
            }
            Changed::LastAdministrator => Err(AuthError::LastAdministrator),
            Changed::Already | Changed::Missing => Err(AuthError::InvalidCredential),
        }
    }
}
