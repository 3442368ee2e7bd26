use crate::{
    Administrator, AuthError, EmailAddress, EmailId, EventKind, Language, Notice, Outcome, UserId, VouchedEmail,
    rules::{Addition, judge_addition},
    use_cases::{ATTEMPTS, Auth, audit::tell, contended},
};

impl Auth {
    /// Gives a user an address, which signs in from now on although nobody has proved it yet; the user's verified addresses
    /// are told in `language`. One that was given already is acknowledged.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when there is no such user; [`AuthError::AddressVerified`] when it is the user's verified
    /// address already; [`AuthError::AddressTaken`] when it is somebody else's; [`AuthError::TooManyAddresses`].
    pub async fn give_email(
        &self,
        administrator: &Administrator,
        user: UserId,
        address: &EmailAddress,
        language: &Language,
    ) -> Result<EmailId, AuthError> {
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let seen = self.find_account(administrator, user).await?.emails;
            let email_id = match judge_addition(&seen, &address.key())? {
                Addition::New => EmailId::mint(now, self.entropy())?,
                Addition::Again(id) => id,
            };
            let notices = self.notices(&seen, None, Notice::AddressAdded, language, now)?;
            let event = self.event(EventKind::EmailAdded, administrator.actor(), now)?;
            let event = event.about(user).detailed(email_id.to_string());
            let vouched = VouchedEmail { user_id: user, seen, email_id, address: address.clone(), notices, event };
            match self.ports.store.vouch_for_email(&vouched).await? {
                Outcome::Done(()) => {
                    self.ports.bell.ring();
                    tell(&vouched.event);
                    return Ok(email_id);
                }
                Outcome::Unchanged => return Ok(email_id),
                Outcome::Stale => {}
                other => return Err(other.into()),
            }
        }
        Err(contended().into())
    }

    /// Makes anybody's address a verified one. One that is verified already is acknowledged.
    ///
    /// # Errors
    /// [`AuthError::NotFound`]; [`AuthError::AddressTaken`] when somebody else owns it.
    pub async fn verify_email(&self, administrator: &Administrator, id: EmailId) -> Result<(), AuthError> {
        let owner = self.email_owner(id).await?;
        let event = self.event(EventKind::EmailVerified, administrator.actor(), self.now())?;
        let event = event.about(owner).detailed(id.to_string());
        match self.ports.store.verify_email(id, &event).await? {
            Outcome::Done(()) => {
                tell(&event);
                Ok(())
            }
            Outcome::Unchanged => Ok(()),
            other => Err(other.into()),
        }
    }

    /// Makes a verified address the preferred one of its account, whose other verified addresses are told in `language`.
    ///
    /// # Errors
    /// [`AuthError::NotFound`], [`AuthError::AddressUnverified`].
    pub async fn prefer_email_of_user(
        &self,
        administrator: &Administrator,
        id: EmailId,
        language: &Language,
    ) -> Result<(), AuthError> {
        let owner = self.email_owner(id).await?;
        self.prefer(administrator.actor(), owner, id, language).await
    }

    /// Removes an address from its account, whose verified addresses are told in `language`, the removed one among them.
    ///
    /// # Errors
    /// [`AuthError::NotFound`]; [`AuthError::AddressNeeded`] for the preferred one and the last verified one.
    pub async fn remove_email_of_user(
        &self,
        administrator: &Administrator,
        id: EmailId,
        language: &Language,
    ) -> Result<(), AuthError> {
        let owner = self.email_owner(id).await?;
        self.remove(administrator.actor(), owner, id, language).await
    }

    async fn email_owner(&self, id: EmailId) -> Result<UserId, AuthError> {
        self.ports.store.find_email_owner(id).await?.ok_or(AuthError::NotFound)
    }
}
