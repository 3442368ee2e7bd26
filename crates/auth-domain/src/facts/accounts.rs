use std::collections::BTreeSet;

use super::{
    Decision, carry_out,
    records::{insert_account, sorted},
};
use crate::{
    Change, Changes, Conflict, Event, FactKey, Membership, NewAccount, Outcome, Scope, State, Store, StoreError, User,
    UserChange, UserId,
    archive::UserRecord,
    rules::{AliasVerdict, ChangeVerdict, is_administrator, judge_alias, judge_change},
};

/// An administrator makes an account.
struct CreateAccount(NewAccount);
/// An administrator changes what a user is or may do.
struct ChangeUser {
    id: UserId,
    change: UserChange,
    event: Event,
}
/// A user is deleted.
struct DeleteUser {
    id: UserId,
    event: Event,
}

impl dyn Store + '_ {
    /// Stores an account. Alias and address are judged as for a registration, except that an address
    /// with an owner is told; registrations for the address go. Records all of the events.
    pub async fn create_account(&self, account: &NewAccount) -> Result<Outcome, StoreError> {
        carry_out(self, CreateAccount(account.clone())).await
    }

    /// Makes a change to a user by [`judge_change`], and records `event`.
    pub async fn change_user(&self, id: UserId, change: &UserChange, event: &Event) -> Result<Outcome, StoreError> {
        carry_out(self, ChangeUser { id, change: change.clone(), event: event.clone() }).await
    }

    /// Deletes the user with addresses, sessions, key pairs and codes, so that their code mails are given up, and records
    /// `event`. Judged like any other change.
    pub async fn delete_user(&self, id: UserId, event: &Event) -> Result<Outcome, StoreError> {
        carry_out(self, DeleteUser { id, event: event.clone() }).await
    }
}

impl Decision for CreateAccount {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        Scope {
            address: Some(self.0.address.key()),
            claims: true,
            alias: Some(self.0.alias.clone()),
            ..Scope::default()
        }
    }

    fn turn(&self) -> Option<FactKey> {
        None
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let (account, address) = (&self.0, state.address()?);
        let holder = state.alias.as_ref();
        let verdict = judge_alias(holder.map(|holder| holder.judged(account.created_at)).as_ref(), &address.key);
        if verdict == AliasVerdict::Taken {
            return Ok(Outcome::Conflict(Conflict::AliasTaken));
        }
        if address.owner().is_some() {
            return Ok(Outcome::Conflict(Conflict::AddressTaken));
        }
        let mut gone: BTreeSet<_> = address.registrations().collect();
        gone.extend(holder.map(|holder| holder.user.user.id));
        changes.extend(gone.into_iter().map(Change::DeleteRegistration));
        insert_account(changes, account);
        if let Some(key_pair) = &account.key_pair {
            changes.insert_key_pair(key_pair, Some(account.created_at));
        }
        changes.queue(account.mail.clone());
        for event in &account.events {
            changes.record(event.clone());
        }
        Ok(Outcome::Done(()))
    }
}

/// What a change to a user is decided by.
fn administered(user: UserId) -> Scope {
    Scope { administrators: true, user: Some(user), ..Scope::default() }
}

/// Judges a change to the user in the scope; `None` stands for deleting them. Returns the user, if it is to be made.
fn judge<'a>(state: &'a State, change: Option<&UserChange>) -> Result<&'a UserRecord, Outcome> {
    let Some(account) = state.account() else { return Err(Outcome::NotFound) };
    let user = &account.user;
    let others = state.administrators.iter().any(|other| other.id != user.id && is_administrator(other));
    match judge_change(user, change, others) {
        ChangeVerdict::Make => Ok(account),
        ChangeVerdict::Already => Err(Outcome::Unchanged),
        ChangeVerdict::Missing => Err(Outcome::NotFound),
        ChangeVerdict::LastAdministrator => Err(Outcome::Conflict(Conflict::LastAdministrator)),
    }
}

impl Decision for ChangeUser {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        administered(self.id)
    }

    fn turn(&self) -> Option<FactKey> {
        None
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        let before = match judge(state, Some(&self.change)) {
            Ok(before) => before,
            Err(unchanged) => return Ok(unchanged),
        };
        let user = changed(before.user.clone(), &self.change);
        changes.push(Change::UpdateUser(UserRecord { user, ..before.clone() }));
        if self.change.ends_credentials() {
            changes.push(Change::DeleteSessions { user: self.id, keep: None });
            changes.push(Change::DeleteKeyPairs(self.id));
        }
        changes.record(self.event.clone());
        Ok(Outcome::Done(()))
    }
}

impl Decision for DeleteUser {
    type Answer = Outcome;

    fn scope(&self) -> Scope {
        administered(self.id)
    }

    fn turn(&self) -> Option<FactKey> {
        Some(FactKey::User(self.id))
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Outcome, StoreError> {
        if let Err(unchanged) = judge(state, None) {
            return Ok(unchanged);
        }
        changes.push(Change::DeleteUser(self.id));
        changes.record(self.event.clone());
        Ok(Outcome::Done(()))
    }
}

/// The user as the change makes them.
fn changed(mut user: User, change: &UserChange) -> User {
    match change {
        UserChange::Enable => user.enabled = true,
        UserChange::Disable => user.enabled = false,
        UserChange::Verify => user.verified = true,
        UserChange::Unverify => user.verified = false,
        UserChange::Grant(membership) => held(&mut user, membership).push(membership.name().to_owned()),
        UserChange::Revoke(membership) => held(&mut user, membership).retain(|name| name != membership.name()),
    }
    User { roles: sorted(user.roles), groups: sorted(user.groups), ..user }
}

fn held<'a>(user: &'a mut User, membership: &Membership) -> &'a mut Vec<String> {
    match membership {
        Membership::Role(_) => &mut user.roles,
        Membership::Group(_) => &mut user.groups,
    }
}
