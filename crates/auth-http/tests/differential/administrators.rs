//! What administrators do.

use auth_domain::{
    AccountFilter, AccountWish, Administrator, AuthError, GroupName, KeyLife, KeyName, Language, Membership, Page,
    PortalUrl, RoleName, UserChange, Welcome,
};

use crate::{
    side::{Side, address, alias, client, name, newest, told},
    step::Administration,
};

impl Side {
    /// What is answered to an administrator who does this.
    pub(crate) async fn administer(&mut self, what: Administration, user: usize, other: usize) -> String {
        match self.administered(what, user, other).await {
            Ok(outcome) => outcome,
            Err(error) => format!("{error:?}"),
        }
    }

    async fn administered(&mut self, what: Administration, user: usize, other: usize) -> Result<String, AuthError> {
        use Administration as A;
        let (root, language) = (Administrator::on_the_command_line(), Language::default());
        let welcome = match what {
            A::CreateAccount => Some(Welcome::Nothing),
            A::Invite => Some(Welcome::Invitation(PortalUrl::parse("https://portal.example.org/").unwrap())),
            A::CreateAccountWithKeyPair => Some(Welcome::KeyPair),
            _ => None,
        };
        if let Some(welcome) = welcome {
            let (email, alias) = (address(other), alias(user));
            let wish = AccountWish { email, full_name: name(), alias, roles: None, welcome };
            let created = self.auth.create_account(&root, wish, &language).await?;
            if let Some(pair) = &created.key_pair {
                let secret = pair.api_secret.expose().to_owned();
                self.pairs.push((pair.id, pair.api_key.as_str().to_owned(), secret));
            }
            return Ok(format!("{created:?}"));
        }
        let page = Page::new(1, 100).unwrap();
        let accounts = self.auth.list_accounts(&root, &AccountFilter::default(), page).await?;
        let Some(account) = newest(&accounts.on_page, user) else { return Ok("there is none".to_owned()) };
        let id = account.user.id;
        let change = match what {
            A::Enable => Some(UserChange::Enable),
            A::Disable => Some(UserChange::Disable),
            A::Verify => Some(UserChange::Verify),
            A::Unverify => Some(UserChange::Unverify),
            A::MakeAdministrator => Some(UserChange::Grant(Membership::Role(RoleName::users_admin()))),
            A::MakeNoAdministrator => Some(UserChange::Revoke(Membership::Role(RoleName::users_admin()))),
            A::GrantGroup => Some(UserChange::Grant(Membership::Group(GroupName::parse("staff").unwrap()))),
            _ => None,
        };
        if let Some(change) = change {
            let changed = self.auth.change_user(&root, id, &change).await;
            return Ok(format!("{changed:?} {:?}", self.auth.find_account(&root, id).await));
        }
        let session = newest(&self.bearers, other).map(|(id, _)| *id);
        let pair = newest(&self.pairs, other).map(|(id, ..)| *id);
        Ok(match what {
            A::DeleteUser => told(&self.auth.delete_user(&root, id).await),
            A::GiveEmail => told(&self.auth.give_email(&root, id, &address(other), &language).await),
            A::VerifyEmail => {
                let email = self.email_of(id, other).await?;
                told(&self.auth.verify_email(&root, email).await)
            }
            A::PreferEmail => {
                let email = self.email_of(id, other).await?;
                told(&self.auth.prefer_email_of_user(&root, email, &language).await)
            }
            A::RemoveEmail => {
                let email = self.email_of(id, other).await?;
                told(&self.auth.remove_email_of_user(&root, email, &language).await)
            }
            A::GiveSession => {
                let given = self.auth.give_session(&root, id, None, &client(0)).await?;
                self.bearers.push((given.session_id, given.bearer.expose().to_owned()));
                format!("{given:?}")
            }
            A::GiveKeyPair => {
                let (name, life) = (KeyName::parse("given").unwrap(), KeyLife::of_days(30).unwrap());
                let given = self.auth.give_key_pair(&root, id, name, life).await?;
                let secret = given.api_secret.expose().to_owned();
                self.pairs.push((given.id, given.api_key.as_str().to_owned(), secret));
                format!("{given:?}")
            }
            A::EndSessions => told(&self.auth.end_sessions(&root, id).await),
            A::Unlock => told(&self.auth.unlock_address(&root, &address(other)).await),
            A::VerifySession => told(&self.auth.verify_session(&root, session.ok_or(AuthError::NotFound)?).await),
            A::EndSession => told(&self.auth.end_session(&root, session.ok_or(AuthError::NotFound)?).await),
            A::VerifyKeyPair => told(&self.auth.verify_key_pair(&root, pair.ok_or(AuthError::NotFound)?).await),
            A::EndKeyPair => told(&self.auth.end_key_pair(&root, pair.ok_or(AuthError::NotFound)?).await),
            _ => unreachable!("done above"),
        })
    }
}
