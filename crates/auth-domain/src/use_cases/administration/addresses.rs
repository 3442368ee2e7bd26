use crate::{
    Administrator, AuthError, EmailAddress, EventKind, Outcome,
    use_cases::{Auth, audit::tell},
};

impl Auth {
    /// Forgets all wrong guesses at the codes of an address, whoever owns it, so that codes are accepted there again. Returns
    /// whether there was anything to forget.
    pub async fn unlock_address(
        &self,
        administrator: &Administrator,
        address: &EmailAddress,
    ) -> Result<bool, AuthError> {
        let event = self.event(EventKind::UserUnlocked, administrator.actor(), self.now())?;
        match self.ports.store.unlock_address(&address.key(), &event).await? {
            Outcome::Done(owner) => {
                tell(&crate::Event { subject: owner, ..event });
                Ok(true)
            }
            Outcome::Unchanged => Ok(false),
            other => Err(other.into()),
        }
    }
}
