use std::collections::HashSet;

use auth_domain::{
    Account, AccountFilter, AccountWish, Administrator, Alias, Auth, AuthError, EmailAddress, FullName, InvalidInput,
    KeyPair, Language, Membership, Page, Paged, RoleName, Session, UserChange, UserId, Welcome,
};
use uuid::Uuid;

use super::{AdminFailure, arguments::Command};
use crate::compose::Installation;

const OPERATOR: Administrator = Administrator::on_the_command_line();

/// What is to be done.
pub(super) enum Errand {
    Create(AccountWish),
    Grant(EmailAddress, RoleName),
    Revoke(EmailAddress, RoleName),
    List(AccountFilter),
    Disable(EmailAddress),
    Enable(EmailAddress),
    ListSessions(EmailAddress),
    RevokeSessions(EmailAddress),
    ListKeys(EmailAddress),
    Unlock(EmailAddress),
}

/// What came of it.
pub(super) enum Outcome {
    Created(UserId),
    Granted(UserId, RoleName),
    Revoked(UserId, RoleName),
    Accounts(Vec<Account>),
    Disabled(UserId),
    Enabled(UserId),
    Sessions(Vec<Session>),
    /// How many of the user's sessions were live.
    SessionsRevoked(UserId, u64),
    KeyPairs(Vec<KeyPair>),
    /// Whether anything had been guessed wrong.
    Unlocked(bool),
}

impl Errand {
    /// What `command` asks for.
    ///
    /// # Errors
    /// The rule that an argument breaks.
    pub(super) fn parse(command: Command) -> Result<Self, InvalidInput> {
        let address = |email: String| EmailAddress::parse(&email);
        Ok(match command {
            Command::Create { email, alias, name, roles } => {
                let roles: Vec<_> = roles.iter().map(|role| RoleName::parse(role)).collect::<Result<_, _>>()?;
                Self::Create(AccountWish {
                    email: address(email)?,
                    full_name: FullName::parse(&name)?,
                    alias: Alias::parse(&alias)?,
                    roles: Some(roles).filter(|roles| !roles.is_empty()),
                    welcome: Welcome::Nothing,
                })
            }
            Command::Grant { email, role } => Self::Grant(address(email)?, RoleName::parse(&role)?),
            Command::Revoke { email, role } => Self::Revoke(address(email)?, RoleName::parse(&role)?),
            Command::List { role } => {
                let role = role.as_deref().map(RoleName::parse).transpose()?;
                Self::List(AccountFilter { enabled: None, role })
            }
            Command::Disable { email } => Self::Disable(address(email)?),
            Command::Enable { email } => Self::Enable(address(email)?),
            Command::Sessions { email } => Self::ListSessions(address(email)?),
            Command::RevokeSessions { email } => Self::RevokeSessions(address(email)?),
            Command::Keys { email } => Self::ListKeys(address(email)?),
            Command::Unlock { email } => Self::Unlock(address(email)?),
        })
    }

    /// What it does about an installation that does not exist yet: only an account can be its first content.
    pub(super) fn installation(&self) -> Installation {
        match self {
            Self::Create(_) => Installation::MadeIfMissing,
            Self::Grant(..)
            | Self::Revoke(..)
            | Self::List(_)
            | Self::Disable(_)
            | Self::Enable(_)
            | Self::ListSessions(_)
            | Self::RevokeSessions(_)
            | Self::ListKeys(_)
            | Self::Unlock(_) => Installation::Existing,
        }
    }

    /// Does it.
    pub(super) async fn carry_out(self, auth: &Auth) -> Result<Outcome, AdminFailure> {
        let user = async |email| Ok::<_, AuthError>(auth.find_account_by_email(&OPERATOR, &email).await?.user.id);
        Ok(match self {
            Self::Create(wish) => {
                let created = auth.create_account(&OPERATOR, wish, &Language::default()).await?;
                Outcome::Created(created.user_id)
            }
            Self::Grant(email, role) => {
                let user = user(email).await?;
                let change = UserChange::Grant(Membership::Role(role.clone()));
                auth.change_user(&OPERATOR, user, &change).await?;
                Outcome::Granted(user, role)
            }
            Self::Revoke(email, role) => {
                let user = user(email).await?;
                let change = UserChange::Revoke(Membership::Role(role.clone()));
                auth.change_user(&OPERATOR, user, &change).await.map_err(|error| match error {
                    AuthError::NotFound => AdminFailure::RoleNotHeld,
                    other => other.into(),
                })?;
                Outcome::Revoked(user, role)
            }
            Self::List(filter) => {
                let page = async |page| auth.list_accounts(&OPERATOR, &filter, page).await;
                Outcome::Accounts(all_pages(page, |account| account.user.id.uuid()).await?)
            }
            Self::Disable(email) => {
                let user = user(email).await?;
                auth.change_user(&OPERATOR, user, &UserChange::Disable).await?;
                Outcome::Disabled(user)
            }
            Self::Enable(email) => {
                let user = user(email).await?;
                auth.change_user(&OPERATOR, user, &UserChange::Enable).await?;
                Outcome::Enabled(user)
            }
            Self::ListSessions(email) => {
                let user = user(email).await?;
                let page = async |page| auth.page_sessions(&OPERATOR, Some(user), page).await;
                Outcome::Sessions(all_pages(page, |session| session.id.uuid()).await?)
            }
            Self::RevokeSessions(email) => {
                let user = user(email).await?;
                Outcome::SessionsRevoked(user, auth.end_sessions(&OPERATOR, user).await?)
            }
            Self::ListKeys(email) => {
                let user = user(email).await?;
                let page = async |page| auth.page_key_pairs(&OPERATOR, Some(user), page).await;
                Outcome::KeyPairs(all_pages(page, |key_pair| key_pair.id.uuid()).await?)
            }
            Self::Unlock(email) => Outcome::Unlocked(auth.unlock_address(&OPERATOR, &email).await?),
        })
    }
}

/// Everything that is on the pages of a list. The service goes on meanwhile: what comes pushes others onto the next page,
/// where they are met again; what goes may take another one along.
async fn all_pages<T>(
    mut fetch: impl AsyncFnMut(Page) -> Result<Paged<T>, AuthError>,
    id: impl Fn(&T) -> Uuid,
) -> Result<Vec<T>, AuthError> {
    let (mut all, mut met) = (Vec::new(), HashSet::new());
    for number in 1.. {
        let page = Page::new(number, Page::SIZE_AT_MOST.into())?;
        let paged = fetch(page).await?;
        all.extend(paged.on_page.into_iter().filter(|item| met.insert(id(item))));
        if number.unsigned_abs() >= page.pages_of(paged.items) {
            break;
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_is_read_to_its_end_and_nothing_stands_in_it_twice() {
        for count in [0_u128, 1, 100, 101, 250] {
            let fetch = async |page: Page| {
                // As if something had come in front after the first page was read.
                let from = page.offset().saturating_sub(1).into();
                let on_page = (from..count).take(100).map(Uuid::from_u128).collect();
                Ok(Paged { on_page, items: u64::try_from(count).unwrap() })
            };
            let all = all_pages(fetch, |id| *id).await.unwrap();
            assert_eq!(all, (0..count).map(Uuid::from_u128).collect::<Vec<_>>(), "{count}");
        }
    }
}
