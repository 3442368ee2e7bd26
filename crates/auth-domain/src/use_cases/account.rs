use super::{Auth, audit::tell};
use crate::{
    Actor, Alias, AuthError, Caller, Client, EmailAddress, EventKind, Outcome, RoleName, UserId,
    rules::{judge_access, judge_freshness, judge_narrowing},
};

impl Auth {
    /// What anyone may know of a user: the alias.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] for unknown and unverified users alike; [`AuthError::Throttled`] when the client's network asks too
    /// much.
    pub async fn public_alias(&self, id: UserId, client: &Client) -> Result<Alias, AuthError> {
        self.charge_look_up(client).await?;
        let user = self.ports.store.find_user(id).await?;
        user.filter(|user| user.verified).map(|user| user.alias).ok_or(AuthError::NotFound)
    }

    /// The user who has verified `address`: the caller, or anybody if the caller administers users.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when there is none, or the caller may not know.
    pub async fn user_by_email(&self, caller: &Caller, address: &EmailAddress) -> Result<UserId, AuthError> {
        let (key, own) = (address.key(), caller.user().id);
        let owner = if judge_access(caller.roles(), &[RoleName::users_admin()]).is_ok() {
            let known = self.ports.store.find_address(&key, self.now()).await?;
            known.filter(|known| known.verified).map(|known| known.owner.user_id)
        } else {
            // Nobody else's addresses are looked at: how long that takes would tell whether there is one.
            let emails = self.ports.store.list_emails(own).await?;
            emails.iter().any(|email| email.verified && email.address.key() == key).then_some(own)
        };
        owner.ok_or(AuthError::NotFound)
    }

    /// Deletes the caller's account, with everything that belongs to it.
    ///
    /// # Errors
    /// [`AuthError::KeyPairNarrowed`]; [`AuthError::StepUpRequired`]; [`AuthError::LastAdministrator`];
    /// [`AuthError::InvalidCredential`] when it was deleted meanwhile.
    pub async fn delete_account(&self, caller: &Caller, client: &Client) -> Result<(), AuthError> {
        let (id, now) = (caller.user().id, self.now());
        judge_narrowing(caller)?;
        judge_freshness(caller, self.policy.fresh_for, now)?;
        let event = self.event(EventKind::UserDeleted, &Actor::caller(caller, client), now)?.about(id);
        match self.ports.store.delete_user(id, &event).await? {
            Outcome::Done(()) => {
                tell(&event);
                Ok(())
            }
            Outcome::NotFound => Err(AuthError::InvalidCredential),
            other => Err(other.into()),
        }
    }
}
