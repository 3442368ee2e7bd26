use crate::{
    Administrator, AuthError, CreatedKeyPair, EventKind, KeyLife, KeyName, KeyPair, KeyPairId, KeyPairWish, Outcome,
    Page, Paged, UserId,
    use_cases::{Auth, audit::tell},
};

impl Auth {
    /// One page of the key pairs that have not ended, of `user` or of everybody, newest first.
    pub async fn page_key_pairs(
        &self,
        _administrator: &Administrator,
        user: Option<UserId>,
        page: Page,
    ) -> Result<Paged<KeyPair>, AuthError> {
        Ok(self.ports.store.page_key_pairs(user, self.now(), page).await?)
    }

    /// Makes a key pair for a user that works at once and carries all of the user's roles.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when there is no such user; [`AuthError::UserNotActive`] when the pair would not be accepted.
    pub async fn give_key_pair(
        &self,
        administrator: &Administrator,
        user: UserId,
        name: KeyName,
        life: KeyLife,
    ) -> Result<CreatedKeyPair, AuthError> {
        let now = self.now();
        let (created, new) = self.mint_key_pair(user, &KeyPairWish { name, life, roles: None }, now)?;
        let event = self.event(EventKind::KeyPairCreated, administrator.actor(), now)?.about(user);
        let event = event.detailed(created.id.to_string());
        if self.ports.store.create_live_key_pair(&new, &event).await? == Outcome::Stale {
            return Err(self.why_not_active(user).await?);
        }
        tell(&event);
        Ok(created)
    }

    /// Lets a key pair that waits for its code work. One that is verified already is acknowledged.
    ///
    /// # Errors
    /// [`AuthError::NotFound`].
    pub async fn verify_key_pair(&self, administrator: &Administrator, id: KeyPairId) -> Result<(), AuthError> {
        let event = self.event(EventKind::KeyPairVerified, administrator.actor(), self.now())?.detailed(id.to_string());
        match self.ports.store.verify_key_pair(id, &event).await? {
            Outcome::Done(owner) => {
                tell(&event.about(owner));
                Ok(())
            }
            Outcome::Unchanged => Ok(()),
            other => Err(other.into()),
        }
    }

    /// Deletes anybody's key pair: it stops working at once.
    ///
    /// # Errors
    /// [`AuthError::NotFound`].
    pub async fn end_key_pair(&self, administrator: &Administrator, id: KeyPairId) -> Result<(), AuthError> {
        let event = self.event(EventKind::KeyPairDeleted, administrator.actor(), self.now())?.detailed(id.to_string());
        let owner = self.ports.store.delete_key_pair(id, None, &event).await?.ok_or(AuthError::NotFound)?;
        tell(&event.about(owner));
        Ok(())
    }
}
