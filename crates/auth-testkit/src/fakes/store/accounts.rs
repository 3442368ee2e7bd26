use async_trait::async_trait;
use auth_domain::{
    Account, AccountFilter, Accounts, Changed, Created, Event, Membership, NewAccount, Page, Paged, Standing,
    StoreError, User, UserChange, UserId,
    rules::{AliasVerdict, ChangeVerdict, holds, is_administrator, judge_alias, judge_change},
};

use super::{
    InMemoryStore,
    state::{EmailRow, KeyPairRow, State, UserRow},
    users::alias_holder,
};

#[async_trait]
impl Accounts for InMemoryStore {
    async fn page_accounts(&self, filter: &AccountFilter, page: Page) -> Result<Paged<Account>, StoreError> {
        let state = self.transaction()?;
        let wanted = |user: &User| {
            let holds_role = |role: &auth_domain::RoleName| holds(user, &Membership::Role(role.clone()));
            filter.enabled.is_none_or(|enabled| user.enabled == enabled) && filter.role.as_ref().is_none_or(holds_role)
        };
        let mut accounts: Vec<_> =
            state.accounts().filter(|user| wanted(user)).map(|user| state.account_of(user.clone())).collect();
        accounts.sort_by_key(|account| account.user.id);
        Ok(paged(accounts, page))
    }

    async fn find_account(&self, id: UserId) -> Result<Option<Account>, StoreError> {
        let state = self.transaction()?;
        Ok(state.accounts().find(|user| user.id == id).map(|user| state.account_of(user.clone())))
    }

    async fn create_account(&self, account: &NewAccount) -> Result<Created, StoreError> {
        let mut state = self.transaction()?;
        let address = account.address.key();
        let holder = alias_holder(&state, &account.alias.key(), account.created_at);
        if judge_alias(holder.as_ref().map(|(_, holder)| holder), &address) == AliasVerdict::Taken {
            return Ok(Created::AliasTaken);
        }
        if state.has_owner(&address, None) {
            return Ok(Created::AddressTaken);
        }
        for replaced in state.registrations_for(&address).into_iter().chain(holder.map(|(user, _)| user)) {
            state.remove_user(replaced);
        }
        state.store_account(account);
        Ok(Created::Yes)
    }

    async fn change_user(&self, id: UserId, change: &UserChange, event: &Event) -> Result<Changed, StoreError> {
        let mut state = self.transaction()?;
        let changed = state.judge(id, Some(change));
        if changed == Changed::Yes {
            state.change(id, change);
            state.events.push(event.clone());
            self.revoked(id);
        }
        Ok(changed)
    }

    async fn delete_user(&self, id: UserId, event: &Event) -> Result<Changed, StoreError> {
        let mut state = self.transaction()?;
        let changed = state.judge(id, None);
        if changed == Changed::Yes {
            state.remove_user(id);
            state.events.push(event.clone());
            self.revoked(id);
        }
        Ok(changed)
    }
}

/// The page that was asked for.
pub(super) fn paged<T>(all: Vec<T>, page: Page) -> Paged<T> {
    let items = u64::try_from(all.len()).expect("a count of rows");
    let (skipped, size) = (usize::try_from(page.offset()).unwrap_or(usize::MAX), usize::try_from(page.size()));
    Paged { on_page: all.into_iter().skip(skipped).take(size.expect("a small number")).collect(), items }
}

impl State {
    fn accounts(&self) -> impl Iterator<Item = &User> {
        self.users.iter().filter(|row| row.standing == Standing::Account).map(|row| &row.user)
    }

    fn account_of(&self, user: User) -> Account {
        Account { emails: self.emails_of(user.id), user }
    }

    /// Whether a credential of the user's would be accepted.
    pub(super) fn is_active(&self, user: UserId) -> bool {
        self.accounts().any(|row| row.id == user && row.verified && row.enabled)
    }

    fn judge(&self, id: UserId, change: Option<&UserChange>) -> Changed {
        let Some(user) = self.accounts().find(|user| user.id == id) else { return Changed::Missing };
        let others = self.accounts().any(|other| other.id != id && is_administrator(other));
        match judge_change(user, change, others) {
            ChangeVerdict::Make => Changed::Yes,
            ChangeVerdict::Already => Changed::Already,
            ChangeVerdict::Missing => Changed::Missing,
            ChangeVerdict::LastAdministrator => Changed::LastAdministrator,
        }
    }

    fn change(&mut self, id: UserId, change: &UserChange) {
        let row = self.users.iter_mut().find(|row| row.user.id == id).expect("it was judged");
        match change {
            UserChange::Enable => row.user.enabled = true,
            UserChange::Disable => row.user.enabled = false,
            UserChange::Verify => row.user.verified = true,
            UserChange::Unverify => row.user.verified = false,
            UserChange::Grant(membership) => {
                let held = held(&mut row.user, membership);
                held.push(membership.name().to_owned());
                held.sort();
            }
            UserChange::Revoke(membership) => {
                held(&mut row.user, membership).retain(|name| name != membership.name());
            }
        }
        if change.ends_credentials() {
            self.key_pairs.retain(|key_pair| key_pair.new.user_id != id);
            self.remove_sessions(|session| session.user_id == Some(id));
        }
    }

    fn store_account(&mut self, account: &NewAccount) {
        self.users.push(UserRow {
            user: User {
                id: account.user_id,
                alias: account.alias.clone(),
                full_name: account.full_name.clone(),
                verified: account.verified,
                enabled: true,
                roles: sorted(&account.roles),
                groups: sorted(&account.groups),
                created_at: account.created_at,
            },
            standing: Standing::Account,
        });
        self.emails.push(EmailRow {
            id: account.email_id,
            user_id: account.user_id,
            address: account.address.clone(),
            verified: false,
            vouched: true,
            preferred: true,
            created_at: account.created_at,
        });
        if let Some(new) = &account.key_pair {
            self.key_pairs.push(KeyPairRow {
                new: new.clone(),
                verified_at: Some(account.created_at),
                last_used_at: None,
            });
        }
        if let Some(mail) = &account.mail {
            self.store_mail(mail);
        }
        self.events.extend(account.events.iter().cloned());
    }
}

fn held<'a>(user: &'a mut User, membership: &Membership) -> &'a mut Vec<String> {
    match membership {
        Membership::Role(_) => &mut user.roles,
        Membership::Group(_) => &mut user.groups,
    }
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    names.dedup();
    names
}
