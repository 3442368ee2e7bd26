use std::collections::BTreeSet;

use crate::{
    Account, AccountFilter, Administrator, Alias, AuthError, CreatedKeyPair, EmailAddress, EmailId, EventKind,
    FullName, KeyLife, KeyName, KeyPairWish, Language, MailClass, MailContent, Membership, NewAccount, Outcome, Page,
    Paged, PortalUrl, RoleName, UserChange, UserId,
    use_cases::{Auth, audit::tell},
};

/// How long a key pair lives that is made along with its account, in days.
const FIRST_KEY_DAYS: i64 = 365;

/// An account as an administrator wants it.
#[derive(Debug, Clone)]
pub struct AccountWish {
    /// Where the user's codes will go. It signs in from the beginning.
    pub email: EmailAddress,
    /// What they call themselves.
    pub full_name: FullName,
    /// The handle they get.
    pub alias: Alias,
    /// What they may do; what new users may, if `None`.
    pub roles: Option<Vec<RoleName>>,
    /// How they come to use it.
    pub welcome: Welcome,
}

/// How the user of an account that an administrator makes comes to use it.
#[derive(Debug, Clone)]
pub enum Welcome {
    /// By a mail that links to this page. The user counts as verified once they have signed in.
    Invitation(PortalUrl),
    /// By a key pair that works at once, for a year: the administrator vouches for the user.
    KeyPair,
    /// By signing in, as everybody can: the administrator vouches for the user.
    Nothing,
}

/// An account that an administrator made.
#[derive(Debug)]
pub struct CreatedAccount {
    /// The user.
    pub user_id: UserId,
    /// The key pair, if one was wanted.
    pub key_pair: Option<CreatedKeyPair>,
}

impl Auth {
    /// One page of the accounts that pass `filter`, oldest first.
    pub async fn list_accounts(
        &self,
        _administrator: &Administrator,
        filter: &AccountFilter,
        page: Page,
    ) -> Result<Paged<Account>, AuthError> {
        Ok(self.ports.store.page_accounts(filter, page).await?)
    }

    /// The account of a user.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when there is none.
    pub async fn find_account(&self, _administrator: &Administrator, id: UserId) -> Result<Account, AuthError> {
        self.ports.store.find_account(id).await?.ok_or(AuthError::NotFound)
    }

    /// The account that owns an address.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when there is none.
    pub async fn find_account_by_email(
        &self,
        administrator: &Administrator,
        email: &EmailAddress,
    ) -> Result<Account, AuthError> {
        let known = self.ports.store.find_address(&email.key(), self.now()).await?;
        let owned = known.filter(crate::KnownAddress::is_owned).ok_or(AuthError::NotFound)?;
        self.find_account(administrator, owned.owner.user_id).await
    }

    /// Makes an account, whether or not people can register themselves. An invitation is written in `language`.
    ///
    /// # Errors
    /// [`AuthError::AliasTaken`], [`AuthError::AddressTaken`].
    pub async fn create_account(
        &self,
        administrator: &Administrator,
        wish: AccountWish,
        language: &Language,
    ) -> Result<CreatedAccount, AuthError> {
        let now = self.now();
        let user_id = UserId::mint(now, self.entropy())?;
        let (mut verified, mut kind, mut created, mut key_pair, mut mail) =
            (true, EventKind::UserCreated, None, None, None);
        match wish.welcome {
            Welcome::Nothing => {}
            Welcome::KeyPair => {
                let name = KeyName::parse("made with the account")?;
                let first = KeyPairWish { name, life: KeyLife::of_days(FIRST_KEY_DAYS)?, roles: None };
                let (told, new) = self.mint_key_pair(user_id, &first, now)?;
                (created, key_pair) = (Some(told), Some(new));
            }
            Welcome::Invitation(portal) => {
                let content = MailContent::Invitation(portal);
                let to = Some(&wish.email);
                mail = Some(self.mint_mail(to, language, &content, MailClass::Notice, None, now)?);
                (verified, kind) = (false, EventKind::UserInvited);
            }
        }
        let roles = wish.roles.map(|roles| roles.iter().map(RoleName::to_string).collect());
        let roles = roles.unwrap_or_else(|| self.new_user_roles());
        let groups = self.new_user_groups();
        let told = |kind, detail| {
            Ok::<_, AuthError>(self.event(kind, administrator.actor(), now)?.about(user_id).detailed(detail))
        };
        let key_pair_id = created.as_ref().map(|pair| pair.id.to_string());
        let mut events = vec![told(kind, key_pair_id.clone().unwrap_or_default())?];
        // Each thing is told as if it had been given later, so that whoever looks for who gave it finds it.
        for (kind, names) in [(EventKind::RoleGranted, &roles), (EventKind::GroupGranted, &groups)] {
            for name in BTreeSet::from_iter(names) {
                events.push(told(kind, name.clone())?);
            }
        }
        if let Some(id) = key_pair_id {
            events.push(told(EventKind::KeyPairCreated, id)?);
        }
        let account = NewAccount {
            user_id,
            alias: wish.alias,
            full_name: wish.full_name,
            roles,
            groups,
            verified,
            email_id: EmailId::mint(now, self.entropy())?,
            address: wish.email,
            created_at: now,
            key_pair,
            mail,
            events,
        };
        match self.ports.store.create_account(&account).await? {
            Outcome::Done(()) => {
                self.ports.bell.ring();
                account.events.iter().for_each(tell);
                Ok(CreatedAccount { user_id, key_pair: created })
            }
            other => Err(other.into()),
        }
    }

    /// Makes a change to a user. What is so already is acknowledged.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when there is no such user, or no such thing to take away; [`AuthError::LastAdministrator`].
    pub async fn change_user(
        &self,
        administrator: &Administrator,
        id: UserId,
        change: &UserChange,
    ) -> Result<(), AuthError> {
        let (kind, detail) = match change {
            UserChange::Enable => (EventKind::UserEnabled, ""),
            UserChange::Disable => (EventKind::UserDisabled, ""),
            UserChange::Verify => (EventKind::UserVerified, ""),
            UserChange::Unverify => (EventKind::UserUnverified, ""),
            UserChange::Grant(Membership::Role(role)) => (EventKind::RoleGranted, role.as_str()),
            UserChange::Revoke(Membership::Role(role)) => (EventKind::RoleRevoked, role.as_str()),
            UserChange::Grant(Membership::Group(group)) => (EventKind::GroupGranted, group.as_str()),
            UserChange::Revoke(Membership::Group(group)) => (EventKind::GroupRevoked, group.as_str()),
        };
        let event = self.event(kind, administrator.actor(), self.now())?.about(id).detailed(detail);
        let changed = self.ports.store.change_user(id, change, &event).await?;
        if changed == Outcome::Done(()) {
            tell(&event);
        }
        outcome(changed)
    }

    /// Deletes a user, with everything that belongs to them.
    ///
    /// # Errors
    /// [`AuthError::NotFound`], [`AuthError::LastAdministrator`].
    pub async fn delete_user(&self, administrator: &Administrator, id: UserId) -> Result<(), AuthError> {
        let event = self.event(EventKind::UserDeleted, administrator.actor(), self.now())?.about(id);
        let changed = self.ports.store.delete_user(id, &event).await?;
        if changed == Outcome::Done(()) {
            tell(&event);
        }
        outcome(changed)
    }
}

fn outcome(changed: Outcome) -> Result<(), AuthError> {
    match changed {
        Outcome::Done(()) | Outcome::Unchanged => Ok(()),
        other => Err(other.into()),
    }
}
