use std::collections::BTreeSet;

use crate::{
    Account, AddressKey, Email, EmailId, KnownAddress, Scope, SessionOwner, Store, StoreError, Timestamp, User, UserId,
};

impl dyn Store + '_ {
    /// The user `id`, verified or not. Registrations nobody completed are no users yet.
    pub async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.find_account(id).await?.map(|account| account.user))
    }

    /// The account of the user `id`.
    pub async fn find_account(&self, id: UserId) -> Result<Option<Account>, StoreError> {
        let state = self.view(&Scope { user: Some(id), ..Scope::default() }).await?;
        Ok(state.account().map(|account| Account {
            user: account.user.clone(),
            emails: state.emails.iter().map(Email::from).collect(),
        }))
    }

    /// The addresses of `user`, oldest first.
    pub async fn list_emails(&self, user: UserId) -> Result<Vec<Email>, StoreError> {
        let state = self.view(&Scope { user: Some(user), ..Scope::default() }).await?;
        Ok(state.emails.iter().map(Email::from).collect())
    }

    /// Whose the address is; `None` when there is none, or it is that of a registration.
    pub async fn find_email_owner(&self, id: EmailId) -> Result<Option<UserId>, StoreError> {
        let seen = self.view(&Scope { email: Some(id), ..Scope::default() }).await?;
        match seen.email {
            Some(email) => Ok(self.find_user(email.user_id).await?.map(|user| user.id)),
            None => Ok(None),
        }
    }

    /// Whom `address` leads to: its owner, verified or vouched for, else a registration waiting for it that has not ended by
    /// `now`. Decoys lead nowhere.
    pub async fn find_address(&self, address: &AddressKey, now: Timestamp) -> Result<Option<KnownAddress>, StoreError> {
        let state =
            self.view(&Scope { address: Some(address.clone()), claims: true, codes: true, ..Scope::default() }).await?;
        let led_to = state.address()?.led_to(now, &BTreeSet::new()).map(|claim| &claim.email);
        Ok(led_to.map(|email| KnownAddress {
            owner: SessionOwner { user_id: email.user_id, email_id: email.id },
            address: email.address.clone(),
            verified: email.verified,
            vouched: email.vouched,
        }))
    }
}
